"""botocore's errors become the named errors that state machines match on."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from flywheel.adapters.awserrors import translated
from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("ThrottlingException", 429), TransientError),
        (client_error("SomethingNew", 503), TransientError),
        (client_error("InternalServerException", 500), TransientError),
        (ReadTimeoutError(endpoint_url="u"), TransientError),
        (ConnectTimeoutError(endpoint_url="u"), TransientError),
        (EndpointConnectionError(endpoint_url="u"), TransientError),
        (client_error("ResourceNotFoundException", 404), NotFoundError),
        (client_error("NoSuchKey", 404), NotFoundError),
        (client_error("ConflictException", 409), ConflictError),
        (client_error("ConditionalCheckFailedException"), ConflictError),
        (client_error("ValidationException"), InvalidRequestError),
        (ParamValidationError(report="bad"), InvalidRequestError),
    ],
)
def test_an_sdk_error_gets_its_name(error: Exception, expected: type[FlywheelError]) -> None:
    with pytest.raises(FlywheelError) as caught, translated("service:Action thing"):
        raise error
    assert type(caught.value) is expected
    assert str(caught.value).startswith("service:Action thing")
    assert caught.value.__cause__ is error


def test_access_denied_names_the_action_and_is_not_tried_again() -> None:
    said = r"s3:PutObject k: AccessDenied: said so\. Allow this action"
    with pytest.raises(FlywheelError, match=said) as caught, translated("s3:PutObject k"):
        raise client_error("AccessDenied", 403)
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    ("resource", "where"), [(" on resource: arn:aws:x:::runtime/*", "arn:aws:x:::runtime/*"), ("", "this")]
)
def test_access_denied_says_first_what_was_not_allowed(resource: str, where: str) -> None:
    implied = "bedrock-agentcore:CreateAgentRuntimeEndpoint"
    error = client_error("AccessDeniedException", 403)
    error.response["Error"]["Message"] = (
        f"User: arn:aws:sts::1:x is not authorized to perform: {implied}{resource} because"
    )
    with pytest.raises(FlywheelError) as caught, translated("bedrock-agentcore:CreateAgentRuntime fw"):
        raise error
    start = f"bedrock-agentcore:CreateAgentRuntime fw: AccessDeniedException: {implied} is not allowed on {where}: User"
    assert str(caught.value).startswith(start)


def test_missing_credentials_are_said_plainly() -> None:
    with pytest.raises(FlywheelError, match="no AWS credentials"), translated("s3:GetObject k"):
        raise NoCredentialsError


def test_a_defect_of_our_own_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), translated("s3:GetObject k"):
        raise ZeroDivisionError
