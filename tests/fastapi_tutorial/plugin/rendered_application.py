"""A pytest plugin: FastAPI's own tests meet the rendered project's application.

From here on, `FastAPI(...)` in an example is `create_app(settings, [], ...)`. The example adds its
routes, middleware, handlers and mounts to it, as it does to a plain `FastAPI()`.
"""

from typing import Any

import fastapi
import httpx2
from kit.application import create_app
from starlette.testclient import TestClient
from translation import prepare, translated_response

from app.settings import Settings

PlainFastAPI = fastapi.FastAPI

SETTINGS = Settings(
    _env_file=None,
    database_url="postgresql://localhost/unused",
    user_id_header="X-User-ID",
    max_body_bytes=4 * 1024 * 1024,  # an example takes more than the default
)

# The project's are those of its pyproject.toml.
METADATA = {"title": "FastAPI", "description": "", "version": "0.1.0"}


class _AnyFastAPI(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, PlainFastAPI)


class RenderedFastAPI(metaclass=_AnyFastAPI):
    """A class, because examples name it in annotations."""

    def __new__(cls, **options: Any) -> PlainFastAPI:  # type: ignore[misc]
        return prepare(create_app(SETTINGS, [], **METADATA | options))


send = TestClient.send


def send_and_translate(
    self: TestClient, request: httpx2.Request, **options: Any
) -> httpx2.Response:
    return translated_response(send(self, request, **options))


fastapi.FastAPI = RenderedFastAPI  # type: ignore[assignment,misc]
TestClient.send = send_and_translate  # type: ignore[method-assign]
