from flywheel.domain.policy import GatePolicy
from flywheel.foresight import foresee

ITEMS = {f"item-{n}": f"slice-{n % 3}" for n in range(60)}


def test_an_equal_candidate_is_expected_to_pass_long_before_the_cap() -> None:
    seen = foresee(GatePolicy(), ITEMS, design="paired", wave_pairs=25)
    assert seen.cap_pairs == 720
    assert 60 <= seen.expected_pairs <= seen.pairs_p95 < 360
    assert seen.equal_passed >= 0.9
    assert seen.equal_failed <= 0.08
    assert seen.smallest_drop is not None
    assert 0.04 <= seen.smallest_drop <= 0.15


def test_the_same_plan_foresees_the_same() -> None:
    assert foresee(GatePolicy(), ITEMS, design="cached", wave_pairs=50) == foresee(
        GatePolicy(), ITEMS, design="cached", wave_pairs=50
    )


def test_a_cap_that_decides_nothing_sees_no_drop() -> None:
    seen = foresee(GatePolicy(max_trials=1), dict(list(ITEMS.items())[:6]), design="one_sample", wave_pairs=50)
    assert (seen.equal_passed, seen.smallest_drop) == (0.0, None)
