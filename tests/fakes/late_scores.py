"""Scores of Langfuse's own evaluators in memory."""

from collections.abc import Collection, Mapping, Sequence

from flywheel.errors import FlywheelError, TransientError


class InMemoryLateScores:
    """`values`: name -> trace -> value. `fails` is raised at every look; `broken_off` follows what was found."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, float]] = {}
        self.fails: FlywheelError | None = None
        self.broken_off: TransientError | None = None
        self.looks: list[tuple[str, ...]] = []

    def read(
        self, traces: Sequence[str], names: Collection[str], *, deadline_s: float
    ) -> tuple[Mapping[str, Mapping[str, float]], TransientError | None]:
        self.looks.append(tuple(traces))
        if self.fails is not None:
            raise self.fails
        asked = frozenset(traces)
        found = {
            name: {trace: value for trace, value in self.values.get(name, {}).items() if trace in asked}
            for name in names
        }
        return found, self.broken_off
