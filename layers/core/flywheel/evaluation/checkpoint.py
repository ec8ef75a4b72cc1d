"""What a shard has done so far <-> a file in S3, so that a retried shard goes on instead of starting over."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from flywheel.domain.outcome import TrialKey
from flywheel.errors import InvalidRequestError
from flywheel.evaluation.delivery import Finished


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`delivered` names the trials whose spans and scores Langfuse has taken."""

    finished: tuple[Finished, ...] = ()
    delivered: tuple[TrialKey, ...] = ()


_CHECKPOINTS: Final = TypeAdapter(Checkpoint)


def dump_checkpoint(finished: Iterable[Finished], delivered: Iterable[TrialKey]) -> bytes:
    """JSON; `load_checkpoint` reverses it."""
    return _CHECKPOINTS.dump_json(Checkpoint(tuple(finished), tuple(delivered)))


def load_checkpoint(body: bytes) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InvalidRequestError: it is none, for example because another version of this function wrote it.
    """
    try:
        return _CHECKPOINTS.validate_json(body)
    except ValidationError as error:
        raise InvalidRequestError(f"not a checkpoint: {error.error_count()} problems") from error
