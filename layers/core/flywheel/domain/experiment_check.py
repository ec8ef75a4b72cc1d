"""Decoded JSON of an experiment's file -> what it asks for, with everything that is wrong and where."""

import math
from collections.abc import Mapping
from typing import Any, get_args

from flywheel.domain.agent_parameters import PRODUCTION_IMAGE, read_setting
from flywheel.domain.candidate import Parameter
from flywheel.domain.experiment import (
    OVERRIDABLE,
    Constraints,
    Dimension,
    ExperimentBudget,
    ExperimentFile,
    LateScores,
    ObjectiveName,
    SearchOptions,
)
from flywheel.domain.experiment_combinations import combinations, settings_of
from flywheel.domain.experiment_dimensions import DimensionsCheck
from flywheel.domain.experiment_reading import Reading
from flywheel.domain.json_document import Place
from flywheel.domain.json_words import described
from flywheel.domain.search_settings import STRATEGIES

MOST_CONFIGURATIONS = 1_000
# Before conditions: so many are looked at.
_MOST_COMBINATIONS = 10_000
_MOST_PARAMETERS = 30
_SAMPLE_KEYS = {"models", "system_prompts"}
_KEYS = _SAMPLE_KEYS | {
    "version", "image", "dimensions", "fixed", "except", "search", "budget", "objectives", "tolerance", "constraints",
    "dataset", "items", "late_scores", "parallel", "own_runtimes",
}  # fmt: skip
_OBJECTIVES: tuple[ObjectiveName, ...] = get_args(ObjectiveName.__value__)
_DEFAULTS = ExperimentFile("", ())


class ExperimentCheck:
    """Reads one file; `problems` are (place in the file, message)."""

    def __init__(self) -> None:
        self._reading = Reading()

    @property
    def problems(self) -> list[tuple[Place, str]]:
        return self._reading.problems

    def read(self, name: str, data: Any) -> ExperimentFile | None:
        """What the file asks for, or None when there is any problem."""
        reading = self._reading
        if not isinstance(data, Mapping) or not ({"dimensions"} | _SAMPLE_KEYS) & set(data):
            expected = '{"dimensions": {..}}, or the sample\'s {"models": [..], "system_prompts": [..]}'
            reading.wrong((), f"is {described(data)}; expected {expected}")
            return None
        reading.keys((), data, _KEYS)
        reading.whole((), data, "version", (1, 1))
        check = DimensionsCheck(reading)
        dimensions = check.dimensions(data)
        fixed = check.fixed(data)
        file = ExperimentFile(
            name=name,
            dimensions=dimensions,
            image=self._image(data),
            fixed=fixed,
            conditions=check.conditions(data, dimensions),
            search=self._search(data),
            budget=self._budget(data),
            objectives=self._objectives(data),
            tolerance=self._or(reading.number((), data, "tolerance", (0, 0.5)), _DEFAULTS.tolerance),
            constraints=self._constraints(data),
            dataset=None if data.get("dataset") is None else reading.text(("dataset",), data["dataset"], 200),
            item_ids=reading.texts(("items",), data.get("items"), 10_000, 200),
            late_scores=self._late_scores(data),
            parallel=reading.whole((), data, "parallel", (1, 40)) or _DEFAULTS.parallel,
            own_runtimes=reading.flag((), data, "own_runtimes") or False,
        )
        self._conflicts(dimensions, fixed, image="image" in data)
        if not reading.problems:
            self._combined(file)
        return None if reading.problems else file

    def _image(self, data: Mapping[str, Any]) -> str:
        if data.get("image") is None:
            return PRODUCTION_IMAGE
        try:
            return str(read_setting("image", data["image"]))
        except ValueError as error:
            self._reading.wrong(("image",), str(error))
            return PRODUCTION_IMAGE

    def _search(self, data: Mapping[str, Any]) -> SearchOptions:
        reading, place = self._reading, ("search",)
        given = reading.member((), data, "search", {"strategy", "trials", "sample", "seed"})
        strategy = given.get("strategy", "halving")
        if strategy not in STRATEGIES:
            reading.wrong((*place, "strategy"), f"is {described(strategy)}; expected one of {', '.join(STRATEGIES)}")
        return SearchOptions(
            strategy=strategy,
            trials=reading.whole(place, given, "trials", (1, 20)) or _DEFAULTS.search.trials,
            sample=reading.whole(place, given, "sample", (2, MOST_CONFIGURATIONS)),
            seed=reading.whole(place, given, "seed", (0, 2**53)) or 0,
        )

    def _budget(self, data: Mapping[str, Any]) -> ExperimentBudget:
        given = self._reading.member((), data, "budget", {"trials", "usd", "minutes"})
        return ExperimentBudget(
            trials=self._reading.whole(("budget",), given, "trials", (1, 1_000_000)),
            usd=self._reading.number(("budget",), given, "usd", (0.001, 100_000)),
            minutes=self._reading.number(("budget",), given, "minutes", (1, 1_440)),
        )

    def _objectives(self, data: Mapping[str, Any]) -> tuple[ObjectiveName, ...]:
        found: list[ObjectiveName] = []
        for number, name in enumerate(self._reading.texts(("objectives",), data.get("objectives"), 3, 20) or ()):
            known = next((one for one in _OBJECTIVES if one == name), None)
            if known is not None:
                found.append(known)
            elif name:
                expected = ", ".join(_OBJECTIVES)
                self._reading.wrong(("objectives", number), f"is {described(name)}; expected one of {expected}")
        return tuple(found) or _DEFAULTS.objectives

    def _constraints(self, data: Mapping[str, Any]) -> Constraints:
        reading, place = self._reading, ("constraints",)
        bounds: dict[str, tuple[float, float]] = {
            "safety": (0, 1),
            "error_rate": (0, 1),
            "latency_p95_ms": (1, 3_600_000),
            "cost_per_item_usd": (0, 1_000),
        }
        given = reading.member((), data, "constraints", set(bounds))
        return Constraints(**{name: reading.number(place, given, name, limits) for name, limits in bounds.items()})

    def _late_scores(self, data: Mapping[str, Any]) -> LateScores | None:
        if data.get("late_scores") is None:
            return None
        reading, place = self._reading, ("late_scores",)
        given = reading.member((), data, "late_scores", {"names", "deadline_minutes"})
        names = reading.texts((*place, "names"), given.get("names"), 20, 200)
        if names is None:
            reading.wrong(place, "names is missing: the scores to wait for")
        return LateScores(names or (), self._or(reading.number(place, given, "deadline_minutes", (0.1, 120)), 10.0))

    def _conflicts(self, dimensions: tuple[Dimension, ...], fixed: Mapping[str, Parameter], *, image: bool) -> None:
        """Each setting has one place in the file that decides it."""
        owner = dict.fromkeys(fixed, "fixed")
        parameters = set(fixed) - OVERRIDABLE
        for dimension in dimensions:
            own = {name for value in dimension.values for name in value.settings}
            parameters |= own - OVERRIDABLE
            everywhere = all("image" in value.settings for value in dimension.values)
            if image and dimension.values and everywhere:
                self._reading.wrong(("image",), f"every value of {dimension.name} sets the image; expected one place")
            for name in sorted(own & owner.keys()):
                message = f"sets {name}, which {owner[name]} sets too; expected one place for each setting"
                self._reading.wrong(("dimensions", dimension.name), message)
            owner |= dict.fromkeys(own - owner.keys(), f"the dimension {dimension.name}")
        if len(parameters - {"image", "prompt"}) > _MOST_PARAMETERS:
            self._reading.wrong(
                (), f"sets more than {_MOST_PARAMETERS} parameters of your own; a runtime takes no more"
            )

    def _combined(self, file: ExperimentFile) -> None:
        """What no single part of the file can show."""
        product = math.prod(len(dimension.values) for dimension in file.dimensions)
        if product > _MOST_COMBINATIONS:
            self._reading.wrong(
                (), f"has {product} combinations; expected at most {_MOST_COMBINATIONS}, before `except`"
            )
            return
        chosen = combinations(file)
        if len(chosen) > MOST_CONFIGURATIONS:
            self._reading.wrong((), f"has {len(chosen)} configurations; expected at most {MOST_CONFIGURATIONS}")
        if product and len(chosen) < 2:  # noqa: PLR2004 - one has nothing to be compared with
            left = "no configuration is left" if not chosen else "only one configuration is left"
            self._reading.wrong(("except",) if file.conditions else (), f"{left}; expected two or more to compare")
        for combination in chosen:
            if {"prompt", "system_prompt"} <= settings_of(file, combination).keys():
                named = ", ".join(f"{d.name} {v.name}" for d, v in zip(file.dimensions, combination, strict=True))
                self._reading.wrong(
                    (), f"the configuration {named} has both prompt and system_prompt; expected one of them in each"
                )
                return

    @staticmethod
    def _or(value: float | None, default: float) -> float:
        return default if value is None else value
