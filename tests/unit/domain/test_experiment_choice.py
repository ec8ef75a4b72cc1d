"""Which configuration is recommended, and in which words: constraints first, then the objectives in their order."""

from collections.abc import Sequence
from functools import partial

import pytest

from flywheel.domain import experiment_measures
from flywheel.domain.experiment import Constraints, Dimension, ExperimentFile, ObjectiveName, Value
from flywheel.domain.experiment_choice import Choice, choose
from flywheel.domain.experiment_objectives import front
from flywheel.domain.experiment_sentences import short_label
from flywheel.domain.outcome import TrialRecord
from tests.unit.domain.experiments import ITEMS, configuration, trials

measure = partial(experiment_measures.measure, safe_from=0.75)

DIMENSIONS = (Dimension("model", (Value("a", {}), Value("b", {}))),)


def chosen(
    records: dict[str, list[TrialRecord]],
    remaining: Sequence[str] | None = None,
    *,
    objectives: tuple[ObjectiveName, ...] = ("quality", "cost", "latency"),
    tolerance: float = 0.02,
    constraints: Constraints | None = None,
    unfinished: str = "",
    failed: tuple[str, ...] = (),
) -> Choice:
    file = ExperimentFile(
        "f", DIMENSIONS, objectives=objectives, tolerance=tolerance, constraints=constraints or Constraints()
    )
    going = tuple(records) if remaining is None else tuple(remaining)
    measures = measure(ITEMS, "correctness", records, going)
    return choose(
        file, [configuration(name) for name in records], measures, going, unfinished=unfinished, failed=failed
    )


GOOD, NEAR, POOR = [1.0] * 12, [1.0] * 11 + [0.88], [0.5] * 12


def test_the_best_wins_when_nothing_else_is_near() -> None:
    choice = chosen({"c01": trials(GOOD), "c02": trials(POOR, cost_usd=0.001)})
    assert choice.recommended == "c01"
    assert choice.sentence == (
        "c01 (c01): the best in quality, 100.0 of 100 points; no other is within the tolerance of 2 points."
    )
    assert choice.order == ("c01", "c02")


def test_within_the_tolerance_the_next_objective_decides_and_the_sentence_says_what_is_gained() -> None:
    choice = chosen({"c01": trials(GOOD), "c02": trials(NEAR, cost_usd=0.0041)})
    assert choice.recommended == "c02"
    assert choice.sentence == (
        "c02 (c02): 1.0 points below the best in quality (c01), which is within the tolerance of 2 points, at 41 % of "
        "its cost."
    )
    assert choice.notes == (
        (
            "1 other configuration cannot be told apart from it in quality: the interval of the paired difference "
            "holds 0 (c01)."
        ),
    )


def test_the_best_that_is_also_the_cheapest_of_those_near_it_says_so() -> None:
    choice = chosen({"c01": trials(GOOD, cost_usd=0.001), "c02": trials(NEAR)})
    assert choice.sentence.endswith("and the cheapest of the 2 within the tolerance of 2 points.")


def test_the_third_objective_decides_where_the_second_is_level() -> None:
    choice = chosen({"c01": trials(GOOD, latency_ms=2000), "c02": trials(NEAR, latency_ms=500)})
    assert choice.recommended == "c02"
    assert choice.sentence.endswith("at 25 % of its median latency.")


def test_another_first_objective_has_its_tolerance_as_a_share() -> None:
    records = {"c01": trials(GOOD, cost_usd=0.0101), "c02": trials(POOR, cost_usd=0.01)}
    choice = chosen(records, objectives=("cost", "quality"))
    assert choice.recommended == "c01"
    assert choice.sentence == (
        "c01 (c01): 1.0 % above the cheapest in cost (c02), which is within the tolerance of 2 %, with 50.0 points "
        "more in quality."
    )


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (Constraints(safety=0.9), "safety is 0.0 %, under 90.0 %"),
        (Constraints(latency_p95_ms=3000), "the 95th percentile of latency is 5.00 s, over 3.00 s"),
        (Constraints(cost_per_item_usd=0.05), "the cost of an item is $0.1, over $0.05"),
    ],
)
def test_a_constraint_goes_before_any_objective(constraints: Constraints, words: str) -> None:
    unsafe = [0.0 if n % 4 == 3 else 1.0 for n in range(12)]
    choice = chosen(
        {
            "c01": trials(unsafe, latency_ms=5000, cost_usd=0.1),
            "c02": trials([0.5, 0.5, 0.5, 1.0] * 3),
        },
        constraints=constraints,
    )
    assert choice.recommended == "c02"
    assert choice.notes[-1] == f"c01 is the best in quality of all, but {words}."
    assert choice.order == ("c02", "c01")
    assert choice.front == ("c02",)


def test_a_limit_that_is_met_exactly_is_kept() -> None:
    assert chosen({"c01": trials(GOOD)}, constraints=Constraints(latency_p95_ms=1000, safety=1.0)).recommended == "c01"


def test_what_was_not_measured_is_not_taken_to_be_kept() -> None:
    choice = chosen({"c01": trials(GOOD, cost_usd=None)}, constraints=Constraints(cost_per_item_usd=1.0))
    assert choice.recommended is None
    assert choice.sentence == (
        "Nothing is recommended: none of the 1 measured configurations keeps the constraints; the cost of an item is "
        "over $1 or not known in 1."
    )


def test_nothing_is_recommended_when_nothing_gave_a_score() -> None:
    choice = chosen({"c01": trials([None, None]), "c02": []}, remaining=("c01",))
    assert choice.recommended == "c01"  # it answered nothing right, and that is a score
    choice = chosen({"c01": [], "c02": []})
    assert choice.sentence == "Nothing is recommended: none of the 2 configurations gave a score."


def test_a_stopped_one_is_recommended_only_when_none_that_went_on_keeps_the_constraints() -> None:
    records = {"c01": trials(GOOD, latency_ms=5000), "c02": trials(POOR)}
    assert chosen(records, ("c01",)).recommended == "c01"
    choice = chosen(records, ("c01",), constraints=Constraints(latency_p95_ms=2000))
    assert choice.recommended == "c02"
    assert choice.sentence.startswith("c02 (c02): the only one that keeps the constraints")
    assert "It was stopped early, and its figures rest on 12 items" in choice.notes[0]


def test_one_whose_runtime_went_away_is_not_recommended_for_what_it_answered_before() -> None:
    records = {"c01": trials(GOOD, latency_ms=5000), "c02": trials(POOR)}
    constraints = Constraints(latency_p95_ms=2000)
    assert chosen(records, ("c01",), constraints=constraints, failed=("c02",)).recommended is None


def test_one_left_is_called_that() -> None:
    assert (
        "the only one that the search did not stop"
        in chosen({"c01": trials(GOOD), "c02": trials(POOR)}, ("c01",)).sentence
    )


def test_an_experiment_that_did_not_end_recommends_nothing_and_says_who_leads() -> None:
    choice = chosen({"c01": trials(GOOD), "c02": trials(POOR)}, unfinished="the experiment was stopped")
    assert choice.recommended is None
    assert choice.sentence == "Nothing is recommended: the experiment was stopped. So far c01 leads in quality."


def test_costs_that_nobody_knows_do_not_decide() -> None:
    choice = chosen({"c01": trials(NEAR, cost_usd=None), "c02": trials(GOOD, cost_usd=None)})
    assert choice.recommended == "c02"
    assert "not known for all trials" in choice.notes[-1]


def test_the_front_holds_what_no_other_beats_everywhere() -> None:
    assert front({"a": (1.0, 2.0), "b": (2.0, 1.0), "c": (2.0, 2.0), "d": (1.0, 2.0)}) == ("a", "b", "d")


def test_a_value_that_is_a_number_keeps_the_name_of_its_dimension() -> None:
    assert short_label(configuration("c01", model="haiku", top_k="5")) == "haiku, top_k 5"
