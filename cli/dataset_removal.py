"""Ids of golden items -> what taking them out of the dataset means, before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from cli import dataset_view
from cli.policy_setting import effective_policy
from cli.session import Session
from flywheel.domain.golden import GoldenItem
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.report.text import one_line


@dataclass(frozen=True, slots=True)
class Removal:
    """What would go: `items`, and `broken` ones that are no golden items.

    `unknown`: ids that are not there. `warning`: that gates will refuse what is left.
    """

    dataset: str
    items: tuple[GoldenItem, ...]
    broken: tuple[UnreadableItem, ...]
    unknown: tuple[str, ...]
    warning: str | None

    @property
    def item_ids(self) -> list[str]:
        """What is to be archived."""
        return [one.item_id for one in self.items] + [one.item_id for one in self.broken]


def plan(session: Session, dataset: str, item_ids: Sequence[str]) -> Removal:
    """Look the items up.

    Raises:
        CommandError: there is no such dataset.
    """
    there = dataset_view.found(session, dataset)
    stored = {item.item_id: item for item in there.items}
    broken = {one.item_id: one for one in there.unreadable}
    wanted = list(dict.fromkeys(item_ids))
    dataset_view.warn([one for name, one in broken.items() if name not in wanted], dataset)
    left = len(stored) - sum(name in stored for name in wanted)
    least = effective_policy(session).minimum_items
    warning = None
    if left < least and dataset == session.facts.dataset:
        warning = f"{left} items are left, and the policy asks for {least}: every gate on {dataset} is refused then"
    return Removal(
        dataset,
        tuple(stored[name] for name in wanted if name in stored),
        tuple(broken[name] for name in wanted if name in broken),
        tuple(name for name in wanted if name not in stored and name not in broken),
        warning,
    )


def print_plan(console: Console, it: Removal) -> None:
    """What would go, what is not there, and what that does to gates."""
    lines = [f"- {item.item_id}  {one_line(item.question, 90)}" for item in it.items]
    lines += [f"- {one.item_id}  no golden item: {one_line(one.why, 90)}" for one in it.broken]
    lines += [
        f"{name[:80]}: no such item in {it.dataset}; flywheel dataset list shows what there is" for name in it.unknown
    ]
    tests = [item.item_id for item in it.items if item.must_pass]
    if tests:
        lines.append(
            f"warning: {', '.join(tests)} came from production and must pass; `flywheel dataset mute` lets one fail "
            "until a date instead"
        )
    if it.warning:
        lines.append(f"warning: {it.warning}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
