"""Everything around the sampler in memory, for tests of what it does when things go wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.live_trace import TraceHead, TraceTexts
from flywheel.domain.sampling_settings import parse_sampling
from flywheel.errors import TransientError
from flywheel.evaluation.ports import Posted, Score
from flywheel.live_asking import Asking
from flywheel.live_drawing import Drawing
from flywheel.live_draws import Draws
from flywheel.live_sampling import LiveSampler, Outcome
from flywheel.ports import AnswerJudge
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.live import InMemoryLiveLedger
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryDatasets, InMemoryOnce, RecordingBus
from tests.fakes.reviews import InMemoryReviewQueue
from tests.fakes.sampling import InMemorySampling, InMemoryTraces

GOLDEN = GoldenItem("q-1", "Where do I find the project settings of Langfuse?", response_facts=("In the menu",))


class KeptScores:
    """Scores by id; `failures` calls fail first."""

    def __init__(self) -> None:
        self.scores: dict[str, Score] = {}
        self.failures = 0

    def post(self, scores: Sequence[Score], *, deadline_s: float) -> Posted:
        if self.failures:
            self.failures -= 1
            raise TransientError("Langfuse does not answer")
        self.scores |= {score.score_id: score for score in scores}
        return Posted(len(scores))


def head(number: int, at: datetime = NOON - timedelta(minutes=10), **changes: Any) -> TraceHead:
    given: dict[str, Any] = {"name": "answer_question", "latency_s": 1.0, "environment": "dev"} | changes
    return TraceHead(f"{number:032x}", at, **given)


@dataclass
class LiveWorld:
    settings: str = "{}"
    clock: FixedClock = field(default_factory=FixedClock)
    store: InMemorySampling = field(default_factory=InMemorySampling)
    ledger: InMemoryLiveLedger = field(default_factory=InMemoryLiveLedger)
    queue: InMemoryReviewQueue = field(default_factory=InMemoryReviewQueue)
    scores: KeptScores = field(default_factory=KeptScores)
    bus: RecordingBus = field(default_factory=RecordingBus)
    once: InMemoryOnce = field(default_factory=InMemoryOnce)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    page: int = 1000
    judge: AnswerJudge | None = None

    def __post_init__(self) -> None:
        self.traces = InMemoryTraces(self.clock.now, self.page)
        self.datasets = InMemoryDatasets("golden", [GOLDEN])

    def say(self, trace: TraceHead, question: str, answer: str) -> None:
        self.traces.said[trace.trace_id] = TraceTexts(question, answer)

    def sampler(self) -> LiveSampler:
        settings = parse_sampling(self.settings)
        return LiveSampler(
            "dev",
            settings=settings,
            drawing=Drawing(self.traces, self.datasets, "golden", self.clock, settings, b"key", "live", self.judge),
            asking=Asking(
                self.queue, self.ledger, self.scores, self.bus, self.once, self.clock, self.clock.advance, "dev"
            ),
            draws=Draws(self.objects),
            store=self.store,
            ledger=self.ledger,
            clock=self.clock,
        )

    def run(self, holder: str = "run", seconds: float = 240) -> Outcome:
        return self.sampler().run(holder, deadline=self.clock.now() + timedelta(seconds=seconds))

    def queued(self) -> list[str]:
        return [trace for _, trace in self.queue.items]

    def assert_each_once(self) -> None:
        assert max(Counter(self.queued()).values(), default=0) <= 1
