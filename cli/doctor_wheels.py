"""Pins of the agent's image against the files that uv.lock names: has each a wheel for linux/arm64? Offline."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cli import doctor_rules
from cli.doctor_findings import Finding
from cli.target import ROOT

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)(?:\s*;\s*(.*))?")
# name-version(-build)?-python-abi-platform.whl
_WHEEL = re.compile(r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl$")
_PYTHON = re.compile(r"cp313|py3|py2\.py3")
_PLATFORM = re.compile(r"(^|\.)(any|(many)?linux(2014|_2_\d+)?_aarch64)(\.|$)")
_ELSEWHERE = re.compile(r"sys_platform == 'win32'|platform_system == 'Windows'|sys_platform == 'darwin'")


def look(root: Path = ROOT) -> Iterator[Finding]:
    requirements, lock = root / "agent" / "requirements.txt", root / "uv.lock"
    if not (requirements.is_file() and lock.is_file()):
        yield Finding(
            "wheels", "wheels of the agent", "cannot be known", "agent/requirements.txt and uv.lock are not here"
        )
        return
    packages = tomllib.loads(lock.read_text()).get("package", [])
    files = {
        (one["name"], one["version"]): [wheel["url"].rpartition("/")[2] for wheel in one.get("wheels", [])]
        for one in packages
        if "version" in one
    }
    pins = list(pinned(requirements.read_text()))
    yield doctor_rules.wheels(missing(pins, files), len(pins))


def pinned(text: str) -> Iterator[tuple[str, str]]:
    """Name and version of each pin that is installed on Linux."""
    for line in text.splitlines():
        found = _PIN.match(line)
        if found and not _ELSEWHERE.search(found[3] or ""):
            yield found[1], found[2]


def missing(pins: Sequence[tuple[str, str]], files: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    return [f"{name}=={version}" for name, version in pins if not any(map(fits, files.get((name, version), ())))]


def fits(wheel: str) -> bool:
    """Whether CPython 3.13 on Linux aarch64 takes the wheel of this file name."""
    found = _WHEEL.search(wheel)
    if not found or not _PLATFORM.search(found["platform"]):
        return False
    stable = "abi3" in found["abi"] and re.search(r"cp3(\d+)", found["python"])
    return bool(_PYTHON.search(found["python"])) or bool(stable and int(stable[1]) <= 13)  # noqa: PLR2004
