"""Requests that are refused before their body counts, as bytes on the wire."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.contract import raw
from tests.contract.conftest import Serve
from tests.contract.raw import chunked, message
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
LIST, CREATE = f"GET {TASKS}", f"POST {TASKS}"
JSON = "Content-Type: application/json"
TASK = b'{"title": "x"}'
LARGE = b'{"title": "' + b"x" * 300_000 + b'"}'
LENGTH = f"Content-Length: {len(LARGE)}"
CHUNKS = "Transfer-Encoding: chunked"

ME = f"X-User-ID: mallory-{uuid4()}"

NO_HTTP = {
    "bytes": b"\x00\x01\x02\xff\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    "U+0000 in the path": message(f"{LIST}\0", ME),
    "bytes in the path": message(f"{LIST}/\xff", ME),
    "path of 100,000 characters": message(f"{LIST}/{'a' * 100_000}", ME),
    "query of 100,000 characters": message(f"{LIST}?cursor={'a' * 100_000}", ME),
    "header without a colon": message(LIST, ME, "Accept"),
    "space before the colon": message(LIST, ME.replace(":", " :")),
    "carriage return in a header": message(LIST, ME, "X-Request-ID: a\rb"),
    "U+0000 in a header": message(LIST, f"{ME}\0"),
    "negative length": message(CREATE, ME, JSON, "Content-Length: -1", body=TASK),
    "length with a sign": message(CREATE, ME, JSON, "Content-Length: +14", body=TASK),
    "length that is no number": message(CREATE, ME, JSON, "Content-Length: x", body=TASK),
    "length of 30 digits": message(CREATE, ME, JSON, f"Content-Length: {'9' * 30}", body=TASK),
    "two lengths": message(
        CREATE, ME, JSON, "Content-Length: 14", "Content-Length: 15", body=TASK
    ),
    "unknown encoding": message(CREATE, ME, JSON, "Transfer-Encoding: x", body=TASK),
    "broken chunk": message(
        CREATE, ME, JSON, "Transfer-Encoding: chunked", body=b"x\r\n" + TASK + b"\r\n0\r\n\r\n"
    ),
}  # fmt: skip
# h11 reads these as RFC 9112 lets it, or hands them on.
UNUSUAL = {
    "HTTP/2": (404, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/3.7": (307, b"GET / HTTP/3.7\r\nHost: x\r\n\r\n"),
    "unknown method": (405, message(f"FOO {TASKS}", ME)),
    "method in lower case": (405, message(f"get {TASKS}", ME)),
    "CONNECT to a host": (404, message("CONNECT example.com:443", ME)),
    "folded header": (200, message(LIST, ME, "X-Request-ID: a\r\n b")),
    "line feed in a header": (200, message(LIST, ME, "X-Request-ID: a\nSet-Cookie: b")),
    "line feed and a second user": (401, message(LIST, f"{ME}\nX-User-ID: bob")),
}  # fmt: skip
REFUSED = {
    "TRACE": (405, message(f"TRACE {TASKS}", ME)),
    "CONNECT": (405, message(f"CONNECT {TASKS}", ME)),
    "PROPFIND": (405, message(f"PROPFIND {TASKS}", ME)),
    "HEAD": (405, message(f"HEAD {TASKS}", ME)),
    "PUT on the list": (405, message(f"PUT {TASKS}", ME)),
    "method override": (405, message(f"{CREATE}/{uuid4()}", ME, "X-HTTP-Method-Override: DELETE")),
    "OPTIONS *": (404, message("OPTIONS *", ME)),
    "two slashes": (404, message("GET //api/v1/tasks", ME)),
    "dots": (404, message("GET /api/v1/../v1/tasks", ME)),
    "path with %00": (404, message(f"{LIST}%00", ME)),
    "path with %FF": (404, message("GET /%FF", ME)),
    "id with %00": (400, message(f"{LIST}/%00", ME)),
    "id with %FF": (400, message(f"{LIST}/%FF", ME)),
    "id with %2F": (404, message(f"{LIST}/a%2Fb", ME)),
    "id with a broken escape": (400, message(f"{LIST}/%zz", ME)),
    "cursor with %00": (400, message(f"{LIST}?cursor=%00", ME)),
    "cursor with %FF": (400, message(f"{LIST}?cursor=%FF&%FF=%FF", ME)),
    "no user": (401, message(LIST)),
    "two users": (401, message(LIST, ME, "X-User-ID: bob")),
    "the same user twice": (401, message(LIST, ME, ME)),
    "empty user": (401, message(LIST, "X-User-ID:")),
    "user with a space": (401, message(LIST, "X-User-ID: al ice")),
    "user with a tab": (401, message(LIST, "X-User-ID: al\tice")),
    "user beyond ASCII": (401, message(LIST, "X-User-ID: \xe9")),
    "user of 256 characters": (401, message(LIST, f"X-User-ID: {'a' * 256}")),
    "user of 100,000 characters": (401, message(LIST, f"X-User-ID: {'a' * 100_000}")),
    "user in another spelling": (401, message(LIST, "X_User_ID: alice")),
    "large body": (413, message(CREATE, ME, JSON, LENGTH, body=LARGE)),
    "large body, announced": (413, message(CREATE, ME, JSON, "Content-Length: 999999", body=TASK)),
    "large body, awaited": (
        413, message(CREATE, ME, JSON, "Expect: 100-continue", "Content-Length: 999999"),
    ),
    "large body for no operation": (413, message("POST /nothing", ME, LENGTH, body=LARGE)),
    "large body in chunks": (413, message(CREATE, ME, JSON, CHUNKS, body=chunked(LARGE))),
    "large body, called small": (
        413, message(CREATE, ME, JSON, "Content-Length: 1", CHUNKS, body=chunked(LARGE)),
    ),
    "length that cuts the body": (
        400, message(CREATE, ME, JSON, "Content-Length: 9", body=TASK),
    ),
    "compressed": (
        400,
        message(CREATE, ME, JSON, "Content-Encoding: gzip", "Content-Length: 2", body=b"\x1f\x8b"),
    ),
}  # fmt: skip


def assert_unharmed(service: Server) -> None:
    user = ME.removeprefix("X-User-ID: ")
    assert service.tasks(user) == []
    assert httpx2.get(f"{service.url}/readyz").status_code == 200


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_by_the_server(service: Server, sent: bytes) -> None:
    answer = raw.send(service.url, sent)
    assert answer is None or answer.status in {400, 501}
    assert_unharmed(service)


@pytest.mark.parametrize(("status", "sent"), UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_harms_nothing(service: Server, status: int, sent: bytes) -> None:
    answer = raw.send(service.url, sent)
    assert answer is not None
    assert answer.status == status
    assert "set-cookie" not in answer.headers
    assert_unharmed(service)


def test_of_a_length_and_chunks_the_chunks_count(service: Server) -> None:
    user, rest = f"alice-{uuid4()}", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    headers = (f"X-User-ID: {user}", JSON, "Content-Length: 5", "Transfer-Encoding: chunked")
    answer = raw.send(service.url, message(CREATE, *headers, body=chunked(TASK)) + rest)
    assert answer is not None
    assert answer.body.count("HTTP/1.1 ") == 0
    assert service.tasks(user) == ["x"]


@pytest.mark.parametrize(("status", "sent"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_in_the_contract_is_a_problem(
    service: Server, status: int, sent: bytes
) -> None:
    answer = raw.send(service.url, sent)
    assert answer is not None
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert_unharmed(service)


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(
    ("method", "suffix"), [("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/toggle")]
)
def test_an_operation_with_a_large_body_does_nothing(
    alice: httpx2.Client, method: str, suffix: str, framing: str
) -> None:
    task = alice.post(TASKS, json={"title": "Buy milk"}).json()
    start, me = f"{method} {TASKS}/{task['id']}{suffix}", f"X-User-ID: {task['user_id']}"
    head, body = (LENGTH, LARGE) if framing == "length" else (CHUNKS, chunked(LARGE))
    answer = raw.send(str(alice.base_url), message(start, me, JSON, head, body=body))
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    assert alice.get(f"{TASKS}/{task['id']}").json() == task


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        (f"{TASKS}/?limit=1", f"{TASKS}?limit=1"),
        (f"{TASKS}/00000000-0000-7000-8000-000000000000/toggle/", None),
        ("/healthz/", None),
        ("/docs/", None),
        ("/", "/docs"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_slash_too_much_leads_to_the_path_without_it(
    alice: httpx2.Client, method: str, path: str, leads_to: str | None
) -> None:
    response = alice.request(method, path, content=TASK, headers={"Content-Type": "text/plain"})
    if path == "/" and method not in {"GET", "HEAD"}:
        assert response.status_code == 404
    else:
        assert response.status_code == 307
        target = response.url.join(response.headers["Location"])
        assert target == alice.base_url.join(leads_to or path.removesuffix("/"))


def test_behind_a_proxy_a_redirect_has_the_scheme_of_the_proxy(service: Server) -> None:
    answer = raw.send(service.url, message(f"GET {TASKS}/", "X-Forwarded-Proto: https"))
    assert answer is not None
    assert (answer.status, answer.headers["location"]) == (307, f"https://x{TASKS}")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_may_ask_for_the_head_alone(service: Server, path: str) -> None:
    answer = raw.send(service.url, message(f"HEAD {path}"))
    assert answer is not None
    assert (answer.status, answer.body) == (200, "")
    assert answer.headers["x-request-id"]


@pytest.fixture(scope="module")
def choosy(serve: Serve) -> Iterator[Server]:
    """A service that answers to one host, and to the pages of one origin."""
    hosts = {"ALLOWED_HOSTS": "127.0.0.1", "CORS_ORIGINS": "https://app.example.com"}
    with serve(hosts) as server:
        yield server


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "", "x, y"])
def test_another_host_is_a_plain_400(choosy: Server, host: str) -> None:
    refused = httpx2.get(f"{choosy.url}{TASKS}", headers={"Host": host, "X-User-ID": "alice"})
    assert (refused.status_code, refused.text) == (400, "Invalid host header")
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert refused.headers["X-Request-ID"]
    assert refused.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("origin", "method", "header", "reason"),
    [
        ("https://evil.example", "GET", "x-user-id", "origin"),
        ("https://app.example.com.evil.example", "GET", "x-user-id", "origin"),
        ("http://app.example.com", "GET", "x-user-id", "origin"),
        ("null", "GET", "x-user-id", "origin"),
        ("https://app.example.com", "TRACE", "x-user-id", "method"),
        ("https://app.example.com", "GET", "x-other", "headers"),
    ],
)
def test_a_preflight_that_is_refused_says_why(
    choosy: Server, origin: str, method: str, header: str, reason: str
) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": header,
    }
    refused = httpx2.options(f"{choosy.url}{TASKS}", headers=asked)
    assert (refused.status_code, refused.text) == (400, f"Disallowed CORS {reason}")
    assert refused.headers["X-Request-ID"]
    may = refused.headers.get("Access-Control-Allow-Origin")
    assert may == (None if reason == "origin" else origin)
    assert "Access-Control-Allow-Credentials" not in refused.headers


def test_a_client_that_hangs_up_halfway_leaves_nothing(service: Server) -> None:
    request = message(CREATE, ME, JSON, "Content-Length: 1000", body=TASK)
    for end in range(1, len(request), 7):
        raw.hang_up(service.url, request[:end])
    assert_unharmed(service)


@pytest.mark.parametrize(
    "given",
    [
        ["a\r\nSet-Cookie: b=c"],
        ["a%0d%0aSet-Cookie: b=c"],
        ["a", "b"],
        ["a" * 129],
        ["a" * 100_000],
        [""],
        ["a b"],
        ["\xe9"],
        ["a\x7f"],
        ['{"level":"error"}'],
    ],
    ids=["split", "escaped", "two", "long", "longest", "empty", "space", "latin", "delete", "json"],
)
def test_an_unusable_request_id_is_replaced_and_injects_nothing(
    service: Server, given: list[str]
) -> None:
    answer = raw.send(service.url, message(LIST, ME, *(f"X-Request-ID: {id_}" for id_ in given)))
    assert answer is not None
    if answer.status == 400 and "x-request-id" not in answer.headers:
        return  # not HTTP to begin with
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert re.fullmatch("[0-9a-f]{32}|a", answer.headers["x-request-id"])


ID = "019a6e3c-6c2b-7d7e-8f5a-3b1f0c9d2e4a"
ODD_IDS = [
    f"{{{ID}",
    f"urn:{ID}",
    ID.replace("-", "", 1),
    f"{ID[:7]}-{ID[7:8]}{ID[9:]}",
    f" {ID}",
    f"{ID}\n",
    f"{ID}0",
    ID[:-1],
    f"g{ID[1:]}",
    f"\uff10{ID[1:]}",
    ID.replace("-", "\u2010"),
    f"{ID},{ID}",
    f"{ID}' OR '1'='1",
    "0",
    "null",
    "undefined",
    "*",
]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_what_is_no_id_is_refused(alice: httpx2.Client, odd: str) -> None:
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/toggle")):
        response = alice.request(method, f"{TASKS}/{quote(odd, safe='')}{suffix}")
        assert (response.status_code, response.json()["errors"][0]["in"]) == (400, "path")
    response = alice.get(TASKS, params={"cursor": odd})
    assert (response.status_code, response.json()["errors"][0]["in"]) == (400, "query")


@pytest.mark.parametrize(
    "spell",
    [str.upper, lambda id_: f"{{{id_}}}", lambda id_: f"urn:uuid:{id_}", lambda id_: UUID(id_).hex],
    ids=["upper case", "braces", "urn", "hex"],
)
def test_an_id_is_the_same_however_it_is_spelled(
    alice: httpx2.Client, spell: Callable[[str], str]
) -> None:
    task = alice.post(TASKS, json={"title": "x"}).json()
    spelled = spell(task["id"])
    assert alice.get(f"{TASKS}/{quote(spelled, safe='')}").json() == task
    later = alice.get(TASKS, params={"cursor": spelled})
    assert later.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "nobodys", [ID, str(UUID(int=0)), str(UUID(int=2**128 - 1)), str(UUID(int=1, version=4))]
)
def test_an_id_of_any_version_is_only_unknown(alice: httpx2.Client, nobodys: str) -> None:
    assert alice.get(f"{TASKS}/{nobodys}").status_code == 404
    assert alice.get(TASKS, params={"cursor": nobodys}).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in (
            "", "0", "-1", "201", "1.5", "1e2", "0x10", "1__0", "1 0", "1;1", "NaN", "null",
            "true", "[1]", "\uff11", "\u0661", "9" * 5_000, "1 OR 1=1", "\0",
        )),
        *(("completed", value) for value in (
            "", "2", "-1", "1.0", "ja", " true", "null", "true,false", "[true]", "\0",
        )),
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused(
    alice: httpx2.Client, name: str, value: str
) -> None:
    response = alice.get(TASKS, params={name: value})
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("query", f"/{name}")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        *((f"completed={value}", ["done"]) for value in ("true", "1", "yes", "on", "T", "TRUE")),
        *((f"completed={value}", ["open"]) for value in ("false", "0", "no", "off", "F", "n")),
        *((f"limit={value}", ["open"]) for value in ("1", "1.0", "001", "%2B1", "%201%20")),
        ("limit=1_0", ["open", "done"]),
        ("limit=2&limit=1", ["open"]),  # the last one counts
        ("completed=false&completed=true", ["done"]),
        ("completed=true&unknown=1", ["done"]),
    ],
)
def test_a_query_is_read_as_fastapi_reads_it(
    alice: httpx2.Client, query: str, titles: list[str]
) -> None:
    alice.post(TASKS, json={"title": "done", "completed": True})
    alice.post(TASKS, json={"title": "open"})
    items = alice.get(f"{TASKS}?{query}").raise_for_status().json()["items"]
    assert [task["title"] for task in items] == titles


@pytest.mark.parametrize(
    "user", ["'OR'1'='1", "%(scope_role)s", "';DROP/**/TABLE/**/task;--", "\\'", "$$", ":x?", "%"]
)
def test_a_user_whose_name_looks_like_sql_is_a_user(service: Server, user: str) -> None:
    service.add(user, user)
    assert set(service.tasks(user)) == {user}
