"""The GitHub workflows: checked offline by zizmor and by GitHub's own schema, and for what both do not know."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".github" / "workflows"
NAMES = ["agent-image.yml", "tests.yml"]


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def load(name: str) -> dict[str, Any]:
    # In YAML 1.1 the key `on` is the value true.
    document: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in load(name)["jobs"].values() for step in job["steps"]]


def test_these_are_all_workflows() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES


def test_zizmor_finds_nothing() -> None:
    done = run("zizmor", "--offline", "--persona=pedantic", "--no-progress", FOLDER)

    assert done.returncode == 0, done.stdout


def test_zizmor_would_find_a_script_injection(tmp_path: Path) -> None:
    bad = (FOLDER / "tests.yml").read_text().replace("run: .ci/run", "run: echo ${{ github.event.issue.title }}")
    (tmp_path / "bad.yml").write_text(bad)

    done = run("zizmor", "--offline", "--no-progress", tmp_path / "bad.yml")

    assert done.returncode != 0
    assert "template-injection" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_of_github_accepts_it(name: str) -> None:
    done = run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", FOLDER / name)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    used = re.findall(r"uses: (.+)", (FOLDER / name).read_text())

    assert used
    assert [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_rights_are_given_to_each_job_alone_and_nobody_may_write_to_the_repository(name: str) -> None:
    workflow = load(name)

    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        assert set(job["permissions"]) <= {"contents", "id-token"}
        assert job["timeout-minutes"] <= 60
    assert workflow["concurrency"]["group"]


def test_aws_is_entered_by_a_role_of_the_environment_and_no_secret_is_used() -> None:
    text = (FOLDER / "agent-image.yml").read_text()
    logins = [step for step in steps("agent-image.yml") if "configure-aws-credentials" in step.get("uses", "")]

    assert "secrets." not in text
    assert "aws-access-key-id" not in text
    assert [login["with"]["role-to-assume"] for login in logins] == ["${{ vars.AWS_ROLE_ARN }}"] * 2
    assert [job["environment"] for job in load("agent-image.yml")["jobs"].values()] == [
        "${{ inputs.environment || 'dev' }}"
    ] * 2


def test_the_image_is_one_arm64_manifest_that_names_its_commit() -> None:
    (build,) = [step for step in steps("agent-image.yml") if "build-push-action" in step.get("uses", "")]

    assert build["with"]["platforms"] == "linux/arm64"
    assert build["with"]["provenance"] is False
    assert build["with"]["sbom"] is False
    assert build["with"]["build-args"] == "REVISION=${{ github.sha }}"
    assert (ROOT / build["with"]["file"]).is_file()


def test_the_environments_are_those_that_have_stacks() -> None:
    inputs = load("agent-image.yml")["on"]["workflow_dispatch"]["inputs"]

    assert inputs["environment"]["options"] == ["dev", "tst", "prd"]


def test_the_tests_run_what_a_person_runs() -> None:
    assert ".ci/run" in [step.get("run") for step in steps("tests.yml")]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
