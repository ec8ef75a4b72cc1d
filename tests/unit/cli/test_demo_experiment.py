"""The experiment of the demo: its files, what is written of it, and what makes the demo fail."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.demo_experiment import FILE, SAMPLE, Best, Experimented, Promoted, as_grid, behind, best_of, check, describe
from cli.demo_experiment import lines_of as said_of
from cli.main import app
from cli.problems import CommandError
from flywheel.domain.experiment_combinations import combinations
from flywheel.domain.experiment_file import parse_experiment
from flywheel.domain.prices import load_prices
from flywheel.report.experiment_model import ExperimentReport
from tests.experiment_reports import experiment

ROOT = Path(__file__).parents[3]
PASSED = Promoted("g-1", "PASS", promoted=True, reasons=[], measured="c-1", released="c-1", gate_s=14.2)


@pytest.fixture(scope="module")
def report() -> ExperimentReport:
    return experiment(items=30, trials=2).report()


def demonstrated(report: ExperimentReport) -> Experimented:
    out = Experimented(promotion=PASSED)
    describe(out, report)
    return out


def test_the_demos_file_has_three_dimensions_and_is_halved() -> None:
    file = parse_experiment((ROOT / FILE).read_bytes(), name="demo")

    assert [dimension.name for dimension in file.dimensions] == ["model", "prompt", "top_k"]
    assert len(combinations(file)) >= 12
    assert file.search.strategy == "halving"
    assert file.image == "production"


def test_every_model_of_the_demos_files_has_a_price_and_is_paced() -> None:
    for path in (FILE, SAMPLE):
        (models,) = [d for d in parse_experiment((ROOT / path).read_bytes(), name="x").dimensions if d.name == "model"]
        for model in models.values:
            model_id = str(model.settings["model_id"])
            assert load_prices().price(model_id) is not None
            assert not model_id.startswith("local.")


def test_the_samples_file_is_in_its_own_form_and_nothing_else() -> None:
    given = json.loads((ROOT / SAMPLE).read_text("utf-8"))

    assert set(given) == {"models", "system_prompts"}
    assert {key for model in given["models"] for key in model} == {"name", "model_id"}
    assert {key for prompt in given["system_prompts"] for key in prompt} == {"name", "prompt"}
    assert len(combinations(parse_experiment((ROOT / SAMPLE).read_bytes(), name="sample"))) == 4


def test_the_full_grid_asks_the_same_configurations_and_is_not_ended_by_a_budget() -> None:
    text = (ROOT / FILE).read_text("utf-8")
    ours, grid = (parse_experiment(one, name="demo") for one in (text, as_grid(text)))

    assert grid.search == replace(ours.search, strategy="grid")
    assert (grid.budget.trials, grid.budget.usd, grid.budget.minutes) == (None, None, None)
    assert replace(grid, search=ours.search, budget=ours.budget) == ours


def test_what_is_written_says_how_much_of_the_grid_was_asked_and_what_was_found(
    report: ExperimentReport, tmp_path: Path
) -> None:
    out = demonstrated(report)
    out.write(tmp_path / "demo" / "experiment.json")

    told = json.loads((tmp_path / "demo" / "experiment.json").read_text("utf-8"))
    assert told["configurations"] == 12
    assert told["invocations"] == sum(row.trials for row in report.configurations)
    assert told["grid_invocations"] == report.spent.grid_invocations > told["invocations"]
    assert told["stopped"] == len(report.stopped) > 0
    assert told["best"]["configuration"] == report.recommended
    assert told["best"]["candidate_id"] == report.configuration(told["best"]["configuration"]).candidate_id
    assert 0 < told["best"]["quality"] <= 1
    assert [rung["configurations"] for rung in told["rungs"]] == sorted(
        (rung["configurations"] for rung in told["rungs"]), reverse=True
    )
    assert (told["grid_best"], told["behind_grid"], told["runtimes_left"]) == (None, None, 0)


def test_the_last_lines_name_the_winner_the_share_of_the_grid_and_the_verdict(report: ExperimentReport) -> None:
    out = demonstrated(report)
    text = "\n".join(said_of(out))

    share = f"{out.invocations / out.grid_invocations:.0%} of the full grid's {report.spent.grid_invocations}"
    assert f"{out.invocations} invocations, {share}" in text
    assert f"recommended: {report.recommended} (model " in text
    assert "the gate: PASS after 14 s, in production" in text
    assert "short-lived runtimes left: 0" in text


def test_how_far_the_search_is_behind_the_grid_is_told_by_the_grids_figures(report: ExperimentReport) -> None:
    best = best_of(report)
    worst = min((row for row in report.configurations if row.quality), key=lambda row: row.quality.value)  # type: ignore[union-attr]
    assert worst.quality is not None
    assert best.quality is not None

    assert behind(best, report) == 0.0
    assert behind(replace(best, configuration=worst.configuration_id), report) == pytest.approx(
        best.quality - worst.quality.value
    )


def test_an_experiment_that_recommends_nothing_ends_the_demo_with_its_reason(report: ExperimentReport) -> None:
    with pytest.raises(CommandError, match="recommends nothing: none keeps"):
        best_of(replace(report, recommended=None, sentence="none keeps the constraints"))


def test_a_demo_that_did_what_it_is_for_is_no_error(report: ExperimentReport) -> None:
    check(demonstrated(report))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"promotion": None}, "no gate was asked"),
        ({"promotion": replace(PASSED, verdict="FAIL", reasons=["regression"], released="c-0")}, "FAIL, regression"),
        ({"promotion": replace(PASSED, released="c-2")}, "c-1 was chosen, c-2 is in production"),
        ({"promotion": replace(PASSED, verdict="INCONCLUSIVE")}, "INCONCLUSIVE"),
        ({"runtimes_left": 2}, "2 short-lived runtimes are left"),
        ({"behind_grid": 0.011}, "the full grid's choice is better by 0.011"),
    ],
)
def test_a_demo_that_shows_something_else_is_an_error(
    report: ExperimentReport, changes: dict[str, object], why: str
) -> None:
    out = demonstrated(report)
    for name, value in changes.items():
        setattr(out, name, value)

    with pytest.raises(CommandError, match=why):
        check(out)


def test_a_figure_that_was_not_measured_is_not_shown_as_zero() -> None:
    out = Experimented(best=Best("c01", "model a", "c-1", None, None, None))

    (line,) = [line for line in said_of(out) if line.startswith("recommended")]
    assert line == "recommended: c01 (model a): quality not measured, an unknown amount an item, p95 not measured"


@pytest.mark.parametrize(
    "flags", [["--verify"], ["--part", "loop", "--verify"], ["--part", "experiment", "--only", "good"]]
)
def test_flags_of_another_part_are_refused_before_anything_starts(flags: list[str]) -> None:
    result = CliRunner().invoke(app, ["demo", *flags])

    assert result.exit_code == 2
    assert "--part experiment" in result.output
