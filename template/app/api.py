"""What every resource's router has in common."""

import json
from asyncio import to_thread
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

API_PREFIX = "/api/v1"


def _boolean(value: object) -> object:
    if value not in ("true", "false"):
        raise PydanticCustomError("boolean", "Input should be true or false")
    return value == "true"


def _digits(value: object) -> object:
    if not (isinstance(value, str) and value.isascii() and value.isdigit()):
        raise PydanticCustomError("digits", "Input should be a whole number")
    return value


# In a query, pydantic alone would also take "yes", "on", "1_0" and " 10.0 ".
QueryBool = Annotated[bool, BeforeValidator(_boolean)]
Limit = Annotated[int, Query(ge=1, le=200), BeforeValidator(_digits)]


def resource_router(name: str) -> APIRouter:
    """A router for the resource `name` (plural), below `API_PREFIX`."""
    return APIRouter(prefix=f"{API_PREFIX}/{name}", tags=[name], route_class=StrictJSONRoute)


class StrictJSONRoute(APIRoute):
    """Reads bodies as RFC 8259 has them: UTF-8, no NaN, no key twice in one object."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _in_one_hop(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def _in_one_hop(operation: Callable[..., Any]) -> Callable[..., Any]:
    """What a plain `def` returns, FastAPI would send to a second thread to be validated."""
    if iscoroutinefunction(operation):
        return operation

    @wraps(operation)
    async def run(**arguments: Any) -> Any:
        return await to_thread(operation, **arguments)

    return run


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            text = (await self.body()).decode("utf-8")
            return json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            # The one exception that FastAPI reports as a fault of the body.
            raise json.JSONDecodeError("Invalid JSON", "", 0) from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key stands twice")
    return document
