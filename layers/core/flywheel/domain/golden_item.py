"""One golden item: its fields, its id, its form in a file and in Langfuse."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from pydantic import ConfigDict

from flywheel.domain.exchange import Turn
from flywheel.domain.strict import STRICT

type Slice = Literal["happy_path", "edge_case", "adversarial", "production"]

CHAT_HISTORY = "chat_history"
"""Field of a golden item's input, and of the payload, with the conversation before the question."""

SLICES: tuple[Slice, ...] = get_args(Slice.__value__)


@dataclass(frozen=True, slots=True)
class GoldenItem:
    """One test case of the golden dataset.

    `trajectory` lists tool names in the expected order; empty means that it is not scored. `response_facts` are single
    statements that a correct answer contains. An item with `must_refuse` has no facts: the right answer is a refusal.
    `turns` is the conversation before the question, oldest first; it is sent with it. `metadata` is everything else the
    file said about the item, kept as it came.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    item_id: str
    question: str
    slice: Slice = "happy_path"
    origin: str = "authored"
    trajectory: tuple[str, ...] = ()
    search_term: str | None = None
    response_facts: tuple[str, ...] = ()
    must_refuse: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()

    @property
    def must_pass(self) -> bool:
        """A regression test: it came from production and counts by itself, outside any average."""
        return self.origin == "production"


def normalised_question(question: str) -> str:
    """What makes two questions the same: case, width, and spaces do not count."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split())


def question_id(question: str, turns: Iterable[Turn] = ()) -> str:
    """The id of an item that was given none: `g-` and 16 hex digits of the hash of what it asks."""
    return "g-" + hashlib.sha256(identity(question, turns).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def identity(question: str, turns: Iterable[Turn] = ()) -> str:
    """What makes two items ask the same: the question, and the conversation before it where there is one."""
    before = [f"{turn.speaker} {normalised_question(turn.text)}" for turn in turns]
    return "\n".join([*before, normalised_question(question)])


def asked(item: GoldenItem) -> dict[str, Any]:
    """What an agent is asked with: the question, and `chat_history` when a conversation came before it."""
    said: dict[str, Any] = {"question": item.question}
    if item.turns:
        said[CHAT_HISTORY] = [{"role": turn.speaker, "content": turn.text} for turn in item.turns]
    return said


def expected_output(item: GoldenItem) -> dict[str, Any]:
    """The `expected_output` of the file form and of Langfuse; always whole, for Langfuse keeps what is left out."""
    output: dict[str, Any] = {"trajectory": list(item.trajectory), "response_facts": list(item.response_facts)}
    if item.search_term is not None:
        output["search_term"] = item.search_term
    if item.must_refuse:
        output["must_refuse"] = True
    return output


def item_to_file(item: GoldenItem) -> dict[str, Any]:
    """One element of the dataset file; `parse_dataset` reads it back."""
    return {
        "id": item.item_id,
        "input": asked(item),
        "expected_output": expected_output(item),
        "metadata": {**item.metadata, "slice": item.slice, "origin": item.origin},
    }


def item_to_langfuse(item: GoldenItem) -> dict[str, Any]:
    """The fields of a Langfuse dataset item; `item_from_langfuse` reverses it."""
    written = item_to_file(item)
    written["expectedOutput"] = written.pop("expected_output")
    return written


def item_hash(item: GoldenItem) -> str:
    """64 hex digits over the content of one item; any change of any field changes it."""
    return dataset_hash((item,))


def dataset_hash(items: Iterable[GoldenItem]) -> str:
    """64 hex digits over the content of all items; their order does not count, any change of any field does."""
    canonical = sorted(json.dumps(item_to_file(item), sort_keys=True, separators=(",", ":")) for item in items)
    return hashlib.sha256("\n".join(canonical).encode()).hexdigest()
