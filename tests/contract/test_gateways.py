"""A request is one request of one user: directly, and behind the gateways of docs/isolation.md."""

import os
import re
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import psutil
import pytest

from hooks.rendering import ROOT
from tests.contract.conftest import HEADER
from tests.contract.raw import chunked
from tests.contract.test_clients import ADDRESS, blocks, promised
from tests.documents import section
from tests.servers import NO_TLS, Server, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

PAGE = section((ROOT / "docs/isolation.md").read_text("utf-8"), "Set up a gateway")
CONFIGURATIONS = dict(
    re.findall(r"^```(nginx|caddy|haproxy)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
WEB_SOCKETS = re.compile(r"^ +# for web sockets only\n( +proxy_set_header .+\n)+", re.MULTILINE)
MAIN = {
    "nginx": """
daemon off;
user root;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    include todo;
}
""",
    "caddy": "import todo\n",
    "haproxy": "global\n    maxconn 100\n",
}
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # of "secret"
USERS = {
    "nginx": "mallory:{PLAIN}secret\n",
    "caddy": f"mallory {BCRYPT}\n",
    "haproxy": "userlist users\n    user mallory insecure-password secret\n",
}
START = {
    "nginx": ["nginx", "-p", ".", "-c", "main", "-e", "stderr"],
    "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", "main"],
    "haproxy": ["haproxy", "-db", "-f", "main", "-f", "users", "-f", "todo"],
}

PATIENCE = 2  # seconds for the head of a request, in the place of 10
LOGIN = {"Authorization": f"Basic {b64encode(b'mallory:secret').decode()}"}
METHODS = {
    "GET": "/api/v1/tasks",
    "HEAD": "/healthz",
    "POST": "/api/v1/tasks",
    "PUT": f"/api/v1/tasks/{uuid4()}",
    "PATCH": f"/api/v1/tasks/{uuid4()}",
    "DELETE": f"/api/v1/tasks/{uuid4()}",
    "OPTIONS": "/api/v1/tasks",
}
# What Java's HttpClient sends with each first request to a host.
H2C = {
    "Connection": "Upgrade, HTTP2-Settings",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    "Upgrade": "h2c",
}
UPGRADES = {
    "none": {},
    "anything": {"Connection": "Upgrade", "Upgrade": "anything"},
    "websocket": {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    },
    "h2c": H2C,
}
ONCE = (["first", "last"], ["first"])
FRAMINGS = ["length", "chunks", "trailer", "announced trailer"]


@dataclass(frozen=True)
class Entrance:
    """Where requests of mallory's go in, and what makes them hers."""

    url: str
    login: dict[str, str]


@pytest.fixture(
    scope="module", params=["none", "nginx", "nginx for web sockets", "caddy", "haproxy"]
)
def entrance(
    request: pytest.FixtureRequest, service: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    if request.param == "none":
        yield Entrance(service.url, {HEADER: "mallory"})
        return
    name = request.param.split()[0]
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    configuration = CONFIGURATIONS[name]
    if request.param == "nginx":
        configuration = WEB_SOCKETS.sub("", configuration)
    with gateway(name, configuration, service, tmp_path_factory.mktemp(name)) as url:
        yield Entrance(url, LOGIN)


@contextmanager
def gateway(name: str, configuration: str, service: Server, folder: Path) -> Iterator[str]:
    """Run the program with this configuration, but addresses and accounts of the test's own."""
    address = f"127.0.0.1:{free_port()}"
    for place, here in {
        "127.0.0.1:8000": urlsplit(service.url).netloc,
        "listen 80": f"listen {address}",
        "todo.example.com": f"http://{address}",
        "{\n\tservers": "{\n\tadmin off\n\tservers",
        "bind :80": f"bind {address}",
        f"/etc/{name}/users": str(folder / "users"),
        " 10s": f" {PATIENCE}s",
    }.items():
        configuration = configuration.replace(place, here)
    (folder / "users").write_text(USERS[name])
    (folder / "todo").write_text(configuration)
    (folder / "main").write_text(MAIN[name])
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            START[name],
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},  # where Caddy writes
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"http://{address}/healthz", process, folder / "log")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with suppress(httpx2.TransportError):
            assert httpx2.get(url, headers=LOGIN, verify=NO_TLS).status_code == 200
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def request(start: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [
        f"{start} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {headers[name]}" for name in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_request(start: str, headers: dict[str, str], title: str) -> bytes:
    body = b'{"title": "%b"}' % title.encode()
    framing = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return request(start, headers | framing, body)


class Case(NamedTuple):
    method: str
    upgrade: str
    framing: str
    padding: int = 0


def disguised(entrance: Entrance, victim: str, case: Case) -> tuple[bytes, int]:
    """A request of mallory's that holds one of the victim's, and the length of its head."""
    headers = {HEADER: victim} if entrance.login is LOGIN else {}
    headers |= {**entrance.login, **UPGRADES[case.upgrade], "X-Request-ID": "first"}
    headers["Content-Type"] = "application/json"
    forger = {HEADER: victim, "X-Request-ID": "forged"}
    body = b"\r\n" * case.padding + json_request("POST /api/v1/tasks", forger, str(case))
    if case.framing == "length":
        headers["Content-Length"] = str(len(body))
    else:
        headers["Transfer-Encoding"] = "chunked"
        if "trailer" in case.framing:
            body = chunked(b'{"title": "taken for the victim\'s"}').removesuffix(b"\r\n")
            body += f"{HEADER}: {victim}\r\n\r\n".encode()
        else:
            body = chunked(body)
    if case.framing == "announced trailer":
        headers["Trailer"] = HEADER
    head = request(f"{case.method} {METHODS[case.method]}", headers)
    return head + body, len(head)


def answered(entrance: Entrance, pieces: list[bytes]) -> list[str]:
    """Which requests were answered on one connection, of these and a last one."""
    last = {**entrance.login, "X-Request-ID": "last", "Connection": "close"}
    address = urlsplit(entrance.url)
    received = b""
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for piece in pieces[:-1]:
                connection.sendall(piece)
                time.sleep(0.003)  # so that it arrives apart from the next
            connection.sendall(pieces[-1] + request("GET /healthz", last))
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    _, *answers = received.decode("latin-1").split("HTTP/1.1 ")
    return [answer_to(answer) for answer in answers]


def answer_to(answer: str) -> str:
    """The id of its request. Where the service has closed before all was sent, it is nginx's."""
    if answer.startswith("502 "):
        return "first"
    (id_,) = re.findall(r"^x-request-id: (\w+)", answer, re.MULTILINE | re.IGNORECASE)
    return str(id_)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_body_of_a_request_is_no_second_request(
    entrance: Entrance, service: Server, framing: str
) -> None:
    victim = f"victim-{uuid4()}"
    for method, upgrade in product(METHODS, UPGRADES):
        case = Case(method, upgrade, framing)
        sent, head = disguised(entrance, victim, case)
        for cut in (9, head - 3, head, head + 2, head + 60, len(sent) - 9):
            assert answered(entrance, [sent[:cut], sent[cut:]]) in ONCE, (case, cut)
        case = case._replace(padding=100_000)
        sent, _ = disguised(entrance, victim, case)
        assert answered(entrance, [sent]) in ONCE, case
    assert service.tasks(victim) == []


@pytest.mark.parametrize("upgrade", UPGRADES)
def test_a_request_for_an_upgrade_is_served_to_the_caller(
    entrance: Entrance, service: Server, upgrade: str
) -> None:
    title = f"mine {uuid4()}"
    sent = json_request("POST /api/v1/tasks", entrance.login | UPGRADES[upgrade], title)
    answered(entrance, [sent])
    assert title in service.tasks("mallory")


def test_a_name_that_the_client_sends_is_dropped(entrance: Entrance, service: Server) -> None:
    if entrance.login is not LOGIN:
        pytest.skip("without a gateway the client says who it is")
    victim, title = f"victim-{uuid4()}", f"mine {uuid4()}"
    tasks = f"{entrance.url}/api/v1/tasks"
    given = [(HEADER, victim), (HEADER.lower(), victim), *LOGIN.items()]
    with httpx2.Client(verify=NO_TLS) as client:
        assert client.post(tasks, headers=given, json={"title": title}).status_code == 201
        assert client.get(tasks, headers=given[:2]).status_code == 401
    assert service.tasks(victim) == []
    assert title in service.tasks("mallory")


def test_a_client_that_is_slow_is_the_gateways_and_not_for_long(
    entrance: Entrance, service: Server
) -> None:
    if entrance.login is not LOGIN:
        pytest.skip("without a gateway the service waits as long as the client likes")
    address, head = urlsplit(entrance.url), request("GET /healthz", LOGIN)
    started = time.monotonic()
    with socket.create_connection((address.hostname, address.port), 0.1) as slow:
        before = connections(service)
        with suppress(ConnectionError):
            for byte in head:
                slow.sendall(bytes([byte]))
                with suppress(TimeoutError):
                    assert b" 200 " not in slow.recv(1000)
                    break
                assert connections(service) <= before
    assert PATIENCE - 1 < time.monotonic() - started < PATIENCE + 5


def connections(service: Server) -> int:
    """The ones that others have to the service."""
    processes = psutil.Process(service.process.pid).children(recursive=True)
    port = urlsplit(service.url).port
    return sum(
        one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED
        for process in processes
        for one in process.net_connections()
    )


def test_javas_client_posts_as_the_page_about_clients_shows(
    entrance: Entrance, service: Server, tmp_path: Path
) -> None:
    """It offers h2c with its first request."""
    if not shutil.which("javac"):
        pytest.skip("needs a JDK")
    (login,), title = entrance.login.items(), f"from Java {uuid4()}"
    (program,) = blocks("java")
    program = program.replace(ADDRESS, entrance.url).replace("Buy milk", title)
    program = program.replace('"X-User-ID", "alice"', ", ".join(f'"{each}"' for each in login))
    (tmp_path / "Create.java").write_text(program, "utf-8")
    printed = subprocess.check_output(["java", tmp_path / "Create.java"], text=True)
    assert printed.splitlines() == promised([program], "//") == ["201"]
    assert title in service.tasks("mallory")
