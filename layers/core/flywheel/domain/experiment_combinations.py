"""Dimensions and conditions -> the combinations of values that are left."""

from itertools import product

from flywheel.domain.candidate import Parameter
from flywheel.domain.experiment import ExperimentFile, Value

type Combination = tuple[Value, ...]


def combinations(file: ExperimentFile) -> list[Combination]:
    """One value of each dimension, in the file's order (the last dimension moves fastest), without what is excepted."""
    names = [dimension.name for dimension in file.dimensions]
    chosen = []
    for combination in product(*(dimension.values for dimension in file.dimensions)):
        has = {(name, value.name) for name, value in zip(names, combination, strict=True)}
        if not any(condition.items() <= has for condition in file.conditions):
            chosen.append(combination)
    return chosen


def settings_of(file: ExperimentFile, combination: Combination) -> dict[str, Parameter]:
    """What a combination sets, with what is fixed for all of them."""
    settings = dict(file.fixed)
    for value in combination:
        settings |= value.settings
    return settings
