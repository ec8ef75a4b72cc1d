"""A stack -> the parts that its Langfuse should have."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.setup_evaluators import EvaluatorChoices, evaluator_parts, models
from cli.setup_parts import SCORES, ConnectionPart, DatasetPart, QueuePart, ScoreConfigPart, StandingConfigs
from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_evaluators import LangfuseEvaluators
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
    """What a person may choose. `schemas`: whether Langfuse checks the dataset's items. `evaluators` None: none."""

    schemas: bool = True
    evaluators: EvaluatorChoices | None = None


def parts(session: "Session", choices: Choices) -> "list[Part]":
    """All of them, each after what it needs."""
    facts, api = session.facts, session.langfuse_api
    standing, queues = StandingConfigs(LangfuseScoreConfigs(api)), LangfuseReviewQueue(api)
    found: list[Part] = [ScoreConfigPart(score, standing) for score in SCORES]
    found.append(QueuePart(facts.review_queue, GATE_FORM, "ReviewQueueName", queues))
    found.append(QueuePart(facts.live_queue, LIVE_FORM, "LiveQueueName", queues))
    datasets = LangfuseDatasetStore(api)
    found.append(DatasetPart(facts.dataset, choices.schemas, datasets))
    wished = choices.evaluators
    if facts.judge_base_url and facts.judge_model_id:
        wanted = Connection(PROVIDER, facts.judge_base_url, models(facts, wished or EvaluatorChoices()))
        path = f"{facts.settings_prefix}/{JUDGE_KEY}"
        found.append(ConnectionPart(wanted, session.settings.text(JUDGE_KEY), path, LangfuseConnections(api)))
    if wished is not None:
        evaluators = LangfuseEvaluators(api)
        found += evaluator_parts(facts, wished, PROVIDER, store=evaluators, dataset_id=datasets.dataset_id)
    return found
