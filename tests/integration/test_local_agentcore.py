"""The AgentCore host and its control plane: what was pushed is what runs, and a runtime's state is its container's."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.agentcore import AgentCoreInvoker
from flywheel.ports import AgentReply
from local.images.oci import Image
from local.images.packer import pack
from local.images.pusher import push
from local.stack import StackInfo
from tests.local_agents import SERVER, TRUST, Agents, write_agent

CRASHING = "import sys\nprint('no such model', file=sys.stderr)\nsys.exit(7)\n"
NEVER_LISTENING = "import time\ntime.sleep(600)\n"


@pytest.fixture
def agents(aws: StackInfo, tmp_path: Path) -> Iterator[Agents]:
    made = Agents(aws, tmp_path)
    yield made
    httpx.delete(f"{aws.agentcore_url}/_faults")
    made.clean()


def containers(agents: Agents, runtime_id: str) -> list[dict[str, Any]]:
    found = httpx.get(f"{agents.info.agentcore_url}/_control/runtimes").json()["containers"]
    return [container for container in found if container["runtime"] == runtime_id]


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def gone(pid: int, limit_s: float = 5.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_the_host_runs_the_bytes_that_were_pushed(agents: Agents) -> None:
    first, second = agents.push(SERVER % "one", "v1"), agents.push(SERVER % "two", "v2")
    arns = [agents.create(digest)["agentRuntimeArn"] for digest in (first, second)]
    for arn in arns:
        agents.wait(arn.rsplit("/", 1)[-1], "READY")

    assert [agents.invoke(arn, {})["answer"] for arn in arns] == ["one", "two"]


def test_a_tag_that_moves_changes_nothing_for_a_runtime_made_by_digest(agents: Agents) -> None:
    digest = agents.push(SERVER % "tested", "latest")
    agents.push(SERVER % "moved", "latest")

    runtime = agents.create(digest)
    agents.wait(runtime["agentRuntimeId"], "READY")

    assert agents.invoke(runtime["agentRuntimeArn"], {})["answer"] == "tested"


def test_a_runtime_is_creating_until_its_container_answers(agents: Agents) -> None:
    slow = "import time\ntime.sleep(1)\n" + SERVER % "late"
    made = agents.create(agents.push(slow))

    assert made["status"] == "CREATING"
    assert agents.control.get_agent_runtime(agentRuntimeId=made["agentRuntimeId"])["status"] == "CREATING"
    endpoint = agents.control.get_agent_runtime_endpoint(agentRuntimeId=made["agentRuntimeId"], endpointName="DEFAULT")
    assert "liveVersion" not in endpoint or endpoint["liveVersion"] is None
    assert refusal(agents.data.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b"{}")[0] == 400

    agents.wait(made["agentRuntimeId"], "READY")
    endpoint = agents.control.get_agent_runtime_endpoint(agentRuntimeId=made["agentRuntimeId"], endpointName="DEFAULT")
    assert (endpoint["status"], endpoint["liveVersion"]) == ("READY", "1")


def test_an_image_that_never_listens_stays_creating_and_can_be_deleted(agents: Agents) -> None:
    made = agents.create(agents.push(NEVER_LISTENING))
    time.sleep(1.5)

    assert agents.control.get_agent_runtime(agentRuntimeId=made["agentRuntimeId"])["status"] == "CREATING"
    assert [container["running"] for container in containers(agents, made["agentRuntimeId"])] == [True]

    deleted = agents.control.delete_agent_runtime(agentRuntimeId=made["agentRuntimeId"])
    assert deleted["status"] == "DELETING"
    wait_until_gone(agents, made["agentRuntimeId"])
    assert containers(agents, made["agentRuntimeId"]) == []


def wait_until_gone(agents: Agents, runtime_id: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            status = agents.control.get_agent_runtime(agentRuntimeId=runtime_id)["status"]
        except agents.control.exceptions.ResourceNotFoundException:
            return
        assert status == "DELETING"
        time.sleep(0.1)
    pytest.fail("the runtime is still there")


def test_an_entrypoint_that_exits_fails_the_creation_with_its_last_words(agents: Agents) -> None:
    made = agents.create(agents.push(CRASHING))

    failed = agents.wait(made["agentRuntimeId"], "CREATE_FAILED")

    assert "status 7" in failed["failureReason"]
    assert "no such model" in failed["failureReason"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [("sha256:" + "0" * 64, "does not exist"), ("no-such-tag", "does not exist")],
)
def test_an_image_that_is_not_there_fails_the_creation(agents: Agents, reference: str, reason: str) -> None:
    made = agents.create(reference)

    assert reason in agents.wait(made["agentRuntimeId"], "CREATE_FAILED")["failureReason"]


def test_a_role_that_agentcore_may_not_assume_fails_the_creation(agents: Agents) -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip # noqa: E501
    role = boto3.client("iam").create_role(
        RoleName=f"other-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(trust)
    )

    made = agents.create(agents.push(SERVER % "x"), roleArn=role["Role"]["Arn"])

    assert "trust policy" in agents.wait(made["agentRuntimeId"], "CREATE_FAILED")["failureReason"]


def test_a_container_sees_its_own_environment_and_nothing_of_the_host(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYWHEEL_TEST_SECRET", "host only")
    digest = agents.push(SERVER % "x", "a-telling-tag", env={"FROM_IMAGE": "yes"})
    made = agents.create(digest, environmentVariables={"MODEL_ID": "m-1"})
    agents.wait(made["agentRuntimeId"], "READY")

    answer = agents.invoke(made["agentRuntimeArn"], {})

    seen = answer["env"]
    assert (seen["FROM_IMAGE"], seen["MODEL_ID"]) == ("yes", "m-1")
    assert seen["AWS_ENDPOINT_URL"] == agents.info.aws.url
    assert "FLYWHEEL_TEST_SECRET" not in seen
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    text = json.dumps([seen, answer["file"]])
    for telling in ("a-telling-tag", digest.removeprefix("sha256:"), agents.repository, made["agentRuntimeId"]):
        assert telling not in text


def test_a_container_gets_credentials_of_its_runtimes_role(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    seen = agents.invoke(made["agentRuntimeArn"], {})["env"]

    url, token = seen["AWS_CONTAINER_CREDENTIALS_FULL_URI"], seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    keys = httpx.get(url, headers={"Authorization": token}).json()

    caller = boto3.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["Token"],
    ).get_caller_identity()
    assert f":assumed-role/{agents.role_arn.rsplit('/', 1)[-1]}/" in caller["Arn"]
    assert httpx.get(url, headers={"Authorization": "guessed"}).status_code == 403


def test_a_role_whose_trust_names_the_account_and_the_runtimes_is_assumed(agents: Agents) -> None:
    trust = json.loads(json.dumps(TRUST))
    trust["Statement"][0]["Condition"] = {
        "StringEquals": {"aws:SourceAccount": agents.info.aws.account},
        "ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:*:*:runtime/fw_*"},
    }
    role = boto3.client("iam").create_role(
        RoleName=f"agent-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(trust)
    )
    made = agents.ready(SERVER % "x", roleArn=role["Role"]["Arn"])
    seen = agents.invoke(made["agentRuntimeArn"], {})["env"]

    keys = httpx.get(
        seen["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
    )

    assert keys.status_code == 200
    assert keys.json()["AccessKeyId"].startswith("ASIA")


def test_nothing_of_the_checkout_can_be_imported_in_a_container(agents: Agents) -> None:
    code = (
        "try:\n    import flywheel\nexcept ImportError:\n    pass\nelse:\n    raise SystemExit('imported')\n"
        + SERVER % "x"
    )

    assert agents.ready(code)["status"] == "READY"


def test_headers_of_the_trace_and_the_session_reach_the_container_and_the_signature_does_not(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    session = "s" * 40
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    answer = agents.invoke(
        made["agentRuntimeArn"],
        {},
        runtimeSessionId=session,
        traceParent=trace,
        traceState="k=v",
        baggage="langfuse.x=1",
        contentType="application/json",
    )

    seen = answer["headers"]
    assert answer["session"] == session
    assert seen["x-amzn-bedrock-agentcore-runtime-session-id"] == session
    assert (seen["traceparent"], seen["tracestate"], seen["baggage"]) == (trace, "k=v", "langfuse.x=1")
    assert "authorization" not in seen


def test_a_failing_container_is_424_and_its_body_stays_inside(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")

    status, code, message = refusal(
        agents.data.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b'{"status": 502}'
    )

    assert (status, code) == (424, "RuntimeClientError")
    assert "502" in message
    assert "secret detail" not in message


def test_a_container_that_dies_is_424_and_started_again_by_the_next_invocation(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    once = boto3.client("bedrock-agentcore", config=Config(retries={"total_max_attempts": 1}))

    first = agents.invoke(made["agentRuntimeArn"], {})["pid"]
    died = refusal(once.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b'{"exit": true}')
    second = agents.invoke(made["agentRuntimeArn"], {})["pid"]

    assert died[:2] == (424, "RuntimeClientError")
    assert first != second


def test_fifty_first_requests_start_one_container_and_run_at_once(agents: Agents) -> None:
    made = agents.ready(SERVER % "x", lifecycleConfiguration={"idleRuntimeSessionTimeout": 60})
    once = agents.invoke(made["agentRuntimeArn"], {})
    os.kill(once["pid"], 9)
    assert gone(once["pid"])
    client = boto3.client("bedrock-agentcore", config=Config(max_pool_connections=50))

    def ask(_: int) -> int:
        reply = client.invoke_agent_runtime(agentRuntimeArn=made["agentRuntimeArn"], payload=b'{"sleep": 1}')
        return int(json.loads(reply["response"].read())["pid"])

    started = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        pids = set(pool.map(ask, range(50)))

    assert len(pids) == 1
    assert time.monotonic() - started < 15  # one after another it would be 50


def test_a_request_without_signature_is_refused(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")

    answer = httpx.post(f"{agents.info.agentcore_url}/runtimes/{made['agentRuntimeArn']}/invocations", content=b"{}")

    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


@pytest.mark.parametrize("session", ["short", "x" * 257, "-" * 40, "a b" * 20])
def test_a_malformed_session_id_is_refused(agents: Agents, session: str) -> None:
    made = agents.ready(SERVER % "x")
    unchecked = boto3.client("bedrock-agentcore", config=Config(parameter_validation=False))

    status, code, _ = refusal(
        unchecked.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b"{}", runtimeSessionId=session
    )

    assert (status, code) == (400, "ValidationException")


def test_an_unknown_runtime_or_endpoint_is_not_found(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    arn = made["agentRuntimeArn"]

    unknown = refusal(agents.data.invoke_agent_runtime, agentRuntimeArn=arn[:-3] + "zzz", payload=b"{}")
    nowhere = refusal(agents.data.invoke_agent_runtime, agentRuntimeArn=arn, qualifier="nowhere", payload=b"{}")

    assert unknown[:2] == nowhere[:2] == (404, "ResourceNotFoundException")


def test_a_stopped_session_is_gone(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    session = "s" * 40
    agents.invoke(made["agentRuntimeArn"], {}, runtimeSessionId=session)

    agents.data.stop_runtime_session(agentRuntimeArn=made["agentRuntimeArn"], runtimeSessionId=session)

    again = refusal(agents.data.stop_runtime_session, agentRuntimeArn=made["agentRuntimeArn"], runtimeSessionId=session)
    assert again[:2] == (404, "ResourceNotFoundException")


def test_the_default_endpoint_follows_an_update_and_a_named_one_moves_when_told(agents: Agents) -> None:
    old, new = agents.push(SERVER % "old", "v1"), agents.push(SERVER % "new", "v2")
    made = agents.create(old)
    runtime_id, arn = made["agentRuntimeId"], made["agentRuntimeArn"]
    agents.wait(runtime_id, "READY")
    agents.control.create_agent_runtime_endpoint(agentRuntimeId=runtime_id, name="production", agentRuntimeVersion="1")
    wait_live(agents, runtime_id, "1")

    updated = agents.control.update_agent_runtime(agentRuntimeId=runtime_id, **agents.settings(new))
    assert (updated["status"], updated["agentRuntimeVersion"]) == ("UPDATING", "2")
    agents.wait(runtime_id, "READY", version="2")
    answers = [agents.invoke(arn, {}, qualifier=name)["answer"] for name in ("DEFAULT", "production")]
    assert answers == ["new", "old"]

    moved = agents.control.update_agent_runtime_endpoint(
        agentRuntimeId=runtime_id, endpointName="production", agentRuntimeVersion="2"
    )
    assert (moved["status"], moved["liveVersion"], moved["targetVersion"]) == ("UPDATING", "1", "2")
    wait_live(agents, runtime_id, "2")
    assert agents.invoke(arn, {}, qualifier="production")["answer"] == "new"


def wait_live(agents: Agents, runtime_id: str, version: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = agents.control.get_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName="production")
        if found["status"] == "READY" and found.get("liveVersion") == version:
            return
        time.sleep(0.05)
    pytest.fail(f"production is not live on {version}")


def test_an_update_that_fails_leaves_what_is_live_alone(agents: Agents) -> None:
    made = agents.ready(SERVER % "old")
    broken = agents.push(CRASHING, "v2")

    agents.control.update_agent_runtime(agentRuntimeId=made["agentRuntimeId"], **agents.settings(broken))

    assert agents.wait(made["agentRuntimeId"], "UPDATE_FAILED", version="2")["failureReason"]
    assert agents.invoke(made["agentRuntimeArn"], {})["answer"] == "old"


def test_a_repeated_client_token_makes_one_runtime(agents: Agents) -> None:
    digest = agents.push(SERVER % "x")
    token, name = uuid.uuid4().hex + uuid.uuid4().hex, f"fw_{uuid.uuid4().hex[:8]}"

    first, second = (agents.create(digest, name=name, clientToken=token) for _ in range(2))

    assert first["agentRuntimeId"] == second["agentRuntimeId"]
    other = uuid.uuid4().hex + uuid.uuid4().hex
    assert refusal(agents.create, reference=digest, name=name, clientToken=other)[1] == "ConflictException"


def listed_by_pages(agents: Agents) -> set[str]:
    pages = list(agents.control.get_paginator("list_agent_runtimes").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) >= 2
    return {runtime["agentRuntimeId"] for page in pages for runtime in page["agentRuntimes"]}


def test_tags_are_kept_and_found_by_the_pages_of_the_list(agents: Agents) -> None:
    digest = agents.push(NEVER_LISTENING)
    made = [agents.create(digest, tags={"flywheel:lifetime": "short-lived", "n": str(n)}) for n in range(3)]

    wanted = {runtime["agentRuntimeId"] for runtime in made}
    deadline = time.monotonic() + 30
    while not wanted <= listed_by_pages(agents):
        # Runtimes of other tests are still going: each that goes between two pages shifts the rest by one.
        assert time.monotonic() < deadline
        time.sleep(0.5)
    arn = made[2]["agentRuntimeArn"]
    assert agents.control.list_tags_for_resource(resourceArn=arn)["tags"] == {
        "flywheel:lifetime": "short-lived",
        "n": "2",
    }
    agents.control.tag_resource(resourceArn=arn, tags={"n": "5", "more": "x"})
    agents.control.untag_resource(resourceArn=arn, tagKeys=["flywheel:lifetime"])
    assert agents.control.list_tags_for_resource(resourceArn=arn)["tags"] == {"n": "5", "more": "x"}


def test_deleting_a_runtime_ends_its_container_and_what_that_started(agents: Agents) -> None:
    parent = (
        "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )
    code = parent + SERVER.replace('"pid": os.getpid()', '"pid": os.getpid(), "child": child.pid') % "x"
    made = agents.ready(code)
    answer = agents.invoke(made["agentRuntimeArn"], {})

    agents.control.delete_agent_runtime(agentRuntimeId=made["agentRuntimeId"])

    wait_until_gone(agents, made["agentRuntimeId"])
    assert gone(answer["pid"])
    assert gone(answer["child"])


def test_a_blob_that_does_not_match_its_digest_is_refused(agents: Agents, aws: StackInfo, tmp_path: Path) -> None:
    good = pack(write_agent(tmp_path / "good", SERVER % "good"), package="", entrypoint=("python", "-m", "main"))
    claimed = json.loads(good.manifest)
    claimed["layers"][0]["digest"] = "sha256:" + "1" * 64
    forged = Image(json.dumps(claimed).encode(), good.config, good.layers)
    digest = push(forged, aws.aws.url, agents.repository, "forged")

    assert "does not exist" in agents.wait(agents.create(digest)["agentRuntimeId"], "CREATE_FAILED")["failureReason"]


def test_an_idle_container_is_stopped_and_started_again_on_demand(agents: Agents, aws: StackInfo) -> None:
    # AgentCore's shortest idle time is 60 s; the control plane takes less here, so that the test need not wait.
    unchecked = boto3.client("bedrock-agentcore-control", config=Config(parameter_validation=False))
    made = unchecked.create_agent_runtime(
        agentRuntimeName=f"fw_{uuid.uuid4().hex[:8]}",
        **agents.settings(agents.push(SERVER % "x"), lifecycleConfiguration={"idleRuntimeSessionTimeout": 1}),
    )
    runtime_id = made["agentRuntimeId"]
    agents.wait(runtime_id, "READY")
    first = agents.invoke(made["agentRuntimeArn"], {})["pid"]

    assert gone(first, 6)
    assert agents.control.get_agent_runtime(agentRuntimeId=runtime_id)["status"] == "READY"
    assert agents.invoke(made["agentRuntimeArn"], {})["pid"] != first
    agents.control.delete_agent_runtime(agentRuntimeId=runtime_id)


def test_faults_hit_the_stated_share_of_the_named_runtimes(agents: Agents) -> None:
    hit, spared = agents.ready(SERVER % "x", name="fw_hit"), agents.ready(SERVER % "x", name="fw_spared")
    fault = {"kind": "throttle", "share": 0.25, "runtime_prefix": "fw_hit", "retry_after_s": 3}
    assert httpx.post(f"{agents.info.agentcore_url}/_faults", json=fault).status_code == 200
    once = boto3.client("bedrock-agentcore", config=Config(retries={"total_max_attempts": 1}))

    def outcome(arn: str) -> str:
        try:
            once.invoke_agent_runtime(agentRuntimeArn=arn, payload=b"{}")["response"].read()
        except ClientError as error:
            headers = error.response["ResponseMetadata"]["HTTPHeaders"]
            return f"{error.response['Error']['Code']} {headers['retry-after']}"
        return "ok"

    outcomes = [outcome(hit["agentRuntimeArn"]) for _ in range(8)]
    assert outcomes == ["ok", "ok", "ok", "ThrottlingException 3"] * 2
    assert [outcome(spared["agentRuntimeArn"]) for _ in range(4)] == ["ok"] * 4


@pytest.mark.parametrize(
    ("kind", "expected"), [("error", (500, "InternalServerException")), ("crash", (424, "RuntimeClientError"))]
)
def test_faults_of_other_kinds(agents: Agents, kind: str, expected: tuple[int, str]) -> None:
    made = agents.ready(SERVER % "x")
    httpx.post(f"{agents.info.agentcore_url}/_faults", json={"kind": kind})
    once = boto3.client("bedrock-agentcore", config=Config(retries={"total_max_attempts": 1}))

    assert refusal(once.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b"{}")[:2] == expected


def test_a_time_out_fault_says_nothing_for_the_stated_time(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    httpx.post(f"{agents.info.agentcore_url}/_faults", json={"kind": "timeout", "delay_s": 1})
    once = boto3.client("bedrock-agentcore", config=Config(retries={"total_max_attempts": 1}))
    started = time.monotonic()

    assert refusal(once.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b"{}")[0] == 424
    assert time.monotonic() - started >= 1


def test_a_malformed_fault_is_refused_and_changes_nothing(agents: Agents) -> None:
    url = f"{agents.info.agentcore_url}/_faults"

    refused = [httpx.post(url, content=body).status_code for body in (b"[", b"[]", b'{"kind": "flood"}')]

    assert refused == [400, 400, 400]
    assert httpx.get(url).json() == {"faults": []}


def test_the_emulator_itself_never_answers_in_place_of_an_agent(agents: Agents, aws: StackInfo) -> None:
    made = agents.ready(SERVER % "x")
    misled = boto3.client("bedrock-agentcore", endpoint_url=aws.aws.url)

    status, _, message = refusal(misled.invoke_agent_runtime, agentRuntimeArn=made["agentRuntimeArn"], payload=b"{}")

    assert status == 400
    assert "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE" in message


def test_a_bucket_of_session_starts_refuses_new_sessions_only_and_fills_again(agents: Agents) -> None:
    made = agents.ready(SERVER % "x")
    bucket = {"kind": "session_starts", "per_s": 2, "burst": 2}
    assert httpx.post(f"{agents.info.agentcore_url}/_faults", json=bucket).status_code == 200
    invoker = AgentCoreInvoker.from_environment(timeout_s=5)

    def outcome(session: str) -> str:
        reply = invoker.invoke(made["agentRuntimeArn"], b"{}", session_id=session * 33)
        return "ok" if isinstance(reply, AgentReply) else f"{reply.kind}{' again' if reply.retryable else ''}"

    assert [outcome(session) for session in "abca"] == ["ok", "ok", "ThrottlingException again", "ok"]
    time.sleep(0.6)
    assert outcome("c") == "ok"


def test_a_runtime_that_never_came_up_takes_no_update_and_can_be_deleted(agents: Agents) -> None:
    made = agents.create(agents.push(CRASHING))
    runtime_id = made["agentRuntimeId"]
    agents.wait(runtime_id, "CREATE_FAILED")
    settings = agents.settings(agents.push(SERVER % "x"))

    assert refusal(agents.control.update_agent_runtime, agentRuntimeId=runtime_id, **settings)[1] == "ConflictException"
    agents.control.delete_agent_runtime(agentRuntimeId=runtime_id)
