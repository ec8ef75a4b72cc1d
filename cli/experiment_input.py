"""A path or the name of a saved file -> an experiment's file, checked; problems -> lines and exit code 1."""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.experiment import FILE_NAME, ExperimentFile
from flywheel.domain.experiment_file import ExperimentFileError, parse_experiment
from flywheel.errors import NotFoundError
from flywheel.experiment_evidence import ExperimentEvidence

_HASH = 64


@dataclass(frozen=True, slots=True)
class GivenFile:
    """`body` None: it is saved under its name already."""

    file: ExperimentFile
    body: bytes | None


def read_file(session: Session, given: str) -> GivenFile:
    """A file of this machine if there is one, else the one that was saved under that name.

    Raises:
        CommandError: there is neither.
        ExperimentFileError: it is wrong; holds every problem.
    """
    path = Path(given)
    if path.is_file():
        body = path.read_bytes()
        try:
            return GivenFile(parse_experiment(body, name=hashlib.sha256(body).hexdigest()), body)
        except ExperimentFileError as error:
            # Not the hash, which says nothing to a person.
            raise ExperimentFileError(given, error.problems) from None
    if not FILE_NAME.fullmatch(given):
        raise CommandError(f"there is no file {given[:200]}")
    try:
        return GivenFile(parse_experiment(ExperimentEvidence(session.objects).file(given), name=given), None)
    except NotFoundError as error:
        raise CommandError(
            f"there is no file {given} here, and none was saved under that name: flywheel experiment save {given} FILE"
        ) from error


def save_file(session: Session, name: str, path: Path) -> ExperimentFile:
    """Keep a file under a name that events and schedules can say.

    Raises:
        CommandError: the name looks like the hash of a content.
        ExperimentFileError: the name or the file is wrong.
    """
    if len(name) == _HASH and all(character in "0123456789abcdef" for character in name):
        raise CommandError("that name is the form of the files that are kept by their content: choose a word")
    body = path.read_bytes()
    try:
        file = parse_experiment(body, name=name)
    except ExperimentFileError as error:
        raise ExperimentFileError(str(path), error.problems) from None
    ExperimentEvidence(session.objects).save_file(name, body)
    return file


def print_problems(error: ExperimentFileError, *, as_json: bool) -> None:
    """Every problem, one a line, on standard error; with `as_json` as data on standard output."""
    if as_json:
        print(json.dumps({"problems": [asdict(problem) for problem in error.problems]}))
    for problem in error.problems:
        print(f"{error.source}: {problem}", file=sys.stderr)
    count = len(error.problems)
    print(f"error: {count} problem{'' if count == 1 else 's'}; nothing was started. Correct the file.", file=sys.stderr)
