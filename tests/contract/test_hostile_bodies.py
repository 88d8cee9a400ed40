"""Bodies that no honest client sends, and honest texts that look like them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.contract.conftest import NO_TLS, Serve

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
JSON = {"Content-Type": "application/json"}
TITLE = '{"title": "x"}'

# All that Unicode calls White_Space.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

NOT_JSON = {
    "nothing": b"",
    "white space": b" \n",
    "a word": b"title",
    "single quotes": b"{'title': 'x'}",
    "trailing comma": b'{"title": "x",}',
    "comment": b'{"title": "x"} // y',
    "two documents": b'{"title": "x"}{"title": "y"}',
    "unfinished": b'{"title": "x"',
    "line break in a string": b'{"title": "a\nb"}',
    "unknown escape": b'{"title": "\\x41"}',
    "form": b"title=x",
    "NaN": b'{"title": "x", "completed": NaN}',
    "Infinity": b'{"title": "x", "completed": Infinity}',
    "-Infinity": b'{"title": "x", "completed": -Infinity}',
    "number of 5,000 digits": b'{"title": ' + b"9" * 5000 + b"}",
    "30,000 arrays deep": b'{"title": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "6,000 objects deep": b'{"title":' * 6_000 + b"1" + b"}" * 6_000,
    "a key twice": b'{"title": "x", "title": "x"}',
    "a key twice, once escaped": b'{"title": "x", "\\u0074itle": "y"}',
    "a key twice, deeper": b'{"title": "x", "description": {"a": 1, "a": 2}}',
    "byte that is no UTF-8": b'{"title": "\xff"}',
    "overlong UTF-8": b'{"title": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "half a character": b'{"title": "\xe2\x82"}',
    "Latin-1": b'{"title": "caf\xe9"}',
    "byte order mark": TITLE.encode("utf-8-sig"),
    "UTF-16": TITLE.encode("utf-16"),
    "UTF-16, little endian": TITLE.encode("utf-16-le"),
    "UTF-16, big endian": TITLE.encode("utf-16-be"),
    "UTF-32": TITLE.encode("utf-32"),
    "UTF-32, little endian": TITLE.encode("utf-32-le"),
    "UTF-32, big endian": TITLE.encode("utf-32-be"),
}
NOT_A_TASK = {
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"title"',
    "array": b"[]",
    "task in an array": b'[{"title": "x"}]',
    "huge number": b'{"title": 1e999}',
    "number for a boolean": b'{"title": "x", "completed": 0}',
    "null for a string": b'{"title": "x", "description": null}',
    "U+0000 in the title": b'{"title": "a\\u0000b"}',
    "U+0000 in the description": b'{"title": "x", "description": "\\u0000"}',
    "U+0000 in a key": b'{"title": "x", "\\u0000": 1}',
    "high surrogate": b'{"title": "\\ud800"}',
    "low surrogate": b'{"title": "x", "description": "\\udc00"}',
    "surrogates in the wrong order": b'{"title": "\\udc00\\ud800"}',
    "surrogate in a key": b'{"title": "x", "\\udfff": 1}',
    "surrogate in a deeper key": b'{"title": {"\\udfff": 1}}',
    "owner": b'{"title": "x", "user_id": "bob"}',
    "key in upper case": b'{"title": "x", "Completed": true}',
    "prototype": b'{"title": "x", "__proto__": {}}',
    "4,000 unknown keys": b"{" + b",".join(b'"%d": 0' % n for n in range(4_000)) + b"}",
}
VERBATIM = {
    "SQL": "'; DROP TABLE task; --",
    "backslashes": "\\' OR 1=1; \\\\ \\x00 $$ E'\\''",
    "placeholders": "%s %(title)s %% :title ? {} {0} $1",
    "HTML": "<script>alert(1)</script>&amp;",
    "template": "{{ 7 * 7 }} ${7} #{7}",
    "control characters": "a\x01\x1b[31m\x7fb",
    "right to left": "a\u202eb\u200f\u05d0",
    "emoji of several code points": "\U0001f469\u200d\U0001f4bb",
    "not normalised": "e\u0301 \u00e9 \u212b",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "invisible, yet no white space": "\u200b\u2060\ufeff\u180e\x1c\x1f",
}


@dataclass(frozen=True)
class Victim:
    client: httpx2.Client
    path: str

    def send(
        self, method: str, body: bytes, content_type: bytes | None = b"application/json"
    ) -> httpx2.Response:
        path = TASKS if method == "POST" else self.path
        headers = {b"Content-Type": content_type} if content_type is not None else {}
        return self.client.request(method, path, content=body, headers=headers)


@pytest.fixture
def victim(alice: httpx2.Client) -> Iterator[Victim]:
    """A user with one task, which must be all there is afterwards, in a service that is well."""
    task = alice.post(TASKS, json={"title": "Buy milk", "description": "2 l"}).json()
    yield Victim(alice, f"{TASKS}/{task['id']}")
    assert alice.get(TASKS).json()["items"] == [task]
    assert alice.get("/readyz").status_code == 200


every_method = pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])


def assert_refused(response: httpx2.Response) -> None:
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {fault["in"] for fault in response.json()["errors"]} == {"body"}


@every_method
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused(victim: Victim, method: str, body: bytes) -> None:
    response = victim.send(method, body)
    assert_refused(response)
    assert [fault["pointer"] for fault in response.json()["errors"]] == [""]


@every_method
@pytest.mark.parametrize("body", NOT_A_TASK.values(), ids=NOT_A_TASK)
def test_json_that_is_not_a_task_is_refused(victim: Victim, method: str, body: bytes) -> None:
    assert_refused(victim.send(method, body))


@every_method
@pytest.mark.parametrize(
    "content_type",
    [None, b"", b"text/plain", b"text/json", b"application/xml", b"application/octet-stream",
     b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"\xff"],
)  # fmt: skip
def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    victim: Victim, method: str, content_type: bytes | None
) -> None:
    assert_refused(victim.send(method, TITLE.encode(), content_type))


@every_method
@pytest.mark.parametrize("space", WHITE_SPACE, ids=lambda space: f"U+{ord(space):04X}")
def test_a_title_of_white_space_is_refused(victim: Victim, method: str, space: str) -> None:
    assert_refused(victim.send(method, json.dumps({"title": space * 3}).encode()))


@every_method
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"title":' * 100_000, b"9" * 1_000_000])
def test_a_parser_that_is_sent_megabytes_refuses_them(
    victim: Victim, roomy: str, method: str, body: bytes
) -> None:
    with httpx2.Client(base_url=roomy, headers=victim.client.headers, verify=NO_TLS) as client:
        assert_refused(Victim(client, victim.path).send(method, body))
        assert client.get("/readyz").status_code == 200


@pytest.fixture(scope="module")
def roomy(serve: Serve) -> Iterator[str]:
    """The same service, for much larger bodies."""
    with serve({"MAX_BODY_BYTES": "10000000"}) as server:
        yield server.url


def test_a_long_text_is_refused_however_large_a_body_may_be(victim: Victim, roomy: str) -> None:
    with httpx2.Client(base_url=roomy, headers=victim.client.headers, verify=NO_TLS) as client:
        for text in ("x" * 9_000_000, " " * 9_000_000):
            assert_refused(client.post(TASKS, json={"title": text}))
        assert_refused(client.post(TASKS, json={"title": "x", "description": "x" * 9_000_000}))


@pytest.mark.parametrize("text", VERBATIM.values(), ids=VERBATIM)
def test_text_is_stored_verbatim(alice: httpx2.Client, text: str) -> None:
    path = alice.post(TASKS, json={"title": text, "description": text}).headers["Location"]
    task = alice.get(path).json()
    assert (task["title"], task["description"]) == (text, text)


def test_white_space_around_a_title_is_trimmed(alice: httpx2.Client) -> None:
    for space in WHITE_SPACE:
        task = alice.post(TASKS, json={"title": f"{space}a{space}b{space}"}).json()
        assert task["title"] == f"a{space}b"


@pytest.mark.parametrize(
    "character", ["x", "\xe9", "\u20ac", "\U0001f95b", "\u0301"], ids=lambda c: f"U+{ord(c):04X}"
)
def test_lengths_are_counted_in_code_points(alice: httpx2.Client, character: str) -> None:
    for title, description in ((200, 10_000), (201, 0), (1, 10_001)):
        body = {"title": character * title, "description": character * description}
        response = alice.post(TASKS, content=json.dumps(body, ensure_ascii=False), headers=JSON)
        if (title, description) == (200, 10_000):
            assert response.status_code == 201
        else:
            assert_refused(response)


def test_a_title_has_its_length_after_trimming(alice: httpx2.Client) -> None:
    title = "x" * 200
    task = alice.post(TASKS, json={"title": f"{WHITE_SPACE}{title}{WHITE_SPACE}"}).json()
    assert task["title"] == title
