"""One push of the tools of the trade is one gate; what they leave beside the image starts none and supersedes none."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import boto3
import httpx
import pytest

from flywheel.adapters.dynamodb_pushes import DynamoDbPushClaims
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.ecr_tags import EcrTags
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.clock import SystemClock
from flywheel.domain.pushes import RELEASE_TAG
from flywheel.ports import GateRow
from flywheel.reconciling import PushReconciler
from local.images.pusher import Credentials, push
from tests.e2e.agents import Told, image_of
from tests.e2e.system import System, wait_for
from tests.e2e.test_laws_hold import UNHURRIED, no_push_starts_a_gate, wait_for_trials
from tests.manifests import ARM, BESIDE, OCI_IMAGE, attestation_of, descriptor, digest, index

ATTESTATION = BESIDE["attestation of buildx"]


def put(system: System, manifest: dict[str, Any], tag: str | None = None) -> str:
    """Push a manifest, under a tag or by its digest only."""
    content, aws = json.dumps(manifest), system.info.aws
    url = f"{aws.url}/v2/{system.outputs['RepositoryName']}/manifests/{tag or digest(content)}"
    headers = {
        "Content-Type": manifest.get("mediaType", OCI_IMAGE),
        "Authorization": Credentials(aws.access_key_id, aws.secret_access_key).header(),
    }
    httpx.put(url, content=content, headers=headers).raise_for_status()
    return digest(content)


def push_child(system: System, told: Told) -> str:
    """Push the image that an index lists: by digest only."""
    aws = system.info.aws
    packed = image_of(told, system.images / uuid.uuid4().hex)
    credentials = Credentials(aws.access_key_id, aws.secret_access_key)
    return push(packed, aws.url, system.outputs["RepositoryName"], packed.digest, credentials)


def index_of(child: str) -> dict[str, Any]:
    return index(descriptor(OCI_IMAGE) | {"digest": child, "platform": ARM}, attestation_of(child))


def refused(system: System, gate_id: str) -> GateRow | None:
    """The gate once it has ended without having been planned, and so without a report."""
    row = system.gates.get(gate_id)
    return row if row is not None and row.status == "ended" else None


def rows_of(system: System, digests: Sequence[str]) -> list[GateRow]:
    return [row for row in system.gates.recent(100) if row.digest in digests]


def test_a_push_by_buildx_is_one_gate_of_the_index_and_promotes_it(system: System, good: Told) -> None:
    child = push_child(system, replace(good, mark="by buildx"))
    attestation = put(system, ATTESTATION | {"annotations": {"of": child}})
    pushed = put(system, index_of(child), f"t-{uuid.uuid4().hex[:8]}")

    row = system.ended(system.gate_of(pushed).gate_id)

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    assert system.production_digest() == pushed
    assert [one.digest for one in rows_of(system, [child, attestation, pushed])] == [pushed]


def test_the_three_events_of_one_second_are_one_gate_in_every_order(system: System, good: Told) -> None:
    refusing = system.setting("policy", {"minimum_items": 1_000})  # a gate of its own record, and no more
    with no_push_starts_a_gate(system), refusing:
        pushed: list[list[str]] = []
        running: list[str] = []
        for number, order in enumerate(permutations(range(3))):
            child = push_child(system, replace(good, mark=f"order {number}"))
            digests = [child, put(system, ATTESTATION | {"annotations": {"of": child}}), put(system, index_of(child))]
            now = datetime.now(UTC)
            events = [system.push_event(one, time_=now) for one in digests]
            for event, tag in zip(events, ["", "", f"order-{number}"], strict=True):
                event["detail"]["image-tag"] = tag
            pushed.append(digests)
            running += [system.deliver(events[n]) for n in order]
        wait_for("all executions end", lambda: all(system.execution(arn) != "RUNNING" for arn in running))

    for digests in pushed:
        (row,) = rows_of(system, digests)
        assert (row.digest, row.refused) == (digests[2], ("too_few_items",))


def test_what_is_kept_beside_an_image_supersedes_nothing_and_another_platform_is_told(
    system: System, good: Told
) -> None:
    pushed = system.push(replace(good, delay_s=UNHURRIED, mark="left alone"))
    gate = system.gate_of(pushed)
    wait_for_trials(system, gate.gate_id)
    before = len(system.executions("SUCCEEDED"))

    beside = ["cache of buildx", "Helm chart", "signature of cosign", "SBOM of syft", "WebAssembly"]
    digests = [put(system, BESIDE[name], f"beside-{n}") for n, name in enumerate(beside)]
    digests.append(put(system, ATTESTATION, f"sha256-{pushed[7:]}.att"))
    laptop = image_of(replace(good, mark="laptop"), system.images / uuid.uuid4().hex, architecture="amd64")
    other = push(laptop, system.info.aws.url, system.outputs["RepositoryName"], "laptop")
    gate_id = system.gate_of(other).gate_id
    told = wait_for("word of the other platform", lambda: refused(system, gate_id))
    row = system.ended(gate.gate_id)

    assert (told.verdict, told.refused) == ("INCONCLUSIVE", ("wrong_platform",))
    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    wait_for("the others end", lambda: len(system.executions("SUCCEEDED")) >= before + len(digests))
    assert rows_of(system, digests) == []


def test_one_image_under_two_tags_is_one_gate(system: System, good: Told) -> None:
    pushed = system.push(replace(good, mark="two tags"), tag=f"t-{uuid.uuid4().hex[:8]}")
    manifest = boto3.client("ecr").batch_get_image(
        repositoryName=system.outputs["RepositoryName"], imageIds=[{"imageDigest": pushed}]
    )["images"][0]["imageManifest"]
    boto3.client("ecr").put_image(
        repositoryName=system.outputs["RepositoryName"], imageManifest=manifest, imageTag=f"t-{uuid.uuid4().hex[:8]}"
    )

    row = system.ended(system.gate_of(pushed).gate_id)

    assert row.verdict == "PASS", row.reasons
    system.wait_until_quiet()
    assert len(rows_of(system, [pushed])) == 1


def test_a_push_whose_event_is_lost_gets_its_gate_once(
    system: System, good: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_push_starts_a_gate(system):
        pushed = system.push(replace(good, mark="lost"))
    names = system.outputs["StateTableName"], system.outputs["ProductionRuntimeName"]
    reconciler = PushReconciler(
        images=EcrImageRegistry.from_repository(system.outputs["RepositoryName"]),
        claims=DynamoDbPushClaims.from_table(*names),
        gates=system.gates,
        releases=DynamoDbReleases.from_table(*names),
        bus=EventBridgeBus.from_bus(system.outputs["EventBusName"]),
        clock=SystemClock(),
    )
    tagged = EcrTags.from_repository(system.outputs["RepositoryName"])
    assert reconciler.reconcile(tagged.tagged()) is None, "its event may still come"
    monkeypatch.setattr("flywheel.reconciling.SETTLE", timedelta(0))

    assert reconciler.reconcile(tagged.tagged()) == pushed
    row = system.ended(system.gate_of(pushed).gate_id)

    assert (row.verdict, row.promoted, row.trigger) == ("PASS", True, "lost-push"), row.reasons
    assert reconciler.reconcile(tagged.tagged()) is None
    assert len(rows_of(system, [pushed])) == 1
    # What the schedule calls, under its own role: the new release is tagged, and that starts nothing.
    reply = boto3.client("lambda").invoke(FunctionName=system.outputs["ReconcilePushesFunctionName"])
    assert json.loads(reply["Payload"].read()) == {"asked_for": None, "gone": []}
    assert any(tag.startswith(RELEASE_TAG) for one in tagged.tagged() if one.digest == pushed for tag in one.tags)
    system.wait_until_quiet()
    assert len(rows_of(system, [pushed])) == 1
