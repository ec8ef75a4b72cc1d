"""The last net: short-lived runtimes that nothing else has retired -> deleted and reported."""

from dataclasses import dataclass
from datetime import timedelta

from flywheel.errors import FlywheelError, NotFoundError
from flywheel.ports import Clock, GateStore, Runtime, RuntimeControl
from flywheel.runtimes import GATE, age, deletable

# No execution lives longer than this (the machine's time limit and some margin): its record may say `running` for ever.
LONGEST_GATE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Names of runtimes. `kept`: young, or their gate is running; `refused`: could not be deleted now, with why."""

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
        clock: Clock,
    ) -> None:
        self._prefix = f"fw_{environment}_"
        self._stack = stack
        self._older_than = older_than
        self._runtimes = runtimes
        self._gates = gates
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
        old = age(tags, self._clock.now())
        if old is None:
            # Without a creation time only the gate's record can tell; unreadable tags never make a runtime immortal.
            old = LONGEST_GATE
        if old < self._older_than:
            return False
        gate_id = tags.get(GATE)
        row = self._gates.get(gate_id) if gate_id else None
        running = row is not None and row.status == "running"
        return not running or old >= max(LONGEST_GATE, self._older_than)
