import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import TrialKey
from flywheel.domain.review import Review, dump_reviews, load_reviews
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import review

names = st.text(min_size=1, max_size=20)
shares = st.floats(0, 1)
reviews = st.builds(
    Review,
    gate_id=names,
    item_id=names,
    trial=st.integers(1, 100),
    arm=st.sampled_from(["candidate", "incumbent"]),
    trace_id=st.text(max_size=20),
    judge_version=names,
    judge_score=shares,
    human_score=shares,
    chosen=st.sampled_from(["random", "decided"]),
    reviewer=st.text(max_size=20),
    reviewed_at=st.datetimes().map(lambda moment: f"{moment.isoformat()}+00:00"),
)


@given(st.lists(reviews, max_size=4))
def test_reviews_survive_their_file(written: list[Review]) -> None:
    text = dump_reviews(written)
    assert load_reviews(text) == written
    assert load_reviews(text.encode()) == written


def changed(**changes: Any) -> str:
    [plain] = json.loads(dump_reviews([review()]))
    return json.dumps([{key: value for key, value in (plain | changes).items() if value is not ...}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("{}", "valid array"),
        (changed(surprise=1), "0.surprise: Unexpected"),
        (changed(trace_id=...), "0.trace_id: Field required"),
        (changed(human_score=1.5), "outside"),
        (changed(judge_score=float("nan")), "finite number"),
        (changed(human_score="1"), "0.human_score"),
        (changed(chosen="liked"), "0.chosen"),
        (changed(trial=0), "count from 1"),
        (changed(judge_version=""), "version of the judge"),
        (changed(reviewed_at="yesterday"), "Invalid isoformat"),
        (changed(reviewed_at="2026-11-25T12:00:00"), "without its zone"),
    ],
)
def test_a_wrong_file_is_refused_by_place(text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a file of reviews") as caught:
        load_reviews(text)
    assert message in str(caught.value)


def test_a_review_names_the_trial_that_it_is_of() -> None:
    assert review("a", trial=2, arm="incumbent").key == TrialKey("a", 2, "incumbent")
