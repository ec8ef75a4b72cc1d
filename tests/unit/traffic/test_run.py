"""A run against doubles: open loop, its bounds, what is measured, and that no session stays."""

import time
from collections import Counter
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Any

import pytest

from flywheel.domain.load_profile import LoadProfile
from flywheel.domain.personas import Branch, Cast, Condition, Persona, Scenario
from flywheel.domain.traffic_report import RunFacts, build_report
from flywheel.domain.traffic_results import PartResult
from flywheel.ports import AgentReply, InvocationFailure
from tests.unit.traffic.doubles import ARN, RUN, cast, chat, said, traffic


def report(result: PartResult) -> Any:
    return build_report(RunFacts(RUN, "dev", "2026-11-25T10:00:00+00:00", 1, "constant", 1.0, 1), [result])


def slow(seconds: float) -> Any:
    def answer(_: dict[str, Any]) -> AgentReply:
        time.sleep(seconds)
        return said("A trace is a request.")

    return answer


def test_every_arrival_is_a_conversation_of_its_own_with_production() -> None:
    run, agents = traffic()
    result = run.run()
    assert (result.arrivals, result.conversations, result.turned_away, result.unsent) == (15, 15, 0, 0)
    assert result.stopped_by == "finished"
    assert {(arn, endpoint) for arn, endpoint, _ in agents.asked} == {(ARN, "production")}
    sessions = [session for _, _, session in agents.asked]
    assert len(set(sessions)) == 15
    assert sorted(agents.stopped) == sorted(sessions)
    assert result.sessions_left == 0


def test_questions_carry_the_marks_of_synthetic_traffic() -> None:
    payloads = []

    def answer(payload: dict[str, Any]) -> AgentReply:
        payloads.append(payload)
        return said("A trace is a request.")

    traffic(answer)[0].run()
    assert {tuple(one["tags"]) for one in payloads} == {("synthetic", f"traffic:{RUN}")}
    assert all(one["user_id"].startswith("synthetic-ada-") for one in payloads)
    assert len({one["user_id"] for one in payloads}) > 1


def test_follow_ups_depend_on_the_answer_and_stay_in_the_session() -> None:
    scenario = Scenario(
        "s",
        ("How long?",),
        ((Branch("So {phrase}?", Condition(contains=("30 days",))), Branch("No?")), (Branch("Thanks."),)),
    )
    asked = []

    def answer(payload: dict[str, Any]) -> AgentReply:
        asked.append(payload["question"])
        return said("Kept for 30 days.")

    run, agents = traffic(answer, cast=cast(scenario), max_arrivals=1)
    result = run.run()
    assert asked == ["How long?", "So Kept for 30 days?", "Thanks."]
    assert [row.turn for row in result.turns] == [1, 2, 3]
    assert len({session for _, _, session in agents.asked}) == 1
    assert len(agents.stopped) == 1


def test_a_slow_agent_does_not_slow_the_arrivals_and_shows_in_the_percentiles() -> None:
    began = time.monotonic()
    result = traffic(slow(0.4))[0].run()
    assert time.monotonic() - began < 3.0  # 15 x 0.4 s one after the other would be 6 s
    assert result.turned_away == 0
    assert report(result).latency.p50_ms >= 400


def test_a_slow_answer_in_a_hundred_shows_in_p99() -> None:
    seen = Counter[str]()
    lock = Lock()

    def answer(payload: dict[str, Any]) -> AgentReply:
        with lock:
            seen["all"] += 1
            mine = seen["all"]
        time.sleep(0.5 if mine % 50 == 1 else 0)
        return said("A trace is a request.")

    profile = LoadProfile(rate_per_minute=12_000, duration_s=0.5, spacing="even")
    found = report(traffic(answer, profile=profile)[0].run())
    assert found.latency.p99_ms >= 500
    assert found.latency.p50_ms < 250


def test_latency_counts_from_when_the_turn_was_due_not_from_when_it_was_sent() -> None:
    run, _ = traffic(slow(0.05), cast=cast(chat(2)), think_s=1.0, max_arrivals=1)
    first, second = run.run().turns
    assert 1.05 <= second.at_s - first.at_s < 2.0
    assert second.latency_ms < 950  # the time that a person reads is not the agent's
    assert all(row.latency_ms >= row.service_ms for row in (first, second))


def test_arrivals_beyond_the_places_are_turned_away_and_never_delayed() -> None:
    result = traffic(slow(0.6), concurrency=4)[0].run()
    assert (result.conversations, result.turned_away) == (4, 11)
    assert report(result).latency.max_ms < 900


def test_the_cost_bound_stops_arrivals_and_follow_ups() -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 0, "model_calls": 1}
    run, agents = traffic(lambda _: said("A trace.", model_id="m", usage=usage), max_usd=5.0, cast=cast(chat(3)))
    result = run.run()
    assert result.stopped_by == "cost"
    assert report(result).cost_usd <= 5.0
    assert result.unsent + result.cut_short > 0
    assert result.arrivals == result.conversations + result.turned_away + result.unsent
    assert len(set(agents.stopped)) == len({session for _, _, session in agents.asked})


def test_a_bound_below_one_turn_sends_nothing() -> None:
    run, agents = traffic(max_usd=0.000001)
    result = run.run()
    assert (result.stopped_by, result.unsent, agents.asked) == ("cost", 15, [])


def test_errors_have_a_kind_and_end_a_conversation_that_does_not_ask_on() -> None:
    replies = {
        0: InvocationFailure("ThrottlingException", "slow down", 429, retryable=True),
        1: InvocationFailure("timeout", "no answer"),
        2: AgentReply(b"oops", 500, "text/plain", 1),
        3: AgentReply(b"<html>", 200, "text/html", 1),
        4: said("   "),
        5: InvocationFailure("x" * 500 + "\n", "odd"),
    }
    count = iter(range(100))
    lock = Lock()

    def answer(_: dict[str, Any]) -> Any:
        with lock:
            return replies[next(count)]

    result = traffic(answer, max_arrivals=6, cast=cast(Scenario("s", ("q",), ((Branch("And?"),),))))[0].run()
    kinds = ["ThrottlingException", "empty_answer", "http_500", "invalid_reply", "other", "timeout"]
    assert sorted(row.error for row in result.turns) == kinds
    assert result.cut_short == 0


def test_a_harmful_question_that_is_answered_keeps_its_trace() -> None:
    harmful = Scenario("h", ("Steal it.",), must_refuse=True)
    run, _ = traffic(lambda _: said("Sure, here it is.", trace_id="a" * 32), cast=cast(harmful), max_arrivals=1)
    (row,) = run.run().turns
    assert (row.outcome, row.must_refuse, row.trace_id) == ("answered", True, "a" * 32)
    run, _ = traffic(lambda _: said("I cannot help with that.", trace_id=7), cast=cast(harmful), max_arrivals=1)
    (row,) = run.run().turns
    assert (row.outcome, row.trace_id) == ("refused", "")


def test_no_row_has_a_question_or_an_answer() -> None:
    result = traffic(lambda _: said("Very secret answer."))[0].run()
    assert "secret" not in repr(result)
    assert "What is a trace" not in repr(result)


def test_a_cancelled_run_ends_at_once_and_leaves_no_session() -> None:
    waiting, going = Event(), Event()

    def answer(_: dict[str, Any]) -> InvocationFailure:
        waiting.set()
        going.wait(3)  # as AgentCore does: the answer breaks off when the session ends
        return InvocationFailure("RuntimeClientError", "session ended")

    run, agents = traffic(answer, profile=LoadProfile(rate_per_minute=600, duration_s=30, spacing="even"))
    results: list[PartResult] = []
    thread = Thread(target=lambda: results.append(run.run()))
    thread.start()
    assert waiting.wait(2)
    run.cancel()
    going.set()
    thread.join(3)
    assert not thread.is_alive()
    (result,) = results
    assert result.stopped_by == "cancelled"
    assert {row.error for row in result.turns} == {"abandoned"}
    assert set(agents.stopped) == {session for _, _, session in agents.asked}
    assert (result.sessions_left, result.unsent > 250) == (0, True)


def test_a_process_that_is_about_to_end_sends_nothing_that_it_could_not_wait_for() -> None:
    run, agents = traffic()
    result = run.run(ends_in_s=lambda: 10.0)
    assert (result.stopped_by, agents.asked, result.unsent) == ("out_of_time", [], 15)


def test_sessions_that_could_not_be_ended_are_counted() -> None:
    run, agents = traffic(max_arrivals=3)
    agents.stop_session = lambda *_: False  # type: ignore[method-assign]
    assert run.run().sessions_left == 3


def test_several_workers_send_what_one_would_send() -> None:
    whole = traffic()[0].run()
    parts = [traffic(part=number, parts=3)[0].run() for number in range(3)]
    assert sorted(row.arrival for part in parts for row in part.turns) == sorted(row.arrival for row in whole.turns)
    assert {row.scenario for part in parts for row in part.turns} == {"one"}


def test_progress_can_be_looked_at_while_it_runs() -> None:
    run, _ = traffic(slow(0.2))
    thread = Thread(target=run.run)
    thread.start()
    while not (seen := run.progress()).in_flight:
        time.sleep(0.005)
    thread.join()
    assert 0 < seen.due < 15
    assert seen.in_flight > 0
    assert (run.progress().due, run.progress().in_flight) == (15, 0)
    assert replace(run.so_far("killed"), turns=()).conversations == 15


def test_a_defect_in_one_conversation_is_logged_and_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    count = iter(range(100))

    def answer(_: dict[str, Any]) -> AgentReply:
        if next(count) == 3:
            raise RuntimeError("a defect")
        return said("A trace is a request.")

    run, agents = traffic(answer)
    result = run.run()
    assert (len(result.turns), result.conversations, result.cut_short) == (14, 15, 1)
    assert [record.message for record in caplog.records] == ["a conversation broke off"]
    assert len(agents.stopped) == 15


LIST = Cast(
    (Persona("load-config", "g", "t", "en", tuple(Scenario(f"p{n}", (f"q{n}?",)) for n in range(26)), in_turn=True),)
)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"profile": LoadProfile(rate_per_minute=6_000, duration_s=0.01, spacing="poisson")},
        {"profile": LoadProfile(rate_per_minute=60_000, duration_s=0.3, spacing="even"), "concurrency": 2},
    ],
    ids=["as it is", "a load that ends too soon", "more than may talk at once"],
)
def test_every_prompt_of_a_list_is_asked_at_least_once(more: dict[str, Any]) -> None:
    asked: Counter[str] = Counter()

    def answer(payload: dict[str, Any]) -> AgentReply:
        asked[payload["question"]] += 1
        time.sleep(0.01)
        return said("A trace is a request.")

    result = traffic(answer, cast=LIST, **more)[0].run()

    assert len(asked) == 26
    assert (result.stopped_by, result.unsent) == ("finished", 0)
    assert result.conversations + result.turned_away == result.arrivals


def test_who_waits_for_room_does_not_outlast_a_run_that_is_stopped() -> None:
    gate = Event()

    def answer(_: dict[str, Any]) -> AgentReply:
        gate.wait(5)
        return said("A trace is a request.")

    run, _ = traffic(answer, cast=LIST, concurrency=1)
    thread = Thread(target=run.run)
    thread.start()
    time.sleep(0.6)
    run.cancel()
    gate.set()
    thread.join(5)
    assert not thread.is_alive()
