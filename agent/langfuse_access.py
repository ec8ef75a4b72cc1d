"""Credentials of Langfuse, read from SSM by name when they are first needed; never from the environment."""

import asyncio
import base64
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

_NAMES = ("LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
_HOLD_OFF_S = 15.0
# SSM answers 40 requests a second in a whole account unless somebody raised that, and a gate alone starts up to 25
# sessions a second, each of which reads once. A refusal comes at once and is waited out; an SSM that is down is not.
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_THROTTLED = frozenset({"ThrottlingException", "TooManyUpdates", "RequestLimitExceeded"})


class CredentialsUnavailableError(Exception):
    """SSM could not be asked, or lacks a parameter. The message names parameters, never values."""


class ParameterReader(Protocol):
    """What is used of a boto3 SSM client."""

    def get_parameters(self, *, Names: Sequence[str], WithDecryption: bool) -> Any: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class LangfuseCredentials:
    """Where Langfuse is and who we are there. `host` has no trailing slash."""

    host: str
    public_key: str
    secret_key: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """Value of the `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()


def read_credentials(ssm: ParameterReader, prefix: str) -> LangfuseCredentials:
    """Read the three parameters in one call, decrypted.

    Raises:
        CredentialsUnavailableError: a parameter is missing or empty.
    """
    names = [f"{prefix}/{name}" for name in _NAMES]
    reply = ssm.get_parameters(Names=names, WithDecryption=True)
    values = {parameter["Name"]: parameter["Value"].strip() for parameter in reply["Parameters"]}
    missing = [name for name in names if not values.get(name)]
    if missing:
        raise CredentialsUnavailableError(f"SSM has no {', '.join(missing)}; put them there, or correct the prefix")
    host, public_key, secret_key = (values[name] for name in names)
    return LangfuseCredentials(host.rstrip("/"), public_key, secret_key)


class LangfuseAccess:
    """Gives the credentials; reads them once for all requests, and asks again only some time after a failure."""

    def __init__(self, read: Callable[[], LangfuseCredentials], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._credentials: LangfuseCredentials | None = None
        self._failed_at: float | None = None

    async def credentials(self) -> LangfuseCredentials:
        """The credentials.

        Raises:
            CredentialsUnavailableError: they could not be read, now or within the last 15 s.
        """
        async with self._lock:
            if self._credentials is not None:
                return self._credentials
            if self._failed_at is not None and self._clock() - self._failed_at < _HOLD_OFF_S:
                raise CredentialsUnavailableError("SSM did not give the credentials of Langfuse a moment ago")
            try:
                self._credentials = await asyncio.to_thread(self._read)
            except Exception as error:  # boto3 has no common base for its own and its transport's errors
                self._failed_at = self._clock()
                if isinstance(error, CredentialsUnavailableError):
                    raise
                raise CredentialsUnavailableError(f"SSM could not be asked ({type(error).__name__})") from error
            return self._credentials


def unthrottled[T](read: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """Read, up to six times while SSM refuses because it is asked too often, 8 s apart on average at most.

    Raises:
        ClientError: it refuses to the end, or for another reason.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 (cold start)

    for longest_s in _PAUSES_S:
        try:
            return read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _THROTTLED:
                raise
            sleep(random.uniform(0, longest_s))  # noqa: S311 (not a secret)
    return read()


def ssm_reader(prefix: str) -> Callable[[], LangfuseCredentials]:
    """A `read` for `LangfuseAccess` that makes its client on first use: boto3 takes long to import."""

    def read() -> LangfuseCredentials:
        import boto3  # noqa: PLC0415 (cold start)
        from botocore.config import Config  # noqa: PLC0415

        config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})
        # boto3 itself reads AWS_DEFAULT_REGION only; a container on AgentCore may have AWS_REGION.
        region = os.environ.get("AWS_REGION") or None
        ssm = boto3.client("ssm", region_name=region, config=config)
        return unthrottled(lambda: read_credentials(ssm, prefix))

    return read
