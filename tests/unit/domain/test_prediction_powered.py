import random
from statistics import fmean

import pytest

from flywheel.domain.prediction_powered import FEWEST_REVIEWS, Scored, human_mean, human_mean_difference


def test_a_judge_that_people_always_agree_with_is_trusted() -> None:
    scores = [0.0, 1.0] * 50
    found = human_mean(Scored(scores[20:], [(score, score) for score in scores[:20]]))

    assert found is not None
    assert found.mean == pytest.approx(0.5)
    assert found.trust == pytest.approx(0.8, abs=0.04)  # 1 / (1 + n / N)


def test_a_judge_that_knows_nothing_is_not_listened_to() -> None:
    human = [0.0, 0.0, 1.0, 1.0] * 5
    judged = [0.0, 1.0, 0.0, 1.0] * 5
    found = human_mean(Scored([1.0] * 40 + [0.0] * 10, list(zip(judged, human, strict=True))))

    assert found is not None
    assert (found.mean, found.trust) == (0.5, 0.0)


def test_the_judges_bias_is_corrected() -> None:
    """It gives everything .2 too much."""
    human = [0.3, 0.8] * 10
    found = human_mean(Scored([0.5, 1.0] * 100, [(score + 0.2, score) for score in human]))

    assert found is not None
    assert found.mean == pytest.approx(0.55)


def test_where_all_was_reviewed_people_stand_alone() -> None:
    seen = [(1.0, 0.0), (1.0, 1.0)] * 10
    found = human_mean(Scored([], seen))

    assert found is not None
    assert (found.mean, found.trust, found.reviewed) == (0.5, 0.0, 20)


def test_agreement_on_a_few_answers_leaves_the_interval_open() -> None:
    found = human_mean(Scored([1.0] * 100, [(1.0, 1.0)] * 15))

    assert found is not None
    assert found.interval().low < 0.85


def test_too_few_reviews_say_nothing() -> None:
    few = Scored([1.0] * 100, [(1.0, 1.0)] * (FEWEST_REVIEWS - 1))
    enough = Scored([1.0] * 100, [(1.0, 1.0)] * FEWEST_REVIEWS)

    assert human_mean(few) is None
    assert human_mean(enough) is not None
    assert human_mean_difference(few, enough) is None
    assert human_mean_difference(enough, few) is None


def judged(truth: bool, false_alarm: float, missed: float, chance: random.Random) -> bool:
    return (chance.random() >= false_alarm) if truth else (chance.random() < missed)


@pytest.mark.parametrize("drop", [0.0, 0.1])
@pytest.mark.parametrize(("false_alarm", "missed"), [(0.0, 0.0), (0.03, 0.03), (0.05, 0.3), (0.2, 0.2), (0.0, 0.5)])
@pytest.mark.parametrize("reviewed", [15, 40])
def test_intervals_cover_the_true_difference_whatever_the_judge_is_worth(
    drop: float, false_alarm: float, missed: float, reviewed: int
) -> None:
    """Worlds of the gate's own study: items pass with Beta(.884, .156), the candidate `drop` less often."""
    chance = random.Random(20261125)
    pairs, gates = 100, 120
    truth = -fmean(min(drop, chance.betavariate(0.884, 0.156)) for _ in range(20_000))
    covered = {"pairs": 0, "arms": 0}
    for _ in range(gates):
        rows = []
        for _ in range(pairs):
            p = chance.betavariate(0.884, 0.156)
            ours, theirs = chance.random() < max(0.0, p - drop), chance.random() < p
            rows.append(
                (judged(ours, false_alarm, missed, chance), ours, judged(theirs, false_alarm, missed, chance), theirs)
            )
        together = human_mean(
            Scored([a - c for a, _, c, _ in rows[reviewed:]], [(a - c, b - d) for a, b, c, d in rows[:reviewed]])
        )
        # Answers of other pairs in each arm.
        apart = human_mean_difference(
            Scored([a for a, *_ in rows[reviewed:]], [(a, b) for a, b, *_ in rows[:reviewed]]),
            Scored([c for *_, c, _ in rows[:-reviewed]], [(c, d) for *_, c, d in rows[-reviewed:]]),
        )
        assert together is not None
        assert apart is not None
        for name, found in (("pairs", together.interval()), ("arms", apart)):
            covered[name] += found.low <= truth <= found.high

    assert min(covered.values()) >= 0.93 * gates
