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


def test_where_an_execution_failed_is_the_state_of_the_last_call_that_failed(stub: Stubber) -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC)

    def event(number: int, before: int, kind: str, **details: object) -> dict[str, object]:
        return {"id": number, "previousEventId": before, "timestamp": at, "type": kind, **details}

    def failed(error: str) -> dict[str, str]:
        return {"resourceType": "lambda", "resource": "invoke", "error": error}

    events = [
        event(1, 0, "ExecutionStarted"),
        event(2, 1, "TaskStateEntered", stateEnteredEventDetails={"name": "Plan Gate"}),
        event(3, 2, "TaskScheduled"),
        event(
            4,
            3,
            "TaskFailed",
            taskFailedEventDetails=failed("TransientError"),
        ),
        event(5, 4, "TaskScheduled"),
        event(6, 5, "TaskSucceeded"),
        event(7, 6, "TaskStateExited"),
        event(8, 7, "TaskStateEntered", stateEnteredEventDetails={"name": "Deploy Candidate"}),
        event(9, 8, "TaskScheduled"),
        event(
            10,
            9,
            "TaskFailed",
            taskFailedEventDetails=failed("AccessDeniedError"),
        ),
        event(11, 10, "TaskStateEntered", stateEnteredEventDetails={"name": "Publish Verdict"}),
    ]
    stub.add_response("get_execution_history", {"events": events}, {"executionArn": ARN, "includeExecutionData": False})
    with stub:
        assert StepFunctionsExecutions(stub.client).failed_at(ARN) == ("Deploy Candidate", "AccessDeniedError")
