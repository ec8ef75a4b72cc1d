"""`flywheel push`: what it says and refuses without a stack."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from local import stack

RUN = CliRunner()


@pytest.fixture(autouse=True)
def no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "load", lambda: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "app.py").write_text("x = 1")
    return tmp_path / "source"


def packed(*arguments: str) -> dict[str, object]:
    result = RUN.invoke(app, ["push", "--dry-run", "--json", *arguments])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_a_dry_run_packs_and_pushes_nothing(source: Path) -> None:
    found = packed("--source", str(source), "--tag", "v1")

    assert (found["tag"], found["pushed"], found["repository"]) == ("v1", False, "flywheel-agent-dev")
    assert str(found["digest"]).startswith("sha256:")


def test_the_tag_is_no_part_of_the_digest_and_a_new_one_each_time(source: Path) -> None:
    first, second = (packed("--source", str(source)) for _ in range(2))

    assert first["digest"] == second["digest"]
    assert first["tag"] != second["tag"]


def test_an_overlay_changes_the_digest(source: Path, tmp_path: Path) -> None:
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "app.py").write_text("x = 2")

    plain, laid = (
        packed("--source", str(source)),
        packed("--source", str(source), "--overlay", str(tmp_path / "overlay")),
    )

    assert plain["digest"] != laid["digest"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--overlay", "no-such-overlay"], "there is no overlay 'no-such-overlay'; give a folder, or one of:"),
        (["--source", "/no/such/folder"], "is not a folder"),
        (["--tag", "a b"], "is no tag"),
        (["--tag", "x" * 129], "is no tag"),
        (["--tag", "-x"], "is no tag"),
    ],
)
def test_what_cannot_be_packed_is_refused_with_the_reason(arguments: list[str], said: str) -> None:
    result = RUN.invoke(app, ["push", "--dry-run", *arguments])

    assert result.exit_code == 1
    assert said in result.stderr


def test_without_a_stack_it_says_how_to_start_one_and_how_to_push_to_aws(source: Path) -> None:
    result = RUN.invoke(app, ["push", "--source", str(source)])

    assert result.exit_code == 1
    assert "flywheel local up" in result.stderr
    assert "docker buildx build --platform linux/arm64" in result.stderr


@pytest.mark.parametrize("command", [["push"], *(["local", c] for c in ("up", "down", "status", "logs", "env"))])
def test_every_command_shows_an_example(command: list[str]) -> None:
    result = RUN.invoke(app, [*command, "--help"])

    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert "flywheel " + " ".join(command) in result.stdout.replace("\n", " ")
