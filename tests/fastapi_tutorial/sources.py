"""FastAPI's own examples and tests, of the version that the project has locked.

None of them is stored in this repository: each run fetches the source distribution.
"""

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.projects import UV, Project

PLUGIN = Path(__file__).parent / "plugin"


@dataclass(frozen=True)
class Tutorial:
    """`root` has `docs_src` and `tests`; `python` has what they and the project import."""

    project: Project
    root: Path
    python: Path

    def passed(self, tests: tuple[str, ...], *options: str) -> tuple[set[str], str]:
        """The names of the tests that pass, and pytest's output."""
        report = self.root / "report.xml"
        reporting = ["--quiet", "--tb=short", f"--junit-xml={report}"]
        alone = "--numprocesses=0"  # several of them write into one folder
        done = subprocess.run(
            [self.python, "-m", "pytest", alone, *reporting, *options, *tests],
            cwd=self.root,
            env={**self.project.environment, "PYTHONPATH": f"{PLUGIN}:{self.project.root}"},
            capture_output=True,
            text=True,
            check=False,
        )
        cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - pytest's own
        passed = {f"{case.get('classname')}.{case.get('name')}" for case in cases if not len(case)}
        return passed, done.stdout


def fetch(project: Project, folder: Path) -> Tutorial:
    root = _sources(project, folder)
    return Tutorial(project, root, _environment(project, root, folder / "venv"))


def _sources(project: Project, folder: Path) -> Path:
    """Unpack all but the package itself, which would hide the installed one."""
    version = _python(project, "import fastapi; print(fastapi.__version__)")
    options = ["--no-deps", "--no-binary=fastapi", "--quiet", f"--dest={folder}"]
    project.run(UV, "tool", "run", "pip", "download", *options, f"fastapi=={version}")
    (archive,) = folder.glob("fastapi-*.tar.gz")
    root = folder / archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as file:
        package = f"{root.name}/fastapi/"
        members = [member for member in file if not member.name.startswith(package)]
        file.extractall(folder, members, filter="data")
    return root


def _environment(project: Project, root: Path, venv: Path) -> Path:
    """What the project runs with, in the locked versions, and what FastAPI's tests need."""
    requirements = str(venv.with_suffix(".txt"))
    export = ["--frozen", "--no-dev", "--no-hashes", "--output-file", requirements]
    project.run(UV, "export", "--quiet", *export)
    of_project = _python(project, "import sys; print(sys.executable)")
    project.run(UV, "venv", "--quiet", "--python", of_project, str(venv))
    python = venv / "bin" / "python"
    packages = ["--requirements", requirements, f"--group={root}/pyproject.toml:tests"]
    into_venv = ["--quiet", "--python", str(python), "fastapi[all]"]
    project.run(UV, "pip", "install", *into_venv, *packages)
    return python


def _python(project: Project, code: str) -> str:
    return project.uv_run("python", "-c", code).strip()
