"""Promises that hold for every route there is, also for those yet to come."""

import re
from uuid import uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from app.api import API_PREFIX, StrictJSONRoute
from app.main import create_app
from tests.conftest import NewUser, make_settings
from tests.samples import sample_body

APP = create_app(make_settings("postgresql://host/database"))
UNSCOPED = {"/healthz", "/readyz"}
ROUTES = [
    route
    for route in iter_route_contexts(APP.routes)
    if isinstance(route.original_route, APIRoute) and route.path not in UNSCOPED
]
OPERATIONS = [(m, str(route.path)) for route in ROUTES for m in sorted(route.methods or ())]
ON_ONE_RESOURCE = [(method, path) for method, path in OPERATIONS if "{" in path]


def test_every_resource_is_served_by_strict_routes_below_the_prefix() -> None:
    assert OPERATIONS
    assert all(path.startswith(f"{API_PREFIX}/") for _, path in OPERATIONS)
    assert all(isinstance(route.original_route, StrictJSONRoute) for route in ROUTES)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_caller_without_identity_is_refused(
    nobody: httpx2.Client, method: str, path: str
) -> None:
    url = path_to(uuid4(), path)
    response = nobody.request(method, url, json=sample_body(APP.openapi(), method, path))
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), ON_ONE_RESOURCE)
def test_a_stranger_gets_the_same_404_as_for_a_missing_resource(
    new_user: NewUser, method: str, path: str
) -> None:
    owner, stranger = new_user(), new_user()
    collection = path.partition("/{")[0]
    new = sample_body(APP.openapi(), "POST", collection)
    created = owner.post(collection, json=new).json()

    body = sample_body(APP.openapi(), method, path)
    strange = stranger.request(method, path_to(created["id"], path), json=body)
    missing = stranger.request(method, path_to(uuid4(), path), json=body)

    assert strange.status_code == missing.status_code == 404
    assert anonymous(strange) == anonymous(missing)
    assert owner.get(f"{collection}/{created['id']}").json() == created
    assert owner.request(method, path_to(created["id"], path), json=body).is_success


def path_to(resource_id: object, path: str) -> str:
    return re.sub(r"{\w+}", str(resource_id), path)


def anonymous(response: httpx2.Response) -> object:
    """What is answered, but for the request's own id, path and time."""
    headers = [h for h in response.headers.raw if h[0] not in {b"x-request-id", b"date"}]
    return headers, {**response.json(), "request_id": "", "instance": ""}
