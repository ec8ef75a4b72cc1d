"""An experiment's file, its configurations and the dataset -> the settings of the search."""

from collections.abc import Sequence

from flywheel.domain.experiment import ExperimentFile
from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy
from flywheel.domain.search import SearchSettings
from flywheel.domain.waves import gate_items
from flywheel.errors import InvalidRequestError

_SHOWN = 10


def chosen_items(file: ExperimentFile, items: Sequence[GoldenItem]) -> tuple[GoldenItem, ...]:
    """The items of the dataset that the file names; all, if it names none.

    Raises:
        InvalidRequestError: the dataset does not have them all; names those that are missing.
    """
    if file.item_ids is None:
        return tuple(items)
    known = {item.item_id: item for item in items}
    missing = [one for one in file.item_ids if one not in known]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise InvalidRequestError(f"the dataset has no items {', '.join(missing[:_SHOWN])}{more}, which the file names")
    return tuple(known[one] for one in file.item_ids)


def search_settings(
    file: ExperimentFile, configurations: Sequence[str], items: Sequence[GoldenItem], policy: GatePolicy
) -> SearchSettings:
    """What is searched: the items that count in the average of the policy's primary metric, as in a gate.

    Raises:
        InvalidRequestError: there is no such item, or the file's budget is less than what the search takes at least.
    """
    sampled = file.search.strategy == "random" and file.search.sample is not None
    return SearchSettings(
        strategy=file.search.strategy,
        configurations=tuple(configurations),
        items=tuple(gate_items(policy, items).items()),
        trials=file.search.trials,
        seed=file.search.seed,
        most_invocations=file.budget.trials,
        # A sample was drawn already when the file was expanded.
        random_configurations=len(configurations) if sampled else None,
        margin=file.tolerance,
        safety_minimum=file.constraints.safety,
    )
