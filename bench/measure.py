"""What is measured, in the rendered project's environment and root folder. Writes JSON."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path

from bench import load
from bench.database import Database, database
from bench.load import Request
from bench.report import Record, Records
from bench.wire import Wire, wire
from bench.workers import CONTESTANTS, LIMIT, OTHER_CPUS, TUTORIAL, TUTORIAL_10, Worker, worker

ROUND_TRIP = 0.005  # seconds
OWNER = "owner"
PAGE = 50
TASKS = "/api/v1/tasks"
BODY = json.dumps({"title": "Buy milk", "description": "Two litres of it"})
WHOLE = json.dumps({"title": "Buy milk", "description": "Two litres of it", "completed": False})

OPERATIONS: Mapping[str, Callable[[str], Request]] = {
    "create": lambda _: Request("POST", TASKS, "creator", BODY),
    "list": lambda _: Request("GET", TASKS, OWNER),
    "get": lambda task: Request("GET", f"{TASKS}/{task}", OWNER),
    "replace": lambda task: Request("PUT", f"{TASKS}/{task}", OWNER, WHOLE),
    "update": lambda task: Request("PATCH", f"{TASKS}/{task}", OWNER, '{"completed": true}'),
    "toggle": lambda task: Request("POST", f"{TASKS}/{task}/toggle", OWNER),
    "delete": lambda task: Request("DELETE", f"{TASKS}/{task}", OWNER),
}
LOADED = ("get", "list", "create")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--output", type=Path)
    budget = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CPUS)  # also PostgreSQL's, and the load generator's
    with database() as measured, wire(measured.socket, ROUND_TRIP) as far:
        records = measure(measured, far, budget)
    budget.output.write_text(json.dumps(records), "utf-8")


def measure(measured: Database, far: Wire, budget: argparse.Namespace) -> Records:
    records: Records = {"python": platform.python_version(), "cpus": os.cpu_count()}
    records["starts"] = list(starts(measured, budget.rounds))
    measured.seed(OWNER, 1000)
    for size in budget.sizes:
        measured.seed(f"owner-of-{size}", size)
    with all_workers(measured.near) as workers:
        records["loads"] = list(loads(measured, workers, "near", budget))
        records["depths"] = list(depths(measured, workers, budget))
    with all_workers(measured.far(far.port)) as workers:
        records["loads"] += loads(measured, workers, "far", budget)
        records["round_trips"] = dict(round_trips(measured, workers, far))
    records["round_trip_ms"] = measured.round_trip(far.port) * 1000
    return records


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a person waits


def starts(measured: Database, rounds: int) -> Iterator[Record]:
    for number in range(rounds):
        for each in CONTESTANTS:
            with worker(each, measured.near) as started:
                yield {"app": each.name, "round": number, "seconds": started.started_in}
        say(f"start: round {number + 1} of {rounds}")


@contextmanager
def all_workers(server: str) -> Iterator[list[Worker]]:
    with ExitStack() as running:
        yield [running.enter_context(worker(each, server)) for each in CONTESTANTS]


def round_trips(
    measured: Database, workers: list[Worker], far: Wire
) -> Iterator[tuple[str, dict[str, int]]]:
    """How often each operation waits for the database, on a connection that is open."""
    for each in workers:
        tasks = measured.ids(each.contestant.database, OWNER)
        counts = {}
        for operation in LOADED if each.contestant is LIMIT else OPERATIONS:
            _settle(far)
            before = far.round_trips
            each.call(OPERATIONS[operation](tasks.pop()))
            _settle(far)
            counts[operation] = far.round_trips - before
        yield each.contestant.name, counts


def _settle(far: Wire) -> None:
    """Wait until nothing travels: an answer may leave before its session is closed."""
    seen = -1
    while seen != far.round_trips:
        seen = far.round_trips
        time.sleep(20 * ROUND_TRIP)


def loads(
    measured: Database, workers: list[Worker], place: str, budget: argparse.Namespace
) -> Iterator[Record]:
    for number in range(budget.rounds):
        for operation, each in product(LOADED, workers):
            outcome = _load(measured, each, operation, budget.seconds)
            yield {"place": place, "round": number, "operation": operation, **outcome}
        say(f"load: {place}, round {number + 1} of {budget.rounds}")


def _load(measured: Database, loaded: Worker, operation: str, seconds: float) -> Record:
    tasks = measured.ids(loaded.contestant.database, OWNER) if operation == "get" else [""]
    requests = [OPERATIONS[operation](task) for task in tasks]
    wire_cpu = time.process_time()
    outcome = load.run(loaded.port, requests, seconds=seconds)
    return {
        "app": loaded.contestant.name,
        **asdict(outcome),
        "wire_cpu": (time.process_time() - wire_cpu) / seconds,
        "memory": loaded.process.memory_full_info().uss,
    }


def depths(
    measured: Database, workers: list[Worker], budget: argparse.Namespace
) -> Iterator[Record]:
    """What a page costs at the beginning and at the end of one user's tasks, one at a time."""
    asked = [each for each in workers if each.contestant is not TUTORIAL_10]  # pools idle here
    for number in range(budget.rounds):
        for size, page, each in product(budget.sizes, ("first", "deepest"), asked):
            path = TASKS if page == "first" else _deepest(measured, each, size)
            requests = [Request("GET", path, f"owner-of-{size}")]
            outcome = load.run(each.port, requests, seconds=budget.seconds / 4, connections=1)
            record = {"app": each.contestant.name, "round": number, "size": size, "page": page}
            yield {**record, **asdict(outcome)}
        say(f"depth: round {number + 1} of {budget.rounds}")


def _deepest(measured: Database, asked: Worker, size: int) -> str:
    if asked.contestant is TUTORIAL:
        return f"{TASKS}?skip={size - PAGE}"
    return f"{TASKS}?cursor={measured.ids('app', f'owner-of-{size}')[PAGE]}"


if __name__ == "__main__":
    main()
