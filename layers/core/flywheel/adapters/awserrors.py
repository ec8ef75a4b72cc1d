"""botocore's errors -> those of `flywheel.errors`: one table for all AWS adapters."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)

from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "ServiceQuotaExceededException",
        "LimitExceededException",
        "TransactionInProgressException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "RetryableConflictException",
        "ConditionalRequestConflict",  # S3: another conditional write of this key is under way
    }
)
_NOT_FOUND = frozenset(
    {
        "ResourceNotFoundException",
        "NoSuchKey",
        "NoSuchBucket",
        "NotFound",
        "404",
        "ParameterNotFound",
        "ImageNotFoundException",
        "RepositoryNotFoundException",
        "NotFoundException",
        "LayersNotFoundException",
        "LayerInaccessibleException",
    }
)
_CONFLICT = frozenset({"ConflictException", "ConditionalCheckFailedException", "PreconditionFailed"})
_INVALID = frozenset({"ValidationException", "InvalidParameterException", "InvalidParameter", "ValidationError"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedException", "NotAuthorizedException"})
_SERVER_ERROR = 500
_NEEDED = re.compile(r"not authorized to perform: (?P<action>[\w:-]+)(?: on resource: (?P<resource>\S+))?")


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def error_status(error: ClientError) -> int | None:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return int(status) if status is not None else None


def access_denied(error: FlywheelError) -> bool:
    """Whether AWS refused the call for want of a permission (as it does for some things that are gone)."""
    return isinstance(error.__cause__, ClientError) and error_code(error.__cause__) in _DENIED


def _translate(action: str, error: ClientError) -> FlywheelError:
    code, status = error_code(error), error_status(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    said = f"{action}: {code}: {message}"
    if code in _NOT_FOUND:
        return NotFoundError(said)
    if code in _CONFLICT:
        return ConflictError(said)
    if code in THROTTLED or (status or 0) >= _SERVER_ERROR:
        return TransientError(said)
    if code in _INVALID:
        return InvalidRequestError(said)
    if code in _DENIED:
        # Often another action than the one that was called; said first, because reports cut long messages.
        needed = _NEEDED.search(message)
        what = f"{needed['action']} is not allowed on {needed['resource'] or 'this'}: " if needed else ""
        return FlywheelError(f"{action}: {code}: {what}{message}. Allow this action in the role of the caller")
    return FlywheelError(said)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Run one SDK call; `action` (service:Operation and what it was for) stands first in every message.

    Raises:
        TransientError: throttled, timed out, unreachable, or the service failed.
        NotFoundError, ConflictError, InvalidRequestError: as their names say.
        FlywheelError: anything else, access denied among it.
    """
    try:
        yield
    except ClientError as error:
        raise _translate(action, error) from error
    except ParamValidationError as error:
        raise InvalidRequestError(f"{action}: {error}") from error
    except NoCredentialsError as error:
        raise FlywheelError(f"{action}: no AWS credentials in the environment") from error
    except (HTTPClientError, ConnectTimeoutError, EndpointConnectionError) as error:
        raise TransientError(f"{action}: {error}") from error
    except BotoCoreError as error:
        raise FlywheelError(f"{action}: {error}") from error
