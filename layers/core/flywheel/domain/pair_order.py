"""Which pair comes next: items, how often each was issued -> the next pairs, in random order, each item evenly."""

import hashlib
from collections.abc import Iterable, Mapping

from flywheel.domain.verdict import Pair


class PairOrder:
    """Gives pairs round by round: no item comes again before every other one that may come has come as often.

    The order within a round is that of a hash keyed by seed and round: random, and the same on every machine.
    """

    def __init__(self, items: Mapping[str, str], seed: int, trials: int) -> None:
        self._seed = seed
        self._trials = trials
        self._issued = dict.fromkeys(items, 0)
        self._ranks: dict[int, dict[str, bytes]] = {}

    def next(self, items: Iterable[str], limit: int) -> list[Pair]:
        """Give up to `limit` pairs of `items`, those issued least first; none once each had all its trials."""
        pairs: list[Pair] = []
        open_items = [item for item in items if self._issued[item] < self._trials]
        while open_items and len(pairs) < limit:
            trial = min(self._issued[item] for item in open_items) + 1
            ranks = self._round(trial)
            due = sorted((i for i in open_items if self._issued[i] == trial - 1), key=ranks.__getitem__)
            for item in due[: limit - len(pairs)]:
                pairs.append(Pair(item, trial))
                self._issued[item] = trial
            open_items = [item for item in open_items if self._issued[item] < self._trials]
        return pairs

    def is_open(self, item_id: str) -> bool:
        """Whether trials of the item are left."""
        return self._issued[item_id] < self._trials

    def issued(self, item_id: str) -> int:
        """How many trials of the item were given."""
        return self._issued[item_id]

    def note(self, pair: Pair) -> None:
        """Take a pair as issued, in whatever order it comes.

        Raises:
            ValueError: the item is not known, or this was not its next trial.
        """
        if pair.trial != self._issued.get(pair.item_id, -1) + 1 or pair.trial > self._trials:
            raise ValueError(f"{pair} cannot have been issued")
        self._issued[pair.item_id] = pair.trial

    def _round(self, trial: int) -> dict[str, bytes]:
        if trial not in self._ranks:
            self._ranks[trial] = {item: _rank(self._seed, trial, item) for item in self._issued}
        return self._ranks[trial]


def _rank(seed: int, trial: int, item_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{trial}\0{item_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
