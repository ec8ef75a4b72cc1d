"""The Dockerfile, as far as it can be checked without a Docker engine."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "agent" / "Dockerfile"


def final_stage() -> str:
    return DOCKERFILE.read_text().split("\nFROM ")[-1]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_would_have_something_to_say(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /tmp && sudo ls\n")
    hadolint = Path(sys.executable).with_name("hadolint")

    done = subprocess.run([hadolint, bad], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1
    assert "DL3007" in done.stdout


def test_every_stage_is_arm64_on_one_exact_version() -> None:
    bases = re.findall(r"^FROM (.+?)(?: AS \w+)?$", DOCKERFILE.read_text(), re.MULTILINE)

    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"--platform=linux/arm64 \S+:3\.13\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", bases[0])


def test_the_image_runs_the_agent_as_somebody_without_rights() -> None:
    stage = final_stage()

    assert "\nUSER 1000:1000\n" in stage
    assert '\nENTRYPOINT ["python", "-m", "agent"]\n' in stage
    assert "\nEXPOSE 8080\n" in stage
    assert "DOCKER_CONTAINER=1" in stage


def test_only_the_agent_is_copied() -> None:
    copied = re.findall(r"^(?:COPY|ADD) (?!--from=libraries)(.+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert copied == ["agent/requirements.txt /tmp/requirements.txt", "agent/ /app/agent/"]
    ignored = (ROOT / "agent" / "Dockerfile.dockerignore").read_text().split("\n")
    assert ignored[:4][-2:] == ["*", "!agent"] or ignored[1:3] == ["*", "!agent"]


def test_the_commit_is_a_label() -> None:
    stage = final_stage()

    assert "ARG REVISION" in stage
    assert 'org.opencontainers.image.revision="${REVISION}"' in stage


def test_nothing_secret_is_set() -> None:
    assert not re.search(r"(?i)(secret|password|token|api_?key)", DOCKERFILE.read_text())
