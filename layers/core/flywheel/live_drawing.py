"""A window of production -> a draw: read in the fewest requests, within the time that is left."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from flywheel.domain.likeness import GoldenQuestions
from flywheel.domain.live_draw import Drawn, draw, judged, shortlist
from flywheel.domain.live_trace import TraceHead, TraceTexts, Window, once
from flywheel.domain.risk import usual_latency_s
from flywheel.domain.sampling_settings import SamplingSettings
from flywheel.domain.unreadable_items import lines
from flywheel.errors import NotFoundError
from flywheel.live_draws import DrawnTrace, marks
from flywheel.ports import AnswerJudge, Clock, DatasetSnapshot, DatasetStore, TraceSource


class TimeIsOverError(Exception):
    """There was no time to read the whole window."""


class Taken(NamedTuple):
    """What was drawn, and how many traces of the shortlist could not be: nothing can be made of what was asked.

    `left_out`: lines about items of the dataset that are no golden items, so that nothing was compared with them.
    """

    drawn: tuple[DrawnTrace, ...]
    unreadable: dict[str, int]
    left_out: tuple[str, ...] = ()


class Seen(NamedTuple):
    """Traces of a window that no earlier one has seen, and the marks of all, with their times (seconds since 1970)."""

    heads: list[TraceHead]
    marks: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Reads and draws. `settings`: as they are now; `key`: secret and the same for ever; `judge` may be missing."""

    source: TraceSource
    datasets: DatasetStore
    dataset: str
    clock: Clock
    settings: SamplingSettings
    key: bytes
    default_queue: str
    judge: AnswerJudge | None = None

    def read(self, window: Window, before: Mapping[bytes, int], *, stop: datetime) -> Seen:
        """Heads of a window, each once, without those seen `before` and what flywheel caused itself.

        Raises:
            TimeIsOverError: `stop` came before the last page.
        """
        pages: list[TraceHead] = []
        for page in self.source.heads(window):
            pages.extend(page)
            if self.clock.now() >= stop:
                raise TimeIsOverError
        heads = {trace: head for trace, head in once(pages).items() if not head.own}
        marked = marks(heads.values())
        fresh = [head for trace, head in heads.items() if marked[trace] not in before]
        return Seen(fresh, {marked[trace]: max(0, int(head.at.timestamp())) for trace, head in heads.items()})

    def eligible(self, heads: Collection[TraceHead]) -> list[TraceHead]:
        return [head for head in heads if self.settings.include_synthetic or not head.synthetic]

    def draw(
        self, window: Window, heads: list[TraceHead], budget: int, *, stop: datetime, more: tuple[str, ...] = ()
    ) -> Taken:
        """At most `budget` of these traces; `more`: reasons that all of them have. No judge is asked after `stop`.

        What holds no question that can be read is left out before anybody looks at it: no golden item could come of it.
        """
        if budget < 1 or not heads:
            return Taken((), {})
        failing = self.source.failing(Window(window.since, window.until + timedelta(seconds=1)))
        listed = shortlist(heads, failing, self.settings, self.key, max(self.settings.shortlist, budget))
        texts = self.source.texts([one.head for one in listed])
        unreadable = Counter(found.unreadable for found in texts.values() if found.unreadable)
        listed = [one for one in listed if one.head.trace_id not in texts or not texts[one.head.trace_id].unreadable]
        chosen = [one.head for one in listed]
        golden = self._golden()
        drawn = draw(
            listed,
            budget,
            self.key,
            self.settings,
            usual_s=usual_latency_s(heads),
            failing=failing,
            texts=texts,
            scores=self.source.scores([head.trace_id for head in chosen]),
            golden=GoldenQuestions(golden.items),
            judged_low=self._judged_low(judged(listed, self.key, self.settings), texts, stop),
        )
        return Taken(tuple(self._drawn(one, more) for one in drawn), dict(unreadable), tuple(lines(golden.unreadable)))

    def _judged_low(self, traces: list[str], texts: Mapping[str, TraceTexts], stop: datetime) -> frozenset[str]:
        asked = {trace: texts[trace] for trace in traces if trace in texts and texts[trace].question.strip()}
        left_s = min(float(self.settings.judge_deadline_s), (stop - self.clock.now()).total_seconds())
        if self.judge is None or not asked or left_s <= 0:
            return frozenset()
        return self.judge.low(asked, deadline_s=left_s) & asked.keys()

    def _golden(self) -> DatasetSnapshot:
        try:
            return self.datasets.look(self.dataset)
        except NotFoundError:
            return DatasetSnapshot((), self.clock.now())

    def _drawn(self, one: Drawn, more: tuple[str, ...]) -> DrawnTrace:
        reasons = (*more, *one.reasons)
        return DrawnTrace(
            trace_id=one.head.trace_id,
            trace_at=one.head.at,
            inclusion_probability=one.inclusion_probability,
            risk=one.risk,
            stratum=one.stratum,
            reasons=reasons,
            queue_name=self.settings.queue_name(self.default_queue, one.stratum, reasons),
        )
