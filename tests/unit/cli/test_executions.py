"""Executions as the command line sees and stops them, against canned replies of Step Functions."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from cli.aws import StepFunctionsExecutions
from flywheel.errors import FlywheelError

ARN = "arn:aws:states:us-east-1:000000000000:execution:experiment:x-1"


@pytest.fixture
def stub() -> Stubber:
    return Stubber(
        boto3.client("stepfunctions", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    )


def test_a_stopped_execution_keeps_who_stopped_it_and_why(stub: Stubber) -> None:
    asked = {"executionArn": ARN, "error": "StoppedByHand", "cause": "too dear"}
    stub.add_response("stop_execution", {"stopDate": datetime(2026, 11, 29, tzinfo=UTC)}, asked)
    with stub:
        StepFunctionsExecutions(stub.client).stop(ARN, "too dear")
        stub.assert_no_pending_responses()


def test_an_execution_that_may_not_be_stopped_is_an_error_in_words(stub: Stubber) -> None:
    stub.add_client_error("stop_execution", "AccessDeniedException", "not authorized")
    with stub, pytest.raises(FlywheelError, match="states:StopExecution"):
        StepFunctionsExecutions(stub.client).stop(ARN, "x")
