"""Which platform of AgentCore a runtime is for is said on purpose, at its creation and at every update."""

from dataclasses import replace

import boto3
import pytest
from botocore.stub import ANY, Stubber

from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.ports import RuntimeSpec
from tests.fakes.clock import NOON
from tests.fakes.world import World
from tests.unit.adapters.test_agentcore import ARN, ID, SPEC

CREATED = {
    "agentRuntimeArn": ARN, "agentRuntimeId": ID, "agentRuntimeVersion": "2", "createdAt": NOON, "status": "READY"
}  # fmt: skip
UPDATED = CREATED | {"lastUpdatedAt": NOON}
_ALWAYS = "agentRuntimeArtifact roleArn networkConfiguration protocolConfiguration environmentVariables clientToken"
SENT = dict.fromkeys(_ALWAYS.split(), ANY)


@pytest.mark.parametrize(
    ("spec", "sent"), [(replace(SPEC, platform_version="V2"), {"platformVersion": "V2"}), (SPEC, {})]
)
def test_the_platform_is_sent_with_every_configuration(spec: RuntimeSpec, sent: dict[str, str]) -> None:
    sdk = boto3.client(
        "bedrock-agentcore-control", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(sdk) as stub:
        stub.add_response("create_agent_runtime", CREATED, {**SENT, **sent, "agentRuntimeName": ANY, "tags": ANY})
        stub.add_response("update_agent_runtime", UPDATED, {**SENT, **sent, "agentRuntimeId": ID})
        runtimes = AgentCoreRuntimes(sdk)
        runtimes.create(spec)
        runtimes.update(ID, spec)
        stub.assert_no_pending_responses()


def test_arms_and_production_run_on_the_platform_of_the_stack() -> None:
    world = World()
    world.promote(world.passed())
    specs = [spec for stored in world.runtimes.stored.values() for spec in stored.specs.values()]
    assert len(specs) == 2
    assert {spec.platform_version for spec in specs} == {"V2"}
