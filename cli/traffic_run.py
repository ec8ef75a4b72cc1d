"""A run of synthetic users from this machine, or by the stack's own workers; and what one would send."""

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from rich.console import Console

from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.load_profile import arrivals
from flywheel.domain.personas import Cast, Visit, Visits, merge
from flywheel.domain.personas_file import parse_cast
from flywheel.domain.prices import TYPICAL_TRIAL, cost_usd, load_prices
from flywheel.domain.quantile import percentile
from flywheel.domain.traffic_report import TrafficReport, timed
from flywheel.domain.traffic_results import PartResult, dump_part
from flywheel.domain.traffic_settings import DEFAULT_CAST, MOST_AT_ONCE, TrafficSettings, apply_settings
from flywheel.errors import NotFoundError
from flywheel.report.plots import seconds
from flywheel.traffic import identity
from flywheel.traffic.conversation import Production
from flywheel.traffic.default_cast import default_cast_text
from flywheel.traffic.messages import PlanTraffic, TrafficRequest
from flywheel.traffic.plan import TrafficPlan, TrafficPlanner, in_words, read_plan, settings_of
from flywheel.traffic.reporting import read_report, report_run
from flywheel.traffic.run import TrafficRun
from flywheel.traffic.work import assignment

_LOOK_EVERY_S = 0.5
_FAN_OUT_LOOK_S = 5.0
# Start of the workers, claims of killed ones, the report: after this a run is looked at with `traffic show`.
_PATIENCE_S = 1800.0


_SHOWN = 10  # names of prompts in a line


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would send at most: every conversation to its last turn. `cost_usd` None: the model has no price."""

    profile: str
    arrivals: int
    turns: int
    by_persona: Mapping[str, int]
    harmful: int
    concurrency: int
    max_usd: float
    cost_usd: float | None
    model_id: str
    seed: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"by_persona": dict(self.by_persona)}


def settings_for(session: Session, overrides: Mapping[str, Any], *, parts: int | None) -> TrafficSettings:
    """The environment's settings with what was typed in their place. `parts` None: one worker, this machine."""
    settings = apply_settings(settings_of(session.settings), overrides)
    if parts is not None:
        return apply_settings(settings, {"parts": parts}) if settings.parts != parts else settings
    return apply_settings(settings, {"parts": 1, "concurrency": min(settings.concurrency, MOST_AT_ONCE)})


def read_users(files: Sequence[str]) -> list[tuple[str, bytes]]:
    """Name and text of each file, checked; `default` is the packaged one.

    Raises:
        CommandError: a file cannot be read.
        PersonasError: a file is wrong.
    """
    found = []
    for name in files:
        try:
            text = default_cast_text() if name == DEFAULT_CAST else Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"--users {name}: {error.strerror}") from error
        parse_cast(text, source=name)
        found.append((name, text))
    return found


def preview(session: Session, settings: TrafficSettings, users: Sequence[tuple[str, bytes]]) -> Preview:
    """What would be sent. Nothing is written, and nobody is asked."""
    cast = _cast(session, settings, users)
    seed = settings.seed or 0
    profile = settings.load_profile()
    coming = arrivals(profile, seed, most=settings.max_arrivals, fewest=cast.fewest_visits)
    everyone = Visits(cast, seed)
    visits = [everyone.visit(one.number) for one in coming]
    turns = sum(one.scenario.most_turns for one in visits)
    release = session.releases.head().release
    model_id = release.candidate.model_id if release else ""
    of_turn = cost_usd(load_prices(), model_id, TYPICAL_TRIAL)
    return Preview(
        profile=in_words(settings),
        arrivals=len(visits),
        turns=turns,
        by_persona=dict(Counter(one.persona.name for one in visits).most_common()),
        harmful=sum(one.scenario.must_refuse for one in visits),
        concurrency=settings.concurrency,
        max_usd=settings.max_usd,
        cost_usd=None if of_turn is None else turns * of_turn,
        model_id=model_id,
        seed=seed,
        notes=_notes(cast, settings, visits),
    )


def _notes(cast: Cast, settings: TrafficSettings, visits: Sequence[Visit]) -> tuple[str, ...]:
    """What becomes of a list of prompts: whether each is asked, and which are taken for harmful ones."""
    listed = [scenario for persona in cast.personas if persona.in_turn for scenario in persona.scenarios]
    if not listed:
        return ()
    asked = {visit.opening for visit in visits}
    missing = sum(not asked.intersection(scenario.opens) for scenario in listed)
    notes = [f"{len(listed) - missing} of {len(listed)} prompts are asked" + (", each at least once" * (not missing))]
    if missing:
        full = len(visits) >= settings.max_arrivals
        notes[0] += f"; for all of them raise {'the setting max_arrivals' if full else '--duration or --rate'}"
    harmful = [scenario.name for scenario in listed if scenario.must_refuse]
    if harmful:
        more = len(harmful) - _SHOWN
        shown = ", ".join(harmful[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        notes.append(f'to be refused, by their names: {shown}; "must_refuse": false in a prompt says otherwise')
    return tuple(notes)


def run_here(
    session: Session, settings: TrafficSettings, overrides: Mapping[str, Any], users: Sequence[tuple[str, bytes]]
) -> TrafficReport:
    """Carry a run out from this machine; Ctrl-C ends it, its sessions, and it is reported as far as it came.

    Raises:
        CommandError: there is no agent in production.
    """
    run_id = _new_run(session)
    typed = _with_files(session, run_id, overrides, users) | {"parts": 1, "concurrency": settings.concurrency}
    planner = TrafficPlanner(
        session.facts.environment,
        production=session.releases,
        parameters=session.settings,
        store=session.objects,
        clock=session.clock,
        stand_ins=session.facts.stand_ins,
    )
    request = PlanTraffic(
        action="plan", event=TrafficRequest(run_id=run_id, settings=typed), execution_arn=f"cli:{session.identity()}"
    )
    planned = planner.plan(request)
    if planned.reply.action != "run":
        raise CommandError(f"{planned.why}: push an image first, `flywheel push --watch`")
    plan = read_plan(session.objects, run_id)
    result = _followed(session, plan)
    session.objects.create(identity.part_key(run_id, 0), dump_part(result))
    return report_run(session.objects, run_id).report


def fan_out(
    session: Session,
    settings: TrafficSettings,
    overrides: Mapping[str, Any],
    users: Sequence[tuple[str, bytes]],
    *,
    wait: bool,
) -> tuple[str, TrafficReport | None]:
    """Start the stack's state machine with `settings.parts` workers; its run, and its report when that was waited for.

    Raises:
        CommandError: the stack has no such machine, there is no production, or the run failed.
    """
    machine = session.facts.traffic_machine
    if machine is None:
        raise CommandError("this stack has no state machine for traffic: deploy it again")
    if session.releases.head().release is None:
        raise CommandError("there is no agent in production yet: push an image first, `flywheel push --watch`")
    run_id = _new_run(session)
    typed = _with_files(session, run_id, overrides, users) | {"parts": settings.parts}
    execution = session.executions.start(machine, run_id, json.dumps({"run_id": run_id, "settings": typed}))
    return run_id, _awaited(session, run_id, execution) if wait else None


def _awaited(session: Session, run_id: str, execution: str) -> TrafficReport:
    began = session.clock.now()
    with Console(stderr=True).status(f"{run_id}: the stack's workers send"):
        while (status := session.executions.status(execution)) == "RUNNING":
            if session.elapsed(began).total_seconds() > _PATIENCE_S:
                raise CommandError(f"{run_id} still runs: look again with `flywheel traffic show {run_id}`")
            session.sleep(_FAN_OUT_LOOK_S)
    try:
        return read_report(session.objects, run_id)
    except NotFoundError as error:
        raise CommandError(
            f"{run_id} ended as {status} without a report; the log of simulate_users says why"
        ) from error


def _followed(session: Session, plan: TrafficPlan) -> PartResult:
    """Run in a thread, so that Ctrl-C reaches this one at once."""
    work = assignment(plan, 0, session.objects)
    production = Production(session.runtime_arn(plan.runtime_id), session.facts.production_endpoint, plan.model_id)
    invoker = session.invoker(work.answer_timeout_s, work.concurrency)
    run = TrafficRun(work, invoker=invoker, production=production, prices=load_prices())
    results: list[PartResult] = []
    thread = Thread(target=lambda: results.append(run.run()), daemon=True)
    thread.start()
    with Console(stderr=True).status(plan.run_id) as status:
        while thread.is_alive():
            try:
                thread.join(_LOOK_EVERY_S)
                status.update(progress_line(run))
            except KeyboardInterrupt:
                status.update("ending all sessions")
                run.cancel()
    return results[0] if results else run.so_far("killed")


def progress_line(run: TrafficRun) -> str:
    """How far a run is, in one line."""
    now = run.progress()
    errored = sum(one.outcome == "errored" for one in now.turns)
    values = [one.latency_ms for one in timed(now.turns)]
    p95 = f", p95 {seconds(round(percentile(values, 0.95)))}" if values else ""
    return (
        f"{now.elapsed_s:.0f} s: {now.due} of {now.arrivals} users, {now.in_flight} talking, {len(now.turns)} turns, "
        f"{errored} errored, {now.turned_away} turned away{p95}"
    )


def _new_run(session: Session) -> str:
    return identity.run_id(session.clock.now(), str(uuid.uuid4()))


def _with_files(
    session: Session, run_id: str, overrides: Mapping[str, Any], users: Sequence[tuple[str, bytes]]
) -> dict[str, Any]:
    """The overrides with the files, put where workers can read them, as S3 keys."""
    keys = []
    for number, (name, text) in enumerate(users):
        if name == DEFAULT_CAST:
            keys.append(DEFAULT_CAST)
            continue
        keys.append(f"{identity.PREFIX}{run_id}/given/{number}.json")
        session.objects.create(keys[-1], text)
    return dict(overrides) | ({"personas": keys} if keys else {})


def _cast(session: Session, settings: TrafficSettings, users: Sequence[tuple[str, bytes]]) -> Cast:
    if users:
        return merge(parse_cast(text, source=name) for name, text in users)
    return merge(
        parse_cast(default_cast_text() if key == DEFAULT_CAST else session.objects.read(key), source=key)
        for key in settings.personas
    )
