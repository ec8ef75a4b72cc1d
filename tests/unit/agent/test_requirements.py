"""The container installs what uv.lock says."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PIN = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;]+)")


def locked() -> dict[str, set[str]]:
    """Every package of uv.lock that the group `agent` reaches, with its locked versions."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    packages = {package["name"]: package for package in lock["package"]}
    project = packages["flywheel"]
    open_names = [dependency["name"] for dependency in project["dev-dependencies"]["agent"]]
    reached: set[str] = set()
    while open_names:
        name = open_names.pop()
        if name not in reached:
            reached.add(name)
            package = packages[name]
            groups = [package.get("dependencies", []), *package.get("optional-dependencies", {}).values()]
            open_names += [dependency["name"] for group in groups for dependency in group]
    return {name: {p["version"] for p in lock["package"] if p["name"] == name} for name in reached}


def pinned() -> dict[str, str]:
    lines = (ROOT / "agent" / "requirements.txt").read_text().splitlines()
    return {m["name"]: m["version"] for line in lines if not line.startswith("#") and (m := PIN.match(line))}


def test_every_line_is_an_exact_pin() -> None:
    lines = (ROOT / "agent" / "requirements.txt").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#") and not PIN.match(line)] == []


def test_the_pins_are_those_of_the_lock_file() -> None:
    """Run `uv export` as the file's first line says when this fails."""
    lock = locked()

    assert {name: version for name, version in pinned().items() if version not in lock.get(name, set())} == {}


def test_everything_that_the_group_names_is_pinned() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {re.split(r"[\[<>=! ]", requirement)[0] for requirement in pyproject["dependency-groups"]["agent"]}

    assert named - pinned().keys() == set()


def test_every_module_that_the_agent_imports_comes_with_a_named_dependency() -> None:
    names = {
        "bedrock_agentcore", "boto3", "botocore", "httpx2", "mcp", "opentelemetry", "pydantic", "requests",
        "starlette", "strands", "urllib3",
    }  # fmt: skip
    found = {
        match[1]
        for path in (ROOT / "agent").glob("*.py")
        for match in re.finditer(r"^\s*(?:from|import) ([a-z0-9_]+)", path.read_text(), re.MULTILINE)
    }
    assert found - set(sys.stdlib_module_names) - {"agent"} == names
