"""Secrets that nobody has to choose: made once, kept as SecureStrings, never replaced."""

import secrets
from typing import Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated
from flywheel.adapters.ssm import SsmSettings

_BYTES = 32


class SsmSecrets:
    """Secrets below one prefix."""

    def __init__(self, settings: SsmSettings, prefix: str) -> None:
        self._settings = settings
        self._prefix = prefix.rstrip("/")

    @classmethod
    def from_prefix(cls, prefix: str) -> Self:
        return cls(SsmSettings.from_prefix(prefix), prefix)

    def key(self, name: str) -> bytes:
        """Give the key of this name; the first who asks makes it, and it stays."""
        found = self._settings.text(name)
        if found is None:
            self._make(name, secrets.token_hex(_BYTES))
            found = self._settings.required(name)
        return found.encode()

    def _make(self, name: str, value: str) -> None:
        path = f"{self._prefix}/{name}"
        client = boto3.client("ssm", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))
        with translated(f"ssm:PutParameter {path}"):
            try:
                client.put_parameter(Name=path, Value=value, Type="SecureString", Overwrite=False)
            except ClientError as error:
                if error_code(error) != "ParameterAlreadyExists":  # somebody else made it: theirs counts
                    raise
