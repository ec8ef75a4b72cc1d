"""The written settings of the sampler: how much people review, what counts as risk, which queue takes what.

The file form is JSON with the fields of `SamplingSettings` as keys, laid over the packaged `sampling.json`; what is
left out of it, or of its `weights`, has its default.
"""

import json
from collections.abc import Mapping
from importlib import resources
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flywheel.errors import InvalidRequestError

type Signal = Literal["error", "tool_error", "feedback", "low_score", "latency", "refusal", "unlike", "judge_low"]
type Share = Annotated[float, Field(ge=0, le=1)]
type Name = Annotated[str, Field(min_length=1, max_length=200)]


class SamplingSettings(BaseModel):
    """Every number has its unit in its name.

    Attributes:
        review_budget_per_day: traces that people are asked about on one UTC day, beside those that are called out.
        shortlist: traces of one look whose questions, answers and scores are read; the draw is made among them.
        overlap_min: how far a look goes back behind the one before: at least the longest trace and ten minutes.
        settle_s: how long a trace may take until it can be read.
        first_look_h: how far the very first look goes back.
        include_synthetic: whether traffic of synthetic users is reviewed, too.
        alert_share: reviews of a day on top of the budget, as a share of it, that only an alert can spend.
        alert_h: an alert that nobody ends counts for so long.
        weights: by how much each signal alone raises the risk, in [0, 1].
        feedback_names: scores in which users say what they think; below `feedback_below` they are unhappy.
        low_scores: name of an online score -> below this it is low.
        unlike_above: a question whose likeness to every golden question is below 1 - this is unlike all of them.
        topic_tag_prefix: a tag with this prefix names the topic of its trace.
        judge_share: share of the shortlist whose answers a model looks at as well; 0: none, and no text leaves for one.
        judge_most: so many answers of one look at most, whatever the share says.
        judge_deadline_s: the look at all of them may take no longer; what has no verdict then has none.
        routing: stratum, part of a stratum or reason -> name of the queue; the first that fits, in this order.
        enough_reviews: reviews that a failure rate needs before it is called one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    review_budget_per_day: Annotated[int, Field(ge=0, le=100_000)]
    shortlist: Annotated[int, Field(ge=1, le=10_000)]
    overlap_min: Annotated[int, Field(ge=10, le=1_440)]
    settle_s: Annotated[int, Field(ge=0, le=3_600)]
    first_look_h: Annotated[int, Field(ge=1, le=168)]
    include_synthetic: bool
    alert_share: Share
    alert_h: Annotated[int, Field(ge=1, le=168)]
    weights: dict[Signal, Share]
    feedback_names: list[Name]
    feedback_below: float
    low_scores: dict[Name, float]
    unlike_above: Share
    topic_tag_prefix: Name
    judge_share: Share
    judge_most: Annotated[int, Field(ge=0, le=200)]
    judge_deadline_s: Annotated[int, Field(ge=1, le=60)]
    routing: dict[Name, Name]
    enough_reviews: Annotated[int, Field(ge=1, le=10_000)]

    @field_validator("low_scores")
    @classmethod
    def _finite(cls, scores: dict[str, float]) -> dict[str, float]:
        if not all(map(isfinite, scores.values())):
            raise ValueError("thresholds must be finite numbers")
        return scores

    def weight(self, signal: Signal) -> float:
        return self.weights.get(signal, 0.0)

    def queue_name(self, default: str, stratum: str, reasons: tuple[str, ...]) -> str:
        """Where such a trace waits."""
        fits = {stratum, *stratum.split("/"), *reasons}
        return next((queue for key, queue in self.routing.items() if key in fits), default)

    @property
    def alert_reserve(self) -> int:
        """Reviews a day that only an alert can spend."""
        return round(self.review_budget_per_day * self.alert_share)


def parse_sampling(text: str | None) -> SamplingSettings:
    """Read the file form, over the packaged defaults; None or an empty object: these.

    Raises:
        InvalidRequestError: says everything that is wrong at once, and never repeats a value.
    """
    default: dict[str, Any] = json.loads(resources.files("flywheel").joinpath("sampling.json").read_text("utf-8"))
    try:
        given = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidRequestError(f"sampling settings: not JSON: {error}") from error
    if not isinstance(given, Mapping):
        raise InvalidRequestError("sampling settings: expected a JSON object")
    merged = {**default, **given}
    if isinstance(given.get("weights"), Mapping):
        merged["weights"] = {**default["weights"], **given["weights"]}
    try:
        return SamplingSettings.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise InvalidRequestError(f"sampling settings: {problems}") from None
