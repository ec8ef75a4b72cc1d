"""The requirements of the two Lambda layers against uv.lock: what is deployed is what is tested."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
LAMBDA = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "python_version": "3.13"}
HOW = "uv export --only-group {group} --no-hashes --no-emit-project --no-annotate --no-header"


@cache
def locked() -> dict[str, dict[str, dict[str, Any]]]:
    """Packages of uv.lock by name and version; the groups of tools that exclude ours lock other versions of some."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]:
        found.setdefault(package["name"], {})[package.get("version", "")] = package
    return found


def closure(group: str) -> dict[str, str]:
    """Name and version of everything that the group needs on Lambda."""
    environment = LAMBDA | {"extra": f"group-8-flywheel-{group}"}
    (project,) = locked()["flywheel"].values()
    needed: dict[str, str] = {}
    open_dependencies: list[dict[str, Any]] = list(project["dev-dependencies"][group])
    seen: set[str] = set()
    while open_dependencies:
        dependency = open_dependencies.pop()
        if "marker" in dependency and not Marker(dependency["marker"]).evaluate(environment):
            continue
        if repr(dependency) in seen:
            continue
        seen.add(repr(dependency))
        versions = locked()[dependency["name"]]
        version = dependency.get("version") or next(iter(versions))
        needed[dependency["name"]] = version
        package = versions[version]
        open_dependencies += package.get("dependencies", [])
        for extra in dependency.get("extra", []):
            open_dependencies += package.get("optional-dependencies", {}).get(extra, [])
    return needed


def pinned(group: str) -> dict[str, str]:
    lines = (ROOT / "layers" / group / "requirements.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        one.name: str(one.specifier).removeprefix("==")
        for one in requirements
        if one.marker is None or one.marker.evaluate(LAMBDA)
    }


@pytest.mark.parametrize("group", ["core", "evaluation"])
def test_a_layer_pins_exactly_what_its_group_needs_in_the_locked_versions(group: str) -> None:
    assert len(closure(group)) > 10
    assert pinned(group) == closure(group), f"run: {HOW.format(group=group)}"


def test_what_both_layers_have_is_the_same_in_both() -> None:
    core, evaluation = pinned("core"), pinned("evaluation")

    assert {name: core[name] for name in core.keys() & evaluation.keys()} == {
        name: evaluation[name] for name in core.keys() & evaluation.keys()
    }


def test_no_layer_carries_what_slows_every_start() -> None:
    assert not {"numpy", "scipy", "langfuse", "strands-agents"} & (pinned("core").keys() | pinned("evaluation").keys())
