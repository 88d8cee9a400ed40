"""The page about clients: its commands and programs work as they stand."""

import re
from pathlib import Path

import httpx2
import pytest

from hooks.rendering import ROOT
from tests.contract.conftest import HEADER, Node, Serve, run
from tests.documents import section
from tests.servers import NO_TLS, Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

PAGE = (ROOT / "docs/clients.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


TYPESCRIPT = blocks("ts")
PYTHON = blocks("python", section(PAGE, "In Python"))
URLLIB = blocks("python", section(PAGE, "Without a generated client"))


def command(tool: str, url: str) -> list[str]:
    (line,) = re.findall(rf"^{tool} .*$", PAGE, re.MULTILINE)
    return str(line).replace(ADDRESS, url).split()


def program(found: list[str], service: Server, user: str) -> str:
    """The blocks, which together are one program, for a user of its own."""
    return "\n".join(found).replace(ADDRESS, service.url).replace('"alice"', f'"{user}"')


def promised(found: list[str], comment: str) -> list[str]:
    """What the comments on a program's last words say that it prints."""
    pattern = rf"(?:console\.log|print|println)\(.*\);?\s*{comment} (.*)$"
    return re.findall(pattern, "\n".join(found), re.MULTILINE)


def test_the_typescript_client_compiles_and_does_what_the_page_says(
    service: Server, node: Node
) -> None:
    node(*command("npx", service.url))
    (node.folder / "program.ts").write_text(program(TYPESCRIPT, service, "ts"), "utf-8")
    node("npx", "tsc", "--project", ".")
    assert node("node", "program.ts").splitlines() == promised(TYPESCRIPT, "//")


def test_the_packages_that_the_page_installs_are_those_that_are_tested(node: Node) -> None:
    installed = set(re.findall(r"^npm install (?:--save-dev )?(.*)$", PAGE, re.MULTILINE))
    names = {name.partition("@")[0] for line in installed for name in line.split()}
    assert names == node.packages - {"@redocly/cli", "@hey-api/openapi-ts", "orval", "zod"}


def test_the_python_client_is_typed_and_does_what_the_page_says(
    service: Server, tmp_path: Path
) -> None:
    _, *generate = command("uvx", service.url)
    run([*generate, "--fail-on-warning"], tmp_path)
    (package,) = tmp_path.glob("*/todo_service_client")
    (package.parent / "program.py").write_text(program(PYTHON, service, "python"), "utf-8")
    mypy = ["mypy", "--strict", "--package", package.name]
    run([*mypy, "--module", "program", "--config-file="], package.parent)
    printed = run(["python", "program.py"], package.parent)
    assert printed.splitlines() == promised(PYTHON, "#")
    assert service.tasks("python") == []


def test_python_alone_does_what_the_page_says(service: Server) -> None:
    printed = run(["python", "-c", program(URLLIB, service, "urllib")], ROOT)
    assert printed.splitlines() == promised(URLLIB, "#")
    assert service.tasks("urllib") == ["Buy milk"]


def test_the_setting_on_the_page_lets_those_pages_call(serve: Serve) -> None:
    (assignment,) = re.findall(r"^(CORS_ORIGINS)=(.*)$", PAGE, re.MULTILINE)
    with serve(dict([assignment])) as server:
        for origin in assignment[1].split(","):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": f"content-type, {HEADER.lower()}",
            }
            answer = httpx2.options(f"{server.url}/api/v1/tasks", headers=asked, verify=NO_TLS)
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin
