"""The part of an experiment's file that says what is varied -> dimensions, what is fixed, and what is left out."""

import json
import re
from collections.abc import Mapping
from typing import Any

from flywheel.domain.agent_parameters import read_setting, setting_name
from flywheel.domain.candidate import Parameter
from flywheel.domain.experiment import Dimension, Value
from flywheel.domain.experiment_reading import Reading
from flywheel.domain.json_document import Place
from flywheel.domain.json_words import described, shown

# The sample's lists -> dimension, and (member of an entry, the setting it becomes).
_SAMPLE = {"models": ("model", "model_id", "model_id"), "system_prompts": ("system_prompt", "prompt", "system_prompt")}
_MOST_DIMENSIONS = 20
_MOST_VALUES = 200
_MOST_CONDITIONS = 100
_LONGEST_NAME = 100
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class DimensionsCheck:
    """Reads the members `models`, `system_prompts`, `dimensions`, `fixed` and `except` of one file."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def dimensions(self, data: Mapping[str, Any]) -> tuple[Dimension, ...]:
        found: dict[str, Dimension] = {}
        for key, (name, member, setting) in _SAMPLE.items():
            if key in data:
                found[name] = Dimension(name, self._sample_values(key, data[key], member, setting))
        own = self._reading.mapping(("dimensions",), data.get("dimensions"))
        if "dimensions" in data and not own and isinstance(data["dimensions"], Mapping | None):
            self._reading.wrong(("dimensions",), "is empty; expected at least one dimension")
        for name, values in own.items():
            place = ("dimensions", name)
            if not _NAME.fullmatch(name):
                self._reading.wrong(place, "is no name of a dimension; expected lower-case letters, digits and _")
            elif name in found:
                self._reading.wrong(place, f"{name} is there already, from the sample's form")
            else:
                found[name] = Dimension(name, self._values(place, name, values))
        if len(found) > _MOST_DIMENSIONS:
            self._reading.wrong(("dimensions",), f"has {len(found)} dimensions; expected at most {_MOST_DIMENSIONS}")
        return tuple(found.values())

    def fixed(self, data: Mapping[str, Any]) -> dict[str, Parameter]:
        given = self._reading.mapping(("fixed",), data.get("fixed"))
        if "image" in given:
            self._reading.wrong(("fixed", "image"), "the image stands outside of fixed: image at the top of the file")
        return self._settings(("fixed",), {key: value for key, value in given.items() if key != "image"})

    def conditions(self, data: Mapping[str, Any], dimensions: tuple[Dimension, ...]) -> tuple[dict[str, str], ...]:
        names = {dimension.name: {value.name for value in dimension.values} for dimension in dimensions}
        found = []
        for number, given in enumerate(self._reading.entries(("except",), data.get("except"), _MOST_CONDITIONS)):
            place = ("except", number)
            if not isinstance(given, Mapping) or not given:
                self._reading.wrong(place, f"is {described(given)}; expected an object of dimensions and their values")
                continue
            condition = {}
            for dimension, value in given.items():
                wanted = self._written(value)
                if dimension not in names:
                    known = ", ".join(names)
                    self._reading.wrong((*place, dimension), f"no dimension is called so; there are {known}")
                elif wanted not in names[dimension]:
                    known = ", ".join(sorted(names[dimension]))[:300]
                    self._reading.wrong(
                        (*place, dimension), f"is {described(value)}; {dimension} has the values {known}"
                    )
                else:
                    condition[dimension] = wanted
            found.append(condition)
        return tuple(found)

    def _sample_values(self, key: str, given: Any, member: str, setting: str) -> tuple[Value, ...]:
        if given is None:
            self._reading.wrong((key,), f"is null; expected a list of objects with name and {member}")
        values = []
        for number, entry in enumerate(self._reading.entries((key,), given, _MOST_VALUES)):
            place = (key, number)
            if not isinstance(entry, Mapping):
                self._reading.wrong(place, f"is {described(entry)}; expected an object with name and {member}")
                continue
            self._reading.keys(place, entry, {"name", member})
            name = self._reading.text((*place, "name"), entry.get("name"), _LONGEST_NAME)
            value = self._setting((*place, member), setting, entry.get(member))
            values.append(Value(name, {} if value is None else {setting: value}))
        return self._different((key,), values)

    def _values(self, place: Place, dimension: str, given: Any) -> tuple[Value, ...]:
        if given is None:
            self._reading.wrong(place, f"is null; expected a list of 1 to {_MOST_VALUES}")
        entries = self._reading.entries(place, given, _MOST_VALUES)
        return self._different(place, [self._value((*place, n), dimension, one) for n, one in enumerate(entries)])

    def _value(self, place: Place, dimension: str, given: Any) -> Value:
        if isinstance(given, Mapping):
            name = self._reading.text((*place, "name"), given.get("name"), _LONGEST_NAME)
            return Value(name, self._settings(place, {key: value for key, value in given.items() if key != "name"}))
        value = self._setting(place, setting_name(dimension), given)
        if value is None:
            return Value("", {})
        name = self._written(value)
        if len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
            expected = f'a name beside it, {{"name": .., "{dimension}": ..}}'
            self._reading.wrong(place, f"is too long to be its own name, or has line breaks; expected {expected}")
        return Value(name, {setting_name(dimension): value})

    def _settings(self, place: Place, given: Mapping[str, Any]) -> dict[str, Parameter]:
        found: dict[str, Parameter] = {}
        for key, written in given.items():
            name = setting_name(key)
            value = self._setting((*place, key), name, written)
            if name in found:
                self._reading.wrong((*place, key), f"{name} is there already, by another name")
            elif value is not None:
                found[name] = value
        if {"prompt", "system_prompt"} <= found.keys():
            self._reading.wrong(place, "has both prompt and system_prompt; expected one of them")
        return found

    def _setting(self, place: Place, name: str, value: Any) -> Parameter | None:
        try:
            return read_setting(name, value)
        except ValueError as error:
            self._reading.wrong(place, str(error))
            return None

    def _different(self, place: Place, values: list[Value]) -> tuple[Value, ...]:
        """Both names and settings must differ: equal ones would be measured twice."""
        names: set[str] = set()
        settings: dict[str, str] = {}
        for number, value in enumerate(values):
            written = json.dumps(value.settings, sort_keys=True)
            if value.name and value.name in names:
                self._reading.wrong((*place, number), f"{shown(value.name)} is there already")
            elif value.name and written in settings:
                self._reading.wrong((*place, number), f"sets the same as {shown(settings[written])}")
            names.add(value.name)
            settings.setdefault(written, value.name)
        return tuple(values)

    @staticmethod
    def _written(value: Any) -> str:
        """A value as its own name: text as it is, the rest as it stands in JSON (0.7, 3, true)."""
        if isinstance(value, list | dict):
            return ""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if isinstance(value, str) else json.dumps(value)
