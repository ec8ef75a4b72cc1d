import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import (
    FactScore,
    Stage,
    ToolCall,
    TrialError,
    TrialKey,
    TrialRecord,
    Usage,
    dump_records,
    load_records,
)
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import answered, errored

words = st.text(max_size=20)
counts = st.integers(0, 10**9)
keys = st.builds(TrialKey, words, st.integers(1, 100), st.sampled_from(["candidate", "incumbent"]))
shares = st.floats(0, 1)
stages: st.SearchStrategy[Stage] = st.sampled_from(["deploy", "invoke", "judge"])
records = st.one_of(
    st.builds(
        TrialRecord,
        key=keys,
        outcome=st.sampled_from(["answered", "refused"]),
        scores=st.dictionaries(st.sampled_from(["correctness", "refusal"]), shares),
        facts=st.lists(st.builds(FactScore, words, st.sampled_from("ABCDE"), shares, words), max_size=2).map(tuple),
        answer=words,
        stop_reason=words,
        trajectory=st.lists(st.builds(ToolCall, words, words, st.booleans()), max_size=2).map(tuple),
        usage=st.builds(Usage, counts, counts, counts),
        latency_ms=st.none() | counts,
        cost_usd=st.none() | st.floats(0, 100),
        trace_id=words,
    ),
    st.builds(
        TrialRecord,
        key=keys,
        outcome=st.just("errored"),
        error=st.builds(TrialError, stages, words, words),
        answer=words,
    ),
)


@given(st.lists(records, max_size=4))
def test_records_survive_their_file(written: list[TrialRecord]) -> None:
    text = dump_records(written)
    assert load_records(text) == written
    assert load_records(text.encode()) == written


def changed(**changes: Any) -> str:
    [record] = json.loads(dump_records([answered()]))
    return json.dumps([{key: value for key, value in (record | changes).items() if value is not ...}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("{}", "valid array"),
        ("[1]", "0: Input should be"),
        (changed(surprise=1), "0.surprise: Unexpected"),
        (changed(key=...), "0.key: Field required"),
        (changed(key={"item_id": "a", "trial": "1", "arm": "candidate"}), "0.key.trial"),
        (changed(key={"item_id": "a", "trial": 1, "arm": "spare"}), "0.key.arm"),
        (changed(outcome="fine"), "0.outcome"),
        (changed(outcome="errored"), "exactly when its outcome is errored"),
        (changed(scores={"correctness": 1.5}), "outside"),
        (changed(scores={"correctness": float("nan")}), "finite number"),
        (changed(cost_usd=float("inf")), "finite number"),
        (changed(latency_ms=1.5), "0.latency_ms"),
        (changed(answer=None), "0.answer"),
    ],
)
def test_a_wrong_file_is_refused_by_place(text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a results file") as caught:
        load_records(text)
    assert message in str(caught.value)


def test_a_file_full_of_mistakes_makes_a_short_message() -> None:
    with pytest.raises(InvalidRequestError, match="and 9996 more") as caught:
        load_records(json.dumps([1] * 10_001))
    assert len(str(caught.value)) < 1000


def test_what_was_refused_is_not_repeated_in_the_message() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        load_records(changed(answer=["a secret"]))
    assert "a secret" not in str(caught.value)


def test_an_errored_trial_has_an_error_and_no_scores() -> None:
    key = TrialKey("a", 1, "candidate")
    with pytest.raises(ValueError, match="no scores"):
        TrialRecord(key, "errored", {"correctness": 0.0}, error=TrialError("invoke", "x", "y"))
    with pytest.raises(ValueError, match="exactly when"):
        TrialRecord(key, "answered", error=TrialError("invoke", "x", "y"))
    with pytest.raises(ValueError, match="exactly when"):
        TrialRecord(key, "errored")
    assert errored().scores == {}
