"""Many clients of one user at the same time."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import httpx2
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
CLIENTS = 8

Call = Callable[[], httpx2.Response]
AtOnce = Callable[[list[Call]], list[httpx2.Response]]


@pytest.fixture
def at_once() -> Iterator[AtOnce]:
    """Makes the calls from as many threads, which start together."""
    with ThreadPoolExecutor(CLIENTS) as threads:

        def run(calls: list[Call]) -> list[httpx2.Response]:
            together = Barrier(len(calls))

            def one(call: Call) -> httpx2.Response:
                together.wait()
                return call()

            return list(threads.map(one, calls))

        yield run


def create(client: httpx2.Client, title: str = "Buy milk") -> str:
    return client.post(TASKS, json={"title": title}).headers["Location"]


@pytest.mark.parametrize("count", [7, 8])
def test_n_toggles_leave_n_mod_2(alice: httpx2.Client, at_once: AtOnce, count: int) -> None:
    path = create(alice)
    for _ in range(10):
        alice.patch(path, json={"completed": False})
        answers = at_once([partial(alice.post, f"{path}/toggle")] * count)
        assert alice.get(path).json()["completed"] == bool(count % 2)
        seen = Counter(answer.json()["completed"] for answer in answers)
        assert seen == {True: (count + 1) // 2, False: count // 2}


def test_replacements_never_mix(alice: httpx2.Client, at_once: AtOnce) -> None:
    path = create(alice)
    tasks = [
        {"title": str(n), "description": str(n) * 1000, "completed": n % 2 == 0}
        for n in range(CLIENTS)
    ]
    for _ in range(10):
        answers = at_once([partial(alice.put, path, json=task) for task in tasks])
        for task, answer in zip(tasks, answers, strict=True):
            assert answer.json().items() >= task.items()
        assert any(alice.get(path).json().items() >= task.items() for task in tasks)


def test_changes_of_different_fields_are_all_kept(alice: httpx2.Client, at_once: AtOnce) -> None:
    path = create(alice)
    for n in range(10):
        change = {"title": f"title {n}", "description": f"description {n}", "completed": n % 2 == 0}
        at_once([partial(alice.patch, path, json=dict([field])) for field in change.items()])
        assert alice.get(path).json().items() >= change.items()


def test_one_of_many_deletions_deletes(alice: httpx2.Client, at_once: AtOnce) -> None:
    for _ in range(10):
        path = create(alice)
        answers = at_once([partial(alice.delete, path)] * CLIENTS)
        assert sorted(answer.status_code for answer in answers) == [204] + [404] * (CLIENTS - 1)


def test_a_change_cannot_bring_back_what_is_deleted(alice: httpx2.Client, at_once: AtOnce) -> None:
    for _ in range(10):
        path = create(alice)
        change = {"title": "Buy bread"}
        at_once(
            [
                partial(alice.delete, path),
                partial(alice.put, path, json=change),
                partial(alice.patch, path, json=change),
                partial(alice.post, f"{path}/toggle"),
            ]
        )
        assert alice.get(path).status_code == 404


def test_paging_neither_repeats_nor_misses_while_tasks_come_and_go(alice: httpx2.Client) -> None:
    lasting = [create(alice, str(n)) for n in range(60)]
    passing = [create(alice, str(n)) for n in range(20)]
    lasting += [create(alice, str(n)) for n in range(60)]
    paged = Event()

    def come_and_go() -> int:
        count = 0
        while not paged.is_set():
            alice.delete(create(alice, "brief"))
            passing.append(create(alice, "new"))
            alice.delete(passing[count])
            count += 1
        return count

    with ThreadPoolExecutor(1) as threads:
        others = threads.submit(come_and_go)
        rounds = [all_paths(alice, limit=7) for _ in range(5)]
        paged.set()
        assert others.result() > len(rounds)

    for paths in rounds:
        assert len(set(paths)) == len(paths)
        assert [path for path in paths if path in set(lasting)] == lasting[::-1]


def all_paths(client: httpx2.Client, limit: int) -> list[str]:
    """The paths of all tasks, in the order of the list, page by page."""
    query: dict[str, str | int] = {"limit": limit}
    paths: list[str] = []
    while True:
        page = client.get(TASKS, params=query).json()
        paths += [f"{TASKS}/{task['id']}" for task in page["items"]]
        if page["next_cursor"] is None:
            return paths
        query["cursor"] = page["next_cursor"]
