"""Each file about deployment is valid, agrees with the others, and does what it says."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks.rendering import ROOT, render
from tests.choices import ALL_ON, GITLAB
from tests.projects import ANSWERS

# YAML 1.1 reads these as null and false.
WORDS = {"project_slug": "null", "user_id_header": "No"}

CHECKS = [
    ("check-jsonschema --builtin-schema vendor.compose-spec", "compose.yaml"),
    ("check-jsonschema --builtin-schema vendor.github-workflows", ".github/workflows/*.yml"),
    (
        "check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci",
        ".gitlab-ci.yml",
    ),
    ("kubernetes-validate --strict --no-warn", "kubernetes/*.yaml"),
    ("jactionlint", ".github/workflows/*.yml"),
    ("zizmor --offline --persona=pedantic --no-progress", ".github/workflows/*.yml"),
    ("hadolint", "Dockerfile"),
]

MIGRATE = "alembic upgrade head"

NEON = r"""#!/usr/bin/env bash
echo "$@" >&2
case "$*" in
    *" branches delete "*) exit 1 ;; # there is none yet
    *" connection-string "*)
        [[ "$*" =~ --database-name\ ([a-z_]+) ]]
        echo "postgresql://neondb_owner:npg_s3cret@ep-x.aws.neon.tech/${BASH_REMATCH[1]}" ;;
esac
"""


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """With every file that there is, in the one or the other."""
    folder = tmp_path_factory.mktemp("complete")
    return [render(template, folder / case["ci"], case) for case in (ALL_ON, GITLAB)]


@pytest.fixture(scope="module")
def project(projects: list[Path]) -> Path:
    return projects[0]


def load(file: Path) -> dict[str, Any]:
    text = file.read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text) if file.suffix != ".toml" else tomllib.loads(text)
    return loaded


def pod(project: Path) -> dict[str, Any]:
    spec: dict[str, Any] = load(project / "kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(("command", "files"), CHECKS)
def test_the_files_pass_the_linters(projects: list[Path], command: str, files: str) -> None:
    program, *options = command.split()
    found = [file for root in projects for file in sorted(root.glob(files))]
    assert found
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *options, *found],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("texts", [*ANSWERS.values(), WORDS], ids=[*ANSWERS, "words"])
def test_answers_survive(template: Path, tmp_path: Path, texts: dict[str, str]) -> None:
    project = render(template, tmp_path / "project", {**texts, **ALL_ON})
    answers = load(project / ".copier-answers.yml")
    compose, fly = load(project / "compose.yaml"), load(project / "fly.toml")
    (service,) = load(project / "render.yaml")["services"]
    kubernetes = [load(file) for file in (project / "kubernetes").iterdir()]
    (app,) = pod(project)["containers"]

    names = {compose["name"], fly["app"], service["name"]}
    names |= {manifest["metadata"]["name"] for manifest in kubernetes}
    assert names == {answers["project_slug"]}

    header = answers["user_id_header"]
    assert compose["services"]["app"]["environment"]["USER_ID_HEADER"] == header
    assert fly["env"]["USER_ID_HEADER"] == header
    assert {"key": "USER_ID_HEADER", "value": header} in service["envVars"]
    assert {"name": "USER_ID_HEADER", "value": header} in app["env"]


def test_every_target_migrates_before_the_service_starts(project: Path) -> None:
    services = load(project / "compose.yaml")["services"]
    assert services["migrate"]["command"] == MIGRATE.split()
    started_after = services["app"]["depends_on"]["migrate"]["condition"]
    assert started_after == "service_completed_successfully"
    assert load(project / "fly.toml")["deploy"]["release_command"] == MIGRATE
    assert load(project / "render.yaml")["services"][0]["preDeployCommand"] == MIGRATE
    (first,) = pod(project)["initContainers"]
    assert first["command"] == MIGRATE.split()


def test_every_target_waits_longer_for_the_service_to_stop_than_it_takes(project: Path) -> None:
    services = load(project / "compose.yaml")["services"]
    stops = pod(project)["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    waits = [
        int(services["app"]["stop_grace_period"].removesuffix("s")),
        int(load(project / "fly.toml")["kill_timeout"].removesuffix("s")),
        load(project / "render.yaml")["services"][0]["maxShutdownDelaySeconds"],
        pod(project)["terminationGracePeriodSeconds"] - stops,
    ]
    command = re.findall(r"^CMD (.+)$", (project / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    grace = int(json.loads(command[-1])[-1].split()[-1])
    assert min(waits) > grace


def test_no_target_lets_strangers_in_or_asks_the_database_again_and_again(project: Path) -> None:
    """Who reaches the service can claim to be anyone; a probe would keep Neon's compute awake."""
    (port,) = load(project / "compose.yaml")["services"]["app"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert load(project / "render.yaml")["services"][0]["type"] == "pserv"
    assert "type" not in load(project / "kubernetes/service.yaml")["spec"]
    http = load(project / "fly.toml")["http_service"]
    assert "force_https" not in http  # the private network has no TLS
    (app,) = pod(project)["containers"]
    probed = [http["checks"][0]["path"]]
    probed += [app[f"{when}Probe"]["httpGet"]["path"] for when in ("liveness", "readiness")]
    assert set(probed) == {"/healthz"}
    assert app["startupProbe"]["httpGet"]["path"] == "/readyz"


OPENS = ["Dockerfile", "compose.yaml", "fly.toml", "render.yaml", "kubernetes/service.yaml"]


@pytest.mark.parametrize("name", OPENS)
def test_what_makes_the_service_reachable_says_first_what_must_stand_in_front(
    project: Path, name: str
) -> None:
    lines = (project / name).read_text("utf-8").splitlines()
    assert all(line.startswith("# ") for line in lines[:2])
    said = " ".join(line.removeprefix("# ") for line in lines[:2])
    header = load(project / ".copier-answers.yml")["user_id_header"]
    for words in ("can name any user", "gateway", "authenticates callers", "drops the one"):
        assert words in said
    assert header in said or "USER_ID_HEADER" in said


def test_services_that_stay_restart_alike(project: Path) -> None:
    services = load(project / "compose.yaml")["services"]
    restarts = {name: service.get("restart") for name, service in services.items()}
    assert restarts == {"app": "unless-stopped", "migrate": None, "database": "unless-stopped"}


def test_every_image_has_a_version(project: Path) -> None:
    images = [
        each["image"]
        for each in load(project / "compose.yaml")["services"].values()
        if "image" in each
    ]
    images += [
        each["image"] for each in (*pod(project)["initContainers"], *pod(project)["containers"])
    ]
    assert len(images) == 3
    for image in images:
        assert re.search(r":\d[\w.-]*$", image), image


@pytest.mark.parametrize("file", ["copier.yml", "docs/start.md"])
def test_the_first_commit_is_on_the_branch_that_ci_watches(
    project: Path, tmp_path: Path, file: str
) -> None:
    text = (ROOT / file).read_text("utf-8")
    (init,) = re.findall(r"^ *(git init.*)$", text, re.MULTILINE)
    (watched,) = re.findall(
        r"branches: \[(.+)\]", (project / ".github/workflows/ci.yml").read_text("utf-8")
    )
    other = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "init.defaultBranch"}
    environment = {**os.environ, **other, "GIT_CONFIG_VALUE_0": "trunk"}
    subprocess.run(["bash", "-c", init], cwd=tmp_path, env=environment, check=True)
    branch = subprocess.check_output(["git", "symbolic-ref", "--short", "HEAD"], cwd=tmp_path)
    assert branch.decode().strip() == watched


def test_the_neon_branch_is_deleted_after_the_tests_that_use_it(project: Path) -> None:
    """One group a pull request: once merged, its ref is the base branch's, its number the same."""
    neon = load(project / ".github/workflows/neon.yml")
    assert neon["env"]["BRANCH"].endswith("${{ github.event.number }}")
    group = neon["concurrency"]["group"]
    assert "github.event.number" in group
    assert "ref" not in group
    assert "cancel-in-progress" not in neon["concurrency"]


def test_every_ci_runs_the_commands_that_the_readme_gives(projects: list[Path]) -> None:
    github, gitlab = projects
    (job,) = load(github / ".github/workflows/ci.yml")["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert load(gitlab / ".gitlab-ci.yml")["check"]["script"] == commands
    readme = (github / "README.md").read_text("utf-8")
    assert [each for each in commands if f"`{each.removesuffix(' --check')}" not in readme] == []


def test_workflows_pin_the_same_actions(project: Path) -> None:
    files = (project / ".github/workflows").iterdir()
    ci, neon = (set(re.findall(r"uses: (.+)", file.read_text("utf-8"))) for file in files)
    assert ci == neon


def test_the_neon_workflow_hands_on_both_databases_and_hides_the_password(
    project: Path, tmp_path: Path
) -> None:
    """Its script, with a stand-in for Neon's command line."""
    steps = load(project / ".github/workflows/neon.yml")["jobs"]["test"]["steps"]
    (script,) = [step["run"] for step in steps if "GITHUB_ENV" in step.get("run", "")]
    (tmp_path / "npx").write_text(NEON)
    (tmp_path / "npx").chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "GITHUB_ENV": str(tmp_path / "environment"),
            "BRANCH": "pull-request-7",
            "DATABASE": "neondb",
            "ROLE": "neondb_owner",
            "NEON_PROJECT_ID": "quiet-sun-1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "::add-mask::npg_s3cret\n"
    url = "postgresql://neondb_owner:npg_s3cret@ep-x.aws.neon.tech/{}"
    assert (tmp_path / "environment").read_text().splitlines() == [
        f"DATABASE_URL={url.format('neondb')}",
        f"TEST_DATABASE_URL={url.format('app_test')}",
    ]
    assert all("--project-id quiet-sun-1" in call for call in done.stderr.splitlines())
