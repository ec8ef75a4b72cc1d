"""One run of the harvest: the right to run, the walk, the growth announced, agreement and evidence written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from flywheel.domain.harvest_settings import HarvestSettings, harvest_settings
from flywheel.domain.unreadable_items import lines
from flywheel.errors import ConflictError, NotFoundError
from flywheel.harvest_agreement import AgreementBook
from flywheel.harvest_cases import Cases
from flywheel.harvest_decisions import Decisions
from flywheel.harvest_effects import Effects
from flywheel.harvesting import Harvester, Tally
from flywheel.ports import Clock, EventBus, LiveLedger, ObjectStore, Once, ReleaseStore, ReviewQueue, Settings
from flywheel.ports.harvest import CaseJudge, CaseStore, HarvestNotes, Likeness, LiveReviews, Redactor

LATEST_RUN = "harvest/latest.json"
SETTING = "harvest"


@dataclass(frozen=True, slots=True)
class HarvestParts:
    """What a run works with. `judge` makes one for each run."""

    dataset: str
    ledger: LiveLedger
    reviews: LiveReviews
    queue: ReviewQueue
    store: CaseStore
    releases: ReleaseStore
    notes: HarvestNotes
    redactor: Redactor
    likeness: Likeness
    judge: Callable[[], CaseJudge]
    objects: ObjectStore
    bus: EventBus
    once: Once
    parameters: Settings
    clock: Clock


@dataclass(frozen=True, slots=True)
class HarvestSummary:
    """What a run saw and did, in numbers and ids. `skipped`: another run was under way, this one did nothing.

    `items_left_out`: a line for each item of the dataset that is no golden item, with what mends it.
    """

    run_id: str
    skipped: bool = False
    dry_run: bool = False
    complete: bool = True
    seen: int = 0
    waiting: int = 0
    settling: int = 0
    unchanged: int = 0
    closed: int = 0
    raced: int = 0
    unjudged: int = 0
    flagged: int = 0
    defects: tuple[tuple[str, str], ...] = ()
    states: Mapping[str, int] | None = None
    outcomes: tuple[tuple[str, str, str | None], ...] = ()
    announced: tuple[str, ...] = ()
    slices: Mapping[str, int] | None = None
    agreement: Mapping[str, Any] | None = None
    items_left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as it is in the evidence."""
        return {
            "version": 1,
            **{name: getattr(self, name) for name in self.__slots__},
            "states": dict(self.states or {}),
            "slices": dict(self.slices or {}),
            "agreement": dict(self.agreement or {}),
            "announced": list(self.announced),
            "items_left_out": list(self.items_left_out),
            "outcomes": [{"trace_id": trace, "state": state, "item_id": item} for trace, state, item in self.outcomes],
        }


class HarvestRun:
    """Runs the harvest, one at a time in a stack; `longest`: after so long another run may take over."""

    def __init__(self, parts: HarvestParts, *, longest: timedelta = timedelta(minutes=11)) -> None:
        self._parts = parts
        self._longest = longest

    def run(self, *, dry_run: bool = False, may_go_on: Callable[[], bool] = lambda: True) -> HarvestSummary:
        """Harvest what is finished.

        Raises:
            InvalidRequestError: the setting is invalid; every problem is named.
            TransientError: something outside does not answer; run again, nothing is lost and nothing done twice.
        """
        parts = self._parts
        settings = harvest_settings(parts.parameters.text(SETTING))
        now = parts.clock.now()
        run_id = run_id_of(now)
        if dry_run:
            return self._summary(run_id, self._harvester(settings)[0].walk(dry_run=True), dry_run=True)
        try:
            parts.notes.acquire(run_id, now=now, until=now + self._longest)
        except ConflictError:
            return HarvestSummary(run_id, skipped=True)
        try:
            return self._carry_out(run_id, settings, may_go_on)
        finally:
            parts.notes.release(run_id)

    def _carry_out(self, run_id: str, settings: HarvestSettings, may_go_on: Callable[[], bool]) -> HarvestSummary:
        parts = self._parts
        harvester, effects = self._harvester(settings)
        tally = harvester.walk(may_go_on=may_go_on)
        announced = effects.announce_growth()
        figures = AgreementBook(parts.objects).update(
            tally.pairs,
            pass_at=settings.pass_at,
            most=settings.agreement_reviews,
            at=parts.clock.now().isoformat(timespec="seconds"),
        )
        summary = self._summary(run_id, tally, announced=tuple(announced), slices=effects.slices(), agreement=figures)
        body = json.dumps(summary.to_dict()).encode()
        if summary.outcomes or summary.announced:
            parts.objects.put(f"harvest/{run_id}.json", body)
        parts.objects.put(LATEST_RUN, body)
        if tally.trouble is not None:  # the others are harvested; this one is seen to have failed, and tried again
            raise tally.trouble
        return summary

    def _harvester(self, settings: HarvestSettings) -> tuple[Harvester, Effects]:
        parts = self._parts
        cases = Cases(
            parts.dataset,
            settings,
            store=parts.store,
            redactor=parts.redactor,
            likeness=parts.likeness,
            releases=parts.releases,
        )
        effects = Effects(
            parts.dataset,
            settings.conflict_queue,
            cases=cases,
            store=parts.store,
            reviews=parts.reviews,
            queue=parts.queue,
            notes=parts.notes,
            bus=parts.bus,
            once=parts.once,
        )
        harvester = Harvester(
            settings,
            ledger=parts.ledger,
            reviews=parts.reviews,
            notes=parts.notes,
            decisions=Decisions(cases, parts.judge(), parts.notes),
            effects=effects,
            clock=parts.clock,
        )
        return harvester, effects

    def _left_out(self) -> tuple[str, ...]:
        """Told by each run, for none of them stops at such items; a dataset that does not exist yet has none."""
        try:
            return tuple(lines(self._parts.store.unreadable(self._parts.dataset)))
        except NotFoundError:
            return ()

    def _summary(self, run_id: str, tally: Tally, **more: Any) -> HarvestSummary:
        return HarvestSummary(
            run_id,
            complete=tally.complete,
            seen=tally.seen,
            waiting=tally.waiting,
            settling=tally.settling,
            unchanged=tally.unchanged,
            closed=tally.closed,
            raced=tally.raced,
            unjudged=tally.unjudged,
            defects=tuple(tally.defects),
            flagged=tally.flagged,
            states=tally.states,
            outcomes=tuple(tally.outcomes),
            items_left_out=self._left_out(),
            **more,
        )


def run_id_of(moment: datetime) -> str:
    """`h-20261125t101000-` and 8 hex digits of the whole time: runs in order, and no two alike."""
    return f"h-{moment:%Y%m%dt%H%M%S}-{sha256(moment.isoformat().encode()).hexdigest()[:8]}"
