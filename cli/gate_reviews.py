"""People asked about a gate's answers, and what they said -> lines at the terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.session import Session
from flywheel.annotation import Annotator
from flywheel.domain.annotation import Annotation
from flywheel.evidence import GateEvidence
from flywheel.ports import GateRow

_ANNOTATION_S = 120.0


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
