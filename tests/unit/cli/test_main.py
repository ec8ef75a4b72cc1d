"""The command itself: help, speed, errors, which target."""

import re
import subprocess
import sys
from typing import NoReturn

import pytest
from typer.core import TyperGroup

from cli.facts import StackFacts, read_facts
from cli.lazy import load
from cli.main import Flywheel
from cli.problems import CommandError, explain
from cli.target import LocalStack, Target, choose_target
from flywheel.errors import NotFoundError, TransientError
from tests.unit.cli.double_session import DoubleSession, run

HEAVY = ("boto3", "botocore", "langfuse", "openai", "pydantic", "rich.live", "local", "flywheel", "jinja2")


def test_help_names_every_command() -> None:
    said = run(DoubleSession(), "--help").stdout
    assert all(
        name in said
        for name in ("gate", "experiment", "dataset", "review", "dead-letters", "push", "local", "demo", "Example")
    )


@pytest.mark.parametrize("group", ["gate", "experiment", "dataset", "dead-letters"])
def test_every_command_has_help_with_an_example(group: str) -> None:
    loaded = load(Flywheel.later[group])
    assert isinstance(loaded, TyperGroup)
    for name in loaded.commands:
        said = run(DoubleSession(), group, name, "--help").stdout
        assert f"flywheel {group} {name}" in re.sub(r"\s+", " ", said), name


def test_help_loads_no_sdk_and_none_of_the_product() -> None:
    code = (
        "import sys; from cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() in {"[]", "['flywheel']"}


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run(DoubleSession(), "gates").exit_code == 2


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_is_a_line_without_a_traceback() -> None:
    done = run(DoubleSession(), "gate", "show", "latest")
    assert done.exit_code == 2
    assert done.stderr == "error: there are no gates yet: flywheel push, or flywheel gate start --image TAG\n"


def test_an_error_that_quotes_somebody_else_commands_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    session = DoubleSession()

    def quoting(_limit: int) -> NoReturn:
        raise NotFoundError("Langfuse said \x1b[2J\x9b2J\nand more")

    monkeypatch.setattr(session.gates, "recent", quoting)
    done = run(session, "gate", "show", "latest")
    assert done.stderr == "error: Langfuse said \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}2J\nand more\n"


def test_debug_shows_the_traceback() -> None:
    done = run(DoubleSession(), "--debug", "gate", "show", "latest")
    assert isinstance(done.exception, CommandError)


def test_a_defect_of_ours_is_not_dressed_up_as_a_message() -> None:
    session = DoubleSession()
    session.__dict__["gates"] = None
    assert isinstance(run(session, "gate", "list").exception, AttributeError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFoundError("no such thing"), "no such thing"),
        (TransientError("slow down"), "slow down\nThat may pass"),
        (FileNotFoundError(2, "No such file", "x.json"), "No such file: x.json"),
        (KeyError("x"), None),
        (TypeError("x"), None),
    ],
)
def test_errors_are_explained_by_their_kind(error: Exception, said: str | None) -> None:
    explained = explain(error)
    assert explained is None if said is None else (explained or "").startswith(said)


# --- target ---------------------------------------------------------------------------------------------------------


def _up() -> LocalStack:
    return LocalStack({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})


def test_the_local_stack_is_the_target_while_it_runs() -> None:
    environ: dict[str, str] = {}
    assert choose_target(None, "s", find=_up, environ=environ) == Target("local", "s")
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"


def test_aws_is_the_target_when_the_local_stack_is_down_or_aws_was_asked_for() -> None:
    environ: dict[str, str] = {}
    assert choose_target(None, "s", find=lambda: None, environ=environ) == Target("aws", "s")
    assert choose_target("aws", "s", find=_up, environ=environ) == Target("aws", "s")
    assert environ == {}


def test_local_asked_for_while_it_is_down_names_the_next_step() -> None:
    with pytest.raises(CommandError, match="flywheel local up"):
        choose_target("local", "s", find=lambda: None, environ={})


def test_an_aws_profile_does_not_lead_local_calls_astray() -> None:
    environ = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "of-aws"}
    choose_target(None, "s", find=_up, environ=environ)
    assert environ == {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


# --- facts ----------------------------------------------------------------------------------------------------------


def test_a_stack_of_somebody_else_is_told_by_its_missing_outputs() -> None:
    with pytest.raises(CommandError, match="no outputs EvidenceBucketName, StateTableName"):
        StackFacts.from_outputs("s", {"Environment": "dev"}, {})


class _NoStack:
    def describe_stacks(self, **_: str) -> dict[str, object]:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        error = {"Error": {"Code": "ValidationError", "Message": "Stack with id s does not exist"}}
        raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]


def test_a_stack_that_is_not_there_names_the_next_step() -> None:
    with pytest.raises(CommandError, match=r"there is no stack s here.*flywheel local up"):
        read_facts(_NoStack(), "s")  # type: ignore[arg-type]
