"""Part pointer -> its share of the run, carried out at most once; the rows in S3, written once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread

from pydantic import BaseModel, ValidationError

from flywheel.domain.load_profile import arrivals, part_of
from flywheel.domain.traffic_results import PartResult, dump_part, load_part
from flywheel.errors import FlywheelError, InvalidRequestError, NotFoundError
from flywheel.ports import Clock, ObjectStore
from flywheel.traffic import identity
from flywheel.traffic.messages import PartPointer, PartState
from flywheel.traffic.plan import TrafficPlan, read_cast, read_plan
from flywheel.traffic.run import Assignment, TrafficRun

logger = logging.getLogger(__name__)

_NOTE_EVERY_S = 10.0
_LONGEST_WAIT_S = 60


class _Claim(BaseModel):
    """Whoever wrote it may be sending until then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What only the running function knows: seconds until it ends."""

    remaining_s: Callable[[], float]


class PartWorker:
    """Users must not ask twice, and what a killed worker sent is not known: a part is claimed, never taken over.

    Another attempt waits until the claim is over, and then ends the part with what the first noted every 10 s; the
    rest counts as unsent.
    """

    def __init__(
        self,
        store: ObjectStore,
        start: Callable[[Assignment, TrafficPlan], TrafficRun],
        clock: Clock,
        note_every_s: float = _NOTE_EVERY_S,
    ) -> None:
        self._store = store
        self._start = start
        self._clock = clock
        self._note_every_s = note_every_s

    def carry_out(self, pointer: PartPointer, lifetime: Lifetime) -> PartState:
        """Send the part's share unless that was done, or is being done.

        Raises:
            NotFoundError: there is no such run.
            InvalidRequestError: the run has no such part.
        """
        run_id, part = pointer.run_id, pointer.part
        done = PartState(run_id=run_id, part=part, done=True)
        if self._finished(run_id, part):
            return done
        plan = read_plan(self._store, run_id)
        work = assignment(plan, part, self._store)  # before the claim: what cannot begin must not hold the part
        until = self._clock.now() + timedelta(seconds=lifetime.remaining_s())
        claim = _Claim(until=until).model_dump_json().encode()
        if not self._store.create(identity.claim_key(run_id, part), claim):
            return self._of_another(work, done)
        run = self._start(work, plan)
        with _Noting(run, self._store, identity.progress_key(run_id, part), self._note_every_s):
            result = run.run(ends_in_s=lifetime.remaining_s)
        self._store.create(identity.part_key(run_id, part), dump_part(result))
        return done

    def _finished(self, run_id: str, part: int) -> bool:
        return identity.part_key(run_id, part) in self._store.keys(identity.part_key(run_id, part))

    def _of_another(self, work: Assignment, done: PartState) -> PartState:
        run_id, part = done.run_id, done.part
        if self._finished(run_id, part):
            return done
        try:
            until = _Claim.model_validate_json(self._store.read(identity.claim_key(run_id, part))).until
        except ValidationError as error:
            raise InvalidRequestError(f"the claim of part {part} of {run_id} cannot be read: {error}") from error
        left_s = (until - self._clock.now()).total_seconds()
        if left_s > 0:
            return done.model_copy(update={"done": False, "wait_s": min(_LONGEST_WAIT_S, int(left_s) + 1)})
        self._store.create(identity.part_key(run_id, part), dump_part(self._killed(work)))
        return done

    def _killed(self, work: Assignment) -> PartResult:
        try:
            return load_part(self._store.read(identity.progress_key(work.run_id, work.part)))
        except NotFoundError:
            mine = sum(
                part_of(one.number, work.parts) == work.part
                for one in arrivals(work.profile, work.seed, most=work.max_arrivals)
            )
            return PartResult(work.run_id, work.part, mine, 0, 0, mine, 0, 0, "killed", ())


class _Noting:
    """Writes down every few seconds what a run has so far, in a thread beside it."""

    def __init__(self, run: TrafficRun, store: ObjectStore, key: str, every_s: float) -> None:
        self._run, self._store, self._key, self._every_s = run, store, key, every_s
        self._over = Event()
        self._thread = Thread(target=self._note, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _note(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._store.put(self._key, dump_part(self._run.so_far("killed")))
            except FlywheelError as error:
                logger.warning("progress is not noted", extra={"key": self._key, "reason": str(error)})


def assignment(plan: TrafficPlan, part: int, store: ObjectStore) -> Assignment:
    """The share of one part. Raise `InvalidRequestError` when the run has no such part."""
    settings = plan.checked_settings()
    if not 0 <= part < settings.parts:
        raise InvalidRequestError(f"run {plan.run_id} has {settings.parts} parts, and none numbered {part}")
    places, more = divmod(settings.concurrency, settings.parts)
    return Assignment(
        run_id=plan.run_id,
        part=part,
        parts=settings.parts,
        seed=plan.seed,
        profile=settings.load_profile(),
        max_arrivals=settings.max_arrivals,
        cast=read_cast(store, plan),
        concurrency=places + (part < more),
        max_usd=settings.max_usd / settings.parts,
        think_s=settings.think_s,
        answer_timeout_s=settings.answer_timeout_s,
    )
