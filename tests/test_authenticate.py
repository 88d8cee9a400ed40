"""The page about authentication: a project that follows it verifies tokens, whatever happens."""

import asyncio
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hooks.rendering import ROOT, render
from tests.agents import agent, mcp_server, titles
from tests.choices import ALL_ON
from tests.contract.conftest import run
from tests.descriptions import undescribed
from tests.documents import Step, authenticated
from tests.identity_provider import (
    AUDIENCE,
    ISSUER,
    Provider,
    Signer,
    claims,
    dripping,
    encoded,
    hang_up,
    providing,
    publish,
    respond,
    silent,
)
from tests.projects import UV, Project, migrated_database, passable_folder, project_environment
from tests.servers import NO_TLS, running
from tests.test_deployment import load

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("authenticate")]

PAGE = (ROOT / "docs/authenticate.md").read_text("utf-8")
TASKS = "/api/v1/tasks"
INVALID = 'Bearer error="invalid_token"'
ORIGIN = "https://app.example.com"

ED = Signer("ed")
EC = Signer("ec", ec.generate_private_key(ec.SECP256R1()))
RSA = Signer("rsa", rsa.generate_private_key(65537, 2048))

NAME_THE_HEADER = {
    ".env.example",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "fly.toml",
    "kubernetes/deployment.yaml",
    "kubernetes/service.yaml",
    "render.yaml",
}

# With shorter times than the page has.
HURRIED = """
from app import identity

identity.PAUSE, identity.MAX_AGE = 0.2, 1
from app.main import app
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines(keepends=True)


class Followed(NamedTuple):
    """A project that has followed the page to its last step, and the files that this changed."""

    project: Project
    changed: set[str]
    last: Step


@pytest.fixture(scope="module")
def followed(template: Path, folder: Path, shared: Path) -> Followed:
    root = render(template, folder / "todo-service", ALL_ON)
    types = {"MYPY_CACHE_DIR": str(shared / "mypy")}  # also for another environment: 8 s of CPU
    project = Project(root, {**project_environment(folder), **types})
    project.sync()
    before = contents(project.root)
    last = authenticated(project)
    after = contents(project.root)
    changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
    return Followed(project, changed, last)


@pytest.fixture(scope="module")
def project(followed: Followed) -> Project:
    return followed.project


@pytest.fixture(scope="module")
def database_url(project: Project) -> Iterator[str]:
    with migrated_database(project) as url:
        yield url


Serve = Callable[[Mapping[str, str], str], AbstractContextManager[httpx2.Client]]


@pytest.fixture(scope="module")
def serve(project: Project, database_url: str) -> Serve:
    """Starts a process of the service, with these settings."""
    (project.root / "hurried.py").write_text(HURRIED, "utf-8")

    @contextmanager
    def start(settings: Mapping[str, str], module: str) -> Iterator[httpx2.Client]:
        command = [UV, "run", "--no-sync", "uvicorn", f"{module}:app", "--port", "{port}"]
        environment = {**project.environment, "DATABASE_URL": database_url, **settings}
        with (
            running(command, project.root, environment, "Authorization") as server,
            httpx2.Client(base_url=server.url, verify=NO_TLS, timeout=20) as client,
        ):
            yield client

    return start


@pytest.fixture(scope="module")
def good_provider() -> Iterator[Provider]:
    with providing(publish(ED, EC, RSA)) as provider:
        yield provider


@pytest.fixture(scope="module")
def service(serve: Serve, good_provider: Provider) -> Iterator[httpx2.Client]:
    """A service whose provider does as it should."""
    with serve({**good_provider.settings, "CORS_ORIGINS": ORIGIN}, "app.main") as client:
        yield client


@pytest.fixture(scope="module")
def provided(serve: Serve) -> Iterator[tuple[Provider, httpx2.Client]]:
    with (
        providing(publish(ED)) as provider,
        serve(provider.settings, "hurried") as client,
    ):
        yield provider, client


@pytest.fixture
def provider(provided: tuple[Provider, httpx2.Client]) -> Iterator[Provider]:
    """A provider that answers as the test says, at least a PAUSE after it was last asked."""
    provider, _ = provided
    yield provider
    provider.release()
    time.sleep(0.5)


@pytest.fixture
def hurried(provided: tuple[Provider, httpx2.Client]) -> httpx2.Client:
    """The service that asks this provider, and does so more often."""
    return provided[1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(client: httpx2.Client, token: str) -> httpx2.Response:
    return client.get(TASKS, headers=bearer(token))


def known(client: httpx2.Client, provider: Provider, kid: str) -> Signer:
    """The provider publishes this key alone, and the service has it."""
    signer = Signer(kid)
    provider.answer = publish(signer)
    assert ask(client, signer.token()).status_code == 200
    return signer


def until(status: int, client: httpx2.Client, token: str) -> None:
    """Ask until this is the answer, for ten seconds."""
    deadline = time.monotonic() + 10
    while (answer := ask(client, token)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def test_the_page_changes_the_authentication_and_nothing_else(followed: Followed) -> None:
    project, changed, last = followed
    code = {"app/identity.py", "app/settings.py", "tests/conftest.py"}
    assert changed == code | {"pyproject.toml", "uv.lock", *NAME_THE_HEADER}
    for command in ("ruff check", "ruff format --check", "mypy"):
        project.uv_run(*command.split(), "app", "tests")
    assert last.text == "uv run pytest\n"
    last.take(project)


def test_the_page_leaves_nothing_of_the_header(project: Project) -> None:
    """Outside of the kit, which other projects use as it is, and of Copier's own file."""
    files = {name for name in project.files_for_git() if not name.startswith("kit/")}
    found = [
        f"{name}: {line}"
        for name in sorted(files - {".copier-answers.yml"})
        for line in lines(project.root / name)
        if re.search("user.id.header|x-user-id|name any user|your gateway", line, re.IGNORECASE)
    ]
    assert found == []


def test_every_deployment_sets_the_provider(project: Project) -> None:
    compose, fly, (render,), pod = (
        load(project.root / "compose.yaml")["services"]["app"]["environment"],
        load(project.root / "fly.toml")["env"],
        load(project.root / "render.yaml")["services"],
        load(project.root / "kubernetes/deployment.yaml")["spec"]["template"]["spec"],
    )
    settings = {"JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL"}
    assert compose.keys() - {"DATABASE_URL"} == fly.keys() == settings
    named = {each["key"] for each in render["envVars"]}
    assert named - {"DATABASE_URL", "PORT"} == settings
    assert {each["name"] for each in pod["containers"][0]["env"]} == settings


def test_dev_greets_with_an_address_that_works_and_without_a_user(
    project: Project, good_provider: Provider
) -> None:
    dev = f"exec '{UV}' run --no-sync dev --port {{port}} > dev.log"
    environment = {**project.environment, **good_provider.settings}
    with running(["sh", "-c", dev], project.root, environment, "Authorization") as server:
        said = (project.root / "dev.log").read_text("utf-8")
        greeting = dict(re.findall(r"^  (Docs|User|Data)  (.+)$", said, re.MULTILINE))
        assert [*greeting] == ["Docs", "Data"]
        with httpx2.Client(base_url=server.url, verify=NO_TLS) as client:
            assert "oauth2RedirectUrl" in client.get(greeting["Docs"]).text
            assert ask(client, ED.token()).status_code == 200


def test_the_documented_authentication_works_as_it_stands(service: httpx2.Client) -> None:
    created = service.post(TASKS, json={"title": "hers"}, headers=bearer(ED.token()))
    assert (created.status_code, created.json()["user_id"]) == (201, "al.ice")
    for refused in ({}, {"X-User-ID": "al.ice"}, {"Authorization": f"Basic {ED.token()}"}):
        answer = service.get(TASKS, headers=refused)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["detail"] == "Send a bearer token."
    document = service.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert undescribed(document) == []
    assert "X-User-ID" not in json.dumps(document)


def test_a_page_of_another_origin_may_send_a_token_and_read_the_refusal(
    service: httpx2.Client,
) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Origin": ORIGIN}
    asked["Access-Control-Request-Headers"] = "authorization, content-type"
    assert service.options(TASKS, headers=asked).status_code == 200
    answer = service.get(TASKS, headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("signer", [ED, EC, RSA], ids=lambda signer: signer.algorithm)
def test_a_token_of_each_algorithm_is_accepted(service: httpx2.Client, signer: Signer) -> None:
    several = claims(aud=["another", AUDIENCE])
    assert ask(service, signer.token(several)).status_code == 200


def test_clocks_may_differ_a_little(service: httpx2.Client) -> None:
    assert ask(service, ED.token(claims(exp=int(time.time()) - 5))).status_code == 200


def with_hs256(secret: bytes, kid: str) -> str:
    """What a verifier accepts that takes the public key for a shared secret."""
    signed = f"{encoded({'alg': 'HS256', 'kid': kid})}.{encoded(claims())}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def pem(signer: Signer) -> bytes:
    public = signer.private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unsigned() -> str:
    return f"{encoded({'alg': 'none', 'kid': 'ed'})}.{encoded(claims())}."


def tampered() -> str:
    head, _, signature = ED.token().split(".")
    return f"{head}.{encoded(claims(sub='bob'))}.{signature}"


def nested(levels: int) -> str:
    """A head that is valid JSON, and deeper than a parser may recurse."""
    return f"{encoded(b'[' * levels + b']' * levels)}.e30.e30"


WRONG = {
    "forged": tampered,
    "none": unsigned,
    "HS256 with the public key": lambda: with_hs256(pem(RSA), "rsa"),
    "HS256 with the key as published": lambda: with_hs256(json.dumps(ED.jwk).encode(), "ed"),
    "another key under the same id": lambda: Signer("ed").token(),
    "the key of another algorithm": lambda: ED.token(kid="rsa"),
    "an algorithm that is not its key's": lambda: RSA.token(alg="RS512"),
    "an unknown key id": lambda: Signer("unknown").token(),
    "no key id": lambda: ED.token(kid=None),
    "a key id that is a number": lambda: ED.token(kid=1),
    "a key id that is a list": lambda: ED.token(kid=["ed"]),
    "a key id that is an object": lambda: ED.token(kid={"ed": "ed"}),
    "expired": lambda: ED.token(claims(exp=int(time.time()) - 15)),
    "not valid yet": lambda: ED.token(claims(nbf=int(time.time()) + 60)),
    "no expiry": lambda: ED.token(claims(exp=None)),
    "an expiry that is no time": lambda: ED.token(claims(exp="tomorrow")),
    "for another audience": lambda: ED.token(claims(aud="another")),
    "no audience": lambda: ED.token(claims(aud=None)),
    "of another issuer": lambda: ED.token(claims(iss=f"{ISSUER}/")),
    "no issuer": lambda: ED.token(claims(iss=None)),
    "no subject": lambda: ED.token(claims(sub=None)),
    "claims that are no object": lambda: ED.token(["al.ice"]),
    "a session token": lambda: "YedNG7Onv15SWSDfeKAmiHzpVRwME8Vj.MEVKvnZ0myplO1AgH4",
    "a word": lambda: "alice",
    "dots": lambda: "..",
    "30 KB": lambda: "x" * 30_000,
    "30 KB of claims, forged": lambda: Signer("ed").token(claims(name="x" * 20_000)),
    "30 KB of brackets": lambda: nested(10_000),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=list(WRONG))
def test_a_wrong_token_is_refused(service: httpx2.Client, make: Callable[[], str]) -> None:
    answer = ask(service, make())
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, INVALID)
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("subject", ["", "a b", "Zoë", "x" * 256, "a\n", 7, ["alice"]], ids=repr)
def test_a_subject_that_is_no_user_id_is_refused(service: httpx2.Client, subject: object) -> None:
    answer = ask(service, ED.token(claims(sub=subject)))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, INVALID)


def test_bytes_that_are_no_text_are_refused(service: httpx2.Client) -> None:
    answer = service.get(TASKS, headers={b"Authorization": b"Bearer \xff\xfe.a.b"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, INVALID)


def test_unknown_key_ids_cause_no_storm(service: httpx2.Client, good_provider: Provider) -> None:
    assert ask(service, ED.token()).status_code == 200
    asked, started = good_provider.asked, time.monotonic()
    unknown = [Signer(f"unknown-{number}").token() for number in range(200)]
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda token: ask(service, token), unknown)
        assert {answer.status_code for answer in answers} == {401}
    assert good_provider.asked - asked <= 1 + (time.monotonic() - started) / 5


def test_one_fetch_serves_all_that_wait(hurried: httpx2.Client, provider: Provider) -> None:
    new = Signer("waited-for")
    asked, provider.answer = provider.asked, publish(new, delay=1)
    waiting = []
    with ThreadPoolExecutor(20) as pool:
        for _ in range(20):
            waiting.append(pool.submit(ask, hurried, new.token()))
            time.sleep(0.03)  # in all, longer than a PAUSE and shorter than the fetch
        assert {each.result().status_code for each in waiting} == {200}
    assert provider.asked == asked + 1


def test_the_provider_may_rotate_its_keys(hurried: httpx2.Client, provider: Provider) -> None:
    old, new = known(hurried, provider, "old"), Signer("new")
    provider.answer = publish(old, new)
    until(200, hurried, new.token())
    assert ask(hurried, old.token()).status_code == 200


def test_a_withdrawn_key_is_refused_after_its_time(
    hurried: httpx2.Client, provider: Provider
) -> None:
    withdrawn = known(hurried, provider, "withdrawn")
    provider.answer = publish(ED)
    time.sleep(1.1)
    assert ask(hurried, withdrawn.token()).status_code == 401


# The last one keeps a fetch from ending.
AWAY = {
    "an error": respond(500, b"{}"),
    "a page": respond(200, b"<!doctype html><title>Maintenance</title>"),
    "no keys": respond(200, b'{"keys": []}'),
    "another shape": respond(200, b"[1]"),
    "nothing": hang_up,
    "silence": silent,
    "a byte at a time": dripping,
}


def test_without_the_key_a_provider_that_is_away_is_a_503_in_time(
    hurried: httpx2.Client, provider: Provider
) -> None:
    token = Signer("never-published").token()
    for name, answer in AWAY.items():
        asked, provider.answer = provider.asked, answer
        while provider.asked == asked:
            started = time.monotonic()
            response = ask(hurried, token)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1"), name
            assert time.monotonic() - started < 5, name
            assert response.json()["detail"] == "The identity provider does not answer. Try again."


def test_known_keys_go_on_while_the_provider_is_away_also_after_their_time(
    hurried: httpx2.Client, provider: Provider
) -> None:
    signer = known(hurried, provider, "known")
    time.sleep(1.1)
    for name, answer in AWAY.items():
        asked, provider.answer = provider.asked, answer
        while provider.asked == asked:
            assert ask(hurried, signer.token()).status_code == 200, name
    started = time.monotonic()
    assert {ask(hurried, signer.token()).status_code for _ in range(10)} == {200}
    assert time.monotonic() - started < 2, "they wait for the provider"


def test_others_are_answered_at_once_while_the_provider_is_silent(
    hurried: httpx2.Client, provider: Provider
) -> None:
    new = Signer("late")
    asked, provider.answer = provider.asked, silent
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(ask, hurried, new.token()) for _ in range(10)]
        while provider.asked == asked:
            time.sleep(0.01)
        started = time.monotonic()
        assert {hurried.get("/healthz").status_code for _ in range(10)} == {200}
        assert time.monotonic() - started < 2
        assert not any(each.done() for each in waiting)
        assert {each.result().status_code for each in waiting} == {503}
    provider.answer = publish(new)
    until(200, hurried, new.token())


TWICE = """
import os

import httpx2
from kit.application import create_app
from kit.testing.servers import serve

from app.resources import ROUTERS
from app.settings import Settings

headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
one, another = (create_app(Settings.load(), ROUTERS) for _ in range(2))
for app in (one, another, one):  # each time in another event loop
    with serve(app) as url:
        assert httpx2.get(f"{url}/api/v1/tasks", headers=headers).status_code == 200
"""


def test_the_keys_live_as_long_as_the_application(
    project: Project, good_provider: Provider, database_url: str
) -> None:
    settings = {**good_provider.settings, "DATABASE_URL": database_url, "TOKEN": ED.token()}
    asked = good_provider.asked
    replace(project, environment={**project.environment, **settings}).uv_run("python", "-c", TWICE)
    assert good_provider.asked == asked + 2


def test_an_agent_calls_with_the_token_of_its_user(service: httpx2.Client, tmp_path: Path) -> None:
    async def call() -> None:
        first, second = (bearer(ED.token(claims(sub=name))) for name in ("agent-1", "agent-2"))
        async with agent(url, first) as one, agent(url, second) as another:
            await one.call_tool("create_task", {"title": "hers"})
            assert await titles(one) == ["hers"]
            assert await titles(another) == []

    with mcp_server(tmp_path, str(service.base_url).rstrip("/")) as url:
        asyncio.run(call())


REASONS: dict[str, Callable[[], str]] = {
    "InvalidSignatureError": lambda: Signer("ed").token(),
    "InvalidAudienceError": lambda: ED.token(claims(aud="another")),
    "InvalidIssuerError": lambda: ED.token(claims(iss=f"{ISSUER}/")),
    "ExpiredSignatureError": lambda: ED.token(claims(exp=int(time.time()) - 15)),
    "MissingRequiredClaimError": lambda: ED.token(claims(aud=None)),
    "DecodeError": lambda: "alice",
    "KeyError": lambda: Signer("unknown").token(),
    "ValueError": lambda: ED.token(claims(sub="a b")),
}
LOG = """
import os

import httpx2
from kit.application import create_app
from kit.testing.servers import serve

from app.resources import ROUTERS
from app.settings import Settings

with serve(create_app(Settings.load(), ROUTERS)) as url:
    for token in os.environ["TOKENS"].split():
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx2.get(f"{url}/api/v1/tasks", headers=headers).status_code == 401
"""


def test_the_log_says_why_a_token_is_refused_and_nothing_of_the_token(
    project: Project, good_provider: Provider, database_url: str
) -> None:
    tokens = [make() for make in REASONS.values()]
    settings = {"DATABASE_URL": database_url, "TOKENS": " ".join(tokens)}
    environment = {**project.environment, **good_provider.settings, **settings}
    logged = replace(project, environment=environment).uv_run("python", "-c", LOG)
    assert re.findall(r'"event": "The token is refused: (\w+)"', logged) == [*REASONS]
    assert not [token for token in tokens if any(part in logged for part in token.split("."))]


REFUSED = ("http://issuer.example/jwks", "issuer.example/jwks", "file:///jwks", "")
LOAD = """
import os
from app.settings import Settings

for url in os.environ["URLS"].split(","):
    os.environ["JWKS_URL"] = url
    try:
        Settings.load()
    except SystemExit as refusal:
        print(refusal)
"""


def test_an_address_of_keys_for_which_anyone_could_answer_is_refused(project: Project) -> None:
    settings = {"DATABASE_URL": "postgresql:///app", "JWT_ISSUER": "i", "JWT_AUDIENCE": "a"}
    environment = {**project.environment, **settings, "URLS": ",".join(REFUSED)}
    said = replace(project, environment=environment).uv_run("python", "-c", LOAD)
    refusals = re.findall(r"^  JWKS_URL: .+\. Set it to the address", said, re.MULTILINE)
    assert len(refusals) == len(REFUSED), said


@pytest.fixture(scope="module")
def better_auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("better_auth")
    shutil.copytree(ROOT / "tests/better_auth", folder, dirs_exist_ok=True)
    install = "npm install --silent --ignore-scripts --no-audit --no-fund"
    run(install.split(), folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = Path(sys.executable).with_name("node")
    command = [str(node), "server.js", str(port)]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as client:
                yield client
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # `node` is a script that starts the real one


def sign_up(better_auth: httpx2.Client, name: str) -> tuple[str, str, str]:
    """The id of a new user, their session token, and their JWT."""
    better_auth.cookies.clear()
    user = {"name": name, "email": f"{name}@example.com", "password": "correct horse"}
    signed_up = better_auth.post("/api/auth/sign-up/email", json=user)
    assert signed_up.status_code == 200, signed_up.text
    token = better_auth.get("/api/auth/token").json()["token"]
    return signed_up.json()["user"]["id"], signed_up.json()["token"], token


def test_users_of_better_auth_each_see_their_own_tasks(
    serve: Serve, better_auth: httpx2.Client
) -> None:
    url = str(better_auth.base_url).rstrip("/")
    row = next(line for line in PAGE.splitlines() if line.startswith("| Better Auth"))
    issuer, audience, jwks = re.findall(r"`(<baseURL>\S*)`", row)
    names = {"JWT_ISSUER": issuer, "JWT_AUDIENCE": audience, "JWKS_URL": jwks}
    settings = {name: value.replace("<baseURL>", url) for name, value in names.items()}
    with serve(settings, "app.main") as client:
        alice, session, hers = sign_up(better_auth, "alice")
        bob, _, his = sign_up(better_auth, "bob")
        task = client.post(TASKS, json={"title": "hers"}, headers=bearer(hers)).json()
        assert task["user_id"] == alice != bob
        assert client.post(TASKS, json={"title": "his"}, headers=bearer(his)).status_code == 201
        for token, title in ((hers, "hers"), (his, "his")):
            assert [each["title"] for each in ask(client, token).json()["items"]] == [title]
        assert client.get(f"{TASKS}/{task['id']}", headers=bearer(his)).status_code == 404
        refused = ask(client, session)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, INVALID)
