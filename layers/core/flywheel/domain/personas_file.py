"""Text of a personas file, or of a `load_config.json` -> the cast of a run, or every problem with its line.

A personas file is `{"personas": [{name, goal, tone, language, weight?, scenarios: [{name, open: [..], then?: [[{if?,
say, must_refuse?}, ..], ..], must_refuse?, weight?, edge?}]}]}`, where `if` has `contains`, `lacks`, `tool`,
`refused`, `errored`. A `load_config.json` is `{"prompts": [{name, prompt}]}`: a person for each prompt, who asks once.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from flywheel.domain.dataset_problems import DatasetError, Problem
from flywheel.domain.json_positions import JsonText
from flywheel.domain.json_words import shown
from flywheel.domain.personas import Cast
from flywheel.domain.personas_check import CastCheck

_MOST_BYTES = 4 * 1024 * 1024
_MOST_PLACES = 50


class PersonasError(DatasetError):
    """A personas file is wrong; `problems` holds everything that is."""


def parse_cast(text: str | bytes, *, source: str) -> Cast:
    """Read a personas file or a `load_config.json`; nothing is returned unless everything is right.

    Raises:
        PersonasError: with every problem of the file. Text that is no JSON has one.
    """
    if len(text) > _MOST_BYTES:
        _refuse(source, None, f"has {len(text)} bytes; at most {_MOST_BYTES} are read")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            _refuse(source, line, f"not UTF-8 (byte {error.start}); save the file as UTF-8")
    text = str(text).removeprefix("\ufeff")
    repeated: list[str] = []
    data = _decoded(text, source, repeated)
    check = CastCheck()
    cast = check.read(data)
    positions = JsonText(text)
    start = re.search(r"[^ \t\n\r]", text)
    problems = [Problem(None, None, "", f"the key {shown(key)} comes twice in one object") for key in repeated]
    for number, (place, message) in enumerate(check.problems):
        found = start is not None and isinstance(data, Mapping) and number < _MOST_PLACES
        at = positions.line(positions.locate(start.start(), place)) if start is not None and found else None
        problems.append(Problem(at, None, ".".join(str(step) for step in place), message))
    if problems or cast is None:
        raise PersonasError(source, problems)
    return cast


def _decoded(text: str, source: str, repeated: list[str]) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return found

    try:
        return json.loads(text, object_pairs_hook=members)
    except json.JSONDecodeError as error:
        _refuse(source, error.lineno, f"not JSON: {error.msg} (column {error.colno})")
    except RecursionError:
        _refuse(source, None, "is nested too deeply to be read")
    except ValueError:
        _refuse(source, None, "has a number of thousands of digits, which cannot be read")


def _refuse(source: str, line: int | None, message: str) -> NoReturn:
    raise PersonasError(source, [Problem(line, None, "", message)])
