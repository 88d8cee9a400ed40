"""Add a resource: a copy of `app/tasks` by another name, with its tests, migration and route."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from devtools.errors import DevtoolsError
from devtools.naming import Names
from devtools.registration import register
from devtools.renaming import conflicts, rename, rename_module

ROUTERS = Path("app/routers.py")
PARENTS = (Path("app"), Path("tests"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="add-resource", description=__doc__)
    parser.add_argument("name", help="what one is called, in snake_case: note, time_entry")
    parser.add_argument("--plural", help="what many are called, if it is no regular plural")
    arguments = parser.parse_args()
    try:
        names = Names.of(arguments.name, arguments.plural)
        migration = add(names)
    except (DevtoolsError, OSError, SyntaxError) as error:
        print(f"add-resource: {error}", file=sys.stderr)
        return 1
    print(_message(names, migration))
    return 0


def add(names: Names) -> Path:
    """Prepare all of it apart from the project, then write it. Returns the migration's path."""
    _check(names)
    folders = [parent / names.plural for parent in PARENTS]
    with TemporaryDirectory() as scratch:
        stage = Path(scratch).resolve()
        shutil.copytree("app", stage / "app", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy("pyproject.toml", stage)
        for parent in PARENTS:
            _copy(names, parent, stage)
        migration = _create_migration(names, stage)
        keeps_format = not _ruff(stage, "format", "--check", ROUTERS)[0]
        _register(names, stage)
        _tidy(stage, [*folders, *([ROUTERS] if keeps_format else [])])
        install(stage, [*folders, migration])
    return migration


def install(stage: Path, paths: Sequence[Path]) -> None:
    """Write all of it or nothing: the list of routers last, in one step."""
    new = ROUTERS.with_suffix(".new")
    try:
        for path in paths:
            if (stage / path).is_dir():
                shutil.copytree(stage / path, path, dirs_exist_ok=True)
            else:
                shutil.copy(stage / path, path)
        shutil.copy(stage / ROUTERS, new)
        new.replace(ROUTERS)
    except BaseException:
        for path in (*paths, new):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise


def _check(names: Names) -> None:
    if not ROUTERS.is_file():
        raise DevtoolsError(f"There is no {ROUTERS} here: run this in the project's root folder.")
    for parent in PARENTS:
        if not (parent / "tasks").is_dir():
            raise DevtoolsError(f"There is no {parent}/tasks to copy: restore it for the while.")
        for path in (parent / names.plural, parent / f"{names.plural}.py"):
            if path.is_file() or _holds_files(path):
                raise DevtoolsError(f"{path} is there already: choose another name.")


def _holds_files(folder: Path) -> bool:
    """Bytecode apart, which stays behind where git removes a folder."""
    return any(path.is_file() and "__pycache__" not in path.parts for path in folder.rglob("*"))


def _register(names: Names, stage: Path) -> None:
    source = ROUTERS.read_bytes().decode()
    (stage / ROUTERS).write_bytes(register(source, names.plural).encode())


def _copy(names: Names, parent: Path, stage: Path) -> None:
    for path in sorted((parent / "tasks").rglob("*.py")):
        source = path.read_text("utf-8")
        if taken := conflicts(source, names):
            raise DevtoolsError(f"{path} uses {min(taken)} otherwise: choose another name.")
        target = stage / rename(str(path), names)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rename_module(source, names), "utf-8")


def _tidy(stage: Path, paths: Sequence[Path]) -> None:
    """Another name has another length, and another place among the imports."""
    for how in (["format"], ["check", "--fix"], ["format"]):
        code, output = _ruff(stage, *how, *paths)
        if code:
            raise DevtoolsError(f"The copy of app/tasks does not pass ruff:\n{output}")


def _ruff(stage: Path, *arguments: str | Path) -> tuple[int, str]:
    return _run(stage, "ruff", *arguments, "--quiet")


def _create_migration(names: Names, stage: Path) -> Path:
    code, output = _run(stage, "devtools.create_table", names.plural, f"create {names.singular}")
    last = output.strip().rpartition("\n")[2]
    if code:
        raise DevtoolsError(f"No migration can be made for a copy of app/tasks: {last}")
    return Path(last)


def _run(stage: Path, module: str, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-B", "-m", module, *arguments],
        cwd=stage,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


def _message(names: Names, migration: Path) -> str:
    return f"""\
Copied tasks to {names.plural}, served at /api/v1/{names.plural}:

  app/{names.plural}/
  tests/{names.plural}/
  {migration}
  {ROUTERS} (one entry)

Next: edit app/{names.plural}/models.py to your needs, then

  uv run alembic upgrade head
  uv run pytest

To undo it (if the database has it already, run "uv run alembic downgrade -1" first):

  git checkout {ROUTERS}
  git clean -fdx app/{names.plural} tests/{names.plural} {migration}
"""
