"""People asked about a gate's answers, and what they said -> lines at the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.gate_view import styled
from cli.session import Session
from flywheel.annotation import Annotator
from flywheel.domain.agreement import Agreement, compare
from flywheel.domain.annotation import Annotation
from flywheel.evidence import GateEvidence, reviewed_verdict_key, verdict_to_dict
from flywheel.ports import GateRow
from flywheel.report.text import one_line
from flywheel.reviewing import Collected, Reviewing, next_step

_ANNOTATION_S = 120.0
_POLL_S = 10.0


def annotate(session: Session, row: GateRow) -> Annotation:
    """Ask people about a decided gate; asking again asks nothing twice."""
    annotator = Annotator(
        session.facts.review_queue,
        evidence=GateEvidence(session.objects),
        queue=session.review_queue,
        ledger=session.review_ledger,
        clock=session.clock,
        sleep=session.sleep,
    )
    return annotator.annotate(row.gate_id, deadline_s=_ANNOTATION_S)


def annotation_to_dict(gate_id: str, annotation: Annotation) -> dict[str, Any]:
    return {
        "gate_id": gate_id,
        "state": annotation.state,
        "message": annotation.message,
        "queue": annotation.queue_name or None,
        "url": annotation.queue_url or None,
        "answers": annotation.counts(),
        "traces": [task.trace_id for task in annotation.tasks],
    }


def print_annotation(console: Console, gate_id: str, annotation: Annotation) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    say(escape(annotation.message))
    if annotation.state != "queued":
        return
    counts = annotation.counts()
    say(f"{counts.get('decided', 0)} of them decided, {counts.get('random', 0)} are a random share of all answers")
    say(f"review: {escape(annotation.queue_url)}")
    say(f"next: flywheel gate reviews {gate_id}")


def standing(session: Session, gate_id: str) -> dict[str, Any] | None:
    """What is on record of a gate's review, without asking Langfuse; None: nobody was asked."""
    evidence = GateEvidence(session.objects)
    annotation = evidence.annotation(gate_id)
    if annotation is None or annotation.state != "queued":
        return None
    back = evidence.document(reviewed_verdict_key(gate_id)) or {}
    return {
        "queue": annotation.queue_name,
        "url": annotation.queue_url,
        "asked": len(annotation.tasks),
        "reviewed": back.get("answers", 0),
        "reviewed_verdict": back.get("kind"),
    }


def standing_line(gate_id: str, asked: Mapping[str, Any]) -> str:
    """The same for people."""
    verdict = f", by people's scores {asked['reviewed_verdict']}" if asked["reviewed_verdict"] else ""
    return (
        f"reviews: {asked['reviewed']} of {asked['asked']} answers collected{verdict}; {one_line(asked['url'])}; "
        f"flywheel gate reviews {gate_id}"
    )


def collect(session: Session, row: GateRow) -> Collected:
    """Bring back what people said until now."""
    decided = row.ended or session.clock.now()
    return _reviewing(session).collect(row.gate_id, f"{decided:%Y-%m-%d}")


def wait(session: Session, row: GateRow, timeout_s: float) -> bool:
    """Wait until no answer of the gate waits for a person; False when the time is over before."""
    reviewing = _reviewing(session)
    started = session.clock.now()
    while reviewing.still_open(row.gate_id):
        if session.elapsed(started).total_seconds() + _POLL_S > timeout_s:
            return False
        session.sleep(_POLL_S)
    return True


def _reviewing(session: Session) -> Reviewing:
    return Reviewing(evidence=GateEvidence(session.objects), queue=session.review_queue)


def agreement(collected: Collected, *, random_only: bool = False) -> Agreement:
    """Pass or fail as the judge and as people say."""
    least = collected.plan.policy.must_pass_score
    return compare(
        (review.judge_score >= least, review.human_score >= least)
        for review in collected.reviews
        if review.chosen == "random" or not random_only
    )


def collected_to_dict(collected: Collected, row: GateRow) -> dict[str, Any]:
    """For scripts. `reviewed_verdict` None: nobody has judged anything."""
    everything, drawn = agreement(collected), agreement(collected, random_only=True)
    return {
        "gate_id": row.gate_id,
        "queue": collected.annotation.queue_name or None,
        "url": collected.annotation.queue_url or None,
        "judge_version": collected.plan.judge.version,
        "asked": len(collected.annotation.tasks),
        "reviewed": len(collected.reviews),
        "open": len(collected.open),
        "skipped": len(collected.skipped),
        "agreed": everything.agreed,
        "random": {"reviewed": drawn.answers, "agreed": drawn.agreed},
        "verdict": collected.original.kind,
        "reviewed_verdict": None if collected.reviewed is None else verdict_to_dict(collected.reviewed),
        "next_step": next_step(collected, held=row.held),
        "reviews": [
            {
                "item_id": review.item_id,
                "trial": review.trial,
                "arm": review.arm,
                "chosen": review.chosen,
                "judge": review.judge_score,
                "people": review.human_score,
                "reviewer": review.reviewer or None,
                "comment": collected.comments.get(review.trace_id),
                "trace_id": review.trace_id,
            }
            for review in collected.reviews
        ],
    }


def print_collected(console: Console, collected: Collected, row: GateRow) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    if collected.reviews:
        console.print(_table(collected))
    everything, drawn = agreement(collected), agreement(collected, random_only=True)
    left = f"{len(collected.open)} open" + (f", {len(collected.skipped)} skipped" if collected.skipped else "")
    say(f"{everything.answers} of {len(collected.annotation.tasks)} answers judged, {left}")
    if everything.answers:
        say(
            f"judge and people agree on {everything.agreed} of {everything.answers}; "
            f"of those drawn at random on {drawn.agreed} of {drawn.answers}"
        )
    if collected.reviewed is not None:
        before, after = styled(str(collected.original.kind)), styled(str(collected.reviewed.kind))
        same = collected.original.kind == collected.reviewed.kind
        say(f"verdict {before}, with people's scores {'the same' if same else after}")
        for reason in collected.reviewed.against if not same else ():
            say(f"  {escape(one_line(reason.message or reason.code, 300))}")
    if collected.annotation.queue_url:
        say(f"queue: {escape(collected.annotation.queue_url)}")
    say(f"next: {escape(next_step(collected, held=row.held))}")


def _table(collected: Collected) -> Table:
    """One row an answer, those in which judge and people differ most first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("item", "trial", "arm", "chosen", "judge", "people", "comment"):
        number = name in {"trial", "judge", "people"}
        table.add_column(name, overflow="fold", justify="right" if number else "left")
    ordered = sorted(
        collected.reviews, key=lambda it: (-abs(it.judge_score - it.human_score), it.item_id, it.trial, it.arm)
    )
    for it in ordered:
        table.add_row(
            escape(one_line(it.item_id, 40)),
            str(it.trial),
            it.arm,
            it.chosen,
            f"{it.judge_score:.2f}",
            f"{it.human_score:.2f}",
            escape(one_line(collected.comments.get(it.trace_id, ""), 80)),
        )
    return table
