"""Stored golden items -> tables, rows for scripts, and the file form."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.golden import SLICES, GoldenItem, item_to_file
from flywheel.domain.plan import MutedItem
from flywheel.domain.unreadable_items import UnreadableItem, refusal
from flywheel.errors import NotFoundError
from flywheel.ports import DatasetSnapshot
from flywheel.report.text import one_line


def found(session: Session, dataset: str | None = None) -> DatasetSnapshot:
    """A dataset as it is now, with what is no golden item beside those that are; the stack's own when none is named.

    Raises:
        CommandError: there is no such dataset yet.
    """
    name = dataset or session.facts.dataset
    try:
        return session.dataset.look(name)
    except NotFoundError as error:
        raise CommandError(
            f"Langfuse has no dataset {name} yet: `flywheel dataset import FILE{option(session, dataset)}` makes it"
        ) from error


def stored(session: Session, dataset: str | None = None) -> list[GoldenItem]:
    """The golden items of a dataset, by id; what is none is told on standard error, and the command goes on.

    Raises:
        CommandError: there is no such dataset yet.
    """
    there = found(session, dataset)
    warn(there.unreadable, dataset or session.facts.dataset)
    return sorted(there.items, key=lambda item: item.item_id)


def warn(unreadable: Sequence[UnreadableItem], dataset: str) -> None:
    """Every item that is no golden item, with what mends it. Gates on the dataset are refused until then."""
    if unreadable:
        print(f"warning: {refusal(dataset, unreadable)}", file=sys.stderr)
        print("No gate on this dataset is judged until then.", file=sys.stderr)


def option(session: Session, dataset: str | None) -> str:
    """What a command needs to be about this dataset; nothing for the stack's own."""
    return "" if dataset in (None, session.facts.dataset) else f" --dataset {dataset}"


def to_file(items: Sequence[GoldenItem]) -> str:
    return json.dumps([item_to_file(item) for item in items], indent=2, ensure_ascii=False) + "\n"


def to_row(item: GoldenItem, muted: MutedItem | None) -> dict[str, Any]:
    return item_to_file(item) | {"must_pass": item.must_pass, "muted_until": muted.until if muted else None}


def print_items(console: Console, items: Sequence[GoldenItem], muted: Mapping[str, MutedItem], name: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("item", "slice", "origin", "facts", "question"):
        table.add_column(column, overflow="fold", justify="right" if column == "facts" else "left")
    for item in items:
        origin = item.origin + (f", muted until {muted[item.item_id].until}" if item.item_id in muted else "")
        facts = "refusal" if item.must_refuse else str(len(item.response_facts))
        question = escape(one_line(item.question, 100))
        table.add_row(escape(item.item_id), item.slice, escape(one_line(origin, 60)), facts, question)
    console.print(table)
    counts = Counter(item.slice for item in items)
    listed = ", ".join(f"{counts[s]} {s}" for s in SLICES if counts[s])
    console.print(f"dataset {escape(name)}: {len(items)} items" + (f" ({listed})" if listed else ""), highlight=False)
