"""Below a path that the gateway strips (`--root-path`), responses have the headers of any other."""

import httpx2
import pytest

from tests.contract.conftest import HEADER, Serve

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]


def test_headers_hold_below_a_sub_path(serve: Serve) -> None:
    with serve({"UVICORN_ROOT_PATH": "/todo"}) as server:
        for path, status in (("/api/v1/tasks", 200), ("/api/nothing", 404)):
            answer = httpx2.get(f"{server.url}{path}", headers={HEADER: "alice"})
            assert answer.status_code == status
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Request-ID"]
