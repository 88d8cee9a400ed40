"""Logs on standard error, and the request id that ties the lines of a request together."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4

from kit.settings import Settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being served."""

logger = logging.getLogger("kit.request")
_handler = logging.StreamHandler()


class RequestMiddleware:
    """Gives each request its id and its log line, and each response the common headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        id_ = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        request_id.set(id_)
        headers = {"X-Request-ID": id_, "X-Content-Type-Options": "nosniff"}
        if "/api/" in scope["path"]:  # also below the prefix of a gateway
            headers["Cache-Control"] = "no-store"
        line = {"method": scope["method"], "status": 500}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
                MutableHeaders(scope=message).update(headers)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            # An included route has its path without the prefix. Its context has the whole path.
            route = scope.get("fastapi", {}).get("effective_route_context", scope.get("route"))
            line["route"] = getattr(route, "path", None)
            line["duration_ms"] = round((perf_counter() - started) * 1000, 1)
            logger.log(scope.get("log_level", logging.INFO), "request", extra=line)


_STANDARD = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "color_message", "taskName"}


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, request id, and all of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "request_id": request_id.get(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """The same for a person in front of a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        extra["request_id"] = request_id.get()
        fields = "".join(f" {name}={value}" for name, value in extra.items() if value is not None)
        return f"{super().format(record)}{fields}"


def configure_logging(settings: Settings) -> None:
    """Give the log lines of the service, its libraries and uvicorn one form."""
    terminal = sys.stderr and sys.stderr.isatty()  # a daemon may have no standard error
    text = settings.log_format == "text" or (settings.log_format == "auto" and terminal)
    _handler.setStream(sys.stderr)
    _handler.setFormatter(
        TextFormatter("%(asctime)s %(levelname)-7s %(message)s") if text else JSONFormatter()
    )
    logging.root.addHandler(_handler)  # added only once, next to other handlers
    logging.root.setLevel(settings.log_level.upper())
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # RequestMiddleware logs each request
    # Readiness asks Alembic for the revision. At level info, Alembic would log each time.
    logging.getLogger("alembic").setLevel(logging.WARNING)
