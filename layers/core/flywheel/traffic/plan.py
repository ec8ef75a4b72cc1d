"""A wish for traffic -> the plan of a run in S3: settings, seed, production and the persons, fixed for all workers."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from flywheel.domain.personas import Cast, merge
from flywheel.domain.personas_file import parse_cast
from flywheel.domain.traffic_report import RunFacts
from flywheel.domain.traffic_settings import (
    DEFAULT_CAST,
    TrafficSettings,
    apply_settings,
    load_default_settings,
    parse_settings,
    settings_to_dict,
)
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.ports import Clock, Head, ObjectStore, Settings
from flywheel.traffic import identity
from flywheel.traffic.default_cast import default_cast_text
from flywheel.traffic.messages import PartPointer, PlanTraffic, TrafficPlanned

SETTING = "traffic"


class TrafficPlan(BaseModel):
    """The file. `settings` is the file form of `TrafficSettings`."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    execution_arn: str
    environment: str
    started_at: str
    settings: dict[str, Any]
    seed: int
    runtime_id: str
    candidate_id: str
    model_id: str
    stand_ins: list[str] = []

    def checked_settings(self) -> TrafficSettings:
        return parse_settings(self.settings)

    def facts(self, failure: str = "") -> RunFacts:
        settings = self.checked_settings()
        return RunFacts(
            run_id=self.run_id,
            environment=self.environment,
            started_at=self.started_at,
            seed=self.seed,
            profile=in_words(settings),
            duration_s=settings.duration_s,
            parts=settings.parts,
            candidate_id=self.candidate_id,
            failure=failure,
            stand_ins=tuple(self.stand_ins),
        )


def in_words(settings: TrafficSettings) -> str:
    """The load profile for people."""
    rate = f"{settings.rate_per_minute:g} a minute"
    if settings.profile == "ramp":
        rate = f"{settings.ramp_from_per_minute:g} to {rate}"
    if settings.profile == "burst":
        rate += (
            f", {settings.burst_factor:g} times that for {settings.burst_s:g} s of every {settings.burst_every_s:g} s"
        )
    return f"{settings.profile}, {rate}, {settings.spacing}, for {settings.duration_s:g} s"


def settings_of(parameters: Settings) -> TrafficSettings:
    """The package's settings with those of this environment in their place.

    Raises:
        InvalidRequestError: the SSM parameter is no JSON, or not valid.
    """
    text = parameters.text(SETTING)
    if text is None:
        return load_default_settings()
    try:
        return apply_settings(load_default_settings(), json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the SSM parameter {SETTING} is no JSON: {error}") from error


class ProductionHead(Protocol):
    """What of the releases traffic needs."""

    def head(self) -> Head: ...


@dataclass(frozen=True, slots=True)
class Planned:
    """`why` no traffic is sent, for the log."""

    reply: TrafficPlanned
    why: str = ""


class TrafficPlanner:
    def __init__(
        self,
        environment: str,
        *,
        production: ProductionHead,
        parameters: Settings,
        store: ObjectStore,
        clock: Clock,
        stand_ins: str = "",
    ) -> None:
        """`stand_ins`: what stands in for a real service here, comma-separated; reports say so."""
        self._environment = environment
        self._stand_ins = [name.strip() for name in stand_ins.split(",") if name.strip()]
        self._production = production
        self._parameters = parameters
        self._store = store
        self._clock = clock

    def plan(self, request: PlanTraffic) -> Planned:
        """Fix the run, once: the same request planned again by the same execution has the same plan.

        Raises:
            InvalidRequestError: settings or a personas file are invalid; names everything that is wrong.
            NotFoundError: a personas file is not there.
        """
        run_id = request.run_id(self._clock.now())
        release = self._production.head().release
        if release is None:
            return Planned(TrafficPlanned(action="idle", run_id=run_id), "there is no agent in production yet")
        settings = apply_settings(settings_of(self._parameters), request.event.settings)
        for number, name in enumerate(settings.personas):
            self._store.create(identity.cast_key(run_id, number), self._cast_text(name))
        seed = settings.seed if settings.seed is not None else int(run_id[-8:], 16)
        plan = TrafficPlan(
            run_id=run_id,
            execution_arn=request.execution_arn,
            environment=self._environment,
            started_at=self._clock.now().isoformat(timespec="seconds"),
            settings=settings_to_dict(settings),
            seed=seed,
            runtime_id=release.runtime_id,
            candidate_id=release.candidate.candidate_id,
            model_id=release.candidate.model_id,
            stand_ins=self._stand_ins,
        )
        if not self._store.create(identity.plan_key(run_id), plan.model_dump_json(indent=1).encode()):
            plan = read_plan(self._store, run_id)
            if plan.execution_arn != request.execution_arn:
                return Planned(
                    TrafficPlanned(action="skip", run_id=run_id), "another execution carries out this request"
                )
        parts = plan.checked_settings().parts
        pointers = [PartPointer(run_id=run_id, part=part) for part in range(parts)]
        return Planned(TrafficPlanned(action="run", run_id=run_id, parts=pointers))

    def _cast_text(self, name: str) -> bytes:
        text = default_cast_text() if name == DEFAULT_CAST else self._store.read(name)
        parse_cast(text, source=name)
        return text


def read_plan(store: ObjectStore, run_id: str) -> TrafficPlan:
    """Raise `NotFoundError` when there is no such run."""
    try:
        return TrafficPlan.model_validate_json(store.read(identity.plan_key(identity.checked_run_id(run_id))))
    except NotFoundError as error:
        raise NotFoundError(f"there is no run of traffic {run_id}") from error


def read_cast(store: ObjectStore, plan: TrafficPlan) -> Cast:
    """The persons as they were when the run was planned."""
    files = [identity.cast_key(plan.run_id, number) for number in range(len(plan.checked_settings().personas))]
    return merge(parse_cast(store.read(key), source=key) for key in files)
