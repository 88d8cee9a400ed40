"""The service's settings: environment variables, or lines in `.env`."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from kit.database_url import direct_url, parse_url


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


DatabaseURL = Annotated[URL, NoDecode, PlainValidator(parse_url)]
# Values that can never match are refused. A browser sends an origin without a path or a slash.
Origin = Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]
Host = Annotated[str, Field(pattern=r"^(\*\.)?[^*/:\s]+$")]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)]
Hosts = Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_split)]

LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]

HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
"""The name of an HTTP header."""


class DatabaseSettings(BaseSettings):
    """The settings of the database, which migrations and scripts need too."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    database_url: DatabaseURL
    """Set it to the PostgreSQL URL, as the Neon console gives it (pooled). `uv run dev` prints the
    URL of its own database."""
    database_url_unpooled: DatabaseURL | None = None
    """The direct URL, for migrations. By default derived from DATABASE_URL."""
    database_pool_size: int = Field(default=10, ge=1, le=1000)
    """Connections of one process. It runs as many statements at the same time."""
    database_pool_timeout: float = Field(default=5, gt=0, le=600)
    """Seconds that a request waits for a connection before a 503."""
    database_statement_timeout: float = Field(default=10, ge=0.001, le=86_400)
    """Seconds that one statement may take before a 503."""

    @property
    def migration_url(self) -> URL:
        return self.database_url_unpooled or direct_url(self.database_url)

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Exits with one readable message if a setting is wrong."""
        try:
            return cls()
        except ValidationError as error:
            raise SystemExit(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        lines = ["These settings need your attention:"]
        for fault in error.errors(include_input=False, include_url=False):
            # A validator of several settings names none, and an alias is no field's name.
            name = str((*fault["loc"], "settings")[0])
            field = cls.model_fields.get(name)
            trouble = "is not set" if fault["type"] == "missing" else fault["msg"]
            meaning = " ".join((getattr(field, "description", None) or "").split())
            lines.append(f"  {name.upper()}: {trouble}. {meaning}".rstrip())
        return "\n".join(lines)


class Settings(DatabaseSettings):
    """The settings of every service. Yours are in `app/settings.py`, in a subclass."""

    max_body_bytes: int = Field(default=262_144, ge=1)
    """Bytes. A larger request body gets a 413."""
    allowed_hosts: Hosts = ()
    """Host names that clients may use, comma-separated. *.example.com works. Empty: all."""
    cors_origins: Origins = ()
    """Origins of web pages that may call the API, comma-separated. Empty: none."""
    log_level: LogLevel = "info"
    """The lowest level that is logged."""
    log_format: Literal["json", "text", "auto"] = "auto"
    """auto: text in a terminal, JSON lines elsewhere."""
