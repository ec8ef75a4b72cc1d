"""Random numbers -> golden datasets with the truth about two agents on them; pure.

Every item has a success probability p, drawn from Beta(.884, .156): mean .85, standard deviation .25. A trial scores 1
with probability p, else 0, each trial and arm on its own. What a world does to its candidate is exact on each dataset
that is drawn, not only on average:

- "so many points" shifts every item by the same amount and stops at 0 or 1; the amount is solved for, so that the mean
  over the dataset moves by exactly so much: items without room do not move, the others carry their part. "In
  proportion" multiplies every p instead.
- a "break" sets p of the items that it hits to .975 for the incumbent and to .1 (or .5) for the candidate: a tenth of
  the items costs 8.75 points of the mean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

ITEMS, SLICES, TRIALS = 120, 10, 6
HISTORY = 10
_ALPHA, _BETA = 0.884, 0.156
_SOUND, _BROKEN, _WORSE = 0.975, 0.1, 0.5
_DRIFT = -0.05


@dataclass(frozen=True, slots=True)
class Truth:
    """One dataset: slice and both arms' success probability of each item, and each arm's probability of an error.

    `history`: stored scores of the incumbent, which is then not run.
    """

    slices: Mapping[str, str]
    incumbent: Mapping[str, float]
    candidate: Mapping[str, float]
    incumbent_errors: float = 0.0
    candidate_errors: float = 0.0
    history: Mapping[str, list[float]] | None = None

    @property
    def change(self) -> float:
        """True difference of the means over the dataset, candidate minus incumbent, errors left out."""
        return mean(self.candidate) - mean(self.incumbent)


@dataclass(frozen=True, slots=True)
class World:
    words: str
    draw: Callable[[Random], Truth]


def mean(chances: Mapping[str, float]) -> float:
    return sum(chances.values()) / len(chances)


def shifted(chances: Mapping[str, float], by: float) -> dict[str, float]:
    """Every p moved by the same amount within [0, 1], so that their mean moves by exactly `by`.

    Raises:
        ValueError: there is not that much room.
    """
    room = {item: p if by < 0 else 1.0 - p for item, p in chances.items()}
    step = _step(list(room.values()), abs(by))
    sign = -1.0 if by < 0 else 1.0
    return {item: min(1.0, max(0.0, p + sign * min(step, room[item]))) for item, p in chances.items()}


def _step(room: Sequence[float], by: float) -> float:
    """Amount s with mean(min(s, room)) = by."""
    left = by * len(room)
    ordered = sorted(room)
    for position, least in enumerate(ordered):
        share = left / (len(ordered) - position)
        if share <= least:
            return share
        left -= least
    raise ValueError(f"there is no room to move the mean by {by}")


def scores(chances: Mapping[str, float], trials: int, rng: Random) -> dict[str, list[float]]:
    """Stored trials of every item."""
    return {item: [float(rng.random() < p) for _ in range(trials)] for item, p in chances.items()}


def equal(rng: Random) -> Truth:
    chances = {f"item-{number:03}": rng.betavariate(_ALPHA, _BETA) for number in range(ITEMS)}
    return Truth(_labels(SLICES), chances, chances)


def _labels(slices: int) -> dict[str, str]:
    return {f"item-{number:03}": f"slice-{number % slices:02}" for number in range(ITEMS)}


def _points(by: float) -> Callable[[Random], Truth]:
    def draw(rng: Random) -> Truth:
        truth = equal(rng)
        return replace(truth, candidate=shifted(truth.incumbent, by))

    return draw


def _in_proportion(rng: Random) -> Truth:
    truth = equal(rng)
    factor = 1 - 0.1 / mean(truth.incumbent)
    return replace(truth, candidate={item: p * factor for item, p in truth.incumbent.items()})


def _break(truth: Truth, hit: Sequence[str], sound: Sequence[str] = (), to: float = _BROKEN) -> Truth:
    incumbent = dict(truth.incumbent) | dict.fromkeys([*hit, *sound], _SOUND)
    return replace(truth, incumbent=incumbent, candidate=incumbent | dict.fromkeys(hit, to))


def _first_slice(truth: Truth) -> list[str]:
    return [item for item, name in truth.slices.items() if name == "slice-00"]


def _broken_slice(rng: Random) -> Truth:
    truth = equal(rng)
    return _break(truth, _first_slice(truth))


def _scattered(rng: Random) -> Truth:
    truth = equal(rng)
    return _break(truth, rng.sample(sorted(truth.slices), ITEMS // SLICES))


def _half_of_a_slice(rng: Random) -> Truth:
    truth = equal(rng)
    members = _first_slice(truth)
    return _break(truth, members[::2], members[1::2])


def _slice_by_half(rng: Random) -> Truth:
    truth = equal(rng)
    return _break(truth, _first_slice(truth), to=_WORSE)


def _candidate_errs(rng: Random) -> Truth:
    return replace(equal(rng), candidate_errors=0.05)


def _both_err(rng: Random) -> Truth:
    return replace(equal(rng), candidate_errors=0.05, incumbent_errors=0.05)


def _coin_flips(rng: Random) -> Truth:
    chances = {f"item-{number:03}": 0.5 for number in range(ITEMS)}
    return Truth(_labels(30), chances, chances)


def _deterministic(rng: Random) -> Truth:
    truth = equal(rng)
    chances = {item: float(rng.random() < p) for item, p in truth.incumbent.items()}
    return replace(truth, incumbent=chances, candidate=chances)


def _cached(by: float) -> Callable[[Random], Truth]:
    def draw(rng: Random) -> Truth:
        truth = _points(by)(rng) if by else equal(rng)
        return replace(truth, history=scores(truth.incumbent, HISTORY, rng))

    return draw


def _drift_scored_again(rng: Random) -> Truth:
    """Today's judge is stricter by 5 points: to the candidate, and to the stored answers, which it judges again."""
    chances = shifted(equal(rng).incumbent, _DRIFT)
    return Truth(_labels(SLICES), chances, chances, history=scores(chances, HISTORY, rng))


def _drift_kept(rng: Random) -> Truth:
    """The same, but the scores of the old judge are kept: what not to do."""
    truth = equal(rng)
    history = scores(truth.incumbent, HISTORY, rng)
    return replace(truth, candidate=shifted(truth.incumbent, _DRIFT), history=history)


WORLDS: Mapping[str, World] = {
    "equal": World("equal candidate", equal),
    "plus-5": World("+5 points", _points(0.05)),
    "minus-10": World("-10 points", _points(-0.1)),
    "minus-10-proportional": World("-10 points, in proportion", _in_proportion),
    "minus-5": World("-5 points", _points(-0.05)),
    "minus-3": World("-3 points", _points(-0.03)),
    "broken-slice": World("a labelled slice broken (.975 -> .1)", _broken_slice),
    "scattered": World("the same break scattered over the slices", _scattered),
    "half-of-a-slice": World("half of a slice's items broken (.975 -> .1)", _half_of_a_slice),
    "slice-by-half": World("a slice half broken (.975 -> .5)", _slice_by_half),
    "candidate-errs": World("5 % errors in the candidate", _candidate_errs),
    "both-err": World("5 % errors in both arms", _both_err),
    "coin-flips": World("30 slices, all items at .5, equal", _coin_flips),
    "deterministic": World("deterministic agent, equal", _deterministic),
    "cached-equal": World("cached incumbent, equal", _cached(0.0)),
    "cached-minus-10": World("cached incumbent, -10 points", _cached(-0.1)),
    "cached-drift": World("cached, judge drifted by 5 points, judged again, equal", _drift_scored_again),
    "cached-drift-kept": World("cached, judge drifted by 5 points, old scores kept, equal", _drift_kept),
}
