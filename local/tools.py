"""MiniStack and the SAM CLI, each in an environment of its own, because they pin libraries against ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from local.errors import LocalStackError

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".local"

type Tool = Literal["ministack", "sam"]


def environment_of(tool: Tool) -> Path:
    """Folder of the tool's environment, made or brought up to date with `uv.lock`.

    Raises:
        LocalStackError: uv is missing, or cannot install.
    """
    folder = STATE / "venv" / tool
    stamp = folder / ".lock-seen"
    lock = (ROOT / "uv.lock").read_bytes()
    if stamp.exists() and stamp.read_bytes() == lock and (folder / "bin" / "python").exists():
        return folder
    uv = _uv()
    if uv is None:
        if (folder / "bin" / "python").exists():
            return folder  # `make setup` brought it up to date, or nothing else can here
        raise LocalStackError(
            f"{tool} is not installed and uv is missing: run `make setup`, which brings in both (or install uv)"
        )
    command = [uv, "sync", "--quiet", "--frozen", "--no-install-project", "--only-group", tool]
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON": getattr(sys, "_base_executable", "3.13")}
    env.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalStackError(f"uv could not install {tool}: {done.stderr.strip()[-500:]}")
    stamp.write_bytes(lock)
    return folder


def _uv() -> str | None:
    brought_in = ROOT / ".uv/bin/uv"
    return shutil.which("uv") or (str(brought_in) if brought_in.exists() else None)
