"""Copy `app/tasks` and `tests/tasks` to another resource: `add-resource line_item line_items`."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

NEXT = """Edit the fields in app/{1}/models.py, and required or DEFAULTS in tests/{1}. Then:
  uv run alembic upgrade head
  uv run alembic revision --autogenerate -m "create {0}"
  uv run alembic upgrade head
  uv run pytest"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="add-resource", description=__doc__)
    parser.add_argument("singular", help="in snake_case: invoice, line_item")
    parser.add_argument("plural", nargs="?", help="by default with an s: invoices, line_items")
    given = parser.parse_args()
    names = (given.singular, given.plural or given.singular + "s")
    check(*names)
    sources = [path for folder in ("app", "tests") for path in Path(folder, "tasks").rglob("*.py")]
    copies = {rename(str(path), *names): rename(path.read_text(), *names) for path in sources}
    copies["app/resources.py"] = register(Path("app/resources.py").read_text(), names[1])
    try:
        for path, text in copies.items():
            compile(text, path, "exec")
    except SyntaxError:
        sys.exit(f"{names[0]} is already used by Python or by tasks: choose another name.")
    for path, text in copies.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    for how in ("check --select I --fix", "format"):
        subprocess.run([sys.executable, "-m", "ruff", *how.split(), "-q", *copies], check=True)
    print(NEXT.format(*names))


def check(singular: str, plural: str) -> None:
    if not Path("app/tasks/router.py").exists():
        sys.exit("There is no app/tasks to copy: restore it from git, and delete it afterwards.")
    for name in (singular, plural):
        if not re.fullmatch("[a-z](_?[a-z0-9]){1,28}", name) or singular == plural:
            sys.exit(f"{name!r} cannot be used: take 2 to 29 of a-z, 0-9, _; the plural differs.")
        for path in (Path("app", name), Path("app", f"{name}.py"), Path("tests", name)):
            if path.is_file() or any(path.rglob("*.py")):  # git leaves a folder that has a cache
                sys.exit(f"{path} already exists: choose another name.")


def rename(text: str, singular: str, plural: str) -> str:
    """Tasks by another name, in every spelling: tasks, task, Tasks, Task, TASKS, TASK."""

    def spell(found: re.Match[str]) -> str:
        name = plural if found[0][-1] in "sS" else singular
        if found[0].isupper():
            return name.upper()
        return name if found[0][0] == "t" else name.title().replace("_", "")

    text = re.sub(r"(?<![A-Za-z])([Tt]asks?|TASKS?)(?![a-z])", spell, text)
    return re.sub(rf"\b([Aa]) (?=[aeio])(?={singular})", r"\1n ", text)


def register(text: str, plural: str) -> str:
    line = f"from app.{plural}.router import router as {plural}\n"
    text = re.sub(r"(?m)^(?=from |import )", line, text, count=1)
    text, found = re.subn(r"(?m)^(ROUTERS\b.*= *\[)", rf"\1{plural}, ", text, count=1)
    return text if found else sys.exit("app/resources.py has no list `ROUTERS = [...]`: add it.")
