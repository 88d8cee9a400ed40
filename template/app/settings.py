"""Every setting of the service: an environment variable, or a line in `.env`."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from app.database_url import direct_url, parse_url


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


DatabaseURL = Annotated[URL, NoDecode, PlainValidator(parse_url)]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class DatabaseSettings(BaseSettings):
    """What migrations need."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: DatabaseURL = Field(
        description="Set it to the PostgreSQL URL, as the Neon console gives it (pooled)."
    )
    database_url_unpooled: DatabaseURL | None = Field(
        default=None,
        description="The direct URL, for migrations. By default derived from DATABASE_URL.",
    )

    @property
    def migration_url(self) -> URL:
        return self.database_url_unpooled or direct_url(self.database_url)

    @classmethod
    def is_configured(cls) -> bool:
        """Whether there is a DATABASE_URL at all, be it right or wrong."""
        try:
            cls()
        except ValidationError as error:
            return all(fault["type"] != "missing" for fault in error.errors())
        return True

    @classmethod
    def load(cls) -> Self:
        """From the environment. Exits with one readable message where that makes no sense."""
        try:
            return cls()
        except ValidationError as error:
            raise SystemExit(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        lines = ["These settings need your attention:"]
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0])
            trouble = "is not set" if fault["type"] == "missing" else fault["msg"]
            lines.append(f"  {name.upper()}: {trouble}. {cls.model_fields[name].description}")
        return "\n".join(lines)


class Settings(DatabaseSettings):
    """What the service needs."""

    user_id_header: str = Field(
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        description="Set it to the request header in which your gateway names the user, and which"
        " it strips from what clients send: who can set this header can be anyone.",
    )

    database_pool_size: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Connections of one process, and requests it serves at the same time.",
    )
    database_pool_timeout: float = Field(
        default=5, gt=0, description="Seconds that a request waits for its turn before a 503."
    )
    database_statement_timeout: float = Field(
        default=10, gt=0, description="Seconds that one statement may take before a 503."
    )

    max_body_bytes: int = Field(default=65536, ge=1, description="A larger body is a 413.")
    allowed_hosts: CommaSeparated = Field(
        default=(), description="Host names to answer to, comma separated; *.example.com works."
    )
    cors_origins: CommaSeparated = Field(
        default=(), description="Origins of web pages that may call, comma separated."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is logged."
    )
    log_format: Literal["json", "text", "auto"] = Field(
        default="auto", description="auto: text in a terminal, JSON lines elsewhere."
    )
    log_user_id: bool = Field(
        default=False, description="Whether each request's log line has the user's identifier."
    )
