"""`JudgementStore` in a dict, and what every implementation of that port must do."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from flywheel.evaluation.ports import JudgementStore, StoredJudgement
from tests.fakes.clock import NOON


@dataclass
class InMemoryJudgements:
    """`trouble` is raised by every call while it is set."""

    stored: dict[str, StoredJudgement] = field(default_factory=dict)
    expires: dict[str, datetime] = field(default_factory=dict)
    trouble: Exception | None = None
    looked_up: list[list[str]] = field(default_factory=list)
    calls: int = 0
    _lock: Lock = field(default_factory=Lock)

    def find(self, keys: Sequence[str], not_before: datetime) -> dict[str, StoredJudgement]:
        self._called()
        self.looked_up.append(list(keys))
        found = {key: self.stored[key] for key in keys if key in self.stored}
        return {key: judgement for key, judgement in found.items() if judgement.judged_at >= not_before}

    def keep(self, key: str, judgement: StoredJudgement, not_before: datetime, expires: datetime) -> bool:
        self._called()
        with self._lock:
            if key in self.stored and self.stored[key].judged_at >= not_before:
                return False
            self.stored[key] = judgement
            self.expires[key] = expires
            return True

    def _called(self) -> None:
        self.calls += 1
        if self.trouble is not None:
            raise self.trouble


LATER = NOON + timedelta(hours=24)
HOUR_AGO = NOON - timedelta(hours=1)
JUDGEMENT = StoredJudgement("C", 1.0, "Says the same. \u2603", NOON)


class JudgementStoreContract:
    """`judgements`: an empty store."""

    def test_what_was_kept_is_found_as_it_was(self, judgements: JudgementStore) -> None:
        half = StoredJudgement("A", 0.55, "", NOON + timedelta(microseconds=123_456))
        assert judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER) is True
        assert judgements.keep("b", half, HOUR_AGO, LATER) is True
        assert judgements.find(["a", "b", "c"], HOUR_AGO) == {"a": JUDGEMENT, "b": half}

    def test_nothing_is_found_where_nothing_was_kept(self, judgements: JudgementStore) -> None:
        assert judgements.find(["a"], HOUR_AGO) == {}

    def test_a_hundred_are_found_at_once(self, judgements: JudgementStore) -> None:
        keys = [f"{number:064x}" for number in range(100)]
        for key in keys:
            judgements.keep(key, JUDGEMENT, HOUR_AGO, LATER)
        assert set(judgements.find(keys, HOUR_AGO)) == set(keys)

    def test_the_first_one_stands_while_it_is_of_use(self, judgements: JudgementStore) -> None:
        other = replace(JUDGEMENT, choice="D", score=0.0)
        judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER)
        assert judgements.keep("a", other, HOUR_AGO, LATER) is False
        assert judgements.find(["a"], HOUR_AGO) == {"a": JUDGEMENT}

    def test_of_writers_at_the_same_time_exactly_one_wins(self, judgements: JudgementStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda _: judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER), range(8)))
        assert won.count(True) == 1

    def test_an_older_one_is_not_found_and_is_replaced(self, judgements: JudgementStore) -> None:
        moment = NOON + timedelta(seconds=1)
        newer = replace(JUDGEMENT, choice="D", score=0.0, judged_at=moment)
        judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER)
        assert judgements.find(["a"], moment) == {}
        assert judgements.keep("a", newer, moment, LATER) is True
        assert judgements.find(["a"], moment) == {"a": newer}

    def test_the_very_moment_counts_as_not_before(self, judgements: JudgementStore) -> None:
        judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER)
        assert set(judgements.find(["a"], NOON)) == {"a"}
