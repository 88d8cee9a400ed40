"""Turn database URLs, as people paste them, into URLs for the driver."""

from os import getenv
from urllib.parse import unquote

import certifi
from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from pydantic_core import PydanticCustomError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2"}

SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# libpq's parameters, unless the URL has others, so that a dead network is noticed within seconds.
DEFAULTS = {
    "application_name": "app",
    "connect_timeout": "10",
    "gssencmode": "disable",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

# libpq in the wheel does not find the system's certificates. Neon accepts TLS without a request
# for it, which saves a round trip at each connect.
NEON = {"sslrootcert": certifi.where(), "sslnegotiation": "direct"}


def parse_url(value: object) -> URL:
    """Any spelling of a PostgreSQL URL, for SQLAlchemy with psycopg2.

    Raises a validation error that says what is wrong with it, without its password.
    """
    given = value if isinstance(value, URL) else str(value).strip("'\" \t\r\n")
    if str(given).partition("?")[0].count("@") > 1:
        raise _refused("has an @ in its password or elsewhere: write %40 for it")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise _refused("is not a URL like postgresql://user:password@host/database") from None
    if url.drivername not in SCHEMES:
        raise _refused("does not begin with postgresql://")
    if not (url.host or "host" in url.query):
        raise _refused("names no host")
    if not url.database:
        raise _refused("names no database")
    query = {**DEFAULTS, **(_verify_neon(url) if is_neon(url) else url.query)}
    host = unquote(url.host or "").rstrip(".") or None  # %2Ftmp is the folder of a socket
    url = url.set(drivername="postgresql+psycopg2", query=query, host=host)
    _check_parameters(url)
    return url


def is_neon(url: URL) -> bool:
    return (url.host or "").rstrip(".").lower().endswith(".neon.tech")


def is_local(url: URL) -> bool:
    """Whether its server is on this machine."""
    address = url.query.get("hostaddr") or getenv("PGHOSTADDR")
    host = str(address or url.query.get("host", url.host))
    return host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}


def direct_url(url: URL) -> URL:
    """The direct host of a Neon pooled one; any other URL as it is."""
    name, dot, domain = (url.host or "").partition(".")
    direct = name.lower().removesuffix("-pooler") + dot + domain
    return url.set(host=direct) if is_neon(url) else url


def _verify_neon(url: URL) -> dict[str, str | tuple[str, ...]]:
    """Neon's console prints `sslmode=require`, which encrypts, but trusts whoever answers."""
    if url.query.get("sslmode", "require") != "require":
        return dict(url.query)
    return {**NEON, **url.query, "sslmode": "verify-full"}


def _check_parameters(url: URL) -> None:
    if url.query.get("sslmode", "prefer") not in SSLMODES:
        raise _refused(f"has an unknown sslmode: it is one of {', '.join(SSLMODES)}")
    parameters = url.translate_connect_args(username="user", database="dbname")
    try:
        make_dsn(**{**parameters, **url.query})
    except ProgrammingError as error:
        raise _refused(f"has {str(error).strip()}".replace("invalid dsn: ", "an ")) from None


def _refused(problem: str) -> PydanticCustomError:
    return PydanticCustomError("database_url", "{problem}", {"problem": problem})
