"""The last net: short-lived runtimes that nothing else has retired -> deleted and reported."""

from dataclasses import dataclass
from datetime import timedelta

from flywheel.errors import FlywheelError, NotFoundError
from flywheel.ports import Clock, ExperimentStore, GateStore, Runtime, RuntimeControl
from flywheel.runtimes import EXPERIMENT, GATE, age, deletable

# No execution lives longer than this (the machine's time limit and some margin): its record may say `running` for ever.
LONGEST_GATE = timedelta(hours=6)
LONGEST_EXPERIMENT = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Names of runtimes. `kept`: young, or what needs them is running; `refused`: not deleted now, with why."""

    seen: int
    swept: tuple[str, ...]
    kept: tuple[str, ...]
    refused: tuple[str, ...]


class Sweeper:
    """Looks at every runtime of this environment by name, then by tag; never at production."""

    def __init__(
        self,
        environment: str,
        stack: str,
        older_than: timedelta,
        *,
        runtimes: RuntimeControl,
        gates: GateStore,
        experiments: ExperimentStore,
        clock: Clock,
    ) -> None:
        self._prefix = f"fw_{environment}_"
        self._stack = stack
        self._older_than = older_than
        self._runtimes = runtimes
        self._gates = gates
        self._experiments = experiments
        self._clock = clock

    def sweep(self) -> SweepResult:
        """One pass over all of them; a runtime that cannot be deleted now is left for the next pass."""
        swept: list[str] = []
        kept: list[str] = []
        refused: list[str] = []
        seen = 0
        for runtime in list(self._runtimes.runtimes()):
            if not runtime.name.startswith(self._prefix) or runtime.status == "DELETING":
                continue
            seen += 1
            try:
                if not self._abandoned(runtime):
                    kept.append(runtime.name)
                    continue
                self._runtimes.delete(runtime.runtime_id)
                swept.append(runtime.name)
            except NotFoundError:
                continue  # gone between listing and looking
            except FlywheelError as error:
                # Whatever is wrong with one, those behind it are looked at; an alarm counts the refused.
                refused.append(f"{runtime.name}: {error}")
        return SweepResult(seen, tuple(swept), tuple(kept), tuple(refused))

    def _abandoned(self, runtime: Runtime) -> bool:
        tags = self._runtimes.tags(runtime.arn)
        if not deletable(tags, self._stack):
            return False
        experiment_id = tags.get(EXPERIMENT)
        longest = LONGEST_EXPERIMENT if experiment_id else LONGEST_GATE
        old = age(tags, self._clock.now())
        if old is None:
            # Without a creation time only the record can tell; unreadable tags never make a runtime immortal.
            old = longest
        if old < self._older_than:
            return False
        wanted = self._of_experiment(experiment_id, runtime) if experiment_id else self._of_gate(tags.get(GATE))
        return not wanted or old >= max(longest, self._older_than)

    def _of_gate(self, gate_id: str | None) -> bool:
        row = self._gates.get(gate_id) if gate_id else None
        return row is not None and row.status == "running"

    def _of_experiment(self, experiment_id: str, runtime: Runtime) -> bool:
        """Of the attempt under way: an earlier one's runtimes are abandoned even while the experiment goes on."""
        row = self._experiments.get(experiment_id)
        if row is None or row.status != "running":
            return False
        return any(state.runtime_name == runtime.name for state in row.runtimes.values())
