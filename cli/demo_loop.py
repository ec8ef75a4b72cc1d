"""The second half of `flywheel demo`: users arrive, a failure is found, judged, harvested; the next push meets it."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.demo_pushes import Pushed
    from cli.session import Session
    from flywheel.ports import GateRow
    from local.reviewer import Case, Judgement, Worked
    from local.stack import StackInfo

USERS = ("default", "local/demo/personas.json")
# Who arrives, and how many of their traces are reviewed: half an hour of a reviewer's.
TRAFFIC: Mapping[str, Any] = {
    "profile": "constant",
    "rate_per_minute": 150.0,
    "duration_s": 20.0,
    "seed": 7,
    "concurrency": 8,
    "think_s": 0.0,
}
REVIEWS = 30
# Another digest with the same defect, and the agent with it mended.
SAME_DEFECT, REPAIRED = "same_defect", "repaired"

_HARVESTS = 5
_GROWN_S = 90.0
_READABLE_S = 60.0
_NOT_ANSWERED = "does not cover this question"
# What people know to be right about the question that the agent in production answers wrong.
_ASKED = "lambda function"
_RIGHT = "A short-lived process must call flush before it exits, or the events still in the queue are lost."

type Push = Callable[[str], "Pushed"]
type Say = Callable[[str], None]


@dataclass(slots=True)
class Loop:
    """`loop` of `summary.json`. `estimated_failure_rate`: low, point, high; None while no estimate can be made."""

    traffic: dict[str, Any] = field(default_factory=dict)
    sampled: int = 0
    budget: int = 0
    reviewed: int = 0
    flagged: int = 0
    dataset_before: int = 0
    dataset_after: int = 0
    duplicates_linked: int = 0
    new_items: list[str] = field(default_factory=list)
    baseline_gate: str | None = None
    rejected_by_new_item: bool = False
    repaired_promoted: bool = False
    estimated_failure_rate: tuple[float, float, float] | None = None
    loop_s: float = 0.0
    pushes: list["Pushed"] = field(default_factory=list)


def decide(case: "Case") -> "Judgement":
    """The scripted reviewer: what is not answered is wrong; the case whose right answer it knows is for the dataset."""
    from local.reviewer import Judgement  # noqa: PLC0415

    if _NOT_ANSWERED not in case.answer:
        return Judgement(correct=True)
    if _ASKED not in case.question.lower():
        return Judgement(
            correct=False, comment="Whether the documentation has more on this is not known to the script."
        )
    return Judgement(correct=False, add_to_dataset=True, trajectory_confirmed=True, correction=_RIGHT)


def forget(session: "Session", say: Say) -> None:
    """Archive what an earlier demo harvested: the agent that the demo begins with fails just that."""
    items = session.dataset.snapshot(session.facts.dataset).items
    old = [item.item_id for item in items if item.must_pass and _ASKED in item.question.lower()]
    if old:
        session.dataset.archive(session.facts.dataset, old)
        say(f"the case that an earlier demo harvested is archived: {', '.join(old)}")


def run(session: "Session", info: "StackInfo", push: Push, say: Say) -> Loop:
    """Carry the loop round once.

    Raises:
        CommandError: a step of it did not do what it is for.
    """
    began, since = time.monotonic(), session.clock.now()
    loop = Loop()
    _settle_at_once(session)
    loop.dataset_before = _items(session)
    _users_arrive(session, loop, say)
    _traces_are_sampled(session, loop, say)
    _reviewer_works(session, info, loop, say)
    _reviews_are_harvested(session, loop, say)
    _incumbent_answers(session, loop, since, say)
    defect = push(SAME_DEFECT)
    loop.pushes.append(defect)
    named = {item for reason in defect.reasons for item in reason.get("items", ())}
    codes = {reason["code"] for reason in defect.reasons}
    by_new_item = codes == {"must_pass"} and bool(named) and named <= set(loop.new_items)
    loop.rejected_by_new_item = defect.verdict == "FAIL" and by_new_item
    repaired = push(REPAIRED)
    loop.pushes.append(repaired)
    loop.repaired_promoted = repaired.verdict == "PASS" and repaired.promoted
    loop.estimated_failure_rate = _failure_rate(session)
    loop.loop_s = round(time.monotonic() - began, 1)
    return loop


def _settle_at_once(session: "Session") -> None:
    """Nobody else is on this machine: synthetic users are sampled, and nothing waits for late traces and typing.

    The day's budget is paced over the day: so much of it that this hour may take what the demo reviews.
    """
    now = session.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    over = max((now - midnight) / timedelta(days=1), 1e-3)
    used = len(session.live_ledger.of_day(f"{now:%Y-%m-%d}"))
    sampling = {
        "include_synthetic": True,
        "settle_s": 0,
        "review_budget_per_day": min(100_000, math.ceil((REVIEWS + used) / over)),
    }
    session.settings.put("sampling", json.dumps(sampling))
    session.settings.put("harvest", json.dumps({"settle_minutes": 0}))


def _items(session: "Session") -> int:
    return len(session.dataset.snapshot(session.facts.dataset).items)


def _users_arrive(session: "Session", loop: Loop, say: Say) -> None:
    from cli.traffic_run import read_users, run_here, settings_for  # noqa: PLC0415

    say("synthetic users arrive; some ask what the agent in production answers wrong")
    settings = settings_for(session, TRAFFIC, parts=None)
    report = run_here(session, settings, TRAFFIC, read_users(USERS))
    latency = report.latency
    loop.traffic = {
        "run_id": report.facts.run_id,
        "users": report.conversations,
        "turns": report.turns,
        "success_rate": report.success_rate,
        "p50_ms": latency.p50_ms if latency else None,
        "p95_ms": latency.p95_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        "harmful": report.harmful,
        "harmful_refused": report.harmful_refused,
        "errors": report.errors,
    }
    p95 = f", p95 {latency.p95_ms} ms" if latency else ""
    say(f"{report.conversations} users, {report.turns} questions{p95}; {report.harmful_refused} harmful ones refused")


def _traces_are_sampled(session: "Session", loop: Loop, say: Say) -> None:
    """Until the traces of the run can be read in Langfuse and a window was drawn."""
    deadline = time.monotonic() + _READABLE_S
    while time.monotonic() < deadline:
        told = session.sampling_runs.run(dry_run=False)
        if told["state"] == "drawn" and told["drawn"]:
            loop.sampled += told["queued"]
            loop.budget += told["budget"]
            say(f"{told['queued']} of {told['eligible']} traces wait for review, within a budget of {told['budget']}")
            return
        time.sleep(2)
    raise CommandError("no trace was sampled: flywheel sampling status; flywheel local logs ministack")


def _reviewer_works(session: "Session", info: "StackInfo", loop: Loop, say: Say) -> None:
    from local.reviewer import ScriptedReviewer  # noqa: PLC0415

    found = info.langfuse
    reviewer = ScriptedReviewer.at(found.url, found.public_key, found.secret_key)
    worked: Worked = reviewer.work(session.facts.live_queue, decide)
    loop.reviewed, loop.flagged = len(worked.judged), worked.flagged
    say(f"the scripted reviewer (no person) judged {loop.reviewed} and flagged {loop.flagged} for the dataset")
    if not loop.flagged:
        raise CommandError("the failure was not among the traces that were sampled: run the demo again")


def _reviews_are_harvested(session: "Session", loop: Loop, say: Say) -> None:
    """A run looks at what is finished; what changed while it looked is left to the next one."""
    flagged = 0
    for _ in range(_HARVESTS):
        told = session.harvest_runs.run(dry_run=False)
        for outcome in told["outcomes"]:
            flagged += outcome["state"] in {"harvested", "linked", "conflict"}
            loop.duplicates_linked += outcome["state"] == "linked"
            if outcome["state"] == "harvested":
                loop.new_items.append(outcome["item_id"])
        if flagged >= loop.flagged:
            break
        time.sleep(2)
    loop.dataset_after = _items(session)
    say(
        f"harvested: {len(loop.new_items)} new golden item(s), {loop.duplicates_linked} near-duplicates linked; "
        f"{loop.dataset_before} items before, {loop.dataset_after} now"
    )
    if not loop.new_items:
        raise CommandError("nothing was harvested: flywheel harvest status")


def _incumbent_answers(session: "Session", loop: Loop, since: datetime, say: Say) -> None:
    """The dataset grew, so the incumbent is asked about the new items, by itself; an earlier demo's is no proof."""
    deadline = time.monotonic() + _GROWN_S
    while time.monotonic() < deadline:
        grown = (row for row in session.gates.recent(5) if row.trigger == "dataset-grown" and row.started >= since)
        row = next(grown, None)
        if row is not None and row.status == "ended":
            loop.baseline_gate = row.gate_id
            say(f"the incumbent answered the new item(s): {_outcome(row)}")
            return
        time.sleep(1)
    raise CommandError("the incumbent was not asked about the new items: flywheel gate list")


def _outcome(row: "GateRow") -> str:
    return f"{row.verdict} ({', '.join(row.against)})" if row.against else str(row.verdict)


def _failure_rate(session: "Session") -> tuple[float, float, float] | None:
    from cli.sampling import found  # noqa: PLC0415

    rate = found(session).failure_rate.estimate
    return None if rate is None else (round(rate.low, 4), round(rate.rate, 4), round(rate.high, 4))
