"""Template -> what AWS would get: functions and layers, built by the real `sam build`, for one architecture.

Builds are kept under `build/packages`, so that another run builds only what changed.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cfnlint.decode import decode

from local.tools import ROOT, environment_of

type Architecture = Literal["arm64", "x86_64"]

KEPT = ROOT / "build" / "packages"


@dataclass(frozen=True, slots=True)
class Package:
    """One function as Lambda has it: its own folder and the layers, in the order of the template."""

    name: str
    code: Path
    layers: tuple[Path, ...]

    def path(self) -> list[str]:
        """What Lambda puts on `sys.path` before the standard library."""
        return [str(self.code), *(str(layer / "python") for layer in self.layers)]


def build(architecture: Architecture, kept: Path = KEPT) -> Path:
    """Build everything; the folder with one folder a function and layer.

    Raises:
        RuntimeError: `sam build` failed; with the end of what it said.
    """
    home = kept / architecture
    home.mkdir(parents=True, exist_ok=True)
    sam = environment_of("sam") / "bin"
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [
                sam / "sam",
                "build",
                *("--template-file", ROOT / "template.yaml", "--base-dir", ROOT, "--config-env", "packages"),
                *("--build-dir", home / "build", "--cache-dir", home / "cache", "--cached", "--parallel"),
                *("--parameter-overrides", f"ParameterKey=Architecture,ParameterValue={architecture}"),
            ],
            # SAM keeps and cleans up `.aws-sam/deps` where it runs: builds in one folder would lose each other's.
            cwd=home,
            env={**os.environ, "PATH": f"{sam}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"sam build for {architecture} failed:\n{done.stderr[-2000:]}")
    return home / "build"


def packages(built: Path) -> Iterator[Package]:
    """Each function of the template, as it was built."""
    template, _ = decode(str(ROOT / "template.yaml"))
    shared = _layers(template["Globals"]["Function"])
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            layers = [*shared, *_layers(resource["Properties"])]
            yield Package(name, built / name, tuple(built / layer for layer in layers))


def _layers(properties: Any) -> list[str]:
    return [str(layer["Ref"]) for layer in properties.get("Layers", [])]
