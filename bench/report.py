"""What was measured, as Markdown tables of ratios."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

Record = dict[str, Any]
Records = dict[str, Any]

SERVICE = "service"
OTHERS = ("tutorial", "tutorial, pool of 10", "by hand", "limit")
MEASURES = {
    "rate": "throughput",
    "request_cpu": "CPU per request",
    "p50": "latency, p50",
    "p99": "latency, p99",
}
PLACES = {"near": "near", "far": "5 ms away", "farther": "30 ms away"}

COUNTED = (SERVICE, "tutorial", "by hand", "limit")

RESULTS = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- /results -->)", re.DOTALL)


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and the least and the greatest of them."""

    middle: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        found = list(values)
        return cls(median(found), min(found), max(found))

    def __str__(self) -> str:
        return f"**{self.middle:.2f}** ({self.least:.2f} to {self.greatest:.2f})"


def ratios(records: Sequence[Record], measure: str, other: str) -> Spread:
    """The service's measure over the other's, round by round."""
    values = {(record["app"], record["round"]): record[measure] for record in records}
    rounds = sorted({record["round"] for record in records})
    return Spread.of(values[SERVICE, each] / values[other, each] for each in rounds)


def select(records: Iterable[Record], **wanted: object) -> list[Record]:
    return [record for record in records if wanted.items() <= record.items()]


def report(records: Records, page: str) -> str:
    """The page, with the tables between its markers."""
    parts = [_round_trips, _loads, _tails, _overloads, _depths, _processes, _conditions]
    text = "\n".join("\n".join([*part(records), ""]) for part in parts)
    written, count = RESULTS.subn(lambda _: f"\n{text}\n", page)
    if count != 1:
        raise ValueError("The page needs one pair of <!-- results --> and <!-- /results -->.")
    return written


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(str, row))} |"


def _round_trips(records: Records) -> Iterator[str]:
    counts = records["round_trips"]
    yield "### Round trips to the database\n"
    rows = [
        [operation, *(counts[app].get(operation, "") for app in COUNTED)]
        for operation in counts[SERVICE]
    ]
    yield from _table(["operation", *COUNTED], rows)


def _loads(records: Records) -> Iterator[str]:
    yield "### Under load: the service over each of the others\n"
    loads = records["loads"]
    head = ["operation", "database", "measure", *(f"÷ {other}" for other in OTHERS)]
    rows = []
    for operation in dict.fromkeys(record["operation"] for record in loads):
        for place, name in PLACES.items():
            here = select(loads, operation=operation, place=place)
            for measure, title in MEASURES.items():
                spreads = [ratios(here, measure, other) for other in OTHERS]
                rows.append([operation, name, title, *spreads])
    yield from _table(head, rows)


def _tails(records: Records) -> Iterator[str]:
    yield "### The tail: latency at p99 over latency at p50\n"
    apps = (SERVICE, *OTHERS)
    rows = []
    for operation in dict.fromkeys(record["operation"] for record in records["loads"]):
        for place, name in PLACES.items():
            here = select(records["loads"], operation=operation, place=place)
            tails = [Spread.of(r["p99"] / r["p50"] for r in select(here, app=app)) for app in apps]
            rows.append([operation, name, *tails])
    yield from _table(["operation", "database", *apps], rows)


def _overloads(records: Records) -> Iterator[str]:
    yield "### More load than capacity: a list, near, over the rate of 32 connections\n"
    overloads = records["overloads"]
    rows = []
    for load in dict.fromkeys(record["load"] for record in overloads):
        for app in (SERVICE, "by hand"):
            here = select(overloads, load=load, app=app)
            refused = median(r["refused"] / (r["refused"] + r["rate"]) for r in here)
            health = median(r["health"] for r in here)
            kept = Spread.of(r["kept"] for r in here)
            rows.append([load, app, kept, f"{refused:.0%}", f"{health * 1000:.0f} ms"])
    head = ["load", "program", "answered, ÷ peak", "refused", "an answer without the database, p99"]
    yield from _table(head, rows)


def _depths(records: Records) -> Iterator[str]:
    yield "### A page of 50, by the number of the user's tasks\n"
    depths = records["depths"]
    apps = (SERVICE, "tutorial", "limit")
    smallest = min(record["size"] for record in depths)

    def cell(app: str, size: int, page: str) -> str:
        """Its time over that of the first page of the shortest list."""
        here = select(depths, app=app)
        first = median(r["p50"] for r in select(here, size=smallest, page="first"))
        took = median(r["p50"] for r in select(here, size=size, page=page))
        return f"{took / first:.1f}"

    rows = [
        [f"{size:,}", page, *(cell(app, size, page) for app in apps)]
        for size in dict.fromkeys(record["size"] for record in depths)
        for page in ("first", "deepest")
    ]
    yield from _table(["tasks", "page", *apps], rows)


def _processes(records: Records) -> Iterator[str]:
    yield "### A worker's start, and its memory after load: the service over each of the others\n"
    last = max(record["round"] for record in records["loads"])
    sources = {
        "start to first answer": (records["starts"], "seconds"),
        "memory": (select(records["loads"], operation="create", place="far", round=last), "memory"),
    }
    rows = [
        [title, *(ratios(measured, measure, other) for other in OTHERS)]
        for title, (measured, measure) in sources.items()
    ]
    yield from _table(["measure", *(f"÷ {other}" for other in OTHERS)], rows)


def _conditions(records: Records) -> Iterator[str]:
    loads = records["loads"]
    load, relay = (f"{max(record[key] for record in loads):.0%}" for key in ("cpu", "wire_cpu"))
    rounds = max(record["round"] for record in loads) + 1
    trips = " and ".join(f"{took:.1f} ms" for took in records["round_trip_ms"].values())
    yield (
        f"Python {records['python']}, {records['cpus']} CPUs, {rounds} rounds. At its busiest the"
        f" load generator used {load} of a CPU, and the relay {relay}."
        f" Round trips through the relay took {trips}."
    )
