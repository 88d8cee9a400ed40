"""A PgBouncer in transaction mode, as Neon runs it: TLS, SCRAM, few server connections."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.neon.certificates import Certificate
from tests.neon.postgres import OWNER, PASSWORD, Postgres
from tests.neon.programs import PGBOUNCER, own, start, until
from tests.servers import free_port

SERVER_CONNECTIONS = 2
LIMITS = f"pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}"

CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={postgres}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {home}/users
{limits}
max_client_conn = 40
client_tls_sslmode = require
client_tls_cert_file = {certificate}
client_tls_key_file = {key}
server_tls_sslmode = verify-full
server_tls_ca_file = {authority}
server_login_retry = 1
"""


@contextmanager
def running(
    home: Path,
    postgres: Postgres,
    certificate: Certificate,
    authority: Path,
    limits: str = LIMITS,
) -> Iterator[int]:
    """Yields its port."""
    home.mkdir(mode=0o700)
    own(home)
    port = free_port()
    configuration = CONFIGURATION.format(
        home=home,
        port=port,
        postgres=postgres.port,
        authority=authority,
        certificate=certificate.certificate,
        key=certificate.key,
        limits=limits,
    )
    (home / "pgbouncer.ini").write_text(configuration, "utf-8")
    doubled = PASSWORD.replace('"', '""')
    (home / "users").write_text(f'"{OWNER}" "{doubled}"\n', "utf-8")
    process = start([str(PGBOUNCER), home / "pgbouncer.ini"], home / "log")
    try:
        until(lambda: "process up" in (home / "log").read_text("utf-8"))
        yield port
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=30)
