"""The errors of the service, with what an HTTP response needs. They depend on no framework."""

from collections.abc import Mapping


class ServiceError(Exception):
    """An error for the caller. `detail` is one sentence for a person."""

    status = 500
    detail = "The service failed. Its log has the cause under this request_id."
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.detail)
        self.detail = detail or self.detail


class Unauthenticated(ServiceError):
    """The request does not prove who is calling. `scheme` is the value of WWW-Authenticate."""

    status = 401
    detail = "The request does not say who is calling."

    def __init__(self, detail: str | None = None, *, scheme: str) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": scheme}


class NotFound(ServiceError):
    status = 404
    detail = "There is no such resource."


class Conflict(ServiceError):
    """A unique or foreign key refused the statement: nothing of it is stored."""

    status = 409
    detail = "The request conflicts with what is stored."


class Unavailable(ServiceError):
    """The database cannot be used now. The same request may succeed a second later."""

    status = 503
    detail = "The database is not available. Try again."
    headers: Mapping[str, str] = {"Retry-After": "1"}


class Busy(Unavailable):
    """More requests wait for the database than the service can answer."""

    detail = "The service is busy. Try again."
