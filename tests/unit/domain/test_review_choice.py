"""What people are asked to judge: what decided, and a fair draw beside it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.review_choice import DECIDED_PAIRS, RANDOM_PAIRS, ReviewTask, choose_answers
from flywheel.domain.verdict import Reason, Verdict, VerdictKind
from tests.unit.domain.samples import answered, errored

METRIC = "correctness"
ITEMS = [f"i{n:02d}" for n in range(40)]
SLICES = {item: ("odd" if n % 2 else "even") for n, item in enumerate(ITEMS)}


def traced(record: TrialRecord) -> TrialRecord:
    key = record.key
    return replace(record, trace_id=f"trace {key.item_id} {key.trial} {key.arm}")


def both(item_id: str, candidate: float, incumbent: float = 1.0, trial: int = 1) -> list[TrialRecord]:
    arms = answered(item_id, candidate, trial=trial), answered(item_id, incumbent, trial=trial, arm="incumbent")
    return [traced(record) for record in arms]


def everywhere(candidate: float = 1.0) -> list[TrialRecord]:
    return [record for item in ITEMS for record in both(item, candidate)]


def verdict(kind: VerdictKind, *reasons: Reason, **estimates: object) -> Verdict:
    return Verdict(kind, reasons, estimates)


def regression(*items: str, slice_: str | None = None) -> Verdict:
    return verdict("FAIL", Reason("regression", "worse", METRIC, slice_, items=items))


def chosen(records: Iterable[TrialRecord], of: Verdict, gate_id: str = "g-1") -> tuple[ReviewTask, ...]:
    return choose_answers(gate_id, of, records, SLICES, METRIC)


def items(tasks: Iterable[ReviewTask], why: str) -> set[str]:
    return {task.item_id for task in tasks if task.chosen == why}


def test_both_arms_of_the_items_that_decided_are_asked_about() -> None:
    tasks = chosen(everywhere(), regression("i03", "i07"))
    drawn = items(tasks, "random")

    assert items(tasks, "decided") == {"i03", "i07"} - drawn
    for item in {"i03", "i07"} | drawn:
        assert {task.arm for task in tasks if task.item_id == item} == {"candidate", "incumbent"}


def test_a_random_share_comes_from_all_pairs_and_is_known_as_random() -> None:
    tasks = chosen(everywhere(), regression("i03"))

    assert len(items(tasks, "random")) == RANDOM_PAIRS
    assert len({task.trace_id for task in tasks}) == len(tasks)


def test_what_chance_drew_stays_random_even_if_it_decided() -> None:
    tasks = chosen(everywhere(), regression(*ITEMS))

    assert items(tasks, "random") & items(tasks, "decided") == set()
    assert items(tasks, "random") == items(chosen(everywhere(), regression()), "random")


def test_every_pair_is_drawn_about_equally_often_over_many_gates() -> None:
    drawn = Counter(
        task.item_id
        for n in range(2000)
        for task in chosen(everywhere(), regression("i00", "i01"), f"g-{n}")
        if task.chosen == "random" and task.arm == "candidate"
    )

    assert sum(drawn.values()) == 2000 * RANDOM_PAIRS
    # 500 expected for each of 40 items, standard deviation about 19.
    assert all(420 < drawn[item] < 580 for item in ITEMS), drawn


def test_the_choice_depends_on_the_gate_and_on_nothing_else() -> None:
    records = everywhere(0.5)

    assert chosen(records, regression("i01")) == chosen(reversed(records), regression("i01"))
    assert items(chosen(records, regression()), "random") != items(chosen(records, regression(), "g-2"), "random")


def test_the_order_does_not_tell_what_decided() -> None:
    tasks = chosen(everywhere(), regression(*ITEMS))

    assert [task.chosen for task in tasks] != sorted(task.chosen for task in tasks)
    assert [task.chosen for task in tasks] != sorted((task.chosen for task in tasks), reverse=True)


def test_people_are_asked_for_half_an_hour_at_most() -> None:
    records = [record for item in ITEMS for trial in (1, 2, 3) for record in both(item, 0.5, trial=trial)]
    tasks = chosen(records, regression(*ITEMS))

    assert len(tasks) == 2 * (DECIDED_PAIRS + RANDOM_PAIRS)


def test_every_item_has_its_turn_before_any_has_a_second_and_the_largest_difference_comes_first() -> None:
    fillers = [record for item in ITEMS[6:] for trial in range(1, 9) for record in both(item, 1.0, trial=trial)]
    differ = [record for item in ITEMS[:6] for t in (1, 2, 3) for record in both(item, 1.0 - 0.1 * t, trial=t)]
    tasks = chosen([*fillers, *differ], regression(*ITEMS[:6]))

    assert items(tasks, "random") <= set(ITEMS[6:])  # this gate's draw touches none of them
    trials = {item: sorted(t.trial for t in tasks if t.item_id == item and t.arm == "candidate") for item in ITEMS[:6]}
    assert trials == {item: [2, 3] for item in ITEMS[:4]} | {item: [3] for item in ITEMS[4:6]}


def test_a_reason_without_items_stands_for_the_worst_items_of_its_slice() -> None:
    records = [record for item in ITEMS for record in both(item, 0.0 if item in {"i05", "i06"} else 1.0)]
    tasks = chosen(records, regression(slice_="odd"))

    assert "i05" in items(tasks, "decided") | items(tasks, "random")
    assert {SLICES[item] for item in items(tasks, "decided")} == {"odd"}


def test_an_undecided_gate_asks_about_the_open_slices_first_where_the_arms_disagree() -> None:
    records = [record for item in ITEMS for record in both(item, 0.2 if item in {"i10", "i11"} else 0.9)]
    slices = {"even": {"state": "certified"}, "odd": {"state": "open"}}
    tasks = chosen(records, verdict("INCONCLUSIVE", Reason("undecided", "the cap is reached"), slices=slices))

    assert {SLICES[item] for item in items(tasks, "decided")} == {"odd"}
    assert "i11" in items(tasks, "decided") | items(tasks, "random")


def test_an_undecided_gate_without_open_slices_asks_where_the_arms_disagree_most() -> None:
    records = [record for item in ITEMS for record in both(item, 0.2 if item in {"i10", "i11"} else 0.9)]
    tasks = chosen(records, verdict("INCONCLUSIVE", Reason("undecided", "the cap is reached")))

    assert {"i10", "i11"} <= items(tasks, "decided") | items(tasks, "random")
    assert len(items(tasks, "decided")) == DECIDED_PAIRS


def test_without_an_incumbent_the_worst_answers_of_the_candidate_are_asked_about() -> None:
    records = [traced(answered(item, 0.1 if item == "i12" else 0.9)) for item in ITEMS]
    tasks = chosen(records, verdict("INCONCLUSIVE", Reason("undecided", "the cap is reached")))

    assert "i12" in items(tasks, "decided") | items(tasks, "random")
    assert {task.arm for task in tasks} == {"candidate"}
    assert len(tasks) == DECIDED_PAIRS + RANDOM_PAIRS


@pytest.mark.parametrize("code", ["latency_p95_ms", "error_rate", "superseded", "evidence_missing"])
def test_what_scores_did_not_decide_is_not_for_people_to_judge(code: str) -> None:
    tasks = chosen(everywhere(), verdict("FAIL", Reason(code, "m", items=("i01",))))

    assert items(tasks, "decided") == set()
    assert len(items(tasks, "random")) == RANDOM_PAIRS


def test_an_error_rate_that_is_not_settled_is_not_for_people_to_judge() -> None:
    undecided = Reason("undecided", "not certified", "error_rate", items=("i01",))

    assert items(chosen(everywhere(), verdict("INCONCLUSIVE", undecided)), "decided") == set()


def test_a_note_decides_nothing() -> None:
    tasks = chosen(everywhere(), verdict("FAIL", Reason("must_pass_muted", "m", items=("i01",))))

    assert items(tasks, "decided") == set()


def test_a_pass_asks_about_a_random_share_only() -> None:
    assert items(chosen(everywhere(), verdict("PASS")), "decided") == set()


def test_answers_without_score_or_trace_cannot_be_asked_about() -> None:
    lost = [replace(record, trace_id="") for record in both("i02", 0.0)]
    failed = [traced(errored("i00")), traced(answered("i00", arm="incumbent")), traced(errored("i01", "judge"))]
    stored = replace(traced(answered("i03")), key=TrialKey("i03", 1, "candidate"))
    tasks = chosen([*lost, *failed, stored], regression("i00", "i01", "i02", "i03"))

    assert [(task.item_id, task.arm) for task in tasks] == [("i03", "candidate")]


def test_a_pair_whose_incumbent_erred_is_asked_about_by_the_candidates_answer() -> None:
    records = [traced(answered("i04", 0.0)), traced(errored("i04", arm="incumbent"))]

    assert [(task.item_id, task.arm) for task in chosen(records, regression("i04"))] == [("i04", "candidate")]


def test_a_gate_without_answers_asks_nothing() -> None:
    assert chosen([], regression("i00")) == ()
