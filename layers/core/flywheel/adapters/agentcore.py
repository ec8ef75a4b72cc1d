"""Agent runtimes <-> Amazon Bedrock AgentCore: the control plane (create, move, delete) and the data plane (invoke)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ReadTimeoutError as BotoReadTimeoutError

from flywheel.adapters.awserrors import access_denied, error_code, error_status, translated
from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import AgentReply, Endpoint, InvocationFailure, Network, Runtime, RuntimeSpec, RuntimeStatus
from flywheel.runtimes import check_environment

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient
    from mypy_boto3_bedrock_agentcore_control import BedrockAgentCoreControlClient

TOKEN_LENGTH = range(33, 257)
_CONNECT_TIMEOUT_S = 5
# The agent has certainly not run: refused before it was started.
_NOT_RUN = frozenset({"ThrottlingException", "ServiceQuotaExceededException", "RetryableConflictException"})


class AgentCoreRuntimes:
    """`RuntimeControl` on AgentCore's control plane."""

    def __init__(self, client: "BedrockAgentCoreControlClient") -> None:
        self._client = client

    @classmethod
    def from_environment(cls) -> Self:
        config = Config(retries={"mode": "adaptive", "total_max_attempts": 5}, connect_timeout=_CONNECT_TIMEOUT_S)
        return cls(boto3.client("bedrock-agentcore-control", config=config))

    def create(self, spec: RuntimeSpec) -> Runtime:
        request = _configuration(spec) | {"agentRuntimeName": spec.name, "tags": dict(spec.tags)}
        try:
            with translated(f"bedrock-agentcore:CreateAgentRuntime {spec.name}"):
                made = self._client.create_agent_runtime(**request)
        except ConflictError:
            existing = self.find(spec.name)
            if existing is None:
                # Taken a moment ago, gone or not yet listed now: the same call will know better in a while.
                raise TransientError(f"the runtime {spec.name} exists but is not listed yet") from None
            return self.get(existing.runtime_id)
        return Runtime(
            made["agentRuntimeId"],
            made["agentRuntimeArn"],
            spec.name,
            made["agentRuntimeVersion"],
            made["status"],
            created_at=made["createdAt"],
        )

    def update(self, runtime_id: str, spec: RuntimeSpec) -> Runtime:
        with translated(f"bedrock-agentcore:UpdateAgentRuntime {runtime_id}"):
            made = self._client.update_agent_runtime(agentRuntimeId=runtime_id, **_configuration(spec))
        return Runtime(runtime_id, made["agentRuntimeArn"], spec.name, made["agentRuntimeVersion"], made["status"])

    def get(self, runtime_id: str, version: str | None = None) -> Runtime:
        at = {"agentRuntimeVersion": version} if version is not None else {}
        with self._or_gone(runtime_id), translated(f"bedrock-agentcore:GetAgentRuntime {runtime_id}"):
            found = self._client.get_agent_runtime(agentRuntimeId=runtime_id, **at)
        return Runtime(
            found["agentRuntimeId"],
            found["agentRuntimeArn"],
            found["agentRuntimeName"],
            found["agentRuntimeVersion"],
            found["status"],
            found.get("failureReason", ""),
            found.get("createdAt"),
        )

    def find(self, name: str) -> Runtime | None:
        return next((runtime for runtime in self.runtimes() if runtime.name == name), None)

    def runtimes(self) -> Iterator[Runtime]:
        with translated("bedrock-agentcore:ListAgentRuntimes"):
            for page in self._client.get_paginator("list_agent_runtimes").paginate():
                for item in page["agentRuntimes"]:
                    yield Runtime(
                        item["agentRuntimeId"],
                        item["agentRuntimeArn"],
                        item["agentRuntimeName"],
                        item["agentRuntimeVersion"],
                        item["status"],
                    )

    def tags(self, runtime_arn: str) -> dict[str, str]:
        runtime_id = runtime_arn.rpartition("/")[2]
        with self._or_gone(runtime_id), translated(f"bedrock-agentcore:ListTagsForResource {runtime_arn}"):
            return dict(self._client.list_tags_for_resource(resourceArn=runtime_arn).get("tags", {}))

    def delete(self, runtime_id: str) -> None:
        try:
            with translated(f"bedrock-agentcore:DeleteAgentRuntime {runtime_id}"):
                self._client.delete_agent_runtime(agentRuntimeId=runtime_id)
        except NotFoundError:
            return
        except ConflictError:
            # AgentCore refuses while a runtime is changing; one that is going already needs no second request.
            try:
                if self.get(runtime_id).status == "DELETING":
                    return
            except NotFoundError:
                return
            raise
        except FlywheelError as error:
            listed = self._listed(runtime_id) if access_denied(error) else None
            if not access_denied(error) or (listed is not None and listed.status != "DELETING"):
                raise

    def _listed(self, runtime_id: str) -> Runtime | None:
        return next((runtime for runtime in self.runtimes() if runtime.runtime_id == runtime_id), None)

    @contextmanager
    def _or_gone(self, runtime_id: str) -> Iterator[None]:
        """Tell a runtime that is gone from one that is out of reach: a condition on its tags refuses both alike.

        Raises:
            NotFoundError: access was denied, and the list does not have the runtime any more.
        """
        try:
            yield
        except FlywheelError as error:
            if access_denied(error) and self._listed(runtime_id) is None:
                raise NotFoundError(f"the runtime {runtime_id} is gone: it is not listed any more") from error
            raise

    def endpoint(self, runtime_id: str, name: str) -> Endpoint | None:
        try:
            with translated(f"bedrock-agentcore:GetAgentRuntimeEndpoint {runtime_id}/{name}"):
                found = self._client.get_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName=name)
        except NotFoundError:
            return None
        status: RuntimeStatus = found["status"]
        return Endpoint(
            name, status, found.get("liveVersion"), found.get("targetVersion"), found.get("failureReason", "")
        )

    def move_endpoint(self, runtime_id: str, name: str, version: str, token: str) -> None:
        if self.endpoint(runtime_id, name) is None:
            try:
                with translated(f"bedrock-agentcore:CreateAgentRuntimeEndpoint {runtime_id}/{name}"):
                    self._client.create_agent_runtime_endpoint(
                        agentRuntimeId=runtime_id, name=name, agentRuntimeVersion=version, clientToken=token
                    )
            except ConflictError:
                pass  # made between the two calls: moved below
            else:
                return
        with translated(f"bedrock-agentcore:UpdateAgentRuntimeEndpoint {runtime_id}/{name}"):
            self._client.update_agent_runtime_endpoint(
                agentRuntimeId=runtime_id, endpointName=name, agentRuntimeVersion=version, clientToken=token
            )


def _configuration(spec: RuntimeSpec) -> dict[str, Any]:
    """Build the whole configuration: an update replaces everything, so both calls send it."""
    if len(spec.token) not in TOKEN_LENGTH:
        raise InvalidRequestError(f"a client token has 33..256 characters, this one has {len(spec.token)}")
    check_environment(spec.environment)
    lifecycle = {
        "idleRuntimeSessionTimeout": spec.idle_timeout_s,
        "maxLifetime": spec.max_lifetime_s,
    }
    limits = {name: seconds for name, seconds in lifecycle.items() if seconds is not None}
    return {
        "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": spec.image_uri}},
        "roleArn": spec.role_arn,
        "networkConfiguration": _network(spec.network),
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "environmentVariables": dict(spec.environment),
        "clientToken": spec.token,
        **({"description": spec.description} if spec.description else {}),
        **({"lifecycleConfiguration": limits} if limits else {}),
        **({"platformVersion": spec.platform_version} if spec.platform_version else {}),
    }


def _network(network: Network | None) -> dict[str, Any]:
    if network is None:
        return {"networkMode": "PUBLIC"}
    parts = {"subnets": list(network.subnets), "securityGroups": list(network.security_groups)}
    return {"networkMode": "VPC", "networkModeConfig": parts}


class AgentCoreInvoker:
    """`AgentInvoker` on AgentCore's data plane; safe to share between threads."""

    def __init__(self, client: "BedrockAgentCoreClient") -> None:
        self._client = client

    @classmethod
    def from_environment(cls, *, timeout_s: float, concurrency: int = 10) -> Self:
        """`timeout_s`: the longest wait for an answer; `concurrency`: calls at once, one connection each."""
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=timeout_s,
            # botocore would repeat a call whose answer timed out, and the agent would run twice.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=max(concurrency, 1) * 2,  # stop_session runs beside the next invocations
        )
        return cls(boto3.client("bedrock-agentcore", config=config))

    def invoke(
        self,
        runtime_arn: str,
        payload: bytes,
        *,
        session_id: str,
        qualifier: str = "DEFAULT",
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> AgentReply | InvocationFailure:
        tracing: dict[str, Any] = {}
        if traceparent:
            tracing["traceParent"] = traceparent
        if baggage:
            tracing["baggage"] = baggage
        started = time.monotonic()
        try:
            reply = self._client.invoke_agent_runtime(
                agentRuntimeArn=runtime_arn,
                qualifier=qualifier,
                runtimeSessionId=session_id,
                payload=payload,
                contentType="application/json",
                accept="application/json",
                **tracing,
            )
            body = reply["response"].read()
        except ClientError as error:
            code = error_code(error)
            message = str(error.response.get("Error", {}).get("Message", ""))
            return InvocationFailure(code, message, error_status(error), retryable=code in _NOT_RUN)
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            return InvocationFailure("unreachable", str(error), retryable=True)
        except BotoReadTimeoutError as error:
            return InvocationFailure("timeout", str(error))
        except (HTTPClientError, BotoCoreError) as error:
            return InvocationFailure("unreachable", str(error))
        return AgentReply(
            body,
            reply.get("statusCode", 200),
            reply.get("contentType", ""),
            round((time.monotonic() - started) * 1000),
        )

    def stop_session(self, runtime_arn: str, session_id: str, qualifier: str = "DEFAULT") -> bool:
        try:
            self._client.stop_runtime_session(
                agentRuntimeArn=runtime_arn, runtimeSessionId=session_id, qualifier=qualifier
            )
        except (ClientError, BotoCoreError):
            return False
        return True
