"""The parts of Langfuse's set-up: score configs, queues, the dataset, the connection to the judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli.langfuse_reach import allow_model, is_refused_address
from cli.setup_rows import Found
from flywheel.adapters.langfuse_datasets import EXPECTED_OUTPUT_SCHEMA, INPUT_SCHEMA, SCHEMA_REFUSED
from flywheel.domain.metrics import METRICS
from flywheel.domain.review_form import LIVE_FORM, SAMPLED_SCORE, FormScore
from flywheel.errors import InvalidRequestError

if TYPE_CHECKING:
    from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
    from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
    from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
    from flywheel.adapters.langfuse_score_configs import LangfuseScoreConfigs

# Shares, all of them: with a range Langfuse draws them right, and a number out of it is not given by hand.
OWN_SCORES = tuple(
    FormScore(name, "NUMERIC", f"flywheel: {said}", minimum=0, maximum=1)
    for name, said in (
        *((metric.name, metric.description) for metric in METRICS.values()),
        (SAMPLED_SCORE, "with what probability this trace was chosen for review; why is in the metadata"),
    )
)
SCORES: tuple[FormScore, ...] = (*LIVE_FORM, *OWN_SCORES)
_METHOD_NOT_ALLOWED = "answered 405"


class StandingConfigs:
    """All of our score configs that are there, asked for once: a small plan of Langfuse allows 30 requests a minute."""

    def __init__(self, configs: "LangfuseScoreConfigs") -> None:
        self.configs = configs

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return self.configs.standing(SCORES)


@dataclass(frozen=True, slots=True)
class ScoreConfigPart:
    score: FormScore
    standing: StandingConfigs
    part: str = "score config"

    @property
    def name(self) -> str:
        return self.score.name

    def look(self) -> Found:
        standing = self.standing.by_name[self.score.name]
        if not standing:
            return Found("create", self.score.data_type.lower())
        wanted = (self.score.minimum, self.score.maximum)
        if any((config.get("minValue"), config.get("maxValue")) == wanted for config in standing):
            return Found("exists")
        has = standing[0].get("minValue"), standing[0].get("maxValue")
        return Found(
            "differs",
            f"its range is {_range(has)}, ours {_range(wanted)}",
            f"archive {self.score.name!r} in Langfuse (Settings > Scores) and run this again, or set its range there",
        )

    def make(self) -> None:
        self.standing.configs.create(self.score)


def _range(ends: tuple[float | None, float | None]) -> str:
    low, high = ("open" if end is None else f"{end:g}" for end in ends)
    return f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class QueuePart:
    """`parameter`: what the stack calls the queue's name."""

    name: str
    form: Sequence[FormScore]
    parameter: str
    queues: "LangfuseReviewQueue"
    part: str = "queue"

    def look(self) -> Found:
        found = self.queues.inspect(self.name, self.form)
        if found is None:
            return Found("create", f"asks {', '.join(score.name for score in self.form)}")
        if found.unasked:
            return Found(
                "differs",
                f"does not ask for {', '.join(found.unasked)}; Langfuse cannot change what a queue asks",
                f"name another queue by the stack's {self.parameter}, deploy, and run this again",
            )
        return Found("exists")

    def make(self) -> Found | None:
        try:
            self.queues.ensure(self.name, self.form)
        except InvalidRequestError as error:
            if _METHOD_NOT_ALLOWED not in str(error):
                raise
            return Found(
                "refused",
                "this plan of Langfuse allows no further queue (405)",
                "take a larger plan, delete a queue that nobody needs, or set both ReviewQueueName and LiveQueueName "
                "of the stack to one queue that asks for all of: " + ", ".join(score.name for score in LIVE_FORM),
            )
        return None


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """`with_schemas` False: the dataset is made, and what its items must look like is not checked by Langfuse."""

    name: str
    with_schemas: bool
    datasets: "LangfuseDatasetStore"
    part: str = "dataset"

    def look(self) -> Found:
        found = self.datasets.schemas(self.name)
        if found is None:
            return Found("create", "with the schemas of golden items" if self.with_schemas else "without schemas")
        if not self.with_schemas or found == (INPUT_SCHEMA, EXPECTED_OUTPUT_SCHEMA):
            return Found("exists")
        return Found("change", "sets the schemas of golden items; Langfuse checks all items against them")

    def make(self) -> Found | None:
        try:
            self.datasets.ensure(self.name, with_schemas=self.with_schemas)
        except InvalidRequestError as error:
            if SCHEMA_REFUSED not in str(error):
                raise
            return Found(
                "refused",
                str(error).partition(f"{SCHEMA_REFUSED} ")[2].strip() or str(error),
                "mend or archive these items (`flywheel dataset list` shows them), or leave the check out: --no-schema",
            )
        return None


@dataclass(frozen=True, slots=True)
class ConnectionPart:
    """`key` None: the judge's key is not set. It is read from SSM, given to Langfuse, and shown nowhere."""

    wanted: "Connection"
    key: str | None
    key_parameter: str
    connections: "LangfuseConnections"
    part: str = "LLM connection"

    @property
    def name(self) -> str:
        return self.wanted.provider

    def look(self) -> Found:
        if not self.key:
            return Found("by hand", f"the key of the judge is not set: {self.key_parameter}", self._put_it())
        different = self.connections.differences(self.wanted, self.key)
        about = f"{', '.join(self.wanted.models)} at {self.wanted.base_url}"
        if different is None:
            return Found("create", about)
        return Found("change", f"{', '.join(different)}: {about}") if different else Found("exists")

    def make(self) -> Found | None:
        try:
            self.connections.put(self.wanted, self.key or "")
        except InvalidRequestError as error:
            if not is_refused_address(str(error)):
                raise
            said = f"this Langfuse may not connect to {self.wanted.base_url}: {error}"
            return Found("refused", said, allow_model(self.wanted.base_url))
        return None

    def _put_it(self) -> str:
        return f"aws ssm put-parameter --type SecureString --name {self.key_parameter} --value file://KEY_FILE"
