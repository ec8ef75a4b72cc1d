"""The parts of AWS that only the command line uses, behind the protocols of `cli.session_parts`."""

import json
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from cli.facts import StackFacts, read_facts
from cli.problems import CommandError
from cli.target import Target
from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.adapters.awserrors import THROTTLED, translated
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.ssm import SsmSettings
from flywheel.errors import FlywheelError, TransientError

SOURCE = "flywheel.cli"


def facts(target: Target) -> StackFacts:
    return read_facts(boto3.client("cloudformation"), target.stack)


class SsmParameters(SsmSettings):
    """Settings that a person changes."""

    def __init__(self, prefix: str) -> None:
        super().__init__(boto3.client("ssm"), prefix)

    def put(self, name: str, value: str) -> None:
        """Write a plain (String) parameter, replacing what was there."""
        path = f"{self._prefix}/{name}"
        with translated(f"ssm:PutParameter {path}"):
            self._client.put_parameter(Name=path, Value=value, Type="String", Overwrite=True)

    def put_secret(self, name: str, value: str) -> None:
        """Write a SecureString, replacing what was there."""
        path = f"{self._prefix}/{name}"
        with translated(f"ssm:PutParameter {path}"):
            self._client.put_parameter(Name=path, Value=value, Type="SecureString", Overwrite=True)


class BusRequests:
    """`GateRequested` and the like on the stack's bus, with the time of the request as the event's own."""

    def __init__(self, bus: str) -> None:
        self._client = boto3.client("events")
        self._bus = bus

    def send(self, detail_type: str, detail: dict[str, Any], at: datetime) -> None:
        with translated(f"events:PutEvents {detail_type}"):
            reply = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": detail_type,
                        "Time": at,
                        "Detail": json.dumps(detail),
                    }
                ]
            )
        for entry in reply["Entries"]:
            if code := entry.get("ErrorCode"):
                said = f"the bus {self._bus} refused {detail_type}: {code}: {entry.get('ErrorMessage', '')}"
                raise TransientError(said) if code in THROTTLED else FlywheelError(said)


class StepFunctionsExecutions:
    def __init__(self, client: Any = None) -> None:
        self._client = client or boto3.client("stepfunctions")

    def start(self, machine_arn: str, name: str, said: str) -> str:
        with translated("states:StartExecution"):
            return str(self._client.start_execution(stateMachineArn=machine_arn, name=name, input=said)["executionArn"])

    def status(self, execution_arn: str) -> str:
        with translated("states:DescribeExecution"):
            return str(self._client.describe_execution(executionArn=execution_arn)["status"])

    def state(self, execution_arn: str) -> str | None:
        with translated("states:GetExecutionHistory"):
            reply = self._client.get_execution_history(
                executionArn=execution_arn, reverseOrder=True, maxResults=40, includeExecutionData=False
            )
        for event in sorted(reply["events"], key=lambda e: -e["id"]):
            if entered := event.get("stateEnteredEventDetails"):
                return str(entered["name"])
        return None

    def failed_at(self, execution_arn: str) -> tuple[str, str] | None:
        entered: dict[int, str] = {}  # by event: the state that it belongs to
        found: tuple[str, str] | None = None
        with translated("states:GetExecutionHistory"):
            pages = self._client.get_paginator("get_execution_history")
            for page in pages.paginate(executionArn=execution_arn, includeExecutionData=False):
                for event in sorted(page["events"], key=lambda e: e["id"]):
                    details = event.get("stateEnteredEventDetails")
                    state = str(details["name"]) if details else entered.get(event.get("previousEventId", 0), "")
                    entered[event["id"]] = state
                    failed = event.get("taskFailedEventDetails") or event.get("taskTimedOutEventDetails")
                    if failed and state:
                        found = state, str(failed.get("error", ""))
        return found

    def stop(self, execution_arn: str, cause: str) -> None:
        with translated("states:StopExecution"):
            self._client.stop_execution(executionArn=execution_arn, error="StoppedByHand", cause=cause)


def caller_identity() -> str:
    with translated("sts:GetCallerIdentity"):
        return str(boto3.client("sts").get_caller_identity()["Arn"])


def golden_dataset(prefix: str) -> LangfuseDatasetStore:
    return LangfuseDatasetStore(langfuse_api(prefix))


def review_queue(prefix: str) -> LangfuseReviewQueue:
    return LangfuseReviewQueue(langfuse_api(prefix))


def langfuse_api(prefix: str) -> LangfuseApi:
    """The Langfuse that the stack itself uses: its credentials are read from SSM."""
    settings = SsmSettings.from_prefix(prefix)
    try:
        credentials = LangfuseCredentials(
            settings.required("LANGFUSE_HOST"),
            settings.required("LANGFUSE_PUBLIC_KEY"),
            settings.required("LANGFUSE_SECRET_KEY"),
        )
    except ValueError as error:
        raise CommandError(f"SSM {prefix}: {error}") from error
    return LangfuseApi(credentials)


def live_digest(runtime_name: str, endpoint_name: str) -> str | None:
    """Digest of the image behind a runtime's endpoint, as AgentCore says; None: no such runtime or endpoint."""
    runtimes = AgentCoreRuntimes.from_environment()
    runtime = runtimes.find(runtime_name)
    endpoint = None if runtime is None else runtimes.endpoint(runtime.runtime_id, endpoint_name)
    if runtime is None or endpoint is None or endpoint.live_version is None:
        return None
    with translated(f"bedrock-agentcore-control:GetAgentRuntime {runtime_name}"):
        found = boto3.client("bedrock-agentcore-control").get_agent_runtime(
            agentRuntimeId=runtime.runtime_id, agentRuntimeVersion=endpoint.live_version
        )
    image = str(found["agentRuntimeArtifact"]["containerConfiguration"]["containerUri"])
    return image.partition("@")[2] or None


class FunctionRuns:
    """Runs of one of the stack's own functions: with its role, its layers and its settings."""

    def __init__(self, function: str | None, what: str, stack: str, client: Any = None) -> None:
        if function is None:
            raise CommandError(f"stack {stack} has no function for {what}: deploy it again")
        self._name, self._what = function, what
        # A function may run for ten minutes; a repetition would be a second run.
        config = Config(read_timeout=620, retries={"total_max_attempts": 1})
        self._client = client or boto3.client("lambda", config=config)

    def run(self, *, dry_run: bool) -> dict[str, Any]:
        with translated(f"lambda:Invoke {self._name}"):
            reply = self._client.invoke(FunctionName=self._name, Payload=json.dumps({"dry_run": dry_run}).encode())
            body = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            kind, message = body.get("errorType", "error"), body.get("errorMessage", "")
            said = f"{self._what} failed: {kind}: {message}"
            raise TransientError(said) if kind == "TransientError" else CommandError(said)
        summary: dict[str, Any] = body
        return summary
