import httpx2
from kit.application import create_app
from kit.testing.servers import migrate, serve

from app.resources import ROUTERS
from tests.kit.services import make_settings

NOWHERE = "postgresql://user:password@127.0.0.1:1/database"


def test_a_migrated_database_is_ready(nobody: httpx2.Client) -> None:
    response = nobody.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})
    assert nobody.head("/readyz").status_code == nobody.head("/healthz").status_code == 200


def test_the_process_lives_without_a_database_but_is_not_ready() -> None:
    with serve(create_app(make_settings(NOWHERE), ROUTERS)) as url:
        assert httpx2.get(f"{url}/healthz").json() == {"status": "ok"}
        response = httpx2.get(f"{url}/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json()["code"] == "unavailable"
    assert response.json()["detail"] == "The database is not available. Try again."
    assert "password" not in response.text


def test_a_schema_that_is_not_the_codes_is_not_ready(empty_database: str) -> None:
    with serve(create_app(make_settings(empty_database), ROUTERS)) as url:
        response = httpx2.get(f"{url}/readyz")
        assert response.status_code == 503
        assert "alembic upgrade head" in response.json()["detail"]
        migrate(empty_database)
        assert httpx2.get(f"{url}/readyz").status_code == 200
