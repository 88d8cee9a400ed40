"""The benchmark runs end to end, and what it counts does not depend on the machine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hooks.rendering import ROOT
from tests.documents import section

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="binds processes to CPUs"),
    pytest.mark.xdist_group("bench"),
]

TAILS = "The tail: latency at p99 over latency at p50"
OVERLOADS = "More load than capacity: a list, near, over the rate of 32 connections"
ROUND_TRIPS = "Round trips to the database"
LOADS = "Under load: the service over each of the others"
PAGES = "A page of 50, by the number of the user's tasks"
WORKERS = "A worker's start, and its memory after load: the service over each of the others"

OPERATIONS = ["create", "list", "get", "replace", "update", "toggle", "delete"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("docs") / "performance.md"
    shutil.copy(ROOT / "docs/performance.md", page)
    budget = ["--rounds=1", "--seconds=0.05", "--sizes", "60", "120", "--page", str(page)]
    subprocess.run([sys.executable, "-m", "bench", *budget], cwd=ROOT, check=True)
    return page


def table(page: Path, heading: str) -> list[list[str]]:
    rows = re.findall(r"^\| (.*) \|$", section(page.read_text("utf-8"), heading), re.MULTILINE)
    return [row.split(" | ") for row in rows[2:]]


def test_each_operation_of_the_service_is_one_round_trip(page: Path) -> None:
    counted = {row[0]: row[1] for row in table(page, ROUND_TRIPS)}
    assert counted == dict.fromkeys(OPERATIONS, "1")


def test_by_hand_each_operation_is_one_round_trip_too(page: Path) -> None:
    assert {row[3] for row in table(page, ROUND_TRIPS)} <= {"1", ""}


def test_each_operation_of_the_tutorial_is_several_round_trips(page: Path) -> None:
    assert all(int(row[2]) > 3 for row in table(page, ROUND_TRIPS))


@pytest.mark.parametrize("written", ["docs/performance.md", None])
def test_the_page_has_every_row(page: Path, written: str | None) -> None:
    page = ROOT / written if written else page
    loads = [row[:3] for row in table(page, LOADS)]
    assert loads == [
        [operation, place, measure]
        for operation in ("get", "list", "create")
        for place in ("near", "5 ms away", "30 ms away")
        for measure in ("throughput", "CPU per request", "latency, p50", "latency, p99")
    ]
    assert len(table(page, TAILS)) == len(loads) / 4
    assert [row[1] for row in table(page, OVERLOADS)] == ["service", "by hand"] * 3
    assert [row[0] for row in table(page, ROUND_TRIPS)] == OPERATIONS
    assert [row[0] for row in table(page, WORKERS)] == ["start to first answer", "memory"]
    assert {row[1] for row in table(page, PAGES)} == {"first", "deepest"}


def test_the_plot_is_an_image(page: Path) -> None:
    assert ET.fromstring(page.with_suffix(".svg").read_text("utf-8")).tag.endswith("svg")  # noqa: S314 - our own
