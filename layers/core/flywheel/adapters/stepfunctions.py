"""A held task of a state machine -> goes on."""

from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated
from flywheel.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# A token whose task was timed out, stopped, or has gone on already; which of them, AWS does not say.
_CLOSED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class StepFunctionsCallbacks:
    """`Callbacks` of any state machine: the token alone says which task. No message ever carries it."""

    def __init__(self, client: "SFNClient") -> None:
        self._client = client

    @classmethod
    def from_environment(cls) -> Self:
        config = Config(retries={"mode": "standard", "total_max_attempts": 4})
        return cls(boto3.client("stepfunctions", config=config))

    def succeed(self, task_token: str) -> None:
        with translated("states:SendTaskSuccess"):
            try:
                self._client.send_task_success(taskToken=task_token, output="{}")
            except ClientError as error:
                if error_code(error) in _CLOSED:
                    raise NotFoundError("the state machine does not wait for this call any more") from error
                raise
