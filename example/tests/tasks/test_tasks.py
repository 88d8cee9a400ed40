"""Each operation on tasks, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from kit.testing.fixtures import UserClient

TASKS = "/api/v1/tasks"
DEFAULTS = {"description": "", "completed": False}
"""What a create gets by default. A new field goes in here, or into `required`."""


def required(client: httpx2.Client) -> dict[str, Any]:
    """What a create must send. If that is the id of another row, make the row here, as `client`."""
    return {"title": "Buy milk"}


def create(client: httpx2.Client, **fields: Any) -> Any:
    response = client.post(TASKS, json={**required(client), **fields})
    assert response.status_code == 201, response.text
    return response.json()


def pages(client: httpx2.Client, **query: Any) -> list[list[str]]:
    """The ids of all tasks, page by page."""
    page = client.get(TASKS, params=query).json()
    found = [[task["id"] for task in page["items"]]]
    if page["next_cursor"]:
        found += pages(client, **{**query, "cursor": page["next_cursor"]})
    return found


def test_a_created_task_is_answered_whole_with_its_location(alice: UserClient) -> None:
    sent = required(alice)
    response = alice.post(TASKS, json={**sent, "title": "  Buy milk\n"})
    task = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{TASKS}/{task['id']}"
    assert alice.get(response.headers["Location"]).json() == task
    assert UUID(task["id"]).version == 7
    assert datetime.fromisoformat(task["created_at"]).utcoffset() is not None
    assert task == {
        "id": task["id"],
        "user_id": alice.user_id,
        **sent,
        **DEFAULTS,
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    }


def test_a_create_that_is_sent_again_finds_what_it_stored(
    alice: httpx2.Client, bob: httpx2.Client
) -> None:
    key = {"Idempotency-Key": "my order"}
    task = alice.post(TASKS, json=required(alice), headers=key).json()
    again = alice.post(TASKS, json={**required(alice), "title": "Buy bread"}, headers=key)
    assert (again.status_code, again.json()) == (201, task)
    assert again.headers["Location"] == f"{TASKS}/{task['id']}"
    assert bob.post(TASKS, json=required(bob), headers=key).json()["id"] != task["id"]
    assert alice.get(TASKS).json()["items"] == [task]


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_an_invalid_key_is_refused(alice: httpx2.Client, key: str) -> None:
    response = alice.post(TASKS, json=required(alice), headers={b"Idempotency-Key": key.encode()})
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("header", "/idempotency-key")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": " \t"}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": None}, "/title"),
        ({"title": "a\0b"}, "/title"),
        ({"description": "x" * 10_001}, "/description"),
        ({"completed": "true"}, "/completed"),
        ({"user_id": "bob"}, "/user_id"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_invalid_body_is_refused_and_nothing_changes(
    alice: httpx2.Client, method: str, fields: dict[str, Any], pointer: str
) -> None:
    task = create(alice)
    path = TASKS if method == "POST" else f"{TASKS}/{task['id']}"
    body = {**required(alice), **DEFAULTS, "completed": True, **fields}
    response = alice.request(method, path, json=body)
    assert response.status_code == 400
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert alice.get(TASKS).json()["items"] == [task]


def test_the_longest_texts_are_counted_in_characters(alice: httpx2.Client) -> None:
    task = create(alice, title="🥛" * 200, description="🥛" * 10_000)
    assert alice.get(f"{TASKS}/{task['id']}").json() == task


def test_put_replaces_the_whole_task(alice: httpx2.Client) -> None:
    task = create(alice, title="Buy bread", description="2 l")
    path, whole = f"{TASKS}/{task['id']}", {**required(alice), **DEFAULTS, "completed": True}
    response = alice.put(path, json=whole)
    assert response.status_code == 200, response.text
    replaced = response.json()
    assert replaced == {**task, **whole, "updated_at": replaced["updated_at"]}
    assert replaced["updated_at"] > task["updated_at"]
    for field in whole:
        partial = {name: value for name, value in whole.items() if name != field}
        assert alice.put(path, json=partial).status_code == 400
    assert alice.get(path).json() == replaced


@pytest.mark.parametrize("change", [{"title": "a"}, {"description": ""}, {"completed": True}])
def test_patch_changes_what_is_given(alice: httpx2.Client, change: dict[str, Any]) -> None:
    task = create(alice, description="2 l")
    patched = alice.patch(f"{TASKS}/{task['id']}", json=change).json()
    assert patched == {**task, **change, "updated_at": patched["updated_at"]}
    assert patched["updated_at"] > task["updated_at"]


def test_an_empty_patch_changes_nothing(alice: httpx2.Client) -> None:
    task = create(alice)
    assert alice.patch(f"{TASKS}/{task['id']}", json={}).json() == task


def test_toggle_negates_completed_each_time(alice: httpx2.Client) -> None:
    path = f"{TASKS}/{create(alice)['id']}/toggle"
    assert [alice.post(path).json()["completed"] for _ in range(3)] == [True, False, True]


def test_a_deleted_task_is_gone(alice: httpx2.Client) -> None:
    path = f"{TASKS}/{create(alice)['id']}"
    response = alice.delete(path)
    assert (response.status_code, response.headers.get("Content-Type")) == (204, None)
    assert alice.get(path).status_code == alice.delete(path).status_code == 404


def test_the_list_is_newest_first_and_only_the_callers(
    alice: httpx2.Client, bob: httpx2.Client
) -> None:
    mine = [create(alice, title=str(number)) for number in range(3)]
    create(bob)
    assert alice.get(TASKS).json() == {"items": mine[::-1], "next_cursor": None}


def test_pages_join_without_gap_or_overlap(alice: httpx2.Client) -> None:
    tasks = [create(alice, title=str(n), completed=n % 2 == 0) for n in range(5)]
    ids = [task["id"] for task in tasks][::-1]
    assert pages(alice, limit=2) == [ids[:2], ids[2:4], ids[4:]]
    assert pages(alice, completed=True, limit=2) == [[ids[0], ids[2]], [ids[4]]]
    assert pages(alice, completed=False) == [[ids[1], ids[3]]]
    alice.delete(f"{TASKS}/{ids[2]}")  # its cursor is still a position
    page = alice.get(TASKS, params={"cursor": ids[2]}).json()
    assert [task["id"] for task in page["items"]] == ids[3:]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "completed=7", "cursor=1"])
def test_an_invalid_query_is_refused(alice: httpx2.Client, query: str) -> None:
    response = alice.get(f"{TASKS}?{query}")
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("query", f"/{query.partition('=')[0]}")
