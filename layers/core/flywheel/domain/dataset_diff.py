"""Golden items stored and wanted -> what an import would add and change, field by field."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flywheel.domain.golden_item import GoldenItem, item_to_file


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`path` is the field; `stored` and `wanted` are its two values, None where it is not there."""

    path: str
    stored: Any
    wanted: Any


@dataclass(frozen=True, slots=True)
class ItemChange:
    item_id: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What an import would do: `only_stored` items are not in the file and stay as they are."""

    added: tuple[GoldenItem, ...] = ()
    changed: tuple[ItemChange, ...] = ()
    unchanged: tuple[str, ...] = ()
    only_stored: tuple[str, ...] = ()


def diff(stored: Iterable[GoldenItem], wanted: Iterable[GoldenItem]) -> DatasetDiff:
    """Compare by item id; each part is in the order of `wanted`, `only_stored` by id."""
    before = {item.item_id: item for item in stored}
    added, changed, unchanged = [], [], []
    seen = set()
    for item in wanted:
        seen.add(item.item_id)
        old = before.get(item.item_id)
        if old is None:
            added.append(item)
        elif fields := _changes(old, item):
            changed.append(ItemChange(item.item_id, fields))
        else:
            unchanged.append(item.item_id)
    return DatasetDiff(tuple(added), tuple(changed), tuple(unchanged), tuple(sorted(before.keys() - seen)))


type _Path = tuple[str, ...]


def _changes(old: GoldenItem, new: GoldenItem) -> tuple[FieldChange, ...]:
    before, after = dict(_flat((), item_to_file(old))), dict(_flat((), item_to_file(new)))
    return tuple(
        FieldChange(".".join(path), before.get(path), after.get(path))
        for path in {**before, **after}
        if not _same([before[path]] if path in before else [], [after[path]] if path in after else [])
    )


def _flat(path: _Path, value: Any) -> Iterator[tuple[_Path, Any]]:
    """Objects field by field; lists and scalars are one value each."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat((*path, str(key)), inner)
    else:
        yield path, value


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
