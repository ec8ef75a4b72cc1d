"""Items of a dataset that people made or changed, and that are no golden items -> what is wrong and how to mend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flywheel.domain.dataset_file import item_from_langfuse
from flywheel.domain.dataset_problems import DatasetError
from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.json_words import shown

_MOST_ITEMS: Final = 20
_MOST_PROBLEMS: Final = 3
_MENDS: Final = {
    "input": '{"question": "..."} as the input',
    "expected_output": '{"response_facts": ["one fact"]} or {"must_refuse": true} as the expected output',
    "metadata": '{"slice": "happy_path"} as the metadata',
    "id": "a new item with another id",
}


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """`why`: what is wrong with it; `mend`: what to write instead, in Langfuse. Both are for people."""

    item_id: str
    why: str
    mend: str

    def __str__(self) -> str:
        return f"item {shown(self.item_id)}: {self.why}. Mend: {self.mend}"


def read_stored(stored: Sequence[Mapping[str, Any]]) -> tuple[tuple[GoldenItem, ...], tuple[UnreadableItem, ...]]:
    """The golden items of a dataset as Langfuse has it, and every item that is none."""
    items: list[GoldenItem] = []
    unreadable: list[UnreadableItem] = []
    for one in stored:
        try:
            items.append(item_from_langfuse(one))
        except DatasetError as error:
            unreadable.append(_unreadable(str(one.get("id")), error))
    return tuple(items), tuple(unreadable)


def refusal(dataset: str, unreadable: Sequence[UnreadableItem]) -> str:
    """Why nothing is judged by this dataset: every item, as far as a message holds, each with its mend."""
    count = len(unreadable)
    first = f"{count} item{'' if count == 1 else 's'} of dataset {shown(dataset)} cannot be asked or scored"
    return "\n".join([f"{first}:", *lines(unreadable), ways_out(dataset, unreadable)])


def lines(unreadable: Sequence[UnreadableItem]) -> list[str]:
    """A line each; of more than 20, the ids of the others."""
    told = [f"- {one}" for one in unreadable[:_MOST_ITEMS]]
    more = [shown(one.item_id) for one in unreadable[_MOST_ITEMS : 5 * _MOST_ITEMS]]
    rest = len(unreadable) - _MOST_ITEMS - len(more)
    if more:
        told.append(f"- and {', '.join(more)}" + (f" and {rest} more" if rest > 0 else ""))
    return told


def ways_out(dataset: str, unreadable: Sequence[UnreadableItem]) -> str:
    """What people can do about all of them."""
    ids = " ".join(one.item_id for one in unreadable[:_MOST_ITEMS])
    return f"Edit them in Langfuse (Datasets, {dataset}, Items), or take them out: flywheel dataset remove {ids}"


def _unreadable(item_id: str, error: DatasetError) -> UnreadableItem:
    problems = error.problems[:_MOST_PROBLEMS]
    fields = dict.fromkeys(_field(problem.path) for problem in problems)
    why = "; ".join(_plainly(problem.path, problem.message) for problem in problems)
    return UnreadableItem(item_id, why, " and ".join(_MENDS[field] for field in fields))


def _field(path: str) -> str:
    field = path.partition(".")[0]
    return field if field in _MENDS else "expected_output"


def _plainly(path: str, message: str) -> str:
    return f"{path} {message}" if path else message
