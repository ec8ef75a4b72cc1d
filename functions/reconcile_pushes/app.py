"""Make up for pushes whose event never came, and keep the images of releases: schedule in, what was done out.

The newest push gets its gate if it has none; the images of releases are tagged, so that the repository's lifecycle
policy spares them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_pushes import DynamoDbPushClaims
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.ecr_tags import EcrTags
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.clock import SystemClock
from flywheel.config import AgentPlatform, from_env
from flywheel.ports import ReleaseStore, ReleaseTags
from flywheel.public_errors import public_errors
from flywheel.reconciling import PushReconciler
from flywheel.release_tags import tag_releases

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    state_table: str
    agent_repository: str
    agent_platform: AgentPlatform
    production_runtime_name: str
    event_bus: str


type Handle = Callable[[], dict[str, Any]]


def make_handle(reconciler: PushReconciler, releases: ReleaseStore, tags: ReleaseTags) -> Handle:
    def handle() -> dict[str, Any]:
        tagged = tags.tagged()
        # First what somebody waits for: a tag that cannot be put now must not keep a push from its gate.
        digest = reconciler.reconcile(tagged)
        metrics.add_metric("PushesFound", MetricUnit.Count, int(digest is not None))
        if digest is not None:
            logger.warning("a push had no gate: one is asked for", digest=digest)
        gone = tag_releases(releases, tags, tagged)
        metrics.add_metric("ReleaseImagesGone", MetricUnit.Count, len(gone))
        if gone:
            logger.warning("images of releases are gone from the repository", digests=gone)
        return {"asked_for": digest, "gone": list(gone)}

    return handle


@cache
def handle() -> Handle:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    releases = DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name)
    reconciler = PushReconciler(
        images=EcrImageRegistry.from_repository(settings.agent_repository, settings.agent_platform),
        claims=DynamoDbPushClaims.from_table(settings.state_table, settings.production_runtime_name),
        gates=DynamoDbGates.from_table(settings.state_table),
        releases=releases,
        bus=EventBridgeBus.from_bus(settings.event_bus),
        clock=SystemClock(),
    )
    return make_handle(reconciler, releases, EcrTags.from_repository(settings.agent_repository))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    return handle()()
