"""Overload: requests that would wait too long are refused before any work is done for them."""

import logging
from time import monotonic

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kit.database import Database
from kit.errors import Busy
from kit.problems import path_of, problem

# Requests that wait for the database: about as many as one process answers in a second or two.
MOST_WAITING = 1_000

logger = logging.getLogger(__name__)


class OverloadMiddleware:
    """Refuses requests to the API while too many wait already.

    A refusal in the routes would cost two thirds of a response: at twice the capacity, a process
    would do nothing else. `/healthz` is never refused, even below a prefix `/api`.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database
        self.silent_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_full = self.database.waiting >= MOST_WAITING
        if is_full and scope["type"] == "http" and path_of(scope).startswith("/api/"):
            # Writing a line costs as much as all the rest, so one line a second stands for all.
            scope["log_level"] = logging.DEBUG
            if monotonic() > self.silent_until:
                self.silent_until = monotonic() + 1
                logger.warning("overloaded", extra={"waiting": self.database.waiting})
            refusal = problem(Request(scope), 503, Busy.detail, Busy.headers)
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)
