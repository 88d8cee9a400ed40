"""What is measured, in the rendered project's environment and root folder. Writes JSON."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from bench.database import Database, database
from bench.load import Job, Request
from bench.report import Record, Records
from bench.wire import Wire, wire
from bench.workers import (
    BY_HAND,
    CONTESTANTS,
    LIMIT,
    OTHER_CPUS,
    SERVICE,
    TUTORIAL,
    TUTORIAL_10,
    Worker,
    worker,
)

DISTANCES = {"far": 0.005, "farther": 0.03}  # seconds of a round trip
CROWD = 1000
TICK = 0.01  # seconds: the system counts a process's CPU time in these
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


@dataclass
class Progress:
    """Says after each step what was done, and about how long the rest will take."""

    steps: int
    done: int = 0
    begun: float = field(default_factory=time.monotonic)

    def say(self, step: str) -> None:
        self.done += 1
        left = (time.monotonic() - self.begun) / self.done * (self.steps - self.done)
        text = f"{self.done}/{self.steps} {step}, about {left / 60:.0f} min left"
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - a person waits


@dataclass(frozen=True)
class Budget:
    rounds: int
    seconds: float
    sizes: list[int]
    progress: Progress


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    parts = 3 + len(DISTANCES)  # starts, near, depths and overload, and the rest
    budget = Budget(given.rounds, given.seconds, given.sizes, Progress(given.rounds * (parts + 1)))
    os.sched_setaffinity(0, OTHER_CPUS)  # also PostgreSQL's, and the load generator's
    with database() as measured:
        records = measure(measured, budget)
    given.output.write_text(json.dumps(records), "utf-8")


def measure(measured: Database, budget: Budget) -> Records:
    records: Records = {"python": platform.python_version(), "cpus": os.cpu_count()}
    records["starts"] = list(starts(measured, budget))
    measured.seed(OWNER, 1000)
    for size in budget.sizes:
        measured.seed(f"owner-of-{size}", size)
    with all_workers(measured.near) as workers:
        records["loads"] = list(loads(measured, workers, "near", budget))
        records["depths"] = list(depths(measured, workers, budget))
        records["overloads"] = list(overloads(workers, budget))
    records["round_trip_ms"] = {}
    for place, round_trip in DISTANCES.items():
        with (
            wire(measured.socket, round_trip) as far,
            all_workers(measured.far(far.port)) as workers,
        ):
            records["loads"] += loads(measured, workers, place, budget)
            if "round_trips" not in records:  # their number is the same at any distance
                records["round_trips"] = dict(round_trips(measured, workers, far))
            records["round_trip_ms"][place] = measured.round_trip(far.port) * 1000
    return records


def starts(measured: Database, budget: Budget) -> Iterator[Record]:
    for number in range(budget.rounds):
        for each in CONTESTANTS:
            with worker(each, measured.near) as started:
                yield {"app": each.name, "round": number, "seconds": started.started_in}
        budget.progress.say("start")


@contextmanager
def all_workers(server: str) -> Iterator[list[Worker]]:
    with ExitStack() as running:
        yield [running.enter_context(worker(each, server)) for each in CONTESTANTS]


def round_trips(
    measured: Database, workers: list[Worker], far: Wire
) -> Iterator[tuple[str, dict[str, int]]]:
    """How often each operation waits for the database, on a connection that is open."""
    _settle(far)
    for each in workers:
        tasks = measured.ids(each.contestant.database, OWNER)
        counts = {}
        for operation in LOADED if each.contestant in (LIMIT, BY_HAND) else OPERATIONS:
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
        time.sleep(0.3)


def loads(
    measured: Database, workers: list[Worker], place: str, budget: Budget
) -> Iterator[Record]:
    for number in range(budget.rounds):
        for operation, each in product(LOADED, workers):
            outcome = _load(measured, each, operation, budget.seconds)
            yield {"place": place, "round": number, "operation": operation, **outcome}
        budget.progress.say(f"load, {place}")


def _load(measured: Database, loaded: Worker, operation: str, seconds: float) -> Record:
    tasks = measured.ids(loaded.contestant.database, OWNER) if operation == "get" else [""]
    requests = [OPERATIONS[operation](task) for task in tasks]
    wire_cpu, used = time.process_time(), sum(loaded.process.cpu_times()[:2])
    outcome = Job(loaded.port, requests, seconds).run()
    return {
        "app": loaded.contestant.name,
        **asdict(outcome),
        "wire_cpu": (time.process_time() - wire_cpu) / seconds,
        "request_cpu": max(sum(loaded.process.cpu_times()[:2]) - used, TICK) / outcome.sent,
        "memory": loaded.process.memory_full_info().uss,
    }


def depths(measured: Database, workers: list[Worker], budget: Budget) -> Iterator[Record]:
    """What a page costs at the beginning and at the end of one user's tasks, one at a time."""
    alike = (TUTORIAL_10, BY_HAND)  # as the tutorial with nothing in its pool, and as the limit
    asked = [each for each in workers if each.contestant not in alike]
    for number in range(budget.rounds):
        for size, page, each in product(budget.sizes, ("first", "deepest"), asked):
            path = TASKS if page == "first" else _deepest(measured, each, size)
            requests = [Request("GET", path, f"owner-of-{size}")]
            outcome = Job(each.port, requests, budget.seconds / 4, connections=1).run()
            record = {"app": each.contestant.name, "round": number, "size": size, "page": page}
            yield {**record, **asdict(outcome)}
        budget.progress.say("pages")


def _deepest(measured: Database, asked: Worker, size: int) -> str:
    if asked.contestant is TUTORIAL:
        return f"{TASKS}?skip={size - PAGE}"
    return f"{TASKS}?cursor={measured.ids('app', f'owner-of-{size}')[PAGE]}"


def overloads(workers: list[Worker], budget: Budget) -> Iterator[Record]:
    """Many connections, and twice the requests that are answered at the peak."""
    requests = [OPERATIONS["list"]("")]
    asked = [each for each in workers if each.contestant in (SERVICE, BY_HAND)]
    for number in range(budget.rounds):
        for each in asked:
            job = Job(each.port, requests, budget.seconds, overload=True)
            peak = job.run()
            twice = {"connections": CROWD, "rate": 2 * peak.rate}
            crowds: dict[str, dict[str, Any]] = {
                "256 connections": {"connections": 256},
                "1,000 connections": {"connections": CROWD},
                "1,000 connections, twice the peak": twice,
            }
            for load, others in crowds.items():
                outcome = replace(job, **others).run()
                # What the last connections have left is still answered.
                time.sleep(min(2, 10 * budget.seconds))
                record = {"app": each.contestant.name, "round": number, "load": load}
                yield {**record, **asdict(outcome), "kept": outcome.rate / peak.rate}
        budget.progress.say("overload")


if __name__ == "__main__":
    main()
