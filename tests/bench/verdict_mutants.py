"""Gates that are wrong on purpose: the rows must catch every one of them.

Each is made through the policy, never by editing the product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.bench.goals import within
from tests.bench.simulation import POLICY, Figures, Setting
from tests.bench.verdict_rows import LIMITS, Limit, observed
from tests.bench.worlds import WORLDS


@dataclass(frozen=True, slots=True)
class Mutant:
    """`changes`: fields of the policy; `worlds`: where it must be seen in at least one row."""

    name: str
    changes: Mapping[str, Any]
    worlds: tuple[str, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(Setting(world, changes=tuple(self.changes.items())) for world in self.worlds)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits of its worlds, held against the mutant instead of the gate."""
        return tuple(
            replace(limit, setting=setting)
            for setting in self.settings
            for limit in LIMITS
            if limit.setting == Setting(setting.world)
        )


_SLICES_OF_COIN_FLIPS = 30
MUTANTS = (
    Mutant("no slice certificate", {"slice_margin": 1.0}, ("slice-by-half",)),
    Mutant("threshold 4 instead of 20", {"alpha": 0.25}, ("minus-10",)),
    Mutant("margin .15", {"margin": 0.15}, ("minus-10",)),
    Mutant("no error check", {"maximum_error_rate": 0.5, "refuted_error_rate": 0.49}, ("candidate-errs",)),
    Mutant("slice multiplicity ignored", {"slice_alpha": POLICY.slice_alpha * _SLICES_OF_COIN_FLIPS}, ("coin-flips",)),
)


def judged(mutant: Mutant, found: Mapping[Setting, Figures]) -> dict[str, Any]:
    """`missed_by`: the rows that it does not hold."""
    missed = [
        {
            "world": WORLDS[limit.setting.world].words,
            "quantity": limit.quantity,
            "observed": observed(limit, found[limit.setting]),
            "bound": limit.bound,
            "limit": limit.limit,
        }
        for limit in mutant.limits
        if not within(observed(limit, found[limit.setting]), limit.bound, limit.limit)
    ]
    return {"name": mutant.name, "caught": bool(missed), "missed_by": missed}


def lines(mutants: Sequence[Mapping[str, Any]]) -> str:
    said = []
    for mutant in mutants:
        seen = [f"{row['world']}, {row['quantity']} {row['observed']:.4g}" for row in mutant.get("missed_by", ())]
        said.append(f"  {mutant['name']:<34} {'caught' if mutant['caught'] else 'NOT CAUGHT':<10}  {'; '.join(seen)}")
    return "\n".join(said)
