"""What the launcher adds to MiniStack: push events, error names, IAM on runtimes, executions that stop."""

import io
import json
import subprocess
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.images.packer import pack
from local.images.pusher import push
from local.stack import StackInfo
from local.tools import ROOT, environment_of
from tests.local_agents import TRUST, write_agent

HANDLER = """
import os, sys, time

class TransientError(Exception):
    pass

def lambda_handler(event, context):
    if event.get("raise"):
        raise TransientError("try again")
    if event.get("import"):
        __import__(event["import"])
    if event.get("die"):
        os._exit(9)
    time.sleep(event.get("sleep", 0))
    return {"pid": os.getpid(), "env": dict(os.environ)}
"""
_SERVICES = {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}
ANY_SERVICE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": _SERVICES, "Action": "sts:AssumeRole"}],
}


def make_role(*statements: dict[str, Any]) -> str:
    iam = boto3.client("iam")
    name = f"role-{uuid.uuid4().hex[:8]}"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANY_SERVICE))["Role"]["Arn"]
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    return arn


@pytest.fixture
def function(aws: StackInfo) -> Iterator[str]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", HANDLER)
    client, name = boto3.client("lambda"), f"fn-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.lambda_handler", Role=make_role(), Timeout=2,
        Code={"ZipFile": archive.getvalue()},
    )  # fmt: skip
    yield name
    client.delete_function(FunctionName=name)


def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    reply = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return dict(json.loads(reply["Payload"].read()))


class Events:
    """A queue behind a rule on the default bus."""

    def __init__(self, pattern: dict[str, Any]) -> None:
        self._sqs, name = boto3.client("sqs"), f"q-{uuid.uuid4().hex[:8]}"
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
        boto3.client("events").put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])

    def received(self, wait_s: float = 1.0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            time.sleep(0.05)
        return found


@pytest.fixture
def repository(aws: StackInfo) -> str:
    name = f"repo-{uuid.uuid4().hex[:8]}"
    boto3.client("ecr").create_repository(repositoryName=name)
    return name


def pushes_to(repository: str) -> Events:
    return Events({"source": ["aws.ecr"], "detail": {"repository-name": [repository]}})


def test_a_registry_push_announces_itself_once(aws: StackInfo, repository: str, tmp_path: Path) -> None:
    events = pushes_to(repository)
    image = pack(write_agent(tmp_path / "a", "x = 1"), entrypoint=("python",))

    push(image, aws.aws.url, repository, "v1")

    (event,) = events.received()
    assert (event["source"], event["detail-type"]) == ("aws.ecr", "ECR Image Action")
    assert (event["account"], event["region"], event["resources"]) == ("000000000000", "us-east-1", [])
    assert event["detail"] == {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": repository,
        "image-digest": image.digest,
        "image-tag": "v1",
        "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
        "artifact-media-type": "",
    }


def test_pushing_the_same_again_is_silent_and_a_new_or_moved_tag_is_not(
    aws: StackInfo, repository: str, tmp_path: Path
) -> None:
    one = pack(write_agent(tmp_path / "a", "x = 1"), entrypoint=("python",))
    two = pack(write_agent(tmp_path / "b", "x = 2"), entrypoint=("python",))
    events = pushes_to(repository)

    for image, tag in ((one, "v1"), (one, "v1"), (one, "v2"), (two, "v2")):
        push(image, aws.aws.url, repository, tag)

    seen = sorted((e["detail"]["image-digest"], e["detail"]["image-tag"]) for e in events.received())
    assert seen == sorted([(one.digest, "v1"), (one.digest, "v2"), (two.digest, "v2")])


def test_an_api_push_announces_itself_too(aws: StackInfo, repository: str, tmp_path: Path) -> None:
    events = pushes_to(repository)
    image = pack(write_agent(tmp_path / "a", "x = 1"), entrypoint=("python",))

    boto3.client("ecr").put_image(repositoryName=repository, imageManifest=image.manifest.decode(), imageTag="api")

    assert [(e["detail"]["image-digest"], e["detail"]["image-tag"]) for e in events.received()] == [
        (image.digest, "api")
    ]


def test_a_function_that_raises_reports_its_exceptions_class_and_stays_warm(function: str) -> None:
    before = invoke(function, {})["pid"]

    error = invoke(function, {"raise": True})

    assert (error["errorType"], error["errorMessage"]) == ("TransientError", "try again")
    assert "raise TransientError" in "\n".join(error["stackTrace"])
    assert invoke(function, {})["pid"] == before


def test_a_function_that_takes_too_long_or_dies_reports_that(function: str) -> None:
    assert invoke(function, {"sleep": 5})["errorType"] == "Sandbox.Timedout"
    assert invoke(function, {"die": True})["errorType"] == "Runtime.ExitError"
    assert "pid" in invoke(function, {})


@pytest.mark.parametrize("package", ["ministack", "pydantic", "boto3", "flywheel", "local"])
def test_a_function_cannot_import_what_it_did_not_bring(function: str, package: str) -> None:
    assert invoke(function, {"import": package})["errorType"] == "ModuleNotFoundError"


def test_a_function_finds_the_emulator_and_the_agentcore_host(aws: StackInfo, function: str) -> None:
    env = invoke(function, {})["env"]

    assert (env["AWS_ENDPOINT_URL"], env["AWS_ENDPOINT_URL_BEDROCK_AGENTCORE"]) == (aws.aws.url, aws.agentcore_url)


def session_of(role_arn: str) -> boto3.Session:
    keys = boto3.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")


def make_runtime(lifetime: str) -> dict[str, Any]:
    iam = boto3.client("iam")
    role = iam.create_role(RoleName=f"rt-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST))
    return dict(
        boto3.client("bedrock-agentcore-control").create_agent_runtime(
            agentRuntimeName=f"fw_{uuid.uuid4().hex[:8]}",
            agentRuntimeArtifact={"containerConfiguration": {"containerUri": "r.example/none:none"}},
            roleArn=role["Role"]["Arn"],
            networkConfiguration={"networkMode": "PUBLIC"},
            tags={"flywheel:lifetime": lifetime},
        )
    )


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_role_that_may_delete_may_neither_look_nor_list(aws: StackInfo) -> None:
    role = make_role({"Effect": "Allow", "Action": "bedrock-agentcore:Delete*", "Resource": "*"})
    control = session_of(role).client("bedrock-agentcore-control")
    runtime_id = make_runtime("short-lived")["agentRuntimeId"]

    assert refused(control.get_agent_runtime, agentRuntimeId=runtime_id) == "AccessDeniedException"
    assert refused(control.list_agent_runtimes) == "AccessDeniedException"
    assert control.delete_agent_runtime(agentRuntimeId=runtime_id)["status"] == "DELETING"


def test_a_role_creates_runtimes_only_with_roles_that_it_may_pass(aws: StackInfo) -> None:
    allowed, other = make_role(), make_role()
    creator = make_role(
        {"Effect": "Allow", "Action": "bedrock-agentcore:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": allowed,
            "Condition": {"StringEquals": {"iam:PassedToService": "bedrock-agentcore.amazonaws.com"}},
        },
    )
    control = session_of(creator).client("bedrock-agentcore-control")
    request: dict[str, Any] = {
        "agentRuntimeName": f"fw_{uuid.uuid4().hex[:8]}",
        "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": "r.example/none:none"}},
        "networkConfiguration": {"networkMode": "PUBLIC"},
    }

    assert refused(control.create_agent_runtime, roleArn=other, **request) == "AccessDeniedException"
    assert control.create_agent_runtime(roleArn=allowed, **request)["status"] == "CREATING"


def test_a_role_puts_events_under_its_own_source_only(aws: StackInfo) -> None:
    role = make_role(
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": "*",
            "Condition": {"StringEquals": {"events:source": "flywheel.gate"}},
        }
    )
    events = session_of(role).client("events")

    def entry(source: str) -> Any:
        return {"Source": source, "DetailType": "GatePassed", "Detail": "{}"}

    assert events.put_events(Entries=[entry("flywheel.gate")])["FailedEntryCount"] == 0
    assert refused(events.put_events, Entries=[entry("other")]) == "AccessDeniedException"
    assert refused(events.put_events, Entries=[entry("flywheel.gate"), entry("other")]) == "AccessDeniedException"


def test_a_role_reads_several_parameters_at_once_when_it_may_read_each_of_them(aws: StackInfo) -> None:
    prefix = f"/p-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}/LANGFUSE_HOST", f"{prefix}/LANGFUSE_SECRET_KEY"]
    for name in [*names, f"{prefix}/other"]:
        boto3.client("ssm").put_parameter(Name=name, Value="v", Type="SecureString")
    resource = f"arn:aws:ssm:us-east-1:000000000000:parameter{prefix}/LANGFUSE_*"
    parameters = session_of(make_role({"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": resource})).client(
        "ssm"
    )

    found = parameters.get_parameters(Names=names, WithDecryption=True)["Parameters"]

    assert sorted(p["Name"] for p in found) == names
    assert refused(parameters.get_parameters, Names=[*names, f"{prefix}/other"]) == "AccessDeniedException"
    assert refused(parameters.get_parameters, Names=[f"{prefix}/other"]) == "AccessDeniedException"
    assert refused(parameters.get_parameter, Name=names[0]) == "AccessDeniedException"


def test_a_policy_that_denies_insecure_transport_does_not_deny_the_loopback(aws: StackInfo) -> None:
    role = make_role(
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    )

    assert session_of(role).client("sqs").create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]


class Machine:
    """A state machine of one test, and the events of its executions."""

    def __init__(self, states: dict[str, Any], **top: Any) -> None:
        self._client = boto3.client("stepfunctions")
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **top}
        self.arn = self._client.create_state_machine(
            name=f"m-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=make_role()
        )["stateMachineArn"]
        self.events = Events({"source": ["aws.states"], "detail": {"stateMachineArn": [self.arn]}})

    def start(self, data: dict[str, Any] | None = None) -> str:
        return self._client.start_execution(stateMachineArn=self.arn, input=json.dumps(data or {}))["executionArn"]

    def stop(self, execution: str) -> None:
        self._client.stop_execution(executionArn=execution)

    def ended(self, execution: str, limit_s: float = 20) -> dict[str, Any]:
        deadline = time.monotonic() + limit_s
        while (found := self._client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return dict(found)

    def statuses(self) -> list[str]:
        return [event["detail"]["status"] for event in self.events.received(1.0)]


def task(function: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        "End": True,
    } | more


def test_retry_and_catch_match_the_exceptions_class(function: str) -> None:
    retry = [{"ErrorEquals": ["TransientError"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    catch = [{"ErrorEquals": ["TransientError"], "Next": "Caught"}]
    machine = Machine({"Try": task(function, {"raise": True}, Retry=retry, Catch=catch), "Caught": {"Type": "Succeed"}})

    assert machine.ended(machine.start())["status"] == "SUCCEEDED"


def test_a_map_of_pointers_runs_its_items(function: str) -> None:
    inner = {"StartAt": "One", "States": {"One": task(function, {"sleep": "{% $states.input.s %}"}, Output="")}}
    states = {
        "Each": {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "MaxConcurrency": 4,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
            "Output": {"done": "{% $count($states.result) %}"},
            "End": True,
        }
    }
    machine = Machine(states)

    ended = machine.ended(machine.start({"items": [{"s": 0}] * 3}))

    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"done": 3})


def test_a_stopped_execution_stays_aborted_and_runs_no_further_task(function: str) -> None:
    first = task(function, {"sleep": 1}, End=False, Next="Second")
    del first["End"]
    inner = {"StartAt": "First", "States": {"First": first, "Second": task(function, {"raise": True})}}
    states = {"Each": {"Type": "Map", "Items": [1], "ItemProcessor": inner, "End": True}}
    machine = Machine(states)
    execution = machine.start()
    time.sleep(0.5)

    machine.stop(execution)
    time.sleep(1.5)

    assert machine.ended(execution)["status"] == "ABORTED"
    assert sorted(machine.statuses()) == ["ABORTED", "RUNNING"]


def test_an_execution_that_outlives_its_time_limit_is_timed_out(aws: StackInfo) -> None:
    machine = Machine({"Long": {"Type": "Wait", "Seconds": 4, "End": True}}, TimeoutSeconds=1)

    assert machine.ended(machine.start())["status"] == "TIMED_OUT"
    assert sorted(machine.statuses()) == ["RUNNING", "TIMED_OUT"]


def test_a_failed_execution_announces_itself(aws: StackInfo) -> None:
    machine = Machine({"No": {"Type": "Fail", "Error": "EvidenceMissingError"}})

    assert machine.ended(machine.start())["error"] == "EvidenceMissingError"
    assert sorted(machine.statuses()) == ["FAILED", "RUNNING"]


def in_ministack(code: str) -> subprocess.CompletedProcess[str]:
    python = environment_of("ministack") / "bin" / "python"
    return subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


CHANGES = {
    "Lambda errors": "import ministack.core.lambda_runtime as m; m._PYTHON_WORKER_SCRIPT = 'other'",
    "Lambda result": "import ministack.services.lambda_svc as m; m._execute_function_warm = lambda: 0",
    "rule targets": "import ministack.services.eventbridge as m; m._dispatch_to_lambda = lambda: 0",
    "event times": "import ministack.services.eventbridge as m; m._put_events = lambda: 0",
    "registry push": "import ministack.services.ecr as m; m._v2_put_manifest = lambda: 0",
    "API push": "import ministack.services.ecr as m; del m._put_image",
    "runtimes": "import ministack.services.bedrock_agentcore as m; m._create_agent_runtime = lambda: 0",
    "executions": "import ministack.services.stepfunctions as m; m._fail_execution = lambda: 0",
    "models": "import ministack.services.bedrock_runtime as m; m._proxy_openai_chat_message = lambda: 0",
    "actions": "import ministack.core.iam_actions as m; m._BOTOCORE_SERVICE_MAP['bedrock-agentcore'] = ['x']",
    "transport": "import ministack.app as m; m.pin_request_origin = lambda: 0",
}


@pytest.mark.parametrize("part", sorted(CHANGES))
def test_a_patch_whose_target_has_changed_stops_the_launcher(part: str) -> None:
    apply = (
        "from pathlib import Path; from local.aws.launcher import apply_patches; apply_patches('http://h', Path('c'))"
    )

    done = in_ministack(f"{CHANGES[part]}\n{apply}")

    assert done.returncode != 0
    assert "PatchTargetChangedError" in done.stderr


def test_all_patches_fit_the_installed_version() -> None:
    apply = (
        "from pathlib import Path; from local.aws.launcher import apply_patches; apply_patches('http://h', Path('c'))"
    )

    done = in_ministack(apply)

    assert (done.returncode, done.stderr) == (0, "")
