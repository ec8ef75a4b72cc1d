"""The setting `harvest` of an environment -> checked settings; all of its errors at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

from flywheel.domain.json_words import kind
from flywheel.errors import InvalidRequestError

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class HarvestSettings:
    """How reviews are harvested. The packaged `harvest.json` has every field.

    Attributes:
        watch_days: edits of a finished review are noticed for so many days.
        settle_minutes: what a flagged review says must stand unchanged for so long: a correction is saved while it is
            typed. 0 takes it at once.
        similarity: questions at least this alike, in [0, 1], are near-duplicates.
        fact_similarity: facts at least this alike are one fact.
        pass_at: an online score of at least this lets an answer pass, for the agreement with people.
        agreement_reviews: the newest so many reviews are what agreement is computed from.
        conflict_queue: where conflicts go; empty: back to the queue that they came from.
    """

    watch_days: float = 7
    settle_minutes: float = 2
    similarity: float = 0.85
    fact_similarity: float = 0.85
    pass_at: float = 0.5
    agreement_reviews: int = 5_000
    conflict_queue: str = ""


_RANGES: Mapping[str, tuple[float, float]] = {
    "watch_days": (0, 365),
    "settle_minutes": (0, 1_440),
    "similarity": (0.5, 1),
    "fact_similarity": (0.5, 1),
    "pass_at": (0, 1),
    "agreement_reviews": (1, 50_000),
}


def load_default_harvest() -> HarvestSettings:
    """The settings of the package's `harvest.json`."""
    return parse_harvest(json.loads(resources.files("flywheel").joinpath("harvest.json").read_text("utf-8")))


def harvest_settings(text: str | None) -> HarvestSettings:
    """What the parameter says, over the packaged settings; None: the packaged ones.

    Raises:
        InvalidRequestError: names everything that is wrong.
    """
    default = {spec.name: getattr(load_default_harvest(), spec.name) for spec in fields(HarvestSettings)}
    if text is None:
        return parse_harvest(default)
    try:
        said = json.loads(text)
    except ValueError:
        raise InvalidRequestError("the setting harvest is not JSON") from None
    return parse_harvest(default | said if isinstance(said, dict) else said)


def parse_harvest(data: Any) -> HarvestSettings:
    """Check the JSON form; keys that are left out have their defaults.

    Raises:
        InvalidRequestError: names everything that is wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"the setting harvest is a JSON object, not {kind(data)}")
    known = {spec.name for spec in fields(HarvestSettings)}
    problems = [f"unknown key {key!r}" for key in data if key not in known]
    for key, (low, high) in _RANGES.items():
        value = data.get(key, low)
        whole = key == "agreement_reviews"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            problems.append(f"{key} is {kind(value)}; expected a {'whole ' * whole}number")
        elif not low <= value <= high:
            problems.append(f"{key} is {value}; expected {low:g} to {high:g}")
    queue = data.get("conflict_queue", "")
    if not isinstance(queue, str) or queue != queue.strip() or len(queue) > _LONGEST_NAME:
        problems.append(f"conflict_queue is no name of a queue: text of at most {_LONGEST_NAME} characters")
    if problems:
        raise InvalidRequestError("the setting harvest is invalid: " + "; ".join(problems))
    return HarvestSettings(**data)
