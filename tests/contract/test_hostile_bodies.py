"""Bodies that no honest client sends, and honest texts that look like them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.contract.conftest import Serve
from tests.servers import NO_TLS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
JSON = {"Content-Type": "application/json"}

# All that Unicode calls White_Space.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def task(title: bytes = b'"x"', description: bytes = b'""', completed: bytes = b"false") -> bytes:
    """A body that every method takes, but for what is given in the place of a value."""
    return b'{"title": %b, "description": %b, "completed": %b}' % (title, description, completed)


def task_and(*more: bytes) -> bytes:
    return b", ".join([task()[:-1], *more]) + b"}"


TASK = task()
TEXT = TASK.decode()

NOT_JSON = {
    "white space": b" \n",
    "a word": b"title",
    "single quotes": TASK.replace(b'"', b"'"),
    "trailing comma": task_and(b""),
    "comment": TASK + b" // y",
    "two documents": TASK * 2,
    "unfinished": TASK[:-1],
    "line break in a string": task(b'"a\nb"'),
    "unknown escape": task(b'"\\x41"'),
    "form": b"title=x&description=&completed=false",
}
# FastAPI gives up on these, and says nothing of the place.
NOT_READ = {
    "number of 5,000 digits": task(b"9" * 5000),
    "30,000 arrays deep": task(b"[" * 30_000 + b"]" * 30_000),
    "6,000 objects deep": task(b'{"title":' * 6_000 + b"1" + b"}" * 6_000),
    "byte that is no UTF-8": task(b'"\xff"'),
    "overlong UTF-8": task(b'"\xc0\xaf"'),
    "half a character": task(b'"\xe2\x82"'),
    "Latin-1": task(b'"caf\xe9"'),
    "half of UTF-16": TEXT.encode("utf-16")[:-1],
}
NOT_A_TASK = {
    "nothing": (b"", ""),
    "null": (b"null", ""),
    "true": (b"true", ""),
    "number": (b"1", ""),
    "string": (b'"title"', ""),
    "array": (b"[]", ""),
    "task in an array": (b"[" + TASK + b"]", ""),
    "number for a string": (task(b"1"), "/title"),
    "huge number": (task(b"1e999"), "/title"),
    "string for a boolean": (task(completed=b'"true"'), "/completed"),
    "number for a boolean": (task(completed=b"0"), "/completed"),
    "NaN": (task(completed=b"NaN"), "/completed"),
    "Infinity": (task(completed=b"Infinity"), "/completed"),
    "-Infinity": (task(completed=b"-Infinity"), "/completed"),
    "null for a string": (task(description=b"null"), "/description"),
    "null for a boolean": (task(completed=b"null"), "/completed"),
    "object for a string": (task(description=b'{"a": 1, "a": 2}'), "/description"),
    "U+0000 in the title": (task(b'"a\\u0000b"'), "/title"),
    "U+0000 in the description": (task(description=b'"\\u0000"'), "/description"),
    "U+0000 in a key": (task_and(b'"\\u0000": 1'), "/\0"),
    "surrogate in UTF-8": (task(b'"\xed\xa0\x80"'), "/title"),
    "high surrogate": (task(b'"\\ud800"'), "/title"),
    "low surrogate": (task(description=b'"\\udc00"'), "/description"),
    "surrogates in the wrong order": (task(b'"\\udc00\\ud800"'), "/title"),
    "surrogate in a key": (task_and(b'"\\udfff": 1'), ""),
    "surrogate in a deeper key": (task(b'{"\\udfff": 1}'), "/title"),
    "owner": (task_and(b'"user_id": "bob"'), "/user_id"),
    "id": (task_and(b'"id": "019a6e3c-6c2b-7d7e-8f5a-3b1f0c9d2e4a"'), "/id"),
    "time": (task_and(b'"created_at": "2000-01-01T00:00:00Z"'), "/created_at"),
    "key in upper case": (task_and(b'"Completed": true'), "/Completed"),
    "prototype": (task_and(b'"__proto__": {}'), "/__proto__"),
}
# As FastAPI reads bodies: of a key that stands twice the last one counts.
READ = {
    "as it is": TASK,
    "a key twice": task_and(b'"title": "y"', b'"title": "x"'),
    "a key twice, once escaped": task_and(b'"\\u0074itle": "x"').replace(b'"x"', b'"y"', 1),
    "byte order mark": TEXT.encode("utf-8-sig"),
    **{
        name: TEXT.encode(name)
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
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


def assert_refused(response: httpx2.Response, *pointers: str) -> None:
    """At exactly these places, where they are given."""
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "invalid_request"
    faults = problem.get("errors", [])
    assert {fault["in"] for fault in faults} <= {"body"}
    if pointers:
        assert [fault["pointer"] for fault in faults] == list(pointers)


@every_method
@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_a_whole_task_is_taken_however_it_is_encoded(
    alice: httpx2.Client, method: str, body: bytes
) -> None:
    before = alice.post(TASKS, json={"title": "before", "completed": True}).json()
    path = TASKS if method == "POST" else f"{TASKS}/{before['id']}"
    task = alice.request(method, path, content=body, headers=JSON).json()
    assert (task["title"], task["description"], task["completed"]) == ("x", "", False)


@every_method
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused(victim: Victim, method: str, body: bytes) -> None:
    response = victim.send(method, body)
    assert_refused(response, "")
    assert response.json()["errors"][0]["code"] == "json_invalid"


@every_method
@pytest.mark.parametrize("body", NOT_READ.values(), ids=NOT_READ)
def test_what_cannot_be_read_is_refused(victim: Victim, method: str, body: bytes) -> None:
    assert_refused(victim.send(method, body))


@every_method
@pytest.mark.parametrize(("body", "pointer"), NOT_A_TASK.values(), ids=NOT_A_TASK)
def test_json_that_is_not_a_task_is_refused(
    victim: Victim, method: str, body: bytes, pointer: str
) -> None:
    assert_refused(victim.send(method, body), pointer)


@every_method
def test_4000_unknown_keys_are_4000_errors(victim: Victim, method: str) -> None:
    response = victim.send(method, task_and(*(b'"%d": 0' % n for n in range(4_000))))
    assert_refused(response, *(f"/{n}" for n in range(4_000)))


@pytest.mark.parametrize("missing", ["title", "description", "completed"])
def test_a_replacement_needs_every_field(victim: Victim, missing: str) -> None:
    body = {name: value for name, value in json.loads(TASK).items() if name != missing}
    assert_refused(victim.send("PUT", json.dumps(body).encode()), f"/{missing}")


@every_method
@pytest.mark.parametrize(
    "content_type",
    [None, b"", b"text/plain", b"text/json", b"application/xml", b"application/octet-stream",
     b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"\xff"],
)  # fmt: skip
def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    victim: Victim, method: str, content_type: bytes | None
) -> None:
    assert_refused(victim.send(method, TASK, content_type), "")


@every_method
@pytest.mark.parametrize("space", WHITE_SPACE, ids=lambda space: f"U+{ord(space):04X}")
def test_a_title_of_white_space_is_refused(victim: Victim, method: str, space: str) -> None:
    title = json.dumps(space * 3).encode()
    assert_refused(victim.send(method, task(title)), "/title")


@every_method
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"title":' * 100_000, b"9" * 1_000_000],
    ids=["arrays", "objects", "digits"],
)
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
            assert_refused(client.post(TASKS, json={"title": text}), "/title")
        large = {"title": "x", "description": "x" * 9_000_000}
        assert_refused(client.post(TASKS, json=large), "/description")


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
    for title, description, too_long in (
        (200, 10_000, None), (201, 0, "/title"), (1, 10_001, "/description"),
    ):  # fmt: skip
        body = {"title": character * title, "description": character * description}
        response = alice.post(TASKS, content=json.dumps(body, ensure_ascii=False), headers=JSON)
        if too_long:
            assert_refused(response, too_long)
        else:
            assert response.status_code == 201


def test_the_longest_task_fits_in_its_longest_spelling(alice: httpx2.Client) -> None:
    """Each of its characters is an escaped pair of surrogates."""
    task = {"title": "\U0001f95b" * 200, "description": "\U0001f95b" * 10_000, "completed": False}
    created = alice.post(TASKS, content=json.dumps(task), headers=JSON)
    assert created.status_code == 201
    assert created.json().items() >= task.items()


def test_a_title_has_its_length_after_trimming(alice: httpx2.Client) -> None:
    title = "x" * 200
    task = alice.post(TASKS, json={"title": f"{WHITE_SPACE}{title}{WHITE_SPACE}"}).json()
    assert task["title"] == title
