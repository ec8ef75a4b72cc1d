import re

from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import TrialKey
from flywheel.evaluation import identity

keys = st.builds(
    TrialKey,
    item_id=st.text(min_size=1, max_size=255),
    trial=st.integers(1, 10_000),
    arm=st.sampled_from(["candidate", "incumbent"]),
)


@given(keys)
def test_ids_have_the_form_that_their_readers_take(key: TrialKey) -> None:
    session = identity.session_id("g-20260504t120000-0123abcd", key)
    assert re.fullmatch(r"[a-z0-9-]{33,256}", session)
    assert re.fullmatch(r"[0-9a-f]{32}", identity.trace_id("g", key))
    assert re.fullmatch(r"[0-9a-f]{16}", identity.root_span_id("g", key))
    assert re.fullmatch(r"s-[0-9a-f]{32}", identity.score_id("g", key, "correctness"))


@given(keys, keys)
def test_two_trials_share_no_id_and_a_repetition_has_the_same(one: TrialKey, other: TrialKey) -> None:
    same = one == other
    for make in (identity.session_id, identity.trace_id, identity.root_span_id):
        assert (make("g", one) == make("g", other)) is same
        assert make("g", one) == make("g", one)


def test_parts_that_read_alike_when_joined_are_told_apart() -> None:
    one, other = TrialKey("a1", 1, "candidate"), TrialKey("a", 11, "candidate")

    assert identity.trace_id("g", one) != identity.trace_id("g", other)
    assert identity.trace_id("g1", TrialKey("x", 1, "candidate")) != identity.trace_id(
        "g", TrialKey("1x", 1, "candidate")
    )


def test_all_shards_of_an_arm_write_to_one_experiment_and_the_other_arm_has_its_own() -> None:
    assert identity.experiment_id("g-1", "candidate") == identity.experiment_id("g-1", "candidate")
    assert identity.experiment_id("g-1", "candidate") != identity.experiment_id("g-1", "incumbent")


def test_what_differs_comes_first_in_the_name_and_the_ids_keep_it_the_only_one() -> None:
    assert identity.labels("g-1", "candidate").experiment_name == "candidate g-1"
    assert identity.labels("x-1.c08", "candidate").experiment_name == "c08 x-1"
    assert identity.labels("x-1.c08", "candidate", "nova-pro, top_k 5").experiment_name == "nova-pro, top_k 5, c08 x-1"
