"""The application: FastAPI, with what every service has."""

import gc
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from kit import health
from kit.body_limit import BodyLimitMiddleware
from kit.database import Database
from kit.observability import RequestMiddleware, configure_logging
from kit.openapi import describe_errors
from kit.overload import OverloadMiddleware
from kit.problems import HANDLERS
from kit.settings import Settings

API_PREFIX = "/api/v1"


def create_app(settings: Settings, routers: Sequence[APIRouter], **options: Any) -> FastAPI:
    """Make the application. `options` are FastAPI's own, such as `lifespan` and `title`."""
    configure_logging(settings)
    defaults = {"swagger_ui_parameters": {"persistAuthorization": True}, **_project()}
    handlers = HANDLERS | (options.pop("exception_handlers", None) or {})
    app = FastAPI(**{**defaults, **options}, exception_handlers=handlers)
    app.state.settings = settings
    app.state.database = Database(settings)
    describe_errors(app)
    _enclose(app, _middleware(settings, app.state.database))
    # FastAPI runs the lifespan of an included router around the application's own.
    app.include_router(APIRouter(lifespan=_lifespan))
    for router in routers:
        app.include_router(
            router, prefix=API_PREFIX, generate_unique_id_function=lambda route: route.name
        )
    app.include_router(health.router, generate_unique_id_function=lambda route: route.name)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What start-up made stays. Unless it is frozen, collections search it and pause requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # under load, collecting then takes a tenth of the time
    yield
    app.state.database.dispose()


def _middleware(settings: Settings, database: Database) -> list[Middleware]:
    """Outermost first."""
    middleware = [Middleware(RequestMiddleware)]
    if settings.cors_origins:
        middleware.append(Middleware(CORSMiddleware, **cors(settings)))
    middleware.append(Middleware(OverloadMiddleware, database))
    if settings.allowed_hosts:
        hosts: dict[str, Any] = {"allowed_hosts": settings.allowed_hosts, "www_redirect": False}
        middleware.append(Middleware(TrustedHostMiddleware, **hosts))
    return [*middleware, Middleware(BodyLimitMiddleware, limit=settings.max_body_bytes)]


def _enclose(app: FastAPI, middleware: Sequence[Middleware]) -> None:
    """Put `middleware` around all middleware that is added later, and around error responses.

    `app.add_middleware` puts the last one outermost, where its responses would have no request id.
    """
    build = app.build_middleware_stack

    def build_enclosed() -> ASGIApp:
        stack = build()
        for cls, args, kwargs in reversed(middleware):
            stack = cls(stack, *args, **kwargs)
        return stack

    app.build_middleware_stack = build_enclosed  # type: ignore[method-assign]


def cors(settings: Settings) -> dict[str, Any]:
    names = ["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"]
    user_id_header = getattr(settings, "user_id_header", None)
    return {
        "allow_origins": settings.cors_origins,
        "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
        "allow_headers": [*names, "traceparent", "tracestate", *filter(None, [user_id_header])],
        "expose_headers": ["Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"],
        "max_age": 7200,  # seconds; browsers take no more
    }


def _project() -> dict[str, str]:
    """Title, description and version, from the pyproject.toml of the current folder."""
    file = Path("pyproject.toml")
    if not file.exists():
        return {}
    project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    names = {"name": "title", "description": "description", "version": "version"}
    return {names[key]: value for key, value in project.items() if key in names}
