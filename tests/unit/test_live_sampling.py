"""The sampler of production traffic when it is disturbed: nothing is lost, nobody asked twice, never too much."""

import json
import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts, Window
from flywheel.domain.sampling_settings import parse_sampling
from flywheel.domain.synthetic import SYNTHETIC_TAG
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import InvalidRequestError, TransientError
from flywheel.live_figures import figures
from flywheel.live_sampling import checked_environment
from flywheel.ports import Alert
from tests.fakes.answer_judge import WordJudge
from tests.fakes.clock import NOON
from tests.fakes.live import LOOK
from tests.live_world import LiveWorld, head

QUARTER_S = 900


def world(traces: int = 60, **changes: object) -> LiveWorld:
    made = LiveWorld(settings=json.dumps({"review_budget_per_day": 10, "shortlist": 20} | changes))
    for number in range(traces):
        made.traces.add(head(number, NOON - timedelta(seconds=120 + number)))
    return made


def killed(_: str) -> None:
    raise KeyboardInterrupt


def test_a_window_is_drawn_within_the_pace_of_the_day_and_each_draw_leaves_its_probability() -> None:
    here = world()
    outcome = here.run()

    assert outcome.state == "drawn"
    assert outcome.queued == len(here.queued()) == 5  # half of the day is over, so half of the budget may be spent
    assert set(here.ledger.rows) == set(here.queued())
    for trace, row in here.ledger.rows.items():
        score = here.scores.scores[f"review_sampled-{trace}"]
        assert row.inclusion_probability is not None
        assert 0 < row.inclusion_probability <= 1
        assert (score.name, score.value) == ("review_sampled", row.inclusion_probability)
        assert {"source", "stratum", "reasons", "risk", "run"} == set(score.metadata)
    assert here.bus.types == ["TracesSampled"]
    assert here.bus.events[0][1]["seen"] == 60
    assert here.bus.events[0][1]["budget_used"] == 5
    assert here.store.days["2026-11-23"].eligible == 60


def test_a_run_again_asks_nobody_again() -> None:
    here = world()
    here.run()
    before = here.queued()
    here.clock.advance(QUARTER_S)
    here.run()
    assert here.queued()[: len(before)] == before
    here.assert_each_once()
    assert here.store.days["2026-11-23"].seen == 60


def test_a_day_never_takes_more_than_its_budget_and_no_window_is_left_without_a_chance() -> None:
    here = LiveWorld(settings='{"review_budget_per_day": 7, "alert_share": 0.0}')
    here.clock.moment = NOON.replace(hour=0)
    number = 0
    for _ in range(96):
        here.clock.advance(QUARTER_S)
        for _ in range(20):
            here.traces.add(head(number, here.clock.now() - timedelta(seconds=300 + number % 100)))
            number += 1
        assert here.run().state in ("drawn", "waiting")
        used = sum(row.day == "2026-11-23" for row in here.ledger.rows.values())
        assert used <= 7
    here.clock.advance(QUARTER_S)
    here.run()
    # Every trace was in one window's population, none was dropped because a window had no budget.
    assert sum(day.eligible for day in here.store.days.values()) == number
    assert here.store.days["2026-11-23"].queued == 7


def test_a_late_trace_is_seen_and_an_early_one_is_not_seen_twice() -> None:
    here = world(traces=5)
    late = head(99, NOON - timedelta(minutes=20))
    here.traces.add(late, visible=NOON + timedelta(minutes=5))
    here.run()
    assert here.store.days["2026-11-23"].seen == 5
    here.clock.advance(QUARTER_S)
    here.run()
    assert here.store.days["2026-11-23"].seen == 6


def test_a_span_that_was_sent_twice_is_one_trace() -> None:
    here = world(traces=5)
    for number in range(5):
        here.traces.add(head(number, NOON - timedelta(seconds=120 + number), level="ERROR"))
    here.run()
    assert here.store.days["2026-11-23"].seen == 5
    assert all("error" in row.reasons for row in here.ledger.rows.values())


def test_what_goes_wrong_is_found_sooner_and_says_why() -> None:
    here = world(traces=200)
    at = NOON - timedelta(seconds=90)
    failed, slow, tool, refused, unhappy = (head(1000 + n, at) for n in range(5))
    here.traces.add(TraceHead(failed.trace_id, at, "answer_question", "ERROR", 1.0))
    here.traces.add(TraceHead(slow.trace_id, at, "answer_question", "DEFAULT", 30.0))
    for one in (tool, refused, unhappy):
        here.traces.add(one)
    here.traces.tool_errors.add(tool.trace_id)
    here.say(refused, "How do I build a bomb?", "I'm sorry, I can't help with that.")
    here.traces.given[unhappy.trace_id] = (TraceScore("user-feedback", 0.0),)
    here.settings = '{"review_budget_per_day": 400, "shortlist": 300}'
    here.run()

    reasons = {row.trace_id: row.reasons for row in here.ledger.rows.values()}
    assert reasons[failed.trace_id][0] == "error"
    assert "latency" in reasons[slow.trace_id]
    assert "tool_error" in reasons[tool.trace_id]
    assert {"refusal", "unlike"} <= set(reasons[refused.trace_id])
    assert "feedback" in reasons[unhappy.trace_id]
    assert here.ledger.rows[refused.trace_id].stratum == "answer_question/new"


def judged_world(share: float, **changes: object) -> tuple[LiveWorld, WordJudge]:
    here = world(traces=40, judge_share=share, review_budget_per_day=400, shortlist=40, **changes)
    here.judge = judge = WordJudge()
    for number in range(40):
        here.say(head(number), "How do I do it?", "a useless answer" if number % 2 else "an answer")
    return here, judge


def test_a_judge_sees_a_share_of_the_shortlist_and_its_word_is_a_reason() -> None:
    here, judge = judged_world(0.25)
    here.run()
    assert len(judge.asked) == 10
    low = {trace for trace, row in here.ledger.rows.items() if "judge_low" in row.reasons}
    assert low == {trace for trace in judge.asked if int(trace, 16) % 2}
    assert {row.inclusion_probability for row in here.ledger.rows.values()} == {1.0}


def test_a_judge_is_off_by_default_and_bounded_when_it_is_on() -> None:
    for share, most, expected in ((0.0, 20, 0), (1.0, 7, 7), (1.0, 200, 40)):
        here, judge = judged_world(share, judge_most=most)
        here.run()
        assert len(judge.asked) == expected


def test_the_same_traces_are_judged_whenever_the_window_is_looked_at_again() -> None:
    asked = []
    for _ in range(2):
        here, judge = judged_world(0.2)
        here.run()
        asked.append(judge.asked)
    assert asked[0] == asked[1]


def test_without_texts_and_without_time_nothing_is_judged() -> None:
    here, judge = judged_world(1.0)
    here.traces.said = {}
    here.run()
    late, slow = judged_world(1.0)
    late.traces.before = lambda what: late.clock.advance(200) if what == "texts" else None
    late.run()
    assert (judge.asked, slow.asked) == ([], [])
    assert len(late.queued()) == 40


def test_a_judge_has_no_more_time_than_the_settings_and_the_run_leave_it() -> None:
    for seconds, expected in ((240, 5.0), (63, 3.0)):
        here, judge = judged_world(1.0, judge_deadline_s=5)
        given: list[float] = []
        judge.before = given.append
        here.run(seconds=seconds)
        assert given == [expected]


def test_what_a_judge_says_moves_the_probability_and_never_to_nothing() -> None:
    here, judge = judged_world(1.0)
    here.settings = json.dumps({"review_budget_per_day": 20, "shortlist": 40, "judge_share": 1.0, "judge_most": 40})
    draw = here.run().draw
    assert draw is not None
    assert len(draw.drawn) == 10
    low = [one.inclusion_probability for one in draw.drawn if "judge_low" in one.reasons]
    others = [one.inclusion_probability for one in draw.drawn if "judge_low" not in one.reasons]
    assert all(p is not None and 0 < p < 1 for p in (*low, *others))
    assert min(p for p in low if p is not None) > max(p for p in others if p is not None)
    assert len(judge.asked) == 40


def test_synthetic_traffic_is_left_out_unless_it_is_asked_for() -> None:
    for asked, expected in ((False, 3), (True, 5)):
        here = world(traces=3, include_synthetic=asked)
        for number in (7, 8):
            here.traces.add(head(number, tags=(SYNTHETIC_TAG,)))
        outcome = here.run()
        assert outcome.draw is not None
        assert (outcome.draw.eligible, outcome.draw.seen) == (expected, 5)


@pytest.mark.parametrize("environment", ["langfuse-evaluation", "sdk-experiment", "dev-gate"])
def test_what_is_no_traffic_is_never_sampled(environment: str) -> None:
    with pytest.raises(InvalidRequestError, match="never sampled"):
        checked_environment(environment)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_is_killed_while_it_queues_is_finished_by_the_next(moment: str) -> None:
    here = world()
    setattr(here.queue, f"{moment}_add", killed)
    with pytest.raises(KeyboardInterrupt):
        here.run("first")
    setattr(here.queue, f"{moment}_add", lambda _: None)
    drawn = [key for key in here.objects.keys("sampling/") if "/seen/" not in key]
    here.clock.advance(QUARTER_S)
    here.traces.add(head(500, NOON - timedelta(minutes=3), level="ERROR"))  # came later: the draw stands as it was
    outcome = here.run("second")

    assert [key for key in here.objects.keys("sampling/") if "/seen/" not in key] == drawn
    assert outcome.draw is not None
    assert sorted(here.queued()) == sorted(one.trace_id for one in outcome.draw.drawn)
    assert len(here.scores.scores) == 5
    here.assert_each_once()


def test_what_fails_in_any_step_is_repeated_and_happens_once() -> None:
    for step in ("heads", "failing", "texts", "scores"):
        here = world()
        failures = Counter({step: 1})

        def fail(what: str, failures: Counter[str] = failures) -> None:
            if failures[what]:
                failures[what] -= 1
                raise TransientError("429, and the wait was longer than the deadline")

        here.traces.before = fail
        with pytest.raises(TransientError):
            here.run()
        assert here.run().queued == 5
        here.assert_each_once()
    here = world()
    here.scores.failures, here.bus.failures = 1, 1
    for _ in range(2):
        with pytest.raises(TransientError):
            here.run()
    here.run()
    assert (len(here.queued()), len(here.scores.scores), here.bus.types) == (5, 5, ["TracesSampled"])


def test_two_runs_at_once_are_one() -> None:
    here = world()
    seen = []

    def another(what: str) -> None:
        if what == "heads":
            here.traces.before = lambda _: None
            seen.append(here.run("other").state)

    here.traces.before = another
    assert here.run("one").state == "drawn"
    assert seen == ["busy"]
    here.assert_each_once()


def test_a_run_whose_right_passed_to_another_one_closes_nothing_twice() -> None:
    here = world()

    def overtaken(what: str) -> None:
        if what == "scores":
            here.traces.before = lambda _: None
            here.clock.advance(3600)
            here.run("other")

    here.traces.before = overtaken
    with pytest.raises(TransientError):
        here.run("one")
    here.run("three")
    here.assert_each_once()
    assert here.store.days["2026-11-23"].seen == 60


def test_when_time_is_over_the_next_run_takes_a_shorter_window_until_it_fits() -> None:
    here = LiveWorld(settings='{"review_budget_per_day": 10000, "first_look_h": 1, "overlap_min": 10}', page=10)
    for number in range(120):
        here.traces.add(head(number, NOON - timedelta(seconds=90 + 29 * number)))
    here.traces.before = lambda what: here.clock.advance(10) if what == "heads" else None
    states = []
    for _ in range(30):
        states.append(here.run(seconds=150).state)
        here.clock.advance(30)
    assert states[0] == "unfinished"
    assert sum(day.seen for day in here.store.days.values()) == 120
    here.assert_each_once()


@pytest.mark.parametrize("traces", [40, 400, 1_200])
def test_a_window_of_any_size_is_finished_after_a_bounded_number_of_runs(traces: int) -> None:
    """A run reads 5 pages of 10. What halving costs: the halvings down to what fits, and one failed run a window that
    was read after it, because each window that fits doubles the next.
    """
    settings = '{"review_budget_per_day": 10000, "first_look_h": 48, "overlap_min": 10}'
    here = LiveWorld(settings=settings, page=10)
    span_s = 47 * 3600
    for number in range(traces):
        here.traces.add(head(number, NOON - timedelta(seconds=90 + number * span_s / traces)))
    here.traces.before = lambda what: here.clock.advance(10) if what == "heads" else None
    runs = 0
    while (here.store.look().watermark or NOON - timedelta(days=3)) < NOON - timedelta(seconds=60):
        here.run(seconds=120)
        runs += 1
        assert runs < 500
    assert sum(day.seen for day in here.store.days.values()) == traces
    halvings = math.ceil(math.log2(max(2, traces / 50)))
    assert runs <= halvings + 2 * math.ceil(traces / 25) + 2
    here.assert_each_once()


def test_an_alert_is_looked_at_once_from_a_reserve_and_raises_the_share_until_it_ends() -> None:
    here = world(traces=100, alert_share=0.8)
    here.run()
    own = len(here.queued())
    window = Window(NOON - timedelta(minutes=5), NOON)
    alert = Alert("m-1", NOON, active=True, until=NOON + timedelta(hours=6))
    deadline = NOON + timedelta(minutes=4)
    for _ in range(2):
        here.sampler().alert("a", alert, window, "d-1", deadline=deadline)
    extra = [row for row in here.ledger.rows.values() if row.source == "alert"]
    assert len(extra) == 2
    assert all(row.inclusion_probability is None and "alert" in row.reasons for row in extra)
    assert len(here.queued()) == own + 2

    here.clock.advance(QUARTER_S)
    for number in range(200, 240):
        here.traces.add(head(number, NOON + timedelta(minutes=5)))
    raised = here.run()
    assert raised.draw is not None
    assert raised.draw.budget == 1 + 2  # what the pace allows, and a part of the reserve
    ended = Alert("m-1", here.clock.now(), active=False, until=alert.until)
    assert here.sampler().alert("a", ended, window, "d-2", deadline=deadline).state == "noted"
    assert here.sampler().alert("a", alert, window, "d-3", deadline=deadline).state == "noted"
    here.clock.advance(QUARTER_S)
    after = here.run()
    assert after.draw is not None
    assert after.draw.budget == 1
    here.assert_each_once()


def test_an_alert_that_nobody_ends_ends_by_itself() -> None:
    here = world(alert_h=1)
    alert = Alert("m-1", NOON, active=True, until=NOON + timedelta(days=9))
    here.sampler().alert("a", alert, Window(NOON, NOON), "d-1", deadline=NOON)
    assert here.store.said["m-1"].until == NOON + timedelta(hours=1)


def test_traces_that_are_called_out_are_queued_once_whatever_the_budget_and_may_still_be_drawn() -> None:
    here = world(traces=3, review_budget_per_day=0)
    here.traces.sessions["s-1"] = [head(1).trace_id, head(2).trace_id]
    deadline = NOON + timedelta(minutes=1)
    for delivery in ("d-1", "d-1", "d-2"):
        here.sampler().call_out(delivery, [head(1).trace_id, "f" * 32], ["s-1"], deadline=deadline)
        here.clock.advance(5)
    assert here.bus.types == ["TracesSampled"] * 2  # one for each delivery, however often it came
    assert sorted(here.queued()) == sorted([head(1).trace_id, head(2).trace_id, "f" * 32])
    assert {row.source for row in here.ledger.rows.values()} == {"callout"}
    assert here.sampler().budget().used == 0

    here.settings = '{"review_budget_per_day": 50}'
    here.run()
    assert here.ledger.rows[head(1).trace_id].inclusion_probability == 1.0
    here.assert_each_once()


def test_without_a_budget_nothing_is_read_further_and_traffic_is_still_counted() -> None:
    here = world(review_budget_per_day=0)
    assert here.run().state == "off"
    assert (here.queued(), here.traces.asked["texts"]) == ([], 0)
    assert here.store.days["2026-11-23"].seen == 60


def test_strata_and_reasons_go_to_the_queues_that_are_configured_for_them() -> None:
    here = world(traces=0, routing={"error": "urgent"}, review_budget_per_day=50)
    here.traces.add(head(1, level="ERROR"))
    here.traces.add(head(2))
    here.run()
    assert {row.trace_id: row.queue_name for row in here.ledger.rows.values()} == {
        head(1).trace_id: "urgent",
        head(2).trace_id: "live",
    }


def test_a_preview_writes_nothing() -> None:
    here = world()
    outcome = here.sampler().preview(deadline=NOON + timedelta(minutes=4))
    assert outcome.draw is not None
    assert len(outcome.draw.drawn) == 5
    assert (here.queued(), here.objects.keys(""), here.ledger.rows) == ([], [], {})
    assert {one.trace_id for one in outcome.draw.drawn} == {
        one.trace_id for one in (here.run().draw or outcome.draw).drawn
    }


def test_no_text_of_anybody_is_written_to_objects_or_events() -> None:
    here = world(traces=3)
    for number in range(3):
        here.say(head(number), "my secret question", "my secret answer")
    here.run()
    kept = b"".join(here.objects.read(key) for key in here.objects.keys(""))
    assert b"secret" not in kept
    assert "secret" not in json.dumps(here.bus.events)


def test_the_failure_rate_is_of_what_was_drawn_and_judged() -> None:
    here = world(traces=40, review_budget_per_day=20)
    here.run()
    drawn = list(here.ledger.rows.values())
    for number, row in enumerate(drawn):
        here.ledger.note_harvest(row.trace_id, replace(LOOK, failed=number < 2), seen=None)
    here.sampler().call_out("d", ["f" * 32], [], deadline=NOON + timedelta(minutes=1))
    found = figures(parse_sampling(here.settings), ledger=here.ledger, store=here.store, clock=here.clock)
    assert found.failure_rate.estimate is not None
    assert found.failure_rate.reviews == 10
    assert found.failure_rate.estimate.low <= 0.2 <= found.failure_rate.estimate.high
    assert not found.failure_rate.enough
    assert (found.waiting, found.budget.used) == (1, 10)
    assert found.watermark_lag_s == 60


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.booleans()), max_size=60),
    st.integers(1, 30),
    st.integers(1, 20),
)
def test_every_trace_has_a_chance_and_is_counted_once_however_late_it_comes(
    traffic: list[tuple[int, bool, bool]], budget: int, shortlist: int
) -> None:
    here = LiveWorld(settings=json.dumps({"review_budget_per_day": budget, "shortlist": shortlist}))
    for number, (ago_s, error, late) in enumerate(traffic):
        at = NOON - timedelta(seconds=ago_s)
        visible = NOON + timedelta(minutes=3) if late and ago_s < 1500 else at
        here.traces.add(head(number, at, level="ERROR" if error else "DEFAULT"), visible=visible)
    for _ in range(4):
        here.run()
        here.clock.advance(QUARTER_S)
    here.clock.moment = NOON + timedelta(hours=20)
    here.run()
    assert sum(day.eligible for day in here.store.days.values()) == len(traffic)
    assert all(0 < (row.inclusion_probability or 0) <= 1 for row in here.ledger.rows.values())
    assert max(Counter(row.day for row in here.ledger.rows.values()).values(), default=0) <= budget
    here.assert_each_once()


def test_what_cannot_be_read_is_not_queued_and_is_counted_with_its_reason() -> None:
    here = world(traces=20, shortlist=20)
    for one, _ in here.traces.traces:
        here.traces.said[one.trace_id] = TraceTexts("Why?", "Because.")
    odd = head(3, NOON - timedelta(seconds=123)).trace_id
    here.traces.said[odd] = TraceTexts("", "", "it is empty")

    outcome = here.run()

    assert outcome.draw is not None
    assert outcome.draw.unreadable == {"it is empty": 1}
    assert outcome.queued == len(here.queued()) == 5
    assert odd not in here.queued()
    kept = here.sampler()._draws.find(outcome.draw.run_id)
    assert kept is not None
    assert kept.unreadable == {"it is empty": 1}


def test_an_item_made_by_hand_stops_no_sampling_and_is_named() -> None:
    here = world(traces=20)
    here.datasets.unreadable = (UnreadableItem("ui-1", "no facts", "write facts"),)

    outcome = here.run()

    assert outcome.draw is not None
    assert (outcome.queued, "ui-1" in str(outcome.draw.left_out)) == (5, True)


def test_a_ledger_that_was_lost_queues_nothing_twice_and_asks_the_queue_once() -> None:
    first = world()
    first.run()
    queued = first.queued()
    first.queue.finish(queued[0])  # done already, so that it is among no waiting ones

    lost = LiveWorld(settings=first.settings, queue=first.queue)
    lost.traces = first.traces
    outcome = lost.run()

    assert outcome.draw is not None
    assert {one.trace_id for one in outcome.draw.drawn} == set(queued)
    assert (outcome.queued, lost.queue.looks) == (0, 2)  # once in each run
    lost.assert_each_once()
    assert all(row.queued_at is not None for row in lost.ledger.rows.values())


def test_what_a_person_put_into_the_queue_before_is_not_put_there_again() -> None:
    here = world()
    expected = LiveWorld(settings=here.settings)
    expected.traces = here.traces
    expected.run()
    queue = here.queue.ensure("live")
    here.queue.add(queue.queue_id, expected.queued()[0], tried_since=None)

    outcome = here.run()

    assert outcome.queued == len(expected.queued()) - 1
    assert sorted(here.queued()) == sorted(expected.queued())
    here.assert_each_once()


def test_a_queue_that_does_not_answer_is_asked_again_and_nothing_is_queued_twice() -> None:
    here = world()
    expected = here.queue.holding
    troubles = [TransientError("Langfuse does not answer")]

    def holding(*args: Any, **more: Any) -> frozenset[str]:
        if troubles:
            raise troubles.pop()
        return expected(*args, **more)

    here.queue.holding = holding  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        here.run()
    here.run()

    assert len(here.queued()) == 5
    here.assert_each_once()


def test_a_trace_that_is_called_out_and_cannot_be_read_waits_for_nobody() -> None:
    here = world(traces=3)
    first, odd = (one.trace_id for one, _ in here.traces.traces[:2])
    here.traces.said[odd] = TraceTexts("", "", "it is empty")

    outcome = here.sampler().call_out(
        "d-1", [first, odd, "f" * 32], [], deadline=here.clock.now() + timedelta(minutes=5)
    )

    assert here.queued() == [first, "f" * 32]
    assert outcome.draw is not None
    assert outcome.draw.unreadable == {"it is empty": 1}
