"""A file of golden items -> checked, compared with what is stored, and written."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from cli import dataset_view
from cli.policy_setting import effective_policy
from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.golden import DatasetDiff, DatasetError, GoldenItem, diff, parse_dataset
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.report.text import one_line

LARGEST_BYTES = 100_000_000
_SHOWN = 20
_BATCH = 16


def read_items(file: Path) -> list[GoldenItem]:
    """Read and check the whole file.

    Raises:
        CommandError: there is no such file, or it is too large.
        DatasetError: what is in it is wrong; all problems at once.
    """
    if str(file) == "-":
        return parse_dataset(sys.stdin.buffer.read(LARGEST_BYTES + 1), source="standard input")
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise CommandError(f"{file} is larger than {LARGEST_BYTES:,} bytes: split it, imports add up")
        return parse_dataset(file.read_bytes(), source=str(file))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror or error}") from error


def print_problems(error: DatasetError, *, as_json: bool) -> None:
    """Every problem, one a line, on standard error; with `as_json` as data on standard output."""
    if as_json:
        print(json.dumps({"problems": [asdict(p) for p in error.problems], "written": 0}))
    for problem in error.problems:
        print(f"{error.source}: {problem}", file=sys.stderr)
    count = len(error.problems)
    print(f"error: {count} problem{'' if count == 1 else 's'}; nothing was changed. Correct the file.", file=sys.stderr)


def compare(session: Session, wanted: Sequence[GoldenItem], name: str) -> DatasetDiff:
    """Against the dataset of that name; one that does not exist yet is empty."""
    try:
        there = session.dataset.look(name)
    except NotFoundError:
        return diff((), wanted)
    written = {item.item_id for item in wanted}
    # One of the same id in the file takes the place of what is broken there.
    dataset_view.warn([one for one in there.unreadable if one.item_id not in written], name)
    return diff(there.items, wanted)


def to_write(found: DatasetDiff, wanted: Sequence[GoldenItem]) -> list[GoldenItem]:
    changed = {c.item_id for c in found.changed} | {i.item_id for i in found.added}
    return [item for item in wanted if item.item_id in changed]


def print_diff(console: Console, found: DatasetDiff, name: str) -> None:
    """What would be added and changed, field by field, a screenful of each."""
    console.print(
        f"dataset {escape(name)}: {len(found.added)} to add, {len(found.changed)} to change, "
        f"{len(found.unchanged)} unchanged, {len(found.only_stored)} only stored (they stay)",
        highlight=False,
        soft_wrap=True,
    )
    for item in found.added[:_SHOWN]:
        console.print(f"[green]+[/] {escape(item.item_id)}  {escape(one_line(item.question, 90))}", highlight=False)
    _more(console, len(found.added))
    for change in found.changed[:_SHOWN]:
        console.print(f"[yellow]~[/] {escape(change.item_id)}", highlight=False)
        for field in change.fields:
            before, after = (
                escape(one_line(json.dumps(v, ensure_ascii=False), 90)) for v in (field.stored, field.wanted)
            )
            console.print(f"    {escape(field.path)}: {before} -> {after}", highlight=False)
    _more(console, len(found.changed))


def _more(console: Console, count: int) -> None:
    if count > _SHOWN:
        console.print(f"  ... and {count - _SHOWN} more", highlight=False)


def too_few(session: Session, found: DatasetDiff, name: str) -> str | None:
    """What to say when gates will refuse the stack's dataset for its size; None when they will not.

    Another dataset may be of any size: a gate on it is an evaluation and promotes nothing.
    """
    if name != session.facts.dataset:
        return None
    least = effective_policy(session).minimum_items
    count = len(found.added) + len(found.changed) + len(found.unchanged) + len(found.only_stored)
    if count >= least:
        return None
    return (
        f"{name} then has {count} items, and the policy asks for {least}: every gate on it is refused. "
        f"Import {least - count} more, or: flywheel policy set minimum_items={count}"
    )


def write(session: Session, items: Sequence[GoldenItem], console: Console, name: str) -> None:
    """Write the items, with progress. Interrupted or failed, it is simply repeated: ids are stable."""
    _ensure(session, name)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("writing items", total=len(items))
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            session.dataset.upsert(name, batch)
            progress.advance(task, len(batch))


def _ensure(session: Session, name: str) -> None:
    """The dataset with its schemas; where items that people made break them, the dataset stays as it is."""
    from flywheel.adapters.langfuse_datasets import SCHEMA_REFUSED  # noqa: PLC0415 - what `--help` does not need

    try:
        session.dataset.ensure(name)
    except InvalidRequestError as error:
        if SCHEMA_REFUSED not in str(error):
            raise


def summary(found: DatasetDiff, *, written: int, dry_run: bool, warning: str | None) -> dict[str, Any]:
    return {
        "added": [i.item_id for i in found.added],
        "changed": [asdict(c) for c in found.changed],
        "unchanged": len(found.unchanged),
        "only_stored": list(found.only_stored),
        "written": written,
        "dry_run": dry_run,
        "warning": warning,
    }
