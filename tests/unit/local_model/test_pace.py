"""How long a call takes: by size and tokens, bounded; nothing for the stand-ins, on whose time the gate's own rests."""

import pytest

from local.model.pace import LONGEST_S, pace_s

SMALL, MEDIUM, LARGE = "amazon.nova-micro-v1:0", "openai.gpt-oss-20b-1:0", "anthropic.claude-sonnet-4-20250514-v1:0"


def test_a_larger_model_is_slower_at_the_same_call() -> None:
    small, medium, large = (pace_s(model_id, 2000, 100) for model_id in (SMALL, MEDIUM, LARGE))

    assert 0 < small < medium < large


@pytest.mark.parametrize("model_id", [SMALL, MEDIUM, LARGE])
def test_tokens_take_time_those_that_are_written_more_than_those_that_are_read(model_id: str) -> None:
    idle, reads, writes = (pace_s(model_id, *tokens) for tokens in ((0, 0), (100, 0), (0, 100)))

    assert idle < reads < writes


def test_no_call_takes_longer_than_the_bound() -> None:
    assert pace_s(LARGE, 8_000_000, 1_000_000) == LONGEST_S


@pytest.mark.parametrize("model_id", ["local.extractive-large", "local.judge", "local.haiku"])
def test_the_stand_ins_of_the_local_stack_answer_at_once(model_id: str) -> None:
    assert pace_s(model_id, 100_000, 100_000) == 0.0
