"""Read the caller from a header that the gateway in front of the service sets."""

from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from kit.errors import Unauthenticated
from kit.models import UserId


class TrustedHeader(APIKeyHeader):
    """A dependency that returns the caller, from the header that `USER_ID_HEADER` names.

    Anyone who can set this header can impersonate any user: only a gateway that sets it on every
    request, and drops it from what clients send, may reach the service.
    """

    def __init__(self) -> None:
        # `kit.openapi` replaces this name by the header's own.
        super().__init__(
            name="USER_ID_HEADER", scheme_name="User", description="The caller. A gateway sets it."
        )

    async def __call__(self, request: HTTPConnection) -> UserId:
        header: str = request.app.state.settings.user_id_header
        try:
            (value,) = request.headers.getlist(header)
            return UserId(value.strip(" \t"))
        except ValueError:
            detail = f"Send one {header} header: 1 to 255 printable ASCII characters, no spaces."
            raise Unauthenticated(detail, scheme="APIKey") from None
