"""Who is calling, and the database on their behalf.

To authenticate users in the service, replace `current_user` with a dependency of your own.
"""

from typing import Annotated

from fastapi import Depends, Security
from kit.database import UserDatabase
from kit.identity import TrustedHeader
from kit.models import UserId
from starlette.requests import HTTPConnection

current_user = TrustedHeader()

CurrentUser = Annotated[UserId, Security(current_user)]


async def user_database(connection: HTTPConnection, user_id: CurrentUser) -> UserDatabase:
    return UserDatabase(connection.app.state.database, user_id)


CallerDatabase = Annotated[UserDatabase, Depends(user_database)]
"""In a route: the database with the rights of the caller."""
