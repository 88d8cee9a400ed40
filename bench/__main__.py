"""Render the service, measure it beside the others, and write the outcome into the docs.

Takes about 20 minutes, and wants a machine of two or more CPUs that does nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.plot import plot
from bench.report import Records, report
from hooks.rendering import ROOT, leave_git_hook, render, snapshot
from tests.projects import UV, project_environment

PAGE = ROOT / "docs/performance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--seconds", type=float, default=3, help="of load, for each measurement")
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="*", default=sizes, help="of one user's list")
    parser.add_argument("--page", type=Path, default=PAGE, help="to write into, and plot beside")
    options = parser.parse_args()
    leave_git_hook()
    with tempfile.TemporaryDirectory() as folder:
        records = measure(Path(folder), options.rounds, options.seconds, options.sizes)
    page: Path = options.page
    page.write_text(report(records, page.read_text("utf-8")), "utf-8")
    page.with_suffix(".svg").write_text(plot(records), "utf-8")
    return 0


def measure(folder: Path, rounds: int, seconds: float, sizes: list[int]) -> Records:
    """In the rendered project's own environment, so that all run on the same versions."""
    project = render(snapshot(folder / "template"), folder / "project", {})
    python, output = folder / "venv/bin/python", folder / "records.json"
    environment = {**project_environment(folder), "PYTHONPATH": str(ROOT)}
    run = partial(subprocess.run, check=True, cwd=project, env=environment)
    run([UV, "sync", "--quiet"])
    group = f"{ROOT / 'pyproject.toml'}:bench"
    run([UV, "pip", "install", "--quiet", "--python", python, "--group", group])
    budget = ["--rounds", str(rounds), "--seconds", str(seconds), "--sizes", *map(str, sizes)]
    run([python, "-m", "bench.measure", "--output", output, *budget])
    records: Records = json.loads(output.read_text("utf-8"))
    return records


if __name__ == "__main__":
    sys.exit(main())
