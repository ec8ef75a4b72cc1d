"""What the doctor says about one thing, and what all of it means for the exit code."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cli.problems import EXIT_NO

type Status = Literal["ok", "wrong", "cannot be known"]

GROUPS = ("quotas", "models", "permissions", "langfuse", "settings", "image", "wiring", "wheels")


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail`: what was seen, or why it cannot be known. `mend`: the command or the click; empty unless wrong."""

    group: str
    title: str
    status: Status
    detail: str
    mend: str = ""


def exit_code(findings: Iterable[Finding]) -> int:
    """What cannot be known fails nothing: 0 unless something is wrong."""
    return EXIT_NO if any(found.status == "wrong" for found in findings) else 0


def as_document(stack: str, when: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """The form of `--json`; keys are added to it and never renamed. `when`: `before` or `after` a deployment."""
    counts = {status: sum(f.status == status for f in findings) for status in ("ok", "wrong", "cannot be known")}
    return {
        "version": 1,
        "stack": stack,
        "when": when,
        "healthy": counts["wrong"] == 0,
        "counts": counts,
        "findings": [asdict(found) for found in findings],
    }
