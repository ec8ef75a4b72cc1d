"""Production traffic -> the traces that people review, within the day's budget; on schedule, on alert, when called out.

A window is read, drawn, written down, carried out and closed, in this order. Whatever kills a run in between, the next
one goes on there: an open window is read again, a draw that is written down is carried out as it is.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flywheel.domain.live_trace import Window
from flywheel.domain.own_traffic import holds_no_traffic
from flywheel.domain.review_budget import ALERT, DayBudget, day_budget
from flywheel.domain.sampling_settings import SamplingSettings
from flywheel.errors import ConflictError, InvalidRequestError, TransientError
from flywheel.live_asking import Asking
from flywheel.live_drawing import Drawing, TimeIsOverError
from flywheel.live_draws import Draw, DrawnTrace, Draws, run_id
from flywheel.ports import Alert, Clock, Closed, LiveLedger, Progress, SamplingStore

# What carrying out a draw may take: nothing is read any more when no more time than this is left.
_TO_ASK = timedelta(seconds=60)
_SHORTEST_WINDOW_S = 60
_LONGEST_WINDOW_S = 86_400
_LONGEST_ALERT = timedelta(days=1)

type State = Literal["drawn", "nothing", "waiting", "unfinished", "busy", "noted", "off"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`drawn`: a window was closed; `waiting`: the day's pace allows no review yet, its traces wait for the next run;
    `unfinished`: time was over, the next run takes a shorter window; `busy`: another run is at it; `off`: no budget;
    `noted`: a monitor's word was put on record and asks for no look.
    """

    state: State
    draw: Draw | None = None
    queued: int = 0


def checked_environment(environment: str) -> str:
    """Raise `InvalidRequestError` for an environment that holds no production traffic."""
    if holds_no_traffic(environment):
        raise InvalidRequestError(f"traces of the environment {environment!r} are never sampled: they are no traffic")
    return environment


class LiveSampler:
    """One run at a time; `drawing` reads and draws, `asking` carries out."""

    def __init__(
        self,
        environment: str,
        *,
        settings: SamplingSettings,
        drawing: Drawing,
        asking: Asking,
        draws: Draws,
        store: SamplingStore,
        ledger: LiveLedger,
        clock: Clock,
    ) -> None:
        self._environment = checked_environment(environment)
        self._settings = settings
        self._drawing = drawing
        self._asking = asking
        self._draws = draws
        self._store = store
        self._ledger = ledger
        self._clock = clock

    def budget(self) -> DayBudget:
        """What today's reviews have used."""
        return day_budget(self._ledger.of_day(self._day()), self._settings)

    def run(self, holder: str, *, deadline: datetime) -> Outcome:
        """Look at the window since the last one. Another run's turn is no error: it does the same work.

        Raises:
            TransientError: a service does not answer; the next run goes on.
        """
        try:
            return self._alone(holder, deadline, lambda progress: self._window(holder, progress, deadline))
        except ConflictError:
            return Outcome("busy")

    def preview(self, *, deadline: datetime) -> Outcome:
        """What a run would draw now; nothing is written and nobody is asked."""
        progress = self._store.look()
        window = self._next(progress)
        budget = self.budget().of_window(self._clock.now(), alarmed=self._alarmed())
        if window is None:
            return Outcome("nothing")
        return Outcome("drawn", self._look(window, progress, budget, deadline, write=False))

    def alert(self, holder: str, alert: Alert, window: Window, delivery: str, *, deadline: datetime) -> Outcome:
        """A monitor spoke: put it on record, and when it is alarmed look at its window once, from the reserve.

        Raises:
            TransientError: another run is at it, or a service does not answer: to be tried again.
        """
        capped = min(alert.until, alert.at + timedelta(hours=self._settings.alert_h))
        newest = self._store.note_alert(Alert(alert.monitor_id, alert.at, alert.active, capped))
        if not newest or not alert.active:
            return Outcome("noted")
        until = min(window.until, self._clock.now())
        since = max(window.since, until - _LONGEST_ALERT)
        if since >= until:
            return Outcome("noted")
        run = run_id("a", alert.at, self._environment, delivery)
        try:
            return self._alone(holder, deadline, lambda _: self._alert(run, Window(since, until), deadline))
        except ConflictError as error:
            raise TransientError("another run is sampling just now: this alert is looked at after it") from error

    def call_out(
        self, delivery: str, trace_ids: Sequence[str], session_ids: Sequence[str], *, deadline: datetime
    ) -> Outcome:
        """A person sent these traces, or those of these sessions: each waits for review, whatever the budget says.

        A trace that Langfuse does not know is queued all the same: it may be too young to be read. One that flywheel
        caused itself is not: it is no traffic, whoever sends it. Nor is one in which no question can be read: nothing
        could come of its review.
        """
        now = self._clock.now()
        run = run_id("c", None, self._environment, delivery)
        named = self._drawing.source.named(trace_ids, session_ids)
        own = {head.trace_id for head in named if head.own}
        texts = self._drawing.source.texts(named) if named else {}
        why = {trace: found.unreadable for trace, found in texts.items() if found.unreadable and trace not in own}
        heads = {head.trace_id: head.at for head in named}
        drawn = tuple(
            DrawnTrace(
                trace_id=trace,
                trace_at=heads.get(trace, now),
                inclusion_probability=None,
                risk=0.0,
                stratum="",
                reasons=("callout",),
                queue_name=self._settings.queue_name(self._drawing.default_queue, "", ("callout",)),
            )
            for trace in dict.fromkeys([*trace_ids, *heads])
            if trace not in own and trace not in why
        )
        draw = Draw(
            run_id=run,
            source="callout",
            since=now,
            until=now,
            day=self._day(),
            seen=len(drawn),
            eligible=len(drawn),
            synthetic=0,
            budget=len(drawn),
            drawn=drawn,
            unreadable=Counter(why.values()),
        )
        return Outcome("drawn", draw, self._asking.ask(draw, end=deadline, budget_used=self.budget().used))

    def _alone(self, holder: str, deadline: datetime, work: Callable[[Progress], Outcome]) -> Outcome:
        progress = self._store.begin(holder, now=self._clock.now(), until=deadline + _TO_ASK)
        try:
            return work(progress)
        finally:
            self._store.let_go(holder)

    def _next(self, progress: Progress) -> Window | None:
        now = self._clock.now()
        until = progress.until or now - timedelta(seconds=self._settings.settle_s)
        since = progress.watermark or until - timedelta(hours=self._settings.first_look_h)
        if progress.longest_s and progress.until is None:
            until = min(until, since + timedelta(seconds=progress.longest_s))
        return Window(since, until) if since < until else None

    def _window(self, holder: str, progress: Progress, deadline: datetime) -> Outcome:
        window = self._next(progress)
        if window is None:
            return Outcome("nothing")
        run = run_id("s", window.until, self._environment, window.since.isoformat(), window.until.isoformat())
        draw = self._draws.find(run)
        if draw is None:
            alarmed = self._alarmed()
            budget = self.budget().of_window(self._clock.now(), alarmed=alarmed)
            if budget < 1 and self._settings.review_budget_per_day:
                return Outcome("waiting")
            self._store.note_window(holder, window)
            try:
                draw = self._draws.keep(self._look(window, progress, budget, deadline, alarmed=alarmed, run=run))
            except TimeIsOverError:
                longest_s = int((window.until - window.since).total_seconds() / 2)
                self._store.narrow(holder, max(_SHORTEST_WINDOW_S, longest_s))
                return Outcome("unfinished")
        queued = self._asking.ask(draw, end=deadline, budget_used=self.budget().used + len(draw.drawn))
        longer_s = (progress.longest_s or _LONGEST_WINDOW_S) * 2
        closed = Closed(
            until=draw.until,
            seen_key=draw.seen_key,
            day=draw.day,
            seen=draw.seen,
            eligible=draw.eligible,
            queued=len(draw.drawn),
            longest_s=longer_s if longer_s < _LONGEST_WINDOW_S else None,
        )
        self._store.close(holder, closed)
        return Outcome("drawn" if self._settings.review_budget_per_day else "off", draw, queued)

    def _look(
        self,
        window: Window,
        progress: Progress,
        budget: int,
        deadline: datetime,
        *,
        alarmed: bool = False,
        run: str = "preview",
        write: bool = True,
    ) -> Draw:
        overlap = timedelta(minutes=self._settings.overlap_min)
        reaches = Window(window.since - overlap, window.until)
        before = self._draws.seen(progress.seen_key, reaches.since)
        seen = self._drawing.read(reaches, before, stop=deadline - _TO_ASK)
        eligible = self._drawing.eligible(seen.heads)
        taken = self._drawing.draw(reaches, eligible, budget, stop=deadline - _TO_ASK, more=(ALERT,) if alarmed else ())
        first = int((window.until - overlap).timestamp())
        kept = {mark: at for mark, at in (before | seen.marks).items() if at >= first}
        return Draw(
            run_id=run,
            source="sampled",
            since=window.since,
            until=window.until,
            day=self._day(),
            seen=len(seen.heads),
            eligible=len(eligible),
            synthetic=len(seen.heads) - len(eligible),
            budget=budget,
            drawn=taken.drawn,
            unreadable=taken.unreadable,
            left_out=taken.left_out,
            seen_key=self._draws.keep_seen(run, kept) if write else "",
        )

    def _alert(self, run: str, window: Window, deadline: datetime) -> Outcome:
        draw = self._draws.find(run)
        if draw is None:
            budget = self.budget().of_alert()
            try:
                heads = self._drawing.read(window, {}, stop=deadline - _TO_ASK).heads
            except TimeIsOverError as error:
                raise TransientError("there was no time to read the window of the alert") from error
            days = {self._day(), f"{window.since:%Y-%m-%d}"}
            known = {row.trace_id for day in days for row in self._ledger.of_day(day)}
            eligible = [head for head in self._drawing.eligible(heads) if head.trace_id not in known]
            taken = self._drawing.draw(window, eligible, budget, stop=deadline - _TO_ASK, more=(ALERT,))
            draw = self._draws.keep(
                Draw(
                    run_id=run,
                    source="alert",
                    since=window.since,
                    until=window.until,
                    day=self._day(),
                    seen=len(heads),
                    eligible=len(eligible),
                    synthetic=len(heads) - len(self._drawing.eligible(heads)),
                    budget=budget,
                    drawn=taken.drawn,
                    unreadable=taken.unreadable,
                    left_out=taken.left_out,
                )
            )
        used = self.budget()
        queued = self._asking.ask(draw, end=deadline, budget_used=used.used + used.reserve_used)
        return Outcome("drawn", draw, queued)

    def _alarmed(self) -> bool:
        now = self._clock.now()
        return any(alert.active and now < alert.until for alert in self._store.alerts())

    def _day(self) -> str:
        return f"{self._clock.now():%Y-%m-%d}"
