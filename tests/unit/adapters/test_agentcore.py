"""What AgentCore says only sometimes: conflicts, throttling, deletions under way."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from flywheel.adapters.agentcore import AgentCoreInvoker, AgentCoreRuntimes
from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import InvocationFailure, Network, RuntimeSpec
from tests.fakes.clock import NOON

ARN = "arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/fw_dev_1-0123456789"
ID = "fw_dev_1-0123456789"
SPEC = RuntimeSpec(
    "fw_dev_1", "uri@sha256:" + "a" * 64, "arn:aws:iam::000000000000:role/r", {"MODEL_ID": "m"}, "t" * 33
)


def client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


@pytest.fixture
def control() -> Iterator[tuple[AgentCoreRuntimes, Stubber]]:
    sdk = client("bedrock-agentcore-control")
    with Stubber(sdk) as stub:
        yield AgentCoreRuntimes(sdk), stub
        stub.assert_no_pending_responses()


def described(status: str) -> dict[str, Any]:
    return {
        "agentRuntimeArn": ARN,
        "agentRuntimeName": "fw_dev_1",
        "agentRuntimeId": ID,
        "agentRuntimeVersion": "1",
        "createdAt": NOON,
        "lastUpdatedAt": NOON,
        "roleArn": SPEC.role_arn,
        "status": status,
        "lifecycleConfiguration": {},
        "failureReason": "no such image" if status == "CREATE_FAILED" else "",
    }


def listed(name: str) -> dict[str, Any]:
    return {
        "agentRuntimeArn": ARN,
        "agentRuntimeId": ID,
        "agentRuntimeVersion": "1",
        "agentRuntimeName": name,
        "description": "a test",
        "lastUpdatedAt": NOON,
        "status": "READY",
    }


def test_a_name_that_is_taken_is_found_on_a_later_page(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    stub.add_client_error("create_agent_runtime", "ConflictException", http_status_code=409)
    stub.add_response("list_agent_runtimes", {"agentRuntimes": [listed("another")], "nextToken": "2"}, {})
    stub.add_response("list_agent_runtimes", {"agentRuntimes": [listed("fw_dev_1")]}, {"nextToken": "2"})
    stub.add_response("get_agent_runtime", described("CREATING"), {"agentRuntimeId": ID})
    made = runtimes.create(SPEC)
    assert (made.runtime_id, made.status, made.created_at) == (ID, "CREATING", NOON)


def test_a_name_that_is_taken_but_not_listed_yet_is_tried_again(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    stub.add_client_error("create_agent_runtime", "ConflictException", http_status_code=409)
    stub.add_response("list_agent_runtimes", {"agentRuntimes": []}, {})
    with pytest.raises(TransientError):
        runtimes.create(SPEC)


def test_why_a_runtime_failed_is_read(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    stub.add_response("get_agent_runtime", described("CREATE_FAILED"), {"agentRuntimeId": ID})
    assert runtimes.get(ID).failure_reason == "no such image"


def test_an_update_sends_the_whole_configuration_but_name_and_tags(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    reply = {
        "agentRuntimeArn": ARN, "agentRuntimeId": ID, "agentRuntimeVersion": "2", "createdAt": NOON,
        "lastUpdatedAt": NOON, "status": "UPDATING",
    }  # fmt: skip
    expected = {
        "agentRuntimeId": ID,
        "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": SPEC.image_uri}},
        "roleArn": SPEC.role_arn,
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "environmentVariables": {"MODEL_ID": "m"},
        "clientToken": SPEC.token,
    }
    stub.add_response("update_agent_runtime", reply, expected)
    assert runtimes.update(ID, SPEC).version == "2"


def test_a_runtime_of_a_vpc_names_its_subnets_and_groups(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    reply = {
        "agentRuntimeArn": ARN, "agentRuntimeId": ID, "agentRuntimeVersion": "2", "createdAt": NOON,
        "lastUpdatedAt": NOON, "status": "UPDATING",
    }  # fmt: skip
    stub.add_response("update_agent_runtime", reply)
    sent: list[dict[str, Any]] = []
    runtimes._client.meta.events.register("provide-client-params.*.*", lambda params, **_: sent.append(params))
    runtimes.update(ID, replace(SPEC, network=Network(("subnet-1", "subnet-2"), ("sg-1",))))
    config = {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]}
    assert sent[0]["networkConfiguration"] == {"networkMode": "VPC", "networkModeConfig": config}


@pytest.mark.parametrize("gone", [True, False])
def test_a_runtime_that_is_going_needs_no_second_request(
    control: tuple[AgentCoreRuntimes, Stubber], gone: bool
) -> None:
    runtimes, stub = control
    stub.add_client_error("delete_agent_runtime", "ConflictException", http_status_code=409)
    if gone:
        stub.add_client_error("get_agent_runtime", "ResourceNotFoundException", http_status_code=404)
    else:
        stub.add_response("get_agent_runtime", described("DELETING"))
    runtimes.delete(ID)


def test_a_runtime_that_is_being_created_cannot_be_deleted_yet(control: tuple[AgentCoreRuntimes, Stubber]) -> None:
    runtimes, stub = control
    stub.add_client_error("delete_agent_runtime", "ConflictException", http_status_code=409)
    stub.add_response("get_agent_runtime", described("CREATING"))
    with pytest.raises(ConflictError):
        runtimes.delete(ID)


DENIED = "AccessDeniedException"


@pytest.mark.parametrize("listed_as", [[], ["another"]])
def test_a_runtime_that_is_gone_is_gone_though_its_deletion_is_denied(
    control: tuple[AgentCoreRuntimes, Stubber], listed_as: list[str]
) -> None:
    runtimes, stub = control
    stub.add_client_error("delete_agent_runtime", DENIED, http_status_code=403)
    others = [listed(name) | {"agentRuntimeId": "another-0123456789"} for name in listed_as]
    stub.add_response("list_agent_runtimes", {"agentRuntimes": others}, {})
    runtimes.delete(ID)


def test_a_runtime_that_somebody_else_deletes_just_now_may_be_denied(
    control: tuple[AgentCoreRuntimes, Stubber],
) -> None:
    runtimes, stub = control
    stub.add_client_error("delete_agent_runtime", DENIED, http_status_code=403)
    stub.add_response("list_agent_runtimes", {"agentRuntimes": [listed("fw_dev_1") | {"status": "DELETING"}]}, {})
    runtimes.delete(ID)


def test_a_deletion_that_is_denied_while_the_runtime_stands_is_an_error(
    control: tuple[AgentCoreRuntimes, Stubber],
) -> None:
    runtimes, stub = control
    stub.add_client_error("delete_agent_runtime", DENIED, http_status_code=403)
    stub.add_response("list_agent_runtimes", {"agentRuntimes": [listed("fw_dev_1")]}, {})
    with pytest.raises(FlywheelError, match="Allow this action in the role"):
        runtimes.delete(ID)


@pytest.mark.parametrize("stands", [True, False])
@pytest.mark.parametrize("call", ["get_agent_runtime", "list_tags_for_resource"])
def test_looking_at_a_runtime_that_is_gone_may_be_denied(
    control: tuple[AgentCoreRuntimes, Stubber], call: str, stands: bool
) -> None:
    runtimes, stub = control
    stub.add_client_error(call, DENIED, http_status_code=403)
    stub.add_response("list_agent_runtimes", {"agentRuntimes": [listed("fw_dev_1")] if stands else []}, {})
    with pytest.raises(FlywheelError) as caught:
        runtimes.get(ID) if call == "get_agent_runtime" else runtimes.tags(ARN)
    assert isinstance(caught.value, NotFoundError) is not stands


def test_an_environment_that_agentcore_would_refuse_is_refused_before_the_call(
    control: tuple[AgentCoreRuntimes, Stubber],
) -> None:
    runtimes, _ = control
    many = RuntimeSpec("n", "u", "r", {f"V{n}": "" for n in range(51)}, "t" * 33)
    long = RuntimeSpec("n", "u", "r", {"SYSTEM_PROMPT": "x" * 5001}, "t" * 33)
    with pytest.raises(InvalidRequestError, match="51 environment variables"):
        runtimes.create(many)
    with pytest.raises(InvalidRequestError, match="prompt in Langfuse"):
        runtimes.create(long)


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [
        ("ThrottlingException", 429, True),
        ("ServiceQuotaExceededException", 402, True),
        ("RetryableConflictException", 409, True),
        ("RuntimeClientError", 424, False),
        ("InternalServerException", 500, False),
        ("AccessDeniedException", 403, False),
    ],
)
def test_a_failed_invocation_is_a_value_and_says_whether_the_agent_ran(code: str, status: int, retryable: bool) -> None:
    sdk = client("bedrock-agentcore")
    with Stubber(sdk) as stub:
        stub.add_client_error("invoke_agent_runtime", code, "said so", http_status_code=status)
        reply = AgentCoreInvoker(sdk).invoke(ARN, b"{}", session_id="s" * 33)
    assert reply == InvocationFailure(code, "said so", status, retryable)


def test_a_session_that_cannot_be_stopped_is_no_error() -> None:
    sdk = client("bedrock-agentcore")
    with Stubber(sdk) as stub:
        stub.add_client_error("stop_runtime_session", "ResourceNotFoundException", http_status_code=404)
        assert AgentCoreInvoker(sdk).stop_session(ARN, "s" * 33) is False
