"""Requests that are refused before their body counts, as bytes on the wire."""

import re
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.contract import raw
from tests.contract.raw import chunked, message
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
LIST, CREATE = f"GET {TASKS}", f"POST {TASKS}"
JSON = "Content-Type: application/json"
TASK = b'{"title": "x"}'
LARGE = b'{"title": "' + b"x" * 100_000 + b'"}'

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
    "HTTP/3.7": (404, b"GET / HTTP/3.7\r\nHost: x\r\n\r\n"),
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
    "slash at the end": (404, message(f"{LIST}/", ME)),
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
    "large body": (413, message(CREATE, ME, JSON, f"Content-Length: {len(LARGE)}", body=LARGE)),
    "large body, announced": (413, message(CREATE, ME, JSON, "Content-Length: 999999", body=TASK)),
    "large body, awaited": (
        413, message(CREATE, ME, JSON, "Expect: 100-continue", "Content-Length: 999999"),
    ),
    "large body in chunks": (
        413, message(CREATE, ME, JSON, "Transfer-Encoding: chunked", body=chunked(LARGE)),
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
    f"{{{ID}}}",
    f"urn:uuid:{ID}",
    ID.replace("-", ""),
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
def test_an_id_has_one_spelling(alice: httpx2.Client, odd: str) -> None:
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/toggle")):
        response = alice.request(method, f"{TASKS}/{quote(odd, safe='')}{suffix}")
        assert (response.status_code, response.json()["errors"][0]["in"]) == (400, "path")
    response = alice.get(TASKS, params={"cursor": odd})
    assert (response.status_code, response.json()["errors"][0]["in"]) == (400, "query")


def test_an_id_may_be_in_upper_case(alice: httpx2.Client) -> None:
    task = alice.post(TASKS, json={"title": "x"}).json()
    assert alice.get(f"{TASKS}/{task['id'].upper()}").json() == task
    later = alice.get(TASKS, params={"cursor": task["id"].upper()})
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
            "", "0", "-1", "201", "1.0", "1e2", "0x10", "1_0", " 1", "+1", "1;1", "NaN", "null",
            "true", "[1]", "\uff11", "\u0661", "9" * 5_000, "1 OR 1=1", "\0",
        )),
        *(("completed", value) for value in (
            "", "1", "0", "yes", "on", "True", "TRUE", " true", "null", "true,false", "\0",
        )),
    ],
)  # fmt: skip
def test_a_query_has_one_spelling(alice: httpx2.Client, name: str, value: str) -> None:
    response = alice.get(TASKS, params={name: value})
    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("query", f"/{name}")


@pytest.mark.parametrize(
    "user", ["'OR'1'='1", "%(scope_role)s", "';DROP/**/TABLE/**/task;--", "\\'", "$$", ":x?", "%"]
)
def test_a_user_whose_name_looks_like_sql_is_a_user(service: Server, user: str) -> None:
    service.add(user, user)
    assert set(service.tasks(user)) == {user}
