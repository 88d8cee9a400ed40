"""The application: its parts, wired together."""

import gc
import signal
import sys
import tomllib
from asyncio import get_running_loop
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app import health
from app.database import Database
from app.errors import ProblemMiddleware, handle_errors
from app.observability import RequestMiddleware, configure_logging
from app.openapi import Service
from app.routers import ROUTERS
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    app = Service(
        **_project(),
        servers=[{"url": "/", "description": "This service"}],
        lifespan=_lifespan,
        middleware=_middleware(settings),
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        swagger_ui_parameters={"persistAuthorization": True},
    )
    app.state.settings = settings
    app.state.database = Database(settings)
    handle_errors(app)
    for router in (*ROUTERS, health.router):
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One thread a connection: none ever waits for another's connection.
    threads = ThreadPoolExecutor(app.state.settings.database_pool_size)
    get_running_loop().set_default_executor(threads)
    # What was made until now stays: searching it for garbage again and again pauses requests.
    gc.collect()
    gc.freeze()
    yield
    app.state.database.dispose()


def _middleware(settings: Settings) -> list[Middleware]:
    """Outermost first."""
    middleware = [
        Middleware(RequestMiddleware, log_user_id=settings.log_user_id),
        Middleware(ProblemMiddleware),
    ]
    if settings.cors_origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[settings.user_id_header, "Content-Type"],
            expose_headers=["Location", "X-Request-ID"],
        )
        # Problems also stand inside, so that a web page can read every error.
        middleware += [cors, Middleware(ProblemMiddleware)]
    if settings.allowed_hosts:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts))
    return [
        *middleware,
        Middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_bytes),
    ]


def _project() -> dict[str, Any]:
    """What pyproject.toml says about the project."""
    file = Path(__file__).parents[1] / "pyproject.toml"
    if not file.exists():
        return {}
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    license_ = project.get("license")
    return {
        "title": project["name"],
        "description": project["description"],
        "version": project["version"],
        "contact": next(iter(project.get("authors", ())), None),
        "license_info": {"name": license_, "identifier": license_} if license_ else None,
    }


def __getattr__(name: str) -> FastAPI:
    """`app`, made when a server asks for it: importing this module needs no settings."""
    if name != "app":
        raise AttributeError(name)
    settings = Settings.load()
    configure_logging(settings)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # uvicorn puts its own handler in this one's place until it has shut down, and then raises
        # the signal again: by then it tells of success, not of a crash.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    globals()[name] = app = create_app(settings)
    return app
