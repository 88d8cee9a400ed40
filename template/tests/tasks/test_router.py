"""Each operation on tasks, over HTTP."""

import json
from datetime import datetime
from uuid import UUID

import httpx2
import pytest

TASKS = "/api/v1/tasks"
JSON = {"Content-Type": "application/json"}


def create(client: httpx2.Client, **task: object) -> dict[str, object]:
    response = client.post(TASKS, json={"title": "Buy milk", **task})
    assert response.status_code == 201, response.text
    body: dict[str, object] = response.json()
    return body


def pages(client: httpx2.Client, **query: str | int) -> list[list[str]]:
    """The ids of all tasks, page by page."""
    found: list[list[str]] = []
    cursor: str | None = None
    while cursor or not found:
        at = {"cursor": cursor} if cursor else {}
        page = client.get(TASKS, params={**query, **at}).json()
        found.append([task["id"] for task in page["items"]])
        cursor = page["next_cursor"]
    return found


def test_a_created_task_is_answered_whole_with_its_location(alice: httpx2.Client) -> None:
    response = alice.post(TASKS, json={"title": "Buy milk"})
    task = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{TASKS}/{task['id']}"
    assert alice.get(response.headers["Location"]).json() == task
    assert UUID(task["id"]).version == 7
    assert datetime.fromisoformat(task["created_at"]).utcoffset() is not None
    assert task == {
        "id": task["id"],
        "user_id": alice.headers["X-User-ID"],
        "title": "Buy milk",
        "description": "",
        "completed": False,
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    }


def test_all_fields_can_be_given_at_creation(alice: httpx2.Client) -> None:
    task = create(alice, title="  Buy milk\n", description=" 2 l ", completed=True)
    assert (task["title"], task["description"], task["completed"]) == ("Buy milk", " 2 l ", True)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": " \t\u2003"}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": None}, "/title"),
        ({"title": 1}, "/title"),
        ({"title": "a\0b"}, "/title"),
        ({"title": "\ud800"}, "/title"),
        ({"title": "x", "description": "x" * 10_001}, "/description"),
        ({"title": "x", "description": None}, "/description"),
        ({"title": "x", "completed": "true"}, "/completed"),
        ({"title": "x", "completed": 1}, "/completed"),
        ({"title": "x", "user_id": "bob"}, "/user_id"),
        ({"title": "x", "titel": "y"}, "/titel"),
        ([], ""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_invalid_body_is_refused_and_nothing_changes(
    alice: httpx2.Client, method: str, body: object, pointer: str
) -> None:
    task = create(alice)
    path = TASKS if method == "POST" else f"{TASKS}/{task['id']}"
    response = alice.request(method, path, content=json.dumps(body), headers=JSON)
    assert response.status_code == 400
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert alice.get(TASKS).json()["items"] == [task]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_title_is_required(alice: httpx2.Client, method: str) -> None:
    path = TASKS if method == "POST" else f"{TASKS}/{create(alice)['id']}"
    response = alice.request(method, path, json={})
    assert response.status_code == 400
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/title"]


def test_the_longest_texts_are_counted_in_characters(alice: httpx2.Client) -> None:
    task = create(alice, title="🥛" * 200, description="🥛" * 10_000)
    assert alice.get(f"{TASKS}/{task['id']}").json() == task


def test_put_resets_what_is_left_out(alice: httpx2.Client) -> None:
    task = create(alice, description="2 l", completed=True)
    replaced = alice.put(f"{TASKS}/{task['id']}", json={"title": "Buy bread"}).json()
    assert replaced["updated_at"] > str(task["updated_at"])
    assert replaced == {
        **task,
        "title": "Buy bread",
        "description": "",
        "completed": False,
        "updated_at": replaced["updated_at"],
    }


@pytest.mark.parametrize(
    "change", [{"title": "Buy bread"}, {"description": ""}, {"completed": True}]
)
def test_patch_changes_what_is_given(alice: httpx2.Client, change: dict[str, object]) -> None:
    task = create(alice, description="2 l")
    patched = alice.patch(f"{TASKS}/{task['id']}", json=change).json()
    assert patched["updated_at"] > str(task["updated_at"])
    assert patched == {**task, **change, "updated_at": patched["updated_at"]}


def test_an_empty_patch_changes_nothing(alice: httpx2.Client) -> None:
    task = create(alice)
    assert alice.patch(f"{TASKS}/{task['id']}", json={}).json() == task


def test_toggle_negates_completed_each_time(alice: httpx2.Client) -> None:
    task = create(alice)
    toggled = [alice.post(f"{TASKS}/{task['id']}/toggle").json()["completed"] for _ in range(3)]
    assert toggled == [True, False, True]


def test_a_deleted_task_is_gone(alice: httpx2.Client) -> None:
    path = f"{TASKS}/{create(alice)['id']}"
    response = alice.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert alice.get(path).status_code == 404
    assert alice.delete(path).status_code == 404


def test_the_list_is_newest_first_and_only_the_callers(
    alice: httpx2.Client, bob: httpx2.Client
) -> None:
    mine = [create(alice, title=str(n)) for n in range(3)]
    create(bob)
    assert alice.get(TASKS).json() == {"items": mine[::-1], "next_cursor": None}


def test_pages_join_without_gap_or_overlap(alice: httpx2.Client) -> None:
    ids = [create(alice)["id"] for _ in range(5)][::-1]
    assert pages(alice, limit=2) == [ids[:2], ids[2:4], ids[4:]]
    assert pages(alice, limit=5) == [ids]


def test_the_list_can_be_filtered_by_completed(alice: httpx2.Client) -> None:
    done = [create(alice, completed=n % 2 == 0)["id"] for n in range(5)][::-1]
    assert pages(alice, completed="true", limit=2) == [[done[0], done[2]], [done[4]]]
    assert pages(alice, completed="false") == [[done[1], done[3]]]


def test_a_deleted_tasks_cursor_is_still_a_position(alice: httpx2.Client) -> None:
    ids = [create(alice)["id"] for _ in range(3)]
    alice.delete(f"{TASKS}/{ids[1]}")
    page = alice.get(TASKS, params={"cursor": str(ids[1])}).json()
    assert [task["id"] for task in page["items"]] == [ids[0]]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=1_0", "limit=1.0", "limit=", "completed=yes", "completed=",
     "cursor=", "cursor=1", "cursor={00000000-0000-0000-0000-000000000000}"],
)  # fmt: skip
def test_an_invalid_query_is_refused(alice: httpx2.Client, query: str) -> None:
    response = alice.get(f"{TASKS}?{query}")
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("query", f"/{query.partition('=')[0]}")


def test_an_invalid_id_is_refused(alice: httpx2.Client) -> None:
    response = alice.get(f"{TASKS}/7")
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("path", "/task_id")
