"""Everything that is pinned for AgentCore and Lambda has a wheel for its processor: nothing is compiled there.

Read from uv.lock, which names every file of every version; no index is asked.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[2]
PYTHON = (3, 13)
# Debian bookworm in the agent's image, Amazon Linux 2023 in Lambda's python3.13: the newest glibc that each has.
GLIBC = {"agent/requirements.txt": 36} | dict.fromkeys(
    (str(path.relative_to(ROOT)) for path in ROOT.glob("layers/*/requirements.txt")), 34
)
CASES = [
    (name, processor)
    for name in GLIBC
    for processor in (["aarch64"] if name.startswith("agent") else ["aarch64", "x86_64"])
]


def tags(processor: str, glibc: int) -> set[Tag]:
    """What pip there accepts."""
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in range(glibc, 16, -1)]
    platforms += [f"manylinux2014_{processor}", f"linux_{processor}"]
    return {*cpython_tags(PYTHON, platforms=platforms), *compatible_tags(PYTHON, "cp313", platforms)}


def environment(processor: str) -> dict[str, str]:
    return {
        "platform_machine": processor,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "python_version": "3.13",
        "python_full_version": "3.13.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


@pytest.fixture(scope="module")
def files() -> dict[tuple[str, str], list[str]]:
    """(package, version) -> names of its wheels."""
    lock: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
    return {
        (package["name"], package["version"]): [w["url"].rpartition("/")[2] for w in package.get("wheels", [])]
        for package in lock["package"]
        if "version" in package
    }


def pins(name: str, processor: str) -> Iterator[tuple[str, str]]:
    for line in (ROOT / name).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment(processor)):
            (pin,) = requirement.specifier
            yield requirement.name, pin.version


def without_a_wheel(name: str, processor: str, files: dict[tuple[str, str], list[str]]) -> list[str]:
    accepted = tags(processor, GLIBC[name])
    return [
        f"{package}=={version}"
        for package, version in pins(name, processor)
        if not any(parse_wheel_filename(wheel)[3] & accepted for wheel in files.get((package, version), []))
    ]


@pytest.mark.parametrize(("name", "processor"), CASES)
def test_every_pin_has_a_wheel_for_its_processor(
    name: str, processor: str, files: dict[tuple[str, str], list[str]]
) -> None:
    assert len(list(pins(name, processor))) >= 3
    assert without_a_wheel(name, processor, files) == []


def test_a_missing_wheel_would_be_found(files: dict[tuple[str, str], list[str]]) -> None:
    pinned = dict(pins("agent/requirements.txt", "aarch64"))
    core = ("pydantic-core", pinned["pydantic-core"])
    elsewhere = [wheel for wheel in files[core] if "aarch64" not in wheel]
    assert without_a_wheel("agent/requirements.txt", "aarch64", files | {core: elsewhere}) == ["==".join(core)]
    assert without_a_wheel("agent/requirements.txt", "aarch64", files | {core: []}) == ["==".join(core)]
