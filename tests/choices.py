"""The answers that choose files, and a set of them that covers every two that go together."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product

Row = Mapping[str, object]

TARGETS = {
    "docker": {"compose.yaml"},
    "fly": {"fly.toml"},
    "render": {"render.yaml"},
    "kubernetes": {
        "kubernetes/deployment.yaml",
        "kubernetes/pod-disruption-budget.yaml",
        "kubernetes/service.yaml",
    },
}
IMAGE = {".dockerignore", "Dockerfile"}
CI = {"github": {".github/workflows/ci.yml"}, "gitlab": {".gitlab-ci.yml"}, "none": set[str]()}
NEON = {".github/workflows/neon.yml"}
OPTIONAL = set[str]().union(*TARGETS.values(), IMAGE, *CI.values(), NEON)

ALL_ON = {"deploy": str([*TARGETS]), "ci": "github", "neon_branches": "true"}
ALL_OFF = {"deploy": "[]", "ci": "none"}
GITLAB = {"deploy": str([*TARGETS]), "ci": "gitlab"}


def cover() -> Iterator[dict[str, str]]:
    """Greedily: the choices with the most pairs that no earlier ones have."""
    left = set[object]().union(*map(_pairs, _rows()))
    while left:
        best = max(_rows(), key=lambda row: len(_pairs(row) & left))
        left -= _pairs(best)
        yield _answers(best)


def _rows() -> Iterator[Row]:
    for *targets, ci, neon in product(*[(True, False)] * len(TARGETS), CI, (True, False)):
        if ci == "github" or not neon:
            yield {**dict(zip(TARGETS, targets, strict=True)), "ci": ci, "neon": neon}


def _pairs(row: Row) -> set[object]:
    return set(combinations(row.items(), 2))


def _answers(row: Row) -> dict[str, str]:
    return {
        "deploy": str([target for target in TARGETS if row[target]]),
        "ci": str(row["ci"]),
        "neon_branches": str(row["neon"]),
    }
