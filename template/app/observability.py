"""Structured logs, and the request id that ties a request's lines together."""

import logging
import re
import sys
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars
from structlog.typing import Processor

from app.settings import Settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

logger = structlog.get_logger()


class RequestMiddleware:
    """Gives each request its id and its log line, and each response the headers they all have."""

    def __init__(self, app: ASGIApp, *, log_user_id: bool) -> None:
        self.app = app
        self.log_user_id = log_user_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = perf_counter()
        status = 500
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        clear_contextvars()
        bind_contextvars(request_id=request_id)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if scope["path"].startswith("/api"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            self._log(scope, status, perf_counter() - started)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        user = {"user_id": scope["state"].get("user_id")} if self.log_user_id else {}
        logger.info(
            "request",
            method=scope["method"],
            route=getattr(route, "path", None),
            status=status,
            duration_ms=round(seconds * 1000, 1),
            **user,
        )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).getlist("x-request-id")
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return uuid4().hex


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(settings: Settings) -> None:
    """One form for the service's lines and those of its libraries, uvicorn's too."""
    renderers = _renderers(settings)
    structlog.configure(
        processors=[*_SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        # RequestMiddleware logs each request in the place of uvicorn.access.
        logging.getLogger(name).propagate = name != "uvicorn.access"
    # Readiness asks Alembic for the revision, and it would say so each time.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _renderers(settings: Settings) -> list[Processor]:
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    if text:
        # The plain form: the others print the values of local variables.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
