"""Generators of clients that docs/clients.md does not show: what they write compiles and works."""

import re

import pytest

from tests.contract.conftest import Node
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

ADDRESS = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("generator", "command"),
    [("hey-api", "openapi-ts --no-log-file"), ("orval", "orval --fail-on-warnings")],
)
def test_a_generated_client_compiles_and_does_what_its_program_says(
    service: Server, node: Node, generator: str, command: str
) -> None:
    here = Node(node.folder / generator)
    program = here.folder / "program.ts"
    for file in here.folder.glob("*.ts"):
        text = file.read_text("utf-8").replace(ADDRESS, service.url)
        file.write_text(text.replace('"alice"', f'"{generator}"'), "utf-8")
    here("npx", *command.split())
    here("npx", "tsc", "--project", ".")
    promised = re.findall(r"console\.log.*; // (.*)$", program.read_text("utf-8"), re.MULTILINE)
    assert here("node", program.name).splitlines() == promised
    assert service.tasks(generator) == []
