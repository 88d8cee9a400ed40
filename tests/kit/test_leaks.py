"""Nothing that a user sends, no user's name and no password reaches the log or another answer."""

from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url

from tests.kit.services import TASKS, client_of, serve_in_process

USER, TITLE, PASSWORD = "marked-user", "marked-title", "marked-password"
MARKED = "marked-"
# By name: a statement with values of the caller's, which PostgreSQL refuses and quotes.
REFUSED = {
    "not_null": "INSERT INTO task (user_id, id, title) VALUES (:current_user_id, :id, :title)",
    "too_long": "UPDATE task SET title = repeat(:title, 99)",
    "unique": "INSERT INTO task SELECT user_id, id, :title, description, completed FROM task",
    "foreign": "UPDATE task SET user_id = :title",
    "uuid": "SELECT CAST(:title AS uuid)",
    "number": "SELECT CAST(:title AS integer)",
    "time": "SELECT CAST(:title AS timestamptz)",
    "json": "SELECT CAST(:title AS jsonb)",
    "setting": "SELECT set_config('work_mem', :title, true)",
    "function": "SELECT 1 / length(left(:title, 0))",
    "slow": "SELECT pg_sleep(9), CAST(:title AS text)",
    "undefined": "SELECT no_such_column, CAST(:title AS text)",
}
APPLICATION = f"""
from fastapi import Body
from app.identity import CallerDatabase
from app.main import app
from kit.models import new_id
from sqlalchemy import text

REFUSED = {REFUSED!r}

@app.post("/refused/{{name}}")
async def refused(name: str, database: CallerDatabase, title: str = Body(embed=True)) -> int:
    await database.execute(text(REFUSED[name]), title=title, id=new_id())
    return 1

@app.post("/transaction/{{name}}")
async def transaction(name: str, database: CallerDatabase, title: str = Body(embed=True)) -> None:
    values = {{"title": title, "id": new_id(), "current_user_id": database.user_id}}
    await database.transaction(lambda session: session.execute(text(REFUSED[name]), values))
"""


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_error_tells_what_was_sent(database_url: str, tmp_path: Path, log_format: str) -> None:
    (tmp_path / "refusing.py").write_text(APPLICATION)
    log, path = tmp_path / "log", f"{tmp_path}:."
    settings = {"LOG_FORMAT": log_format, "DATABASE_STATEMENT_TIMEOUT": "0.2", "PYTHONPATH": path}
    with (
        serve_in_process(database_url, log, "refusing:app", **settings) as (_, url),
        client_of(USER, url) as client,
    ):
        client.headers["Connection"] = "close"  # uvicorn closes it after a fault
        assert client.post(TASKS, json={"title": TITLE}).status_code == 201
        calls = [f"/{way}/{name}" for way in ("refused", "transaction") for name in REFUSED]
        answers = [client.post(call, json={"title": TITLE}) for call in calls]
        answers += [client.request(method, f"/{TITLE}") for method in ("GET", "POST", "PUT")]
        answers += [
            client.post(TASKS, json={"title": [TITLE], TITLE: TITLE}),
            client.post(TASKS, content=TITLE),
            client.post(TASKS, json={"title": TITLE}, headers={"Idempotency-Key": TITLE * 99}),
            client.get(TASKS, params={"cursor": TITLE, "limit": TITLE}),
            client.get(f"{TASKS}/{TITLE}"),
            httpx2.get(f"{url}{TASKS}", headers={"X-User-ID": f"{USER} {USER}"}),
        ]
    assert {answer.status_code for answer in answers} == {400, 401, 404, 409, 500, 503}
    paths = [answer.json().pop("instance", "") for answer in answers]
    assert len(paths) == len(answers)
    said = "".join(str({**answer.json(), "instance": ""}) for answer in answers)
    assert (
        said.count(TITLE) == said.count(f"'pointer': '/{TITLE}'") == 1
    )  # the unknown field's name
    assert MARKED not in log.read_text().replace(f"/{TITLE}", "")
    assert log.read_text().count("SQLSTATE") > 9


@pytest.mark.parametrize("database", ["unreachable", "refusing"])
def test_no_message_has_the_password(database_url: str, tmp_path: Path, database: str) -> None:
    url = make_url(database_url).set(password=PASSWORD)
    urls = {
        "unreachable": f"postgresql://user:{PASSWORD}@127.0.0.1:1/database",
        "refusing": url.set(username="nobody").render_as_string(hide_password=False),
    }
    log = tmp_path / "log"
    with (
        serve_in_process(urls[database], log) as (_, service),
        client_of("alice", service) as alice,
    ):
        assert alice.get(TASKS).status_code == alice.get("/readyz").status_code == 503
    assert log.read_text()
    assert PASSWORD not in log.read_text()
