"""`flywheel policy ...` against doubles: what is shown, refused and written."""

import json
from pathlib import Path

import pytest

from cli.policy_setting import LARGEST_BYTES, flat, parse_assignment, to_text, with_changes
from cli.problems import CommandError
from flywheel.domain.policy import apply_overrides, load_default_policy
from tests.unit.cli.double_session import DoubleSession, run


@pytest.fixture
def session() -> DoubleSession:
    return DoubleSession()


def stored(session: DoubleSession) -> object:
    return json.loads(session.ssm.texts["policy"])


# --- show -----------------------------------------------------------------------------------------------------------


def test_show_names_every_value_and_what_the_environment_sets(session: DoubleSession) -> None:
    session.ssm.texts["policy"] = '{"margin": 0.05, "slice_minima": {"edge_case": {"correctness": 0.9}}}'
    everything = json.loads(run(session, "policy", "show", "--json").stdout)
    own = json.loads(run(session, "policy", "show", "--changed", "--json").stdout)

    assert everything["parameter"] == "/flywheel/dev/policy"
    assert everything["values"].keys() == flat(load_default_policy()).keys()
    assert own["values"] == {"margin": 0.05, "slice_minima.edge_case.correctness": 0.9}
    assert "0.09" in run(session, "policy", "show").stdout


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"no_such_key": 1}', '{"margin": "wide"}'])
def test_a_setting_that_is_no_policy_is_named_with_what_mends_it(session: DoubleSession, text: str) -> None:
    session.ssm.texts["policy"] = text
    done = run(session, "policy", "show")
    assert done.exit_code == 2
    assert "/flywheel/dev/policy" in done.stderr
    assert "flywheel policy set" in done.stderr


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_names_all_problems_of_a_file_at_once(session: DoubleSession, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"margin": 7, "minimum_item": 3, "must_pass_k": 3}')
    done = run(session, "policy", "check", str(file))
    assert done.exit_code == 1
    assert "margin" in done.stderr
    assert "'minimum_item'" in done.stderr
    assert json.loads(run(session, "policy", "check", str(file), "--json").stdout)["valid"] is False


def test_a_valid_file_passes_the_check(session: DoubleSession, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"margin": 0.05}')
    assert run(session, "policy", "check", str(file)).exit_code == 0


@pytest.mark.parametrize("text", ["", "[1]", "nul", '"x"', "[" * 100_000])
def test_a_file_that_is_no_json_object_is_an_error_with_a_message(
    session: DoubleSession, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text)
    done = run(session, "policy", "check", str(file))
    assert done.exit_code == 2
    assert str(file) in done.stderr


# --- set ------------------------------------------------------------------------------------------------------------


def test_set_writes_only_what_differs_and_keeps_what_was_set(session: DoubleSession) -> None:
    session.ssm.texts["policy"] = '{"latency_p95_ms": 9000}'
    done = run(session, "policy", "set", "margin=0.05", "minima.correctness=0.8", "on_inconclusive=hold")
    assert done.exit_code == 0, done.output
    assert stored(session) == {
        "latency_p95_ms": 9000,
        "margin": 0.05,
        "minima": {"correctness": 0.8},
        "on_inconclusive": "hold",
    }
    assert "margin: 0.09 -> 0.05" in done.stdout


def test_unset_gives_a_value_back_to_the_packaged_policy(session: DoubleSession) -> None:
    session.ssm.texts["policy"] = '{"margin": 0.05, "minima": {"correctness": 0.9}}'
    done = run(session, "policy", "set", "--unset", "minima.correctness", "--json")
    assert stored(session) == {"margin": 0.05}
    assert json.loads(done.stdout)["changed"] == {"minima.correctness": {"before": 0.9, "after": 0.75}}


def test_null_switches_a_check_off(session: DoubleSession) -> None:
    run(session, "policy", "set", "latency_p95_ms=null")
    assert stored(session) == {"latency_p95_ms": None}


@pytest.mark.parametrize(
    "values",
    [
        ["margin=wide"],
        ["margin=-1"],
        ["margin=NaN"],
        ["no_such=1"],
        ["minima.no_such=0.5"],
        ["must_pass_k=3"],
        ["margin=0.05", "alpha=2"],
    ],
)
def test_what_would_be_no_policy_is_refused_and_nothing_is_written(session: DoubleSession, values: list[str]) -> None:
    done = run(session, "policy", "set", *values)
    assert done.exit_code == 1
    assert "nothing was changed" in done.stderr
    assert session.ssm.texts == {}


@pytest.mark.parametrize("values", [["margin"], ["=3"], [".x=3"], ["a..b=1"], ["--unset", "margin"], []])
def test_what_is_no_assignment_is_refused_with_an_example(session: DoubleSession, values: list[str]) -> None:
    done = run(session, "policy", "set", *values)
    assert done.exit_code == 2
    assert session.ssm.texts == {}


def test_a_dry_run_shows_the_change_and_writes_nothing(session: DoubleSession) -> None:
    done = run(session, "policy", "set", "margin=0.05", "--dry-run")
    assert "margin: 0.09 -> 0.05" in done.stdout
    assert session.ssm.texts == {}


def test_a_file_replaces_a_setting_that_cannot_be_read(session: DoubleSession, tmp_path: Path) -> None:
    session.ssm.texts["policy"] = "{broken"
    file = tmp_path / "policy.json"
    file.write_text('{"margin": 0.05}')
    assert run(session, "policy", "set", "--file", str(file)).exit_code == 0
    assert stored(session) == {"margin": 0.05}


def test_what_is_set_already_writes_nothing(session: DoubleSession) -> None:
    assert "nothing differs" in run(session, "policy", "set", "margin=0.09").stdout
    assert session.ssm.texts == {}


def test_a_policy_that_no_parameter_holds_is_refused_before_it_is_written() -> None:
    with pytest.raises(CommandError, match=str(LARGEST_BYTES)):
        to_text({"minima": {f"m{n}": 0.5 for n in range(1_000)}})


def test_a_value_is_json_or_text() -> None:
    assert parse_assignment("a.b=0.5") == (["a", "b"], 0.5)
    assert parse_assignment("mode=rerun") == (["mode"], "rerun")
    assert parse_assignment('mode="rerun"') == (["mode"], "rerun")
    assert parse_assignment("x=a=b") == (["x"], "a=b")
    assert parse_assignment("x=true") == (["x"], True)


def test_every_flat_name_can_be_assigned() -> None:
    policy = load_default_policy()
    assignments = [parse_assignment(f"{name}={json.dumps(value)}") for name, value in flat(policy).items()]
    assert apply_overrides(policy, with_changes({}, assignments, ())) == policy
