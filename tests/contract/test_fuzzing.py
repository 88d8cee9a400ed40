"""Schemathesis, on the document and the running service."""

import re
import shutil
from pathlib import Path

import pytest

from tests.contract.conftest import run
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

HERE = Path(__file__).parent


def test_the_service_does_what_its_document_says(service: Server, tmp_path: Path) -> None:
    for name in ("schemathesis.toml", "users.json"):
        shutil.copy(HERE / name, tmp_path)
    # There, where it also leaves what it learned.
    said = run(["schemathesis", "run", f"{service.url}/openapi.json", "--no-color"], tmp_path)
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert re.search(f"✅ +{phase}", said), said
