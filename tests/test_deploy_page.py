"""What the page says of platforms without files of their own agrees with what is rendered."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks.rendering import ROOT, render
from tests.choices import ALL_ON
from tests.documents import Step, section, steps

PAGE = (ROOT / "docs/deploy.md").read_text("utf-8")
MIGRATE = "alembic upgrade head"
# https://docs.railway.com/config-as-code/reference
RAILWAY = {"preDeployCommand", "healthcheckPath", "drainingSeconds"}


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("deploy") / "todo-service", ALL_ON)


def manifest(project: Path, name: str) -> Any:
    return yaml.safe_load((project / f"kubernetes/{name}.yaml").read_text("utf-8"))


def commands(heading: str) -> list[list[str]]:
    (step,) = steps(section(PAGE, heading))
    lines = step.text.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def block(heading: str, language: str) -> str:
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    (found,) = fenced.findall(section(PAGE, heading))
    return str(found)


def options(command: list[str]) -> dict[str, str]:
    """Each `--option value`, and `--option=value`."""
    found = {}
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found[name] = value if equals else "" if following.startswith("--") else following
    return found


@pytest.mark.parametrize("step", [*steps(PAGE)], ids=lambda step: step.text.splitlines()[0][:30])
def test_every_command_is_shell(step: Step) -> None:
    subprocess.run(["bash", "-n"], input=step.text, text=True, check=True)


def test_minikube_builds_the_image_that_the_manifests_name(project: Path) -> None:
    _, build, secret, apply, rollout, forward = commands("Minikube")
    deployment, service = manifest(project, "deployment"), manifest(project, "service")
    (app,) = deployment["spec"]["template"]["spec"]["containers"]
    assert options(build)["--tag"] == app["image"]
    assert "imagePullPolicy" not in app
    assert not app["image"].endswith(":latest"), "a node would pull it each time"
    assert secret[:5] == ["kubectl", "create", "secret", "generic", secretly(app)]
    assert options(apply)["--filename"] == "kubernetes"
    assert rollout[-1] == f"deployment/{deployment['metadata']['name']}"
    (port,) = service["spec"]["ports"]
    assert forward[2:] == [f"service/{service['metadata']['name']}", f"8000:{port['port']}"]


def secretly(container: dict[str, Any]) -> str:
    (source,) = container["envFrom"]
    return str(source["secretRef"]["name"])


def test_cloud_run_migrates_and_serves_the_image_that_is_built_and_lets_nobody_in() -> None:
    _, build, push, secret, migrate, deploy = commands("Cloud Run")
    job, service = options(migrate), options(deploy)
    assert options(build)["--tag"] == push[-1] == job["--image"] == service["--image"] == "$IMAGE"
    (made,) = secret[secret.index("create") + 1 : secret.index("--data-file=-")]
    assert job["--set-secrets"] == service["--set-secrets"] == f"DATABASE_URL={made}:latest"
    assert [job["--command"], *job["--args"].split(",")] == MIGRATE.split()
    assert "--wait" in job
    assert "--no-allow-unauthenticated" in service
    assert service["--ingress"] == "internal"
    assert service["--set-env-vars"] == "USER_ID_HEADER=X-User-ID"


def test_railway_migrates_asks_the_process_and_waits_for_it_to_stop(project: Path) -> None:
    railway = json.loads(block("Railway", "json"))
    assert railway["build"] == {"builder": "DOCKERFILE"}
    assert railway["deploy"].keys() == RAILWAY
    assert railway["deploy"]["preDeployCommand"] == [MIGRATE]
    assert railway["deploy"]["healthcheckPath"] == "/healthz"
    assert railway["deploy"]["drainingSeconds"] > grace(project)


def grace(project: Path) -> int:
    (seconds,) = re.findall(r"--timeout-graceful-shutdown (\d+)", dockerfile(project))
    return int(seconds)


def dockerfile(project: Path) -> str:
    return (project / "Dockerfile").read_text("utf-8")


def test_a_space_is_told_the_port_of_the_image(project: Path) -> None:
    """Its README begins with the block, and goes on as it is."""
    whole = block("Hugging Face Spaces", "yaml") + (project / "README.md").read_text("utf-8")
    before, front, readme = whole.split("---\n", 2)
    assert before == ""
    (port,) = re.findall(r"^EXPOSE (\d+)$", dockerfile(project), re.MULTILINE)
    settings = yaml.safe_load(front)
    assert settings == {"title": "Todo service", "sdk": "docker", "app_port": int(port)}
    assert readme.startswith("# Todo service\n")


def test_a_space_is_first_told_that_anybody_reaches_it() -> None:
    first = section(PAGE, "Hugging Face Spaces").strip().split("\n\n")[0]
    for words in ("Anybody can call", "name any user", "USER_ID_HEADER", "authenticate.md"):
        assert words in first
