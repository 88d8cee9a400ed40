"""The limit of a request's body. A larger body gets a 413, and nothing is changed."""

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.problems import problem, routes_at


class BodyLimitMiddleware:
    """Refuses a body over `limit` bytes, or over the route's own `max_body_size`.

    Starlette's RequestBodyLimitMiddleware first runs an operation that reads no body, and responds
    with text/plain.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not length.isdecimal():
                return await self.app(scope, self._counted(scope, receive), send)
            if int(length) > self.limit and int(length) > self._limit_of_route(scope):
                return await problem(Request(scope), 413)(scope, receive, send)
        return await self.app(scope, receive, send)

    def _limit_of_route(self, scope: Scope) -> int:
        for route in routes_at(scope):
            if scope["method"] in (route.methods or ()):
                return getattr(route, "max_body_size", None) or self.limit
        return self.limit

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """The length of chunks is known only when they have been read."""
        length = 0

        async def receive_counted() -> Message:
            nonlocal length
            message = await receive()
            length += len(message.get("body", b""))
            if length > scope.get(MAX_BODY_SIZE_SCOPE_KEY, self.limit):
                raise HTTPException(413)
            return message

        return receive_counted


async def no_body(request: Request) -> None:
    """A dependency of an operation that changes something and takes no body.

    It still reads a body that comes in chunks, so that a request over the limit changes nothing.
    """
    await request.body()
