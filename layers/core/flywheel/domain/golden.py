"""Golden dataset: files of golden items -> validated items with stable ids, and the difference to what is stored."""

from dataclasses import dataclass, field
from typing import Any, Literal

type Slice = Literal["happy_path", "edge_case", "adversarial", "production"]

SLICES: tuple[Slice, ...] = ("happy_path", "edge_case", "adversarial", "production")


@dataclass(frozen=True, slots=True)
class GoldenItem:
    """One test case of the golden dataset.

    `trajectory` lists tool names in the expected order; empty means that it is not scored. `response_facts` are single
    statements that a correct answer contains. An item with `must_refuse` has no facts: the right answer is a refusal.
    `metadata` is everything else the file said about the item, kept as it came.
    """

    item_id: str
    question: str
    slice: Slice = "happy_path"
    origin: str = "authored"
    trajectory: tuple[str, ...] = ()
    search_term: str | None = None
    response_facts: tuple[str, ...] = ()
    must_refuse: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def must_pass(self) -> bool:
        """A regression test: it came from production and counts by itself, outside any average."""
        return self.origin == "production"
