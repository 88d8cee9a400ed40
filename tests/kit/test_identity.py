import httpx2
import pytest
from fastapi import FastAPI
from kit.application import create_app
from kit.models import UserId
from kit.testing.servers import serve

from app.identity import current_user
from app.resources import ROUTERS
from app.settings import Settings


@pytest.mark.parametrize(
    "user_id", [b"", b"a b", b"a\tb", b"x" * 256, "Zoë".encode(), b"\xff"], ids=repr
)
def test_an_unusable_identifier_is_refused(nobody: httpx2.Client, user_id: bytes) -> None:
    response = nobody.get("/api/v1/tasks", headers={b"X-User-ID": user_id})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "APIKey"


def test_two_identifiers_are_refused(nobody: httpx2.Client) -> None:
    headers = [("X-User-ID", "alice"), ("X-User-ID", "alice")]
    assert nobody.get("/api/v1/tasks", headers=headers).status_code == 401


@pytest.mark.parametrize("user_id", ["a", "x" * 255, "auth0|5f7c8ec7c33c6c004bbafe82", "';--"])
def test_an_identifier_is_taken_as_it_is(nobody: httpx2.Client, user_id: str) -> None:
    headers = {"X-User-ID": user_id}
    task = nobody.post("/api/v1/tasks", json={"title": "x"}, headers=headers).json()
    assert task["user_id"] == user_id
    nobody.delete(f"/api/v1/tasks/{task['id']}", headers=headers)


def test_the_headers_name_is_a_setting(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"user_id_header": "X-Subject"}), ROUTERS)
    with serve(app) as url:
        assert httpx2.get(f"{url}/api/v1/tasks", headers={"X-Subject": "a"}).status_code == 200
        assert httpx2.get(f"{url}/api/v1/tasks", headers={"X-User-ID": "a"}).status_code == 401


def test_replacing_one_dependency_replaces_the_identity(settings: Settings) -> None:
    app: FastAPI = create_app(settings, ROUTERS)
    app.dependency_overrides[current_user] = lambda: UserId("from-a-token")
    with serve(app) as url:
        task = httpx2.post(f"{url}/api/v1/tasks", json={"title": "x"}).json()
        assert task["user_id"] == "from-a-token"
        httpx2.delete(f"{url}/api/v1/tasks/{task['id']}")


@pytest.mark.parametrize("value", ["", "a b", "x" * 256, "Zoë", "a\n"])
def test_what_a_user_id_may_be_is_checked_wherever_one_is_made(value: str) -> None:
    with pytest.raises(ValueError, match="1 to 255 printable ASCII characters"):
        UserId(value)
