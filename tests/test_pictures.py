"""The pictures of the documentation show what a rendered project shows today."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pytest

from hooks.rendering import ROOT
from pictures import png, swagger, terminal
from pictures.session import session
from tests.servers import left_over

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="uses signals"),
    pytest.mark.xdist_group("pictures"),
]

REDRAW = "out of date: run `uv run python -m pictures`"
VOLATILE = {
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "ID",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z": "TIME",
    r"kit-pg-\d+-[0-9a-f]{8}": "SOCKETS",
}


@dataclass(frozen=True)
class Shown:
    terminal: str
    api: str


@pytest.fixture(scope="module")
def today() -> Shown:
    with session() as running:
        folder = running.shell.root.parent
        shown = Shown(terminal.draw(running.panes()), swagger.fingerprint(running.server.url))
    assert not left_over(folder)
    return shown


def lines(svg: str) -> list[str]:
    image = ET.fromstring(svg)  # noqa: S314 - our own
    return ["".join(row.itertext()) for row in image.iterfind(".//{*}text")]


def lasting(texts: Iterable[str]) -> list[str]:
    """Without what differs from run to run."""
    found = "\n".join(texts)
    for pattern, name in VOLATILE.items():
        found = re.sub(pattern, name, found)
    return found.splitlines()


def test_the_terminal_shows_what_the_commands_print_today(today: Shown) -> None:
    committed = (ROOT / "docs/terminal.svg").read_text("utf-8")
    assert lasting(lines(committed)) == lasting(lines(today.terminal)), REDRAW


def test_the_swagger_page_shows_todays_api(today: Shown) -> None:
    committed = (ROOT / "docs/swagger.png").read_bytes()
    assert png.text(committed, swagger.KEYWORD) == today.api, REDRAW
