"""Scores of Langfuse's own evaluators, waited for by looking again: one look a call, until all are there or time is up.

Nothing sleeps here: whoever called is told when to call again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from flywheel.domain.experiment import LateScores
from flywheel.domain.late_scores import LateState
from flywheel.domain.outcome import TrialRecord
from flywheel.errors import FlywheelError, TransientError
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.ports import Clock, LateScoreSource

# An evaluator answers within seconds to minutes; a project of the smallest plan has 30 requests a minute.
_LOOK_AGAIN_S = 20
_LOOK_S = 40.0


@dataclass(frozen=True, slots=True)
class LateLook:
    """`wait_s`: after how long to look again; 0: nothing more is waited for."""

    state: LateState
    wait_s: int


class LateScoring:
    """Collects them into `late-scores.json`. What Langfuse does never keeps a report from being made."""

    def __init__(self, evidence: ExperimentEvidence, source: Callable[[], LateScoreSource], clock: Clock) -> None:
        """`source` is made when it is needed: it may fail, which is then what the report says."""
        self._evidence = evidence
        self._source = source
        self._clock = clock

    def look(
        self,
        experiment_id: str,
        attempt: int,
        asked: LateScores,
        answers: Callable[[], Mapping[str, Sequence[TrialRecord]]],
        remaining: Sequence[str],
        *,
        wait: bool,
    ) -> LateLook:
        """Ask once for what is missing. `answers`: results by configuration, read at the first look only.

        `wait` False: this look is the last one. A look that was the last one stays so, whatever arrives later.
        """
        state = self._evidence.late_scores(experiment_id)
        if state is None or state.attempt != attempt:
            state = self._opened(attempt, asked, answers(), remaining)
        if state.settled:
            return LateLook(state, 0)
        state, pause_s = self._asked(state, state.missing(state.awaited))
        now = self._clock.now()
        if wait and pause_s and state.missing(state.awaited) and not state.over(now):
            left_s = (datetime.fromisoformat(state.deadline) - now).total_seconds()
            self._evidence.write_late_scores(experiment_id, state)
            return LateLook(state, max(1, min(pause_s, ceil(left_s))))
        trouble = state.trouble
        state, _ = self._asked(state, state.missing(state.others))
        state = replace(state, settled=True, trouble=trouble or state.trouble)
        self._evidence.write_late_scores(experiment_id, state)
        return LateLook(state, 0)

    def _opened(
        self, attempt: int, asked: LateScores, answers: Mapping[str, Sequence[TrialRecord]], remaining: Sequence[str]
    ) -> LateState:
        now = self._clock.now()
        traces = {
            name: tuple(dict.fromkeys(r.trace_id for r in records if r.outcome != "errored" and r.trace_id))
            for name, records in answers.items()
        }
        return LateState(
            attempt=attempt,
            names=tuple(dict.fromkeys(asked.names)),
            asked_since=now.isoformat(),
            deadline=(now + timedelta(minutes=asked.deadline_minutes)).isoformat(),
            awaited={name: own for name, own in traces.items() if own and name in remaining},
            others={name: own for name, own in traces.items() if own and name not in remaining},
        )

    def _asked(self, state: LateState, traces: Mapping[str, None]) -> tuple[LateState, int]:
        """The state with what is there now, and after how long it is worth asking again; 0: it never is."""
        if not traces or not state.names:
            return replace(state, trouble=""), _LOOK_AGAIN_S
        try:
            found, broke_off = self._source().read(tuple(traces), state.names, deadline_s=_LOOK_S)
        except TransientError as error:
            found, broke_off = {}, error
        except FlywheelError as error:
            return replace(state, trouble=str(error)), 0
        state = replace(state.with_values(found), trouble="" if broke_off is None else str(broke_off))
        asked_s = 0.0 if broke_off is None else broke_off.retry_after_s
        return state, max(_LOOK_AGAIN_S, ceil(asked_s))
