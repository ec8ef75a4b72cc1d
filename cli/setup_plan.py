"""A stack -> the parts that its Langfuse should have."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.setup_parts import SCORES, ConnectionPart, DatasetPart, QueuePart, ScoreConfigPart, StandingConfigs
from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.langfuse_score_configs import LangfuseScoreConfigs
from flywheel.domain.review_form import GATE_FORM, LIVE_FORM

if TYPE_CHECKING:
    from cli.session import Session
    from cli.setup_rows import Part

PROVIDER = "flywheel-judge"
JUDGE_KEY = "judge-api-key"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose. `schemas`: whether Langfuse checks the dataset's items."""

    schemas: bool = True


def parts(session: "Session", choices: Choices) -> "list[Part]":
    """All of them, each after what it needs."""
    facts, api = session.facts, session.langfuse_api
    standing, queues = StandingConfigs(LangfuseScoreConfigs(api)), LangfuseReviewQueue(api)
    found: list[Part] = [ScoreConfigPart(score, standing) for score in SCORES]
    found.append(QueuePart(facts.review_queue, GATE_FORM, "ReviewQueueName", queues))
    found.append(QueuePart(facts.live_queue, LIVE_FORM, "LiveQueueName", queues))
    found.append(DatasetPart(facts.dataset, choices.schemas, LangfuseDatasetStore(api)))
    if facts.judge_base_url and facts.judge_model_id:
        wanted = Connection(PROVIDER, facts.judge_base_url, facts.judge_model_id)
        path = f"{facts.settings_prefix}/{JUDGE_KEY}"
        found.append(ConnectionPart(wanted, session.settings.text(JUDGE_KEY), path, LangfuseConnections(api)))
    return found
