"""An identity provider: it signs tokens, and publishes its keys in the way that a test sets."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.servers import in_thread

ISSUER, AUDIENCE = "https://issuer.example", "todo"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Answer = Callable[[BaseHTTPRequestHandler], None]


def encoded(value: bytes | object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says. A claim that is changed to None is absent."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "al.ice", "exp": int(time.time()) + 60}
    return {name: value for name, value in (said | changes).items() if value is not None}


@dataclass(frozen=True)
class Signer:
    """A key pair, under the id by which tokens name it. Made of nothing but `cryptography`."""

    kid: str
    private: PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as a provider publishes it."""
        match self.private.public_key():
            case ed25519.Ed25519PublicKey() as key:
                found = {"kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_bytes_raw())}
            case ec.EllipticCurvePublicKey() as key:
                point = key.public_numbers()
                x, y = (encoded(each.to_bytes(32, "big")) for each in (point.x, point.y))
                found = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            case key:
                public = key.public_numbers()
                found = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        return {**found, "kid": self.kid, "use": "sig"}

    @property
    def algorithm(self) -> str:
        return {"OKP": "EdDSA", "EC": "ES256", "RSA": "RS256"}[self.jwk["kty"]]

    def token(self, said: object = None, **header: Any) -> str:
        """A token that says this, or what a good one says. What `header` has wins over its own."""
        head = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid} | header
        head = {name: value for name, value in head.items() if value is not None}
        signed = f"{encoded(head)}.{encoded(claims() if said is None else said)}"
        return f"{signed}.{encoded(self._signature(signed.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        match self.private:
            case ed25519.Ed25519PrivateKey():
                return self.private.sign(data)
            case ec.EllipticCurvePrivateKey():
                signature = self.private.sign(data, ec.ECDSA(SHA256()))
                return b"".join(
                    n.to_bytes(32, "big") for n in utils.decode_dss_signature(signature)
                )
            case rsa.RSAPrivateKey():
                return self.private.sign(data, padding.PKCS1v15(), SHA256())


class Provider(ThreadingHTTPServer):
    """`answer` is what it does when it is asked for its keys, `asked` how often it was."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked = 0
        self.released = Event()

    def release(self) -> None:
        """End the answers that have no end of their own."""
        self.released.set()
        self.released = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that believes it."""
        return {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWKS_URL": self.url}


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        if "urllib" in self.headers["User-Agent"]:  # as the networks in front of many providers do
            self.send_error(403)
        else:
            self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        """Nothing: a test counts what it asks."""


@contextmanager
def providing(answer: Answer) -> Iterator[Provider]:
    provider = Provider(answer)
    with in_thread(provider):
        try:
            yield provider
        finally:
            provider.release()


def respond(status: int, body: bytes, delay: float = 0) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        time.sleep(delay)
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def publish(*signers: Signer, delay: float = 0) -> Answer:
    return respond(200, json.dumps({"keys": [each.jwk for each in signers]}).encode(), delay)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def silent(request: BaseHTTPRequestHandler) -> None:
    assert isinstance(request.server, Provider)
    request.server.released.wait()


def dripping(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then: no single read ever times out."""
    assert isinstance(request.server, Provider)
    request.send_response(200)
    request.end_headers()
    released = request.server.released
    while not released.wait(0.5):
        request.wfile.write(b" ")
        request.wfile.flush()
