"""What the models of every resource share."""

import re
import sys
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function, str_schema
from sqlmodel import SQLModel

if sys.version_info >= (3, 14):
    from uuid import uuid7 as new_id
else:
    from uuid_utils.compat import uuid7 as new_id

__all__ = ["LAST_ID", "ResourceId", "Storable", "Trimmed", "new_id"]

LAST_ID = UUID(int=2**128 - 1)
"""Greater than any that `new_id` makes."""

# Names that every database gives alike, so that a migration can name what it drops.
SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

# White space as Unicode has it, which is what a title is trimmed of.
_WHITE = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _canonical(value: object) -> object:
    """Python also reads braces, `urn:uuid:` and bare digits; a client gets one spelling."""
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "Input should be a UUID of 36 characters")
    return value


ResourceId = Annotated[UUID, BeforeValidator(_canonical)]


class Storable:
    """Text that PostgreSQL can hold: every character but U+0000."""

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(_storable, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": "^[^\\u0000]*$"}


class Trimmed(Storable):
    """Text of 1 to `max_length` characters, after white space is taken off both ends."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = str_schema(strip_whitespace=True, min_length=1, max_length=self.max_length)
        return no_info_after_validator_function(_storable, text)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # minLength and maxLength would count the white space too.
        ink, any_text = rf"[^{_WHITE}\u0000]", rf"[^\u0000]{{0,{self.max_length - 2}}}"
        pattern = rf"^[{_WHITE}]*{ink}({any_text}{ink})?[{_WHITE}]*$"
        return {"type": "string", "pattern": pattern}


def _storable(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "Text should not contain the character U+0000")
    return text
