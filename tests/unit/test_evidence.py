"""Files of a gate are read several at once, and come in the order of their shards all the same."""

import threading
import time

import pytest

from flywheel.domain.outcome import TrialKey, TrialRecord, dump_records
from flywheel.domain.plan import Shard
from flywheel.errors import TransientError
from flywheel.evidence import GateEvidence, result_key
from tests.fakes.objects import InMemoryObjects

GATE = "g-1"


class SlowObjects(InMemoryObjects):
    """Earlier shards answer later; counts how many reads there are at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._counting = threading.Lock()

    def read(self, key: str) -> bytes:
        with self._counting:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            number = int(key.removesuffix(".json").rpartition("-")[2])
            time.sleep(0.04 - number * 0.002)
            return super().read(key)
        finally:
            with self._counting:
                self.now -= 1


def key_of(number: int) -> TrialKey:
    return TrialKey(f"item-{number}", 1, "candidate")


def written(objects: InMemoryObjects, shards: int = 12, without: frozenset[int] = frozenset()) -> GateEvidence:
    evidence = GateEvidence(objects)
    evidence.write_shards([Shard(GATE, f"1-{n:02d}", (key_of(n),)) for n in range(shards)])
    for n in set(range(shards)) - without:
        record = TrialRecord(key=key_of(n), outcome="answered", scores={"correctness": 1.0})
        objects.put(result_key(GATE, f"1-{n:02d}"), dump_records([record]).encode())
    return evidence


def test_results_are_read_several_at_once_and_come_in_order() -> None:
    objects = SlowObjects()
    records, missing = written(objects).results(GATE)
    assert [record.key for record in records] == [key_of(n) for n in range(12)]
    assert missing == []
    assert 1 < objects.most <= 8


def test_lines_come_in_the_order_of_their_shards() -> None:
    assert written(SlowObjects()).lines(GATE, 1) == [key_of(n) for n in range(12)]


def test_every_result_that_is_missing_is_named() -> None:
    records, missing = written(SlowObjects(), without=frozenset({0, 7})).results(GATE)
    assert len(records) == 10
    assert missing == [result_key(GATE, "1-00"), result_key(GATE, "1-07")]


def test_a_store_that_does_not_answer_is_not_taken_for_a_missing_result(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = InMemoryObjects()
    evidence = written(objects)

    def read(key: str) -> bytes:
        raise TransientError(key)

    monkeypatch.setattr(objects, "read", read)
    with pytest.raises(TransientError):
        evidence.results(GATE)


def test_a_gate_without_shards_has_no_results() -> None:
    assert GateEvidence(InMemoryObjects()).results(GATE) == ([], [])


def test_a_look_reads_no_result_of_a_wave_that_comes_after_it() -> None:
    evidence = written(InMemoryObjects(), shards=2)
    evidence.write_shards([Shard(GATE, "10-00", (key_of(2),))])
    assert len(evidence.results(GATE, 9)[0]) == 2
    assert evidence.results(GATE, 10)[1] == [result_key(GATE, "10-00")]
    assert evidence.results(GATE)[1] == [result_key(GATE, "10-00")]
