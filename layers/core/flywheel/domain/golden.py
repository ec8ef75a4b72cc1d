"""The golden dataset: files of golden items -> validated items with stable ids, and the difference to what is stored.

Others import from here; the parts are `golden_item` (the item and its forms), `dataset_file` (reading and checking) and
`dataset_diff`.
"""

from flywheel.domain.dataset_diff import DatasetDiff, FieldChange, ItemChange, diff
from flywheel.domain.dataset_file import item_from_langfuse, parse_dataset
from flywheel.domain.dataset_problems import DatasetError, Problem
from flywheel.domain.golden_item import (
    SLICES,
    GoldenItem,
    Slice,
    dataset_hash,
    item_hash,
    item_to_file,
    item_to_langfuse,
    normalised_question,
    question_id,
)

__all__ = [
    "SLICES",
    "DatasetDiff",
    "DatasetError",
    "FieldChange",
    "GoldenItem",
    "ItemChange",
    "Problem",
    "Slice",
    "dataset_hash",
    "diff",
    "item_from_langfuse",
    "item_hash",
    "item_to_file",
    "item_to_langfuse",
    "normalised_question",
    "parse_dataset",
    "question_id",
]
