"""Scores of Langfuse's own evaluators: in batches, over all pages, each once, whatever the server sends."""

from typing import Any

import pytest

from flywheel.adapters.langfuse import Reply
from flywheel.adapters.langfuse_late_scores import LangfuseLateScores
from flywheel.errors import LangfuseAccessError
from tests.unit.adapters.langfuse_double import Answer, FakeLangfuse, Request, answer


def score(trace: str, value: Any = 1.0, name: str = "helpful", **more: Any) -> dict[str, Any]:
    subject = {"kind": "observation", "id": "span", "traceId": trace}
    return {"name": name, "value": value, "source": "EVAL", "subject": subject} | more


def page(*scores: Any, cursor: str | None = None) -> Reply:
    return answer({"data": list(scores), "meta": {"cursor": cursor} if cursor else {}})


def late(*answers: Answer) -> tuple[FakeLangfuse, LangfuseLateScores]:
    left = list(answers)
    server = FakeLangfuse(lambda _: left.pop(0) if len(left) > 1 else left[0])
    return server, LangfuseLateScores(server.api())


def test_evaluators_scores_are_asked_for_by_trace_name_and_source() -> None:
    server, source = late(page(score("t1", 0.5), score("t2", 1, subject={"kind": "trace", "id": "t2"})))
    assert source.read(["t1", "t2"], ["helpful"], deadline_s=5) == ({"helpful": {"t1": 0.5, "t2": 1.0}}, None)
    assert server.requests[0].query == {
        "traceId": ["t1,t2"],
        "source": ["EVAL"],
        "fields": ["subject"],
        "limit": ["100"],
        "name": ["helpful"],
    }


def test_a_hundred_traces_go_into_one_request_and_all_pages_are_read() -> None:
    traces = [f"t{n}" for n in range(150)]

    def respond(request: Request) -> Answer:
        asked = request.query["traceId"][0].split(",")
        if "cursor" in request.query:
            return page(*(score(trace) for trace in asked[50:]))
        return page(*(score(trace) for trace in asked[:50]), cursor="next")

    server = FakeLangfuse(respond)
    found, broke_off = LangfuseLateScores(server.api()).read(traces, ["helpful"], deadline_s=60)
    assert (set(found["helpful"]), broke_off) == (set(traces), None)
    assert [len(r.query["traceId"][0].split(",")) for r in server.requests] == [100, 100, 50, 50]


def test_of_two_scores_of_a_trace_the_newest_counts() -> None:
    _, source = late(page(score("t1", 0.9), score("t1", 0.1)))
    assert source.read(["t1"], ["helpful"], deadline_s=5)[0] == {"helpful": {"t1": 0.9}}


@pytest.mark.parametrize(
    "odd",
    [
        score("t2"),
        score("t1", name="other"),
        score("t1", "good"),
        score("t1", None),
        score("t1", float("nan")),
        score("t1", float("inf")),
        score("t1", 10**400),
        score("t1", [1]),
        score("t1", source="API"),
        score("t1", subject=None),
        score("t1", subject={"kind": "trace"}),
        score("t1", subject={"kind": "trace", "id": ["t1"]}),
        score("t1") | {"name": None},
        "text",
        None,
    ],
)
def test_what_is_no_number_of_this_trace_and_name_is_passed_over(odd: Any) -> None:
    _, source = late(page(odd, score("t1", 0.25)))
    assert source.read(["t1"], ["helpful"], deadline_s=5) == ({"helpful": {"t1": 0.25}}, None)


def test_a_boolean_is_one_or_nothing() -> None:
    _, source = late(page(score("t1", value=True), score("t2", value=False)))
    assert source.read(["t1", "t2"], ["helpful"], deadline_s=5)[0] == {"helpful": {"t1": 1.0, "t2": 0.0}}


def test_a_name_with_a_comma_is_not_asked_for_and_found_all_the_same() -> None:
    server, source = late(page(score("t1", name="right, and short")))
    assert source.read(["t1"], ["right, and short"], deadline_s=5)[0] == {"right, and short": {"t1": 1.0}}
    assert "name" not in server.requests[0].query


def test_what_was_found_before_it_broke_off_is_kept() -> None:
    limited = answer({"message": "slow down"}, 429, retry_after="60")
    _, source = late(page(score("t0")), limited)
    found, broke_off = source.read([f"t{n}" for n in range(101)], ["helpful"], deadline_s=5)
    assert found == {"helpful": {"t0": 1.0}}
    assert broke_off is not None
    assert broke_off.retry_after_s == 60


@pytest.mark.parametrize(
    "broken", [ConnectionRefusedError("down"), Reply(200, {}, b"<html>"), answer([]), answer({"data": "x"})]
)
def test_a_server_that_does_not_answer_properly_may_answer_later(broken: Answer) -> None:
    _, source = late(broken)
    found, broke_off = source.read(["t1"], ["helpful"], deadline_s=2)
    assert found == {"helpful": {}}
    assert broke_off is not None


def test_keys_that_are_refused_are_no_matter_of_time() -> None:
    _, source = late(answer({"message": "Invalid credentials"}, 401))
    with pytest.raises(LangfuseAccessError):
        source.read(["t1"], ["helpful"], deadline_s=2)


def test_a_server_that_turns_its_pages_for_ever_is_left() -> None:
    pages = iter(range(10**9))
    server = FakeLangfuse(lambda _: page(score("t1"), cursor=str(next(pages))))
    assert LangfuseLateScores(server.api()).read(["t1"], ["helpful"], deadline_s=60)[1] is None
    assert len(server.requests) == 100


def test_the_deadline_holds_between_pages_too() -> None:
    pages = iter(range(10**9))
    server = FakeLangfuse(lambda _: page(score("t1"), cursor=str(next(pages))), takes_s=3)
    found, broke_off = LangfuseLateScores(server.api()).read(["t1"], ["helpful"], deadline_s=8)
    assert found == {"helpful": {"t1": 1.0}}
    assert broke_off is not None
    assert len(server.requests) == 3
