"""What became of asking people about a gate's answers <-> `annotation.json`."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.review_choice import ReviewTask
from flywheel.domain.strict import STRICT, first_problems
from flywheel.domain.verdict import Reason
from flywheel.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Annotation:
    """`queued`: every task is in the queue; `nothing`: the gate has no answer to ask about; `failed`: see `message`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    state: Literal["queued", "nothing", "failed"]
    message: str
    queue_id: str = ""
    queue_name: str = ""
    queue_url: str = ""
    tasks: tuple[ReviewTask, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many answers were chosen for which reason."""
        return dict(Counter(task.chosen for task in self.tasks))


def failed_note(annotation: Annotation | None) -> Reason | None:
    """For the record of a gate whose answers people should have been asked about; None: they were.

    Without an annotation, whoever had to ask did not come to it.
    """
    if annotation is None:
        return Reason("annotation_failed", "the answers were not queued for review: the decision was interrupted")
    return Reason("annotation_failed", annotation.message) if annotation.state == "failed" else None


_ANNOTATION: TypeAdapter[Annotation] = TypeAdapter(Annotation)


def dump_annotation(annotation: Annotation) -> str:
    """The JSON text of `annotation.json`; `load_annotation` reverses it."""
    return _ANNOTATION.dump_json(annotation).decode()


def load_annotation(text: str | bytes) -> Annotation:
    """Read `annotation.json`; `InvalidRequestError` when it is something else."""
    try:
        return _ANNOTATION.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not an annotation file: {first_problems(error)}") from error
