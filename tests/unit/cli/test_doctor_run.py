"""Checks beside each other: one that fails or hangs hides none; and the doctor's clients can only read."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cli import doctor, doctor_aws, doctor_langfuse
from cli.doctor_clients import READS, reading_clients
from cli.doctor_findings import Finding
from cli.doctor_plan import planned
from cli.doctor_run import Check, run
from cli.problems import CommandError
from flywheel.domain.image_manifest import Finding as Image
from flywheel.domain.image_manifest import Kind
from flywheel.errors import AccessDeniedError
from tests.fakes.langfuse_server import LangfuseServer
from tests.unit.cli.double_session import DoubleSession

FINE = Finding("wheels", "fine", "ok", "")


def test_a_check_that_fails_says_why_and_hides_none_of_the_others() -> None:
    def broken() -> Iterator[Finding]:
        yield FINE
        raise RuntimeError("the\nservice  is away")

    def denied() -> list[Finding]:
        raise AccessDeniedError("iam:SimulatePrincipalPolicy")

    found = run(
        [Check("quotas", "a", broken), Check("permissions", "b", denied), Check("wheels", "c", lambda: [FINE])],
        timeout_s=5,
    )

    assert [one.status for one in found] == ["cannot be known", "cannot be known", "ok"]
    assert found[0].detail == "RuntimeError: the service is away"
    assert found[1].detail == "you may not look at it: iam:SimulatePrincipalPolicy"


def test_a_check_that_hangs_ends_with_its_time_and_the_others_are_seen() -> None:
    never = threading.Event()

    def hangs() -> list[Finding]:
        never.wait(30)
        return []

    found = run([Check("langfuse", "slow", hangs), Check("wheels", "c", lambda: [FINE])], timeout_s=0.2)
    never.set()

    assert [(one.title, one.status) for one in found] == [("slow", "cannot be known"), ("fine", "ok")]
    assert "--timeout" in found[0].detail


def test_findings_come_in_the_order_of_the_checks_however_many_there_are() -> None:
    def said(number: int) -> list[Finding]:
        return [Finding("quotas", str(number), "ok", "")]

    checks = [Check("quotas", str(n), partial(said, n)) for n in range(40)]

    assert [one.title for one in run(checks, timeout_s=5)] == [str(n) for n in range(40)]


@pytest.mark.parametrize(
    "name",
    [
        "PutParameter", "DeleteRole", "CreateAgentRuntime", "UpdateFunctionCode", "InvokeModel", "Converse", "Publish",
        "StartExecution", "SendMessage", "EnableRule", "TagResource", "Getaway", "RequestServiceQuotaIncrease",
    ],
)  # fmt: skip
def test_an_operation_that_may_change_something_is_none_of_the_reading_ones(name: str) -> None:
    assert READS.fullmatch(name) is None


def test_the_doctors_clients_refuse_to_write_before_a_request_is_made() -> None:
    session = boto3.Session("key", "secret", region_name="eu-central-1")
    clients = reading_clients(session)

    with pytest.raises(CommandError, match="changes nothing"):
        clients("ssm").put_parameter(Name="/x", Value="y", Type="String")
    with pytest.raises(CommandError, match="changes nothing"):
        clients("bedrock-runtime").converse(modelId="m", messages=[])


def stubbed(service: str, *replies: tuple[str, dict[str, Any]]) -> Any:
    make: Any = boto3.client  # its overloads know names only that are written out
    client = make(service, region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    stub = Stubber(client)
    for operation, reply in replies:
        stub.add_response(operation, reply)
    stub.activate()
    return lambda _: client


def test_a_quota_of_ten_is_found_where_the_stack_reserves() -> None:
    settings = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}

    (found,) = doctor_aws.concurrency(stubbed("lambda", ("get_account_settings", settings)), 30, 4)

    assert found.status == "wrong"
    assert "the account has 10" in found.detail


def test_what_the_stack_itself_reserves_counts_once() -> None:
    settings = {"AccountLimit": {"ConcurrentExecutions": 130, "UnreservedConcurrentExecutions": 100}}
    own = ("get_function_concurrency", {"ReservedConcurrentExecutions": 30})
    client = stubbed("lambda", ("get_account_settings", settings), own)

    assert [one.status for one in doctor_aws.concurrency(client, 30, 4, ["evaluate"])] == ["ok"]


def test_quotas_of_agentcore_are_found_by_their_names() -> None:
    def quota(name: str, value: float) -> dict[str, Any]:
        return {"QuotaName": name, "QuotaCode": "L-1", "Value": value}

    reply = {"Quotas": [quota("Total agents per account", 1000), quota("New session rate per second", 10)]}
    client = stubbed("service-quotas", ("list_service_quotas", reply))

    found = list(doctor_aws.agentcore_quotas(client, 25, local=False))

    assert [one.status for one in found] == ["ok", "wrong"]
    assert "--quota-code L-1 --desired-value 25" in found[1].mend


def test_a_model_without_access_is_found_behind_an_inference_profile() -> None:
    reply = {
        "modelId": "anthropic.claude-haiku-4-5-20251001-v1:0",
        "agreementAvailability": {"status": "NOT_AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }
    client = stubbed("bedrock", ("get_foundation_model_availability", reply))
    model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

    (found,) = doctor_aws.bedrock_model(client, "agent", model, local=False)

    assert (found.status, "Model access" in found.mend) == ("wrong", True)


@pytest.mark.parametrize("value", ["", "[]", "not json", '{"model_id": 3}', '{"parameters": {}}'])
def test_a_setting_that_names_no_model_is_wrong(value: str) -> None:
    reply = {"Parameters": [{"Name": "/flywheel/dev/agent", "Value": value or "{}"}]}

    (found,) = doctor_aws.agent_model(stubbed("ssm", ("get_parameters", reply)), "/flywheel/dev", local=False)

    assert (found.status, "put-parameter" in found.mend) == ("wrong", True)


def test_the_stacks_of_samconfig_are_known_and_others_are_not() -> None:
    assert planned("flywheel-tst")["LangfuseParameterPrefix"] == "/langfuse-tst"
    with pytest.raises(CommandError, match="no stack flywheel-xyz"):
        planned("flywheel-xyz")


def test_a_group_that_does_not_exist_is_refused_with_the_list() -> None:
    with pytest.raises(CommandError, match="there are: quotas"):
        doctor._groups("quotas,quota")
    assert doctor._groups(" quotas , langfuse ") == ("quotas", "langfuse")


@pytest.mark.parametrize(("missing", "state"), [(0, "ENABLED"), (1, "ENABLED"), (2, "DELETED")])
def test_a_rule_is_looked_for_on_both_buses(missing: int, state: str) -> None:
    client = boto3.client("events", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    with Stubber(client) as stub:
        for _ in range(missing):
            stub.add_client_error("describe_rule", "ResourceNotFoundException")
        stub.add_response("describe_rule", {"Name": "push", "State": "ENABLED"})

        assert doctor_aws.rule_state(client, "push", ["default", "flywheel-dev"]) == state


class OneImage:
    """A registry in which every reference is this."""

    def __init__(self, looked: Image) -> None:
        self.looked = looked
        self.asked: list[str] = []

    def look(self, reference: str) -> Image:
        self.asked.append(reference)
        return self.looked

    def resolve(self, reference: str) -> Any:
        raise AssertionError(f"{reference} is looked at, not resolved")


@pytest.mark.parametrize(("kind", "status"), [("runnable", "ok"), ("wrong_platform", "wrong"), ("no_image", "wrong")])
def test_the_newest_tag_that_asks_for_a_gate_is_looked_at(kind: Kind, status: str) -> None:
    def pushed(minute: int, *tags: str) -> dict[str, Any]:
        return {"imageTags": list(tags), "imagePushedAt": datetime(2026, 12, 1, 12, minute, tzinfo=UTC)}

    details = [
        pushed(1, "v1"),
        pushed(2, "v2"),
        pushed(3, "flywheel-release-000001"),
        pushed(4, f"sha256-{'a' * 64}.sig"),
    ]
    registry = OneImage(Image(kind, "is for linux/amd64 and not for linux/arm64"))

    (found,) = doctor_aws.newest_image(
        stubbed("ecr", ("describe_images", {"imageDetails": details})), registry, "agent"
    )

    assert (registry.asked, found.status) == (["v2"], status)


@pytest.mark.parametrize(
    ("version", "status"), [("4.15.9", "wrong"), ("3.29.0", "wrong"), ("4.16.0", "ok"), ("5.0.0", "ok")]
)
def test_a_langfuse_that_is_too_old_is_found(version: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = DoubleSession()
    api = LangfuseServer().api()
    monkeypatch.setattr(api, "server_version", lambda: tuple(map(int, version.split("."))))
    session.__dict__["langfuse_api"] = api

    (found,) = doctor_langfuse.server(session)

    assert (found.status, "update it" in found.mend) == (status, status == "wrong")
