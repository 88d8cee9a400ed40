"""Connection strings as they are pasted, against real TLS and real passwords."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from tests.neon import proxy
from tests.neon.certificates import Authority, Certificate
from tests.neon.conftest import DIRECT_HOST, POOLED_HOST
from tests.neon.postgres import Postgres
from tests.neon.proxy import SSL_REQUEST, Proxy
from tests.neon.service import TASKS, serve, upgrade
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon-setup")]

PRINTED = {"sslmode": "require", "channel_binding": "require"}
"""The arguments that Neon's console prints."""


@pytest.fixture
def wire(server: Postgres) -> Iterator[Proxy]:
    with proxy.running(server.port) as running:
        yield running


@pytest.fixture
def mistaken_urls(
    server: Postgres, database: str, wire: Proxy, authority: Authority, folder: Path
) -> dict[str, str]:
    """By what is wrong with them."""
    other = Authority(folder / uuid4().hex).certificate
    ours = authority.certificate
    verify = partial(server.url, database, port=wire.port, sslmode="verify-full")
    return {
        "authority": verify(sslrootcert=other),
        "host": verify(sslrootcert=ours, host="localhost"),
    }


def create(project: Project, url: str) -> httpx2.Response:
    with serve(project, url) as service, service.user() as alice:
        return alice.post(TASKS, json={"title": "Buy milk"})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg2"])
def test_other_spellings_of_a_url_work(
    project: Project, server: Postgres, database: str, scheme: str
) -> None:
    assert create(project, server.url(database, scheme=scheme, **PRINTED)).status_code == 201


def test_the_strings_of_neons_console_work_and_migrations_find_the_direct_host(
    project: Project, server: Postgres, authority: Authority, certificate: Certificate
) -> None:
    """Only `hostaddr` and `sslrootcert` are not Neon's: they lead here, not there."""
    here = {"hostaddr": "127.0.0.1", "sslrootcert": str(authority.certificate)}
    with proxy.running(server.port, certificate) as neon:
        database = server.create_database()
        url = server.url(database, host=POOLED_HOST, port=neon.port, **PRINTED, **here)
        upgrade(project, url)
        assert set(neon.server_names) == {DIRECT_HOST}
        neon.server_names.clear()
        assert create(project, url).status_code == 201
        assert set(neon.server_names) == {POOLED_HOST}


def test_a_url_of_neon_trusts_nobody_but_neon(
    project: Project, server: Postgres, database: str, certificate: Certificate
) -> None:
    """Its `sslmode=require` alone would have any server do."""
    with proxy.running(server.port, certificate) as impostor:
        url = server.url(
            database, host=POOLED_HOST, port=impostor.port, hostaddr="127.0.0.1", **PRINTED
        )
        assert create(project, url).status_code == 503


def test_a_pooler_with_tls_and_a_certificate_of_a_private_authority_works(
    project: Project, server: Postgres, database: str, bouncer: int, authority: Authority
) -> None:
    verified = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate)}
    assert create(project, server.url(database, port=bouncer, **verified)).status_code == 201


def test_a_pooler_that_cannot_bind_channels_is_refused_where_the_url_requires_it(
    project: Project, server: Postgres, database: str, bouncer: int
) -> None:
    assert create(project, server.url(database, port=bouncer, **PRINTED)).status_code == 503


@pytest.mark.parametrize("wrong", ["authority", "host"])
def test_a_wrong_certificate_is_a_503_and_nothing_is_sent_in_the_clear(
    project: Project, wire: Proxy, mistaken_urls: dict[str, str], wrong: str
) -> None:
    refused = create(project, mistaken_urls[wrong])
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert wire.beginnings
    tls_handshake = b"\x16\x03"
    assert all(sent[:10] == SSL_REQUEST + tls_handshake for sent in wire.beginnings)
