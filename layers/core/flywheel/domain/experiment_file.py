"""Text of an experiment's file, or of the sample's `hpo_config.json` -> what it asks for, or every problem by line.

Our form (`dataset/README.md` describes it): `{"version": 1, "dimensions": {name: [value, ..]}, "fixed"?, "except"?,
"image"?, "search"?, "budget"?, "objectives"?, "tolerance"?, "constraints"?, "dataset"?, "items"?, "late_scores"?,
"parallel"?, "own_runtimes"?}`. The sample's form: `{"models": [{name, model_id}], "system_prompts": [{name, prompt}]}`.
"""

from flywheel.domain.dataset_problems import DatasetError, Problem
from flywheel.domain.experiment import FILE_NAME, ExperimentFile
from flywheel.domain.experiment_check import ExperimentCheck
from flywheel.domain.json_document import read_document
from flywheel.domain.json_words import shown

_MOST_BYTES = 1024 * 1024


class ExperimentFileError(DatasetError):
    """An experiment's file is wrong; `problems` holds everything that is."""


def parse_experiment(text: str | bytes, *, name: str) -> ExperimentFile:
    """Read an experiment's file; nothing is returned unless everything is right.

    `name` is what it is saved under: lower-case letters, digits and hyphens.

    Raises:
        ExperimentFileError: with every problem of the file. Text that is no JSON has one.
    """
    document = read_document(text, source=name[:80], most_bytes=_MOST_BYTES, error=ExperimentFileError)
    check = ExperimentCheck()
    file = check.read(name, document.data)
    problems = document.problems(check.problems)
    if not FILE_NAME.fullmatch(name):
        expected = "at most 64 lower-case letters, digits and hyphens"
        problems.insert(0, Problem(None, None, "", f"the name {shown(name)} cannot be used; expected {expected}"))
    if problems or file is None:
        raise ExperimentFileError(name[:80], problems)
    return file
