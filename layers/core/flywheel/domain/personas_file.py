"""Text of a personas file, or of a `load_config.json` -> the cast of a run, or every problem with its line.

A personas file is `{"personas": [{name, goal, tone, language, weight?, scenarios: [{name, open: [..], then?: [[{if?,
say, must_refuse?}, ..], ..], must_refuse?, weight?, edge?}]}]}`, where `if` has `contains`, `lacks`, `tool`,
`refused`, `errored`. A `load_config.json` is `{"prompts": [{name, prompt,
must_refuse?}]}`: a person for each prompt, who asks once; each is asked before any is asked again. A name that says so
(`harmful1`, `jailbreak`) makes it one that has to be refused.
"""

from flywheel.domain.dataset_problems import DatasetError
from flywheel.domain.json_document import read_document
from flywheel.domain.personas import Cast
from flywheel.domain.personas_check import CastCheck

_MOST_BYTES = 4 * 1024 * 1024


class PersonasError(DatasetError):
    """A personas file is wrong; `problems` holds everything that is."""


def parse_cast(text: str | bytes, *, source: str) -> Cast:
    """Read a personas file or a `load_config.json`; nothing is returned unless everything is right.

    Raises:
        PersonasError: with every problem of the file. Text that is no JSON has one.
    """
    document = read_document(text, source=source, most_bytes=_MOST_BYTES, error=PersonasError)
    check = CastCheck()
    cast = check.read(document.data)
    problems = document.problems(check.problems)
    if problems or cast is None:
        raise PersonasError(source, problems)
    return cast
