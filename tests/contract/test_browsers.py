"""What a front end does, in Node.js and in Chromium, with the middleware of docs/clients.md."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import httpx2
import psycopg2
import pytest

from hooks.rendering import render
from tests.contract.conftest import Node
from tests.contract.test_clients import ADDRESS, PAGE, blocks, command
from tests.contract.web_page import Origin, browsing, serving
from tests.documents import authenticated, section
from tests.identity_provider import Signer, claims, providing, publish
from tests.neon.programs import until
from tests.neon.service import TASKS, Service, serve
from tests.projects import Project, project_environment
from tests.servers import NO_TLS, left_over

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

SOURCES = Path(__file__).parent / "browser"
MIDDLEWARE = blocks("ts", section(PAGE, "Refresh the token, and wait"))
SIGNER = Signer("test")

Report = dict[str, Any]
"""What a program has seen."""


class Visitor:
    """A user with tokens, of which the first has expired, and with a lock on the database."""

    def __init__(self, database_url: str) -> None:
        self.name = f"user-{uuid4()}"
        self.tokens = 0
        self.reports: Queue[Report] = Queue()
        self.database = psycopg2.connect(database_url)

    def act(self, path: str, body: str) -> str:
        """What a POST to this path of the origin does, and answers."""
        match path:
            case "/token":
                self.tokens += 1
                expiry = int(time.time()) + (60 if self.tokens > 1 else -60)
                return SIGNER.token(claims(sub=self.name, exp=expiry))
            case "/break":
                self.database.cursor().execute("LOCK TABLE task")
            case "/mend":
                self.database.rollback()
            case "/report":
                self.reports.put(json.loads(body))
        return ""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with serving(tmp_path_factory.mktemp("origin")) as origin:
        yield origin


@pytest.fixture(scope="module")
def service(
    template: Path, database_url: str, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One that verifies tokens, and that pages of the origin may call."""
    folder = tmp_path_factory.mktemp("browsers")
    root = render(template, folder / "todo-service", {})
    project = Project(root, project_environment(folder))
    project.sync()
    authenticated(project)
    with providing(publish(SIGNER)) as provider:
        settings = {"CORS_ORIGINS": origin.url, "DATABASE_STATEMENT_TIMEOUT": "1"}
        with serve(project, database_url, **provider.settings, **settings) as service:
            yield service


@pytest.fixture(scope="module")
def workshop(node: Node, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Where programs are written, with the types of the service."""
    workshop = Node(tmp_path_factory.mktemp("workshop"))
    (workshop.folder / "node_modules").symlink_to(node.folder / "node_modules")
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(node.folder / name, workshop.folder)
    workshop(*command("npx", service.url))
    return workshop


def write_program(names: list[str], workshop: Node, service: Service, origin: Origin) -> None:
    program = "\n".join([*MIDDLEWARE, *((SOURCES / name).read_text("utf-8") for name in names)])
    for address, here in {ADDRESS: service.url, "http://127.0.0.1:9000": origin.url}.items():
        program = program.replace(address, here)
    (workshop.folder / "program.ts").write_text(program, "utf-8")


@pytest.fixture(scope="module")
def report_of_node(workshop: Node, service: Service, origin: Origin, database_url: str) -> Report:
    visitor = Visitor(database_url)
    origin.act = visitor.act
    write_program(["requests.ts", "failures.ts", "run.ts"], workshop, service, origin)
    with closing(visitor.database):
        workshop("npx", "tsc")
        workshop("node", "program.ts")
        return visitor.reports.get_nowait()


@pytest.fixture(scope="module")
def report_of_chromium(
    workshop: Node, service: Service, origin: Origin, database_url: str
) -> Report:
    if not shutil.which("chromium"):
        pytest.skip("needs chromium")
    visitor = Visitor(database_url)
    origin.act = visitor.act
    write_program(["requests.ts", "page.ts", "run.ts"], workshop, service, origin)
    emit = ["--allowImportingTsExtensions", "false", "--noEmit", "false"]
    workshop("npx", "tsc", *emit, "--outDir", str(origin.folder))
    package = workshop.folder / "node_modules/openapi-fetch/dist/index.mjs"
    shutil.copy(package, origin.folder / "openapi-fetch.js")
    shutil.copy(SOURCES / "page.html", origin.folder)
    with closing(visitor.database), browsing(f"{origin.url}/page.html") as profile:
        report = visitor.reports.get(timeout=60)
    until(lambda: not left_over(profile))
    return report


@pytest.fixture(params=["node", "chromium"])
def report(request: pytest.FixtureRequest) -> Report:
    found: Report = request.getfixturevalue(f"report_of_{request.param}")
    return found


def test_three_requests_whose_token_has_expired_refresh_it_once(report: Report) -> None:
    lengths, statuses, tokens = report["refreshed"]
    assert (lengths, statuses) == ([0] * 3, [401] * 3 + [200] * 3)
    assert tokens == 2


def test_a_program_reads_the_headers(report: Report) -> None:
    assert report["refused"] == [401, "Bearer", "no-token"]
    id_, location = report["location"]
    assert location == f"{TASKS}/{id_}"
    assert report["unrepeated"] == ["unavailable", "1"]  # Retry-After


def test_it_creates_toggles_completes_and_deletes(report: Report) -> None:
    assert report["completed"] == [True, False, True]
    assert report["deleted"] == [204, "not_found"]


def test_it_pages_through_the_list(report: Report) -> None:
    assert report["pages"] == [["five", "four"], ["three", "two"], ["one"]]


def test_it_waits_through_an_outage_and_goes_on(report: Report) -> None:
    created, statuses, long_enough = report["waited"]
    assert (created, statuses) == (201, [503, 201])
    assert long_enough


def test_it_sends_no_toggle_again(report: Report) -> None:
    assert report["toggled"] is False


def test_it_gives_up_in_the_end(report_of_node: Report) -> None:
    assert report_of_node["gave_up"] == ["unavailable", [503] * 4]


def test_a_token_that_could_not_be_had_is_asked_for_again(report_of_node: Report) -> None:
    assert report_of_node["signed_in"] == ["signed out", 200]


def test_a_page_shows_each_error_beside_its_field(report_of_chromium: Report) -> None:
    shown = ["string_too_short", "string_too_long", "bool_type"]
    assert report_of_chromium["shown"] == shown


def test_a_page_that_sends_too_much_is_told_so(report_of_chromium: Report) -> None:
    assert report_of_chromium["too_much"] == "content_too_large"


def test_a_browser_asks_once_for_each_address(
    report_of_chromium: Report, service: Service, origin: Origin
) -> None:
    asked = re.findall(r'"method": "OPTIONS", "status": 200', service.log.read_text("utf-8"))
    assert len(asked) == report_of_chromium["addresses"]
    assert preflight(service, origin, "Content-Type").headers["Access-Control-Max-Age"] == "7200"


def test_a_header_that_is_not_allowed_is_refused_and_the_service_says_why(
    report_of_chromium: Report, service: Service, origin: Origin
) -> None:
    assert report_of_chromium["header"] == "TypeError: Failed to fetch"
    refused = preflight(service, origin, "X-Other")
    assert (refused.status_code, refused.text) == (400, "Disallowed CORS headers")
    assert refused.headers["Access-Control-Allow-Origin"] == origin.url


def test_a_page_of_another_origin_reads_nothing(report_of_chromium: Report) -> None:
    assert report_of_chromium["frame"] == "TypeError: Failed to fetch"


def preflight(service: Service, origin: Origin, header: str) -> httpx2.Response:
    asked = {
        "Origin": origin.url,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": header.lower(),
    }
    return httpx2.options(f"{service.url}{TASKS}", headers=asked, verify=NO_TLS)
