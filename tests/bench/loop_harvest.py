"""How fast the harvest walks its ledger: 10,000 finished reviews on doubles, so that only our own work is measured.

    python -m tests.bench.loop_harvest

One review in twenty is flagged and becomes an item or is linked; the others count for agreement only.
"""

import gc
import json
import time
from datetime import timedelta
from typing import Any

from flywheel.harvest_run import HarvestParts, HarvestRun
from flywheel.ports.harvest import TraceContent
from flywheel.redaction import PatternRedactor
from flywheel.similarity import WordLikeness
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.harvest import InMemoryCases, InMemoryHarvestNotes, InMemoryLiveReviews, ReopeningQueue, WordCaseJudge
from tests.fakes.live import InMemoryLiveLedger, live_review
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus
from tests.fakes.state import InMemoryReleases

ENTRIES = 10_000
_FLAGGED_EVERY = 20
_TOPICS = "traces scores prompts datasets queues costs keys users sessions exports".split()  # noqa: SIM905
_VERBS = "keep delete export filter share rename archive sample mask count".split()  # noqa: SIM905


class _ListedReviews(InMemoryLiveReviews):
    """The double's lists, made once: they would take the time that is measured here."""

    done: frozenset[str] = frozenset()

    def waiting(self, queue_id: str) -> frozenset[str]:
        return frozenset()

    def finished(self, queue_id: str, trace_ids: Any, *, since: Any) -> frozenset[str]:
        return self.done.intersection(trace_ids)


def _world(entries: int) -> tuple[HarvestParts, InMemoryCases]:
    queue = ReopeningQueue()
    people, ledger, cases = _ListedReviews(queue), InMemoryLiveLedger(), InMemoryCases()
    for number in range(entries):
        trace = f"{number:032x}"
        row = live_review(trace, trace_at=NOON - timedelta(seconds=number))
        ledger.rows[trace] = row
        ledger.settle(trace, "q-1", now=NOON)
        topic, verb = _TOPICS[number // _FLAGGED_EVERY % 10], _VERBS[number // _FLAGGED_EVERY // 10 % 10]
        question = f"How do I {verb} the {topic} of project a{number % 7}@example.org?"
        people.contents[trace] = TraceContent(trace, question, ("searchDocs",))
        if number % _FLAGGED_EVERY == 0:
            people.flag(trace, f"- The {topic} page has a button to {verb} them.")
        else:
            people.say(trace, "correct", value=number % 3 > 0)
        people.say(trace, "helpfulness", 0.9 if number % 5 else 0.2, "", people=False)
    people.done = frozenset(people.contents)
    parts = HarvestParts(
        dataset="golden",
        ledger=ledger,
        reviews=people,
        queue=queue,
        store=cases,
        releases=InMemoryReleases(),
        notes=InMemoryHarvestNotes(),
        redactor=PatternRedactor(),
        likeness=WordLikeness(),
        judge=WordCaseJudge,
        objects=InMemoryObjects(),
        bus=RecordingBus(),
        once=InMemoryOnce(),
        parameters=InMemorySettings(harvest='{"settle_minutes": 0, "agreement_reviews": 50000}'),
        clock=FixedClock(),
    )
    return parts, cases


def measure(entries: int = ENTRIES) -> dict[str, int]:
    """`entries_per_s` of a first run, `watched_per_s` of a second one over the same rows, which changes nothing."""
    parts, cases = _world(entries)
    gc.collect()
    started = time.perf_counter()
    summary = HarvestRun(parts).run()
    first_s = time.perf_counter() - started
    started = time.perf_counter()
    again = HarvestRun(parts).run()
    second_s = time.perf_counter() - started
    states = dict(summary.states or {})
    if sum(states.values()) != entries or again.unchanged != entries:
        raise RuntimeError(f"the harvest did not do its work: {states}, then {again.unchanged} unchanged")
    return {
        "entries": entries,
        "entries_per_s": round(entries / first_s),
        "watched_per_s": round(entries / second_s),
        "items": len(cases.items),
        "linked": states["linked"],
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
