"""Who is calling: the one file that an authentication replaces."""

import re
from typing import Annotated, NewType

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from app.errors import Unauthenticated

UserId = NewType("UserId", str)
"""A user's identifier that a trusted party vouches for. Only this module makes one."""

# The name in OpenAPI is that of the setting; `app.openapi` puts the header's own there.
_scheme = APIKeyHeader(name="USER_ID_HEADER", scheme_name="User", auto_error=False)

_VALID = re.compile(r"[!-~]{1,255}")


async def current_user(request: Request, _: Annotated[str | None, Security(_scheme)]) -> UserId:
    """The caller, as the gateway in front of the service names it in `USER_ID_HEADER`.

    To authenticate users here, replace the body: verify a credential and return its subject.
    """
    header: str = request.app.state.settings.user_id_header
    values = [value.strip(" \t") for value in request.headers.getlist(header)]
    if len(values) != 1 or not _VALID.fullmatch(values[0]):
        raise Unauthenticated(
            f"Send one {header} header: 1 to 255 printable ASCII characters, no spaces.",
            scheme="APIKey",
        )
    return UserId(values[0])


CurrentUser = Annotated[UserId, Security(current_user)]
