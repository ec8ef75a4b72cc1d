"""Settings and credentials <- SSM Parameter Store, by name at run time."""

from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from flywheel.adapters.awserrors import translated
from flywheel.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 5})


class SsmSettings:
    """The parameters below one prefix; SecureStrings come decrypted. Values are never logged."""

    def __init__(self, client: "SSMClient", prefix: str) -> None:
        self._client = client
        self._prefix = prefix.rstrip("/")

    @classmethod
    def from_prefix(cls, prefix: str, config: Config = _PATIENT) -> Self:
        return cls(boto3.client("ssm", config=config), prefix)

    def text(self, name: str) -> str | None:
        path = f"{self._prefix}/{name}"
        try:
            with translated(f"ssm:GetParameter {path}"):
                return self._client.get_parameter(Name=path, WithDecryption=True)["Parameter"]["Value"]
        except NotFoundError:
            return None

    def required(self, name: str) -> str:
        """Raise `NotFoundError` naming the parameter and how to set it."""
        value = self.text(name)
        if value is None:
            raise NotFoundError(
                f"the SSM parameter {self._prefix}/{name} does not exist: create it (docs/operations.md, settings)"
            )
        return value
