import pytest

from flywheel.domain.claims import ErrorClaim, MeanClaim, WhoErrs


def loss(*, settles: bool = True, pad: float = 0.0) -> MeanClaim:
    return MeanClaim(
        margin=0.1,
        alpha=0.05,
        refuting_alpha=0.05,
        certifying_bets=(0.5, 1.0),
        refuting_bets=(0.3, 0.6),
        pad=pad,
        settles=settles,
    )


def feed(claim: MeanClaim, *differences: float) -> MeanClaim:
    for at, difference in enumerate(differences, start=claim.pairs + 1):
        claim.add(difference, at)
    return claim


def test_no_difference_certifies_and_a_large_loss_refutes() -> None:
    assert feed(loss(), *[0.0] * 60).state == "certified"
    assert feed(loss(), *[-0.8] * 20).state == "refuted"


def test_a_loss_between_nothing_and_the_margin_may_stay_open() -> None:
    assert feed(loss(), *[-0.1] * 20).state == "open"


def test_a_settled_mean_is_frozen() -> None:
    claim = feed(loss(), *[0.0] * 60)
    pairs, at = claim.pairs, claim.at_pairs
    feed(claim, *[-1.0] * 50)
    assert (claim.state, claim.pairs, claim.at_pairs, claim.mean) == ("certified", pairs, at, 0.0)


def test_a_certificate_that_does_not_settle_must_still_stand_and_can_be_refuted() -> None:
    claim = feed(loss(settles=False), *[0.0] * 60)
    assert claim.state == "certified"
    assert feed(claim, -1.0, -1.0).state == "open"
    assert claim.at_pairs is None
    assert feed(claim, *[-1.0] * 20).state == "refuted"


def test_what_is_not_known_of_the_other_side_is_taken_off_both_ways() -> None:
    assert feed(loss(pad=0.05), *[0.0] * 60).state == "open"
    assert feed(loss(pad=0.05), *[-0.05] * 500).state == "open", "a loss that the history may explain proves nothing"


def test_pairs_to_go_follow_what_was_seen() -> None:
    claim = feed(loss(), *[0.0] * 10)
    left = claim.pairs_to_go()
    assert left is not None
    assert feed(claim, *[0.0] * (left + 5)).state == "certified"
    assert claim.pairs_to_go() == 0
    assert feed(loss(), *[-0.1, -0.2] * 10).pairs_to_go() is None


def rate() -> ErrorClaim:
    return ErrorClaim(limit=0.05, alpha=0.05, refuted_rate=0.01, refuting_alpha=0.01)


def test_sixty_three_trials_without_an_error_certify_the_rate() -> None:
    claim = rate()
    assert claim.trials_to_go() == 63
    for at in range(1, 64):
        claim.add(errored=False, at=at)
    assert (claim.state, claim.at_pairs, claim.rate) == ("certified", 63, 0.0)
    assert claim.trials_to_go() == 0


def test_an_error_rate_that_was_certified_opens_again_and_is_refuted_when_errors_begin() -> None:
    claim = rate()
    for at in range(1, 70):
        claim.add(errored=False, at=at)
    claim.add(errored=True, at=70)
    assert (claim.state, claim.at_pairs) == ("open", None)
    for at in range(71, 90):
        claim.add(errored=True, at=at)
    assert claim.state == "refuted"


def test_three_errors_in_a_row_refute_the_rate_and_two_do_not() -> None:
    claim = rate()
    claim.add(errored=True, at=1)
    claim.add(errored=True, at=2)
    assert claim.state == "open"
    claim.add(errored=True, at=3)
    assert (claim.state, claim.rate) == ("refuted", 1.0)


def test_errors_that_fall_on_both_arms_alike_blame_nobody() -> None:
    both, ours = WhoErrs(), WhoErrs()
    for _ in range(6):
        both.add(candidate=True, incumbent=True)
        both.add(candidate=True, incumbent=False)
        both.add(candidate=False, incumbent=True)
        ours.add(candidate=True, incumbent=False)
    assert both.evidence < 1 < ours.evidence
    assert ours.evidence == pytest.approx((1.5**6 + 1.9**6) / 2)
