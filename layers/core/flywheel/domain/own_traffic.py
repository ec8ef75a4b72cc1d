"""What flywheel causes itself -> the marks on its traces, and the one rule by which they are never production traffic.

Gates, searches, baselines of the incumbent and smoke tests ask an agent real questions. Whoever makes such a
trace takes its marks from here; whoever reads production (sampler, alerts, callouts, live evaluators) asks `is_own`.
Synthetic users are not among them: they stand for people, and `synthetic` tells them apart.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why a trace was made: a tag on it, and its user."""

    GATE = "flywheel-gate"
    EXPERIMENT = "flywheel-experiment"
    SMOKE_TEST = "smoke-test"


GATE_TRACE: Final = "gate trial"
EXPERIMENT_TRACE: Final = "experiment trial"

_SMOKE_SESSION = "smoke-"
_GATE_ENVIRONMENT = "-gate"
# Langfuse's own: its evaluators, and the experiments of its SDK.
_OTHER_ENVIRONMENTS = ("langfuse", "sdk-experiment")
_TRACES = frozenset({GATE_TRACE, EXPERIMENT_TRACE})
_CAUSES = frozenset(map(str, Cause))
_RUN = r"[gx]-\d{8}t\d{6}-[0-9a-f]{8}"
_RUN_TAG = re.compile(_RUN)
# An agent may read no tags; its sessions are named by whoever asks it.
_SESSION = re.compile(rf"(?:{_SMOKE_SESSION})?{_RUN}-")


def is_own(
    *, environment: str = "", tags: Collection[str] = (), session_id: str = "", user_id: str = "", name: str = ""
) -> bool:
    """Whether flywheel caused the trace; any one of its marks is enough, since an agent may keep only some of them."""
    return (
        holds_no_traffic(environment)
        or any(tag in _CAUSES or _RUN_TAG.fullmatch(tag) for tag in tags)
        or user_id in _CAUSES
        or name in _TRACES
        or _SESSION.match(session_id) is not None
    )


def holds_no_traffic(environment: str) -> bool:
    """Whether no trace of this environment is production traffic."""
    return environment.startswith(_OTHER_ENVIRONMENTS) or environment.endswith(_GATE_ENVIRONMENT)


def gate_environment(environment: str) -> str:
    """Langfuse environment of all that a gate leaves there.

    `environment` is the stack's own, at most 35 characters: Langfuse takes 40.
    """
    return f"{environment}{_GATE_ENVIRONMENT}"


def smoke_test_tags(gate_id: str) -> list[str]:
    """Tags of the question that a new version of production is asked."""
    return [Cause.SMOKE_TEST, gate_id]


def smoke_test_session(gate_id: str, suffix: str) -> str:
    """AgentCore session of that question."""
    return f"{_SMOKE_SESSION}{gate_id}-{suffix}"


def tags_of_own() -> tuple[str, ...]:
    """Tags for a filter that knows only tags (evaluation rules of Langfuse)."""
    return tuple(sorted(_CAUSES))
