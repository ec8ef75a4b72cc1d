"""One worker's share of a run: users arrive when the profile says so, whatever the agent does, within all bounds."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock

from flywheel.domain.load_profile import Arrival, LoadProfile, arrivals, part_of
from flywheel.domain.personas import Cast, Visits
from flywheel.domain.prices import PriceTable
from flywheel.domain.spending import Spending
from flywheel.domain.traffic_results import PartResult, StoppedBy, TurnResult
from flywheel.ports import AgentInvoker
from flywheel.traffic.conversation import Budget, Conversation, Production

logger = logging.getLogger(__name__)

LAST_TURNS_S = 30.0  # after the last arrival is due, follow-ups may begin for this long
_ROOM_S = 0.05  # how often somebody who waits looks whether there is room
_END_S = 15.0  # for the sessions to end once all is stopped


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker does: of the run's arrivals those of its part. `concurrency` and `max_usd` are its own."""

    run_id: str
    part: int
    parts: int
    seed: int
    profile: LoadProfile
    max_arrivals: int
    cast: Cast
    concurrency: int
    max_usd: float
    think_s: float
    answer_timeout_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a worker is: `due` of `arrivals` have had their time."""

    elapsed_s: float
    arrivals: int
    due: int
    in_flight: int
    turned_away: int
    turns: tuple[TurnResult, ...]


class TrafficRun:
    """Runs once. `cancel` may be called from another thread, or by a signal."""

    def __init__(self, work: Assignment, *, invoker: AgentInvoker, production: Production, prices: PriceTable) -> None:
        self._work = work
        self._invoker = invoker
        self._production = production
        self._prices = prices
        self._spending = Spending(work.max_usd, prices, production.model_id)
        self._mine = [
            one
            for one in arrivals(work.profile, work.seed, most=work.max_arrivals, fewest=work.cast.fewest_visits)
            if part_of(one.number, work.parts) == work.part
        ]
        self._visits = Visits(work.cast, work.seed)
        last_s = max((one.at_s for one in self._mine), default=0.0)
        self._last_begin_s = max(work.profile.duration_s, last_s) + LAST_TURNS_S
        self._stopping = Event()
        self._lock = Lock()
        self._active: dict[int, Conversation] = {}
        self._turns: list[TurnResult] = []
        self._due = self._conversations = self._turned_away = self._cut_short = self._sessions_left = 0
        self._reason: StoppedBy = "finished"
        self._started = time.monotonic()

    def run(self, *, ends_in_s: Callable[[], float] = lambda: float("inf")) -> PartResult:
        """Send everything and wait for the answers. `ends_in_s`: when the process ends, in seconds from then."""
        self._started = time.monotonic()
        pool = ThreadPoolExecutor(self._work.concurrency, thread_name_prefix="user")
        try:
            pending = [pool.submit(self._hold, *one) for one in self._arriving(ends_in_s)]
            longest_s = LAST_TURNS_S + self._work.answer_timeout_s + _END_S
            _, late = wait(pending, timeout=max(0.0, min(longest_s, ends_in_s() - _END_S)))
            if late and self._reason == "finished":
                self._stop("out_of_time")
            wait(late, timeout=_END_S / 2)
        finally:
            self.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
        return self.so_far(self._reason)

    def cancel(self) -> None:
        """Begin nothing more, and end the sessions of all conversations."""
        self._stop("cancelled")

    def so_far(self, stopped_by: StoppedBy) -> PartResult:
        """What is known now, as the result of a worker that ends here."""
        with self._lock:
            return PartResult(
                run_id=self._work.run_id,
                part=self._work.part,
                arrivals=len(self._mine),
                conversations=self._conversations,
                turned_away=self._turned_away,
                unsent=len(self._mine) - self._conversations - self._turned_away,
                cut_short=self._cut_short + len(self._active),
                sessions_left=self._sessions_left,
                stopped_by=stopped_by,
                turns=tuple(self._turns),
            )

    def progress(self) -> Progress:
        with self._lock:
            elapsed_s = time.monotonic() - self._started
            return Progress(
                elapsed_s, len(self._mine), self._due, len(self._active), self._turned_away, tuple(self._turns)
            )

    def _arriving(self, ends_in_s: Callable[[], float]) -> Iterator[tuple[Conversation, Arrival]]:
        later: list[Arrival] = []
        for arrival in self._mine:
            if self._stopping.wait(max(0.0, self._started + arrival.at_s - time.monotonic())):
                return
            if not self._may_go_on(ends_in_s):
                return
            with self._lock:
                self._due += 1
                conversation = self._taken(arrival)
                # Each prompt of a list is asked: for one that finds no room, room is waited for, past the load.
                if conversation is None and arrival.number < self._work.cast.fewest_visits:
                    later.append(arrival)
                elif conversation is None:
                    self._turned_away += 1
            if conversation is not None:
                yield conversation, arrival
        yield from self._waited_for(later, ends_in_s)

    def _waited_for(
        self, later: Sequence[Arrival], ends_in_s: Callable[[], float]
    ) -> Iterator[tuple[Conversation, Arrival]]:
        for arrival in later:
            conversation = None
            while conversation is None:
                if self._stopping.wait(_ROOM_S) or not self._may_go_on(ends_in_s):
                    return
                now = Arrival(arrival.number, time.monotonic() - self._started)
                self._last_begin_s = max(self._last_begin_s, now.at_s + LAST_TURNS_S)
                with self._lock:
                    conversation = self._taken(now)
            yield conversation, now

    def _may_go_on(self, ends_in_s: Callable[[], float]) -> bool:
        if ends_in_s() < self._work.answer_timeout_s + _END_S:
            self._reason = "out_of_time"
            return False
        with self._lock:
            if self._spending.exhausted:
                self._reason = "cost"
                return False
        return True

    def _taken(self, arrival: Arrival) -> Conversation | None:
        """None: everybody who may talk at once does. Called with the lock."""
        if len(self._active) >= self._work.concurrency:
            return None
        conversation = self._active[arrival.number] = self._conversation(arrival)
        self._conversations += 1
        return conversation

    def _conversation(self, arrival: Arrival) -> Conversation:
        work = self._work
        return Conversation(
            self._visits.visit(arrival.number),
            run_id=work.run_id,
            invoker=self._invoker,
            production=self._production,
            prices=self._prices,
            budget=Budget(self._begin, self._end),
            stopping=self._stopping,
            started=self._started,
            think_s=work.think_s,
            last_begin_s=self._last_begin_s,
        )

    def _hold(self, conversation: Conversation, arrival: Arrival) -> None:
        ended = False
        try:
            ended = conversation.carry_on(arrival.at_s, self._note)
        except Exception:  # a defect in one conversation must neither be silent nor end the others
            logger.exception("a conversation broke off", extra={"arrival": arrival.number})
        finally:
            stopped = conversation.end_session()
            with self._lock:
                self._active.pop(arrival.number, None)
                self._cut_short += not ended
                self._sessions_left += not stopped

    def _note(self, row: TurnResult) -> None:
        with self._lock:
            self._turns.append(row)

    def _begin(self) -> bool:
        with self._lock:
            begun = self._spending.begin()
            if not begun:
                self._reason = "cost"
            return begun

    def _end(self, cost: float | None) -> None:
        with self._lock:
            self._spending.end(cost)

    def _stop(self, reason: StoppedBy) -> None:
        with self._lock:
            active = list(self._active.values())
            if self._reason == "finished" and (active or self._due < len(self._mine)):
                self._reason = reason
        self._stopping.set()
        for conversation in active:
            with suppress(Exception):
                conversation.end_session()
