"""What many users do to one service, in any order, beside a model of what each must see."""

from typing import Any
from uuid import uuid4

import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

TASKS = "/api/v1/tasks"

# Names that a careless comparison would take for one another.
USERS = st.sampled_from(["alice", "Alice", "ALICE", "alice%", "alic_", "alice'--", "alice|", "a"])
TITLES = st.text("aZ0'\"%_\\;{é日👍", min_size=1, max_size=20)
COMPLETED = st.booleans()
LIMITS = st.integers(1, 4)


class ManyUsers(RuleBasedStateMachine):
    """They all come over the same connections, as from a gateway. Each rule is one request."""

    gateway: httpx2.Client
    header: str
    ids = Bundle("ids")

    @initialize(target=ids)
    def start(self) -> str:
        self.suffix = uuid4().hex
        self.tasks: dict[str, dict[str, dict[str, Any]]] = {}
        return str(uuid4())

    @rule(target=ids, user=USERS, title=TITLES, completed=COMPLETED)
    def create(self, user: str, title: str, completed: bool) -> str:
        new = {"title": title, "description": title * 2, "completed": completed}
        created = self.ask(user, "POST", "", 201, json=new)
        assert created == {**created, **new, "user_id": user + self.suffix}
        self.of(user)[created["id"]] = created
        return str(created["id"])

    @rule(user=USERS, key=ids)
    def get(self, user: str, key: str) -> None:
        self.change(user, "GET", key)

    @rule(user=USERS, key=ids, title=TITLES, completed=COMPLETED)
    def replace(self, user: str, key: str, title: str, completed: bool) -> None:
        body = {"title": title, "description": "", "completed": completed}
        self.change(user, "PUT", key, body, body)

    @rule(user=USERS, key=ids, title=TITLES)
    def rename(self, user: str, key: str, title: str) -> None:
        self.change(user, "PATCH", key, {"title": title}, {"title": title})

    @rule(user=USERS, key=ids)
    def patch_nothing(self, user: str, key: str) -> None:
        self.change(user, "PATCH", key, {})

    @rule(user=USERS, key=ids)
    def toggle(self, user: str, key: str) -> None:
        completed = self.of(user).get(key, {}).get("completed")
        self.change(user, "POST", f"{key}/toggle", changes={"completed": not completed})

    @rule(user=USERS, key=ids)
    def delete(self, user: str, key: str) -> None:
        found = self.of(user).pop(key, None)
        self.ask(user, "DELETE", f"/{key}", 204 if found else 404)

    @rule(
        user=USERS,
        completed=st.none() | COMPLETED,
        cursor=st.none() | ids,
        limit=LIMITS,
    )
    def page(self, user: str, completed: bool | None, cursor: str | None, limit: int) -> None:
        """The cursor is any task's: one's own, another's, a deleted one's."""
        query = {"completed": completed, "cursor": cursor, "limit": limit}
        given = {name: value for name, value in query.items() if value is not None}
        tasks = self.listed(user, completed, cursor)
        more = tasks[limit - 1]["id"] if len(tasks) > limit else None
        page = self.ask(user, "GET", f"?{httpx2.QueryParams(given)}", 200)
        assert page == {"items": tasks[:limit], "next_cursor": more}

    @rule(user=USERS, limit=LIMITS)
    def read_all(self, user: str, limit: int) -> None:
        tasks: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": limit}
        while query.get("cursor", limit):
            page = self.ask(user, "GET", f"?{httpx2.QueryParams(query)}", 200)
            tasks += page["items"]
            query["cursor"] = page["next_cursor"]
        assert tasks == self.listed(user)

    def teardown(self) -> None:
        for user in [name.removesuffix(self.suffix) for name in self.tasks]:
            self.read_all(user, 200)

    def of(self, user: str) -> dict[str, dict[str, Any]]:
        return self.tasks.setdefault(user + self.suffix, {})

    def listed(
        self, user: str, completed: bool | None = None, cursor: str | None = None
    ) -> list[dict[str, Any]]:
        return [
            task
            for key, task in sorted(self.of(user).items(), reverse=True)
            if completed in (None, task["completed"]) and (cursor is None or key < cursor)
        ]

    def change(
        self,
        user: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        changes: dict[str, Any] | None = None,
    ) -> None:
        key = path.partition("/")[0]
        task = self.of(user).get(key)
        changed = self.ask(user, method, f"/{path}", 200 if task else 404, json=body)
        if task:
            updated_at = changed["updated_at"] if changes else task["updated_at"]
            assert changed == {**task, **(changes or {}), "updated_at": updated_at}
            self.of(user)[key] = changed

    def ask(
        self, user: str, method: str, path: str, status: int, json: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = {self.header: user + self.suffix}
        response = self.gateway.request(method, TASKS + path, headers=headers, json=json)
        assert response.status_code == status, response.text
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
