"""`example/` is what the template renders, so that nobody has to render it to read it."""

from pathlib import Path

from hooks.example import COMMAND, EXAMPLE, make
from hooks.rendering import ROOT
from tests.repositories import git


def test_the_example_is_what_the_template_renders(tmp_path: Path) -> None:
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "example")
    files = {path for path in map(ROOT.joinpath, listed.splitlines()) if path.is_file()}
    shown = {path.relative_to(EXAMPLE): path.read_bytes() for path in files}
    root = make(tmp_path / "project")
    rendered = {
        path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    names = shown.keys() | rendered.keys()
    different = sorted(str(name) for name in names if shown.get(name) != rendered.get(name))
    assert not different, f"The example is not up to date. Run: {COMMAND}"
