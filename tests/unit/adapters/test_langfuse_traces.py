"""What is read of a production trace's input and output before anybody is asked to review it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.adapters.langfuse_traces import LangfuseTraces
from flywheel.domain.live_trace import TraceHead, TraceTexts
from tests.unit.adapters.langfuse_double import FakeLangfuse, answer

AT = datetime(2026, 12, 1, tzinfo=UTC)


def texts(given: Any, gave: Any) -> TraceTexts:
    rows = [{"traceId": "t", "input": json.dumps(given), "output": json.dumps(gave)}]
    langfuse = FakeLangfuse(lambda _: answer({"data": rows, "meta": {}}))
    return LangfuseTraces(langfuse.api(), "prd").texts([TraceHead("t", AT)])["t"]


@pytest.mark.parametrize(
    ("given", "gave"),
    [
        ({"prompt": "Why?"}, {"result": "I can't help with that."}),
        ([{"role": "user", "content": "Why?"}], [{"type": "text", "text": "I can't help with that."}]),
        (
            {"messages": [{"type": "human", "content": "Why?"}]},
            {"messages": [{"type": "ai", "content": [{"type": "text", "text": "I can't help with that."}]}]},
        ),
    ],
)
def test_question_and_answer_are_read_in_the_forms_of_other_agents(given: Any, gave: Any) -> None:
    assert texts(given, gave) == TraceTexts("Why?", "I can't help with that.")


@pytest.mark.parametrize("given", [{"order_id": 7}, None, {"question": "x" * 10_001}, {"question": "a\u0000b"}])
def test_an_input_of_which_no_golden_item_can_come_says_why(given: Any) -> None:
    assert texts(given, "fine").unreadable


def test_a_trace_whose_texts_are_too_much_says_so() -> None:
    langfuse = FakeLangfuse(lambda _: answer({"message": "too much", "error": "x"}, 422))

    assert (
        "more than Langfuse gives" in LangfuseTraces(langfuse.api(), "prd").texts([TraceHead("t", AT)])["t"].unreadable
    )
