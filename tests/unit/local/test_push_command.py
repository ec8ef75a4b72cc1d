"""`flywheel push`: what it says and refuses without a stack."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from local import stack
from local.images import release
from tests.unit.cli.double_session import GATE_ID, DoubleSession, run

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


# --- push --watch ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Tags that were pushed, to a stack that is up."""
    tags: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "load", object)
    monkeypatch.setattr(release, "holds_already", lambda *_: False)
    monkeypatch.setattr(release, "push_to", lambda _info, _image, _repository, tag: tags.append(tag))
    return tags


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 2)])
def test_a_watched_push_ends_as_its_own_gate_does(source: Path, pushed: list[str], verdict: str, code: int) -> None:
    session = DoubleSession()
    digest = str(packed("--source", str(source))["digest"])
    older = "g-20200101t000000-11111111"
    now = datetime.now(UTC)
    session.open_gate(older, execution_arn="arn:older", digest=digest, started=now - timedelta(hours=1))
    session.end_gate("PASS", older)
    session.machine.status_now = "RUNNING"
    session.steps = [
        lambda: session.open_gate(digest=digest, started=now + timedelta(hours=1)),
        lambda: session.end_gate(verdict),
    ]
    done = run(session, "push", "--source", str(source), "--tag", "v1", "--watch", "--json")

    assert done.exit_code == code, done.output
    assert pushed == ["v1"]
    assert json.loads(done.stdout)["gate_id"] == GATE_ID
    assert digest in done.stderr


def test_a_push_names_the_gate_to_watch_so_that_no_other_one_is_taken_for_it(source: Path, pushed: list[str]) -> None:
    done = run(DoubleSession(), "push", "--source", str(source), "--tag", "v1")

    assert pushed == ["v1"]
    assert f"flywheel gate watch v1@{packed('--source', str(source))['digest']}" in done.stdout


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--repository", "another"]])
def test_a_push_that_starts_no_gate_cannot_be_watched(source: Path, pushed: list[str], arguments: list[str]) -> None:
    done = run(DoubleSession(), "push", "--source", str(source), "--watch", *arguments)

    assert done.exit_code == 2
    assert "--watch" in done.stderr
    assert pushed == []


def test_a_watched_push_of_what_the_tag_holds_already_says_so_at_once(
    source: Path, pushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "holds_already", lambda *_: True)
    session = DoubleSession()
    done = run(session, "push", "--source", str(source), "--tag", "v1", "--watch")

    digest = packed("--source", str(source))["digest"]
    assert done.exit_code == 1
    assert "flywheel-agent-dev:v1 is this image already: nothing was pushed, so no gate starts" in done.stderr
    assert f"flywheel gate start --image {digest} --wait" in done.stderr
    assert pushed == []


def test_a_push_of_what_the_tag_holds_already_is_no_error_and_no_push(
    source: Path, pushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "holds_already", lambda *_: True)
    done = run(DoubleSession(), "push", "--source", str(source), "--tag", "v1")
    data = run(DoubleSession(), "push", "--source", str(source), "--tag", "v1", "--json")

    assert (done.exit_code, data.exit_code) == (0, 0)
    assert "no gate starts" in done.stdout
    assert json.loads(data.stdout)["pushed"] is False
    assert pushed == []
