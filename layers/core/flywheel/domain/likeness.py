"""A question -> how like it is to those of the golden dataset, by their words, and the slice of the nearest one.

Dice's coefficient over the sets of words, without the very short ones, by an inverted index: a question is compared
only with those that it shares a word with.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.tokens import tokens, unspaced

_SHORTEST_WORD = 3
# What says nothing about what is asked.
_EVERYWHERE = frozenset(tokens("the and for how can does what with you are that this die der das und ist wie was ein"))


@dataclass(frozen=True, slots=True)
class Nearest:
    """The golden question most like this one. `slice` is empty when none shares a word with it."""

    likeness: float
    slice: str


class GoldenQuestions:
    """The questions of a golden dataset, indexed by their words."""

    def __init__(self, items: Iterable[GoldenItem]) -> None:
        self._sizes: list[int] = []
        self._slices: list[str] = []
        self._having: dict[str, list[int]] = defaultdict(list)
        for item in items:
            said = _words(item.question)
            for word in said:
                self._having[word].append(len(self._sizes))
            self._sizes.append(len(said))
            self._slices.append(item.slice)

    def __len__(self) -> int:
        return len(self._sizes)

    def nearest(self, question: str) -> Nearest:
        said = _words(question)
        shared = Counter(at for word in said for at in self._having.get(word, ()))
        best = max(((2 * count / (len(said) + self._sizes[at]), -at) for at, count in shared.items()), default=None)
        return Nearest(0.0, "") if best is None else Nearest(best[0], self._slices[-best[1]])


def _words(text: str) -> frozenset[str]:
    return frozenset(
        word for word in tokens(text) if (len(word) >= _SHORTEST_WORD or unspaced(word)) and word not in _EVERYWHERE
    )
