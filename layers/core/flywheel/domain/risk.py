"""What is known of a trace -> how likely it deserves a look, in [0, 1], and which signals say so.

Each signal has a strength in [0, 1] and a weight; together they are combined as if each were a chance of its own to be
right: risk = 1 - product of (1 - weight * strength). So one strong signal is enough, weak ones add up, more signals
never lower it, and it stays within [0, 1].

| signal | strength |
|---|---|
| error | 1 when the root ended with level ERROR, half of it for WARNING |
| tool_error | 1 when another observation of the trace has level ERROR |
| feedback | 1 when a user's score is below the limit |
| low_score | 1 when an online score is below its limit |
| latency | from 0 at the window's 95th percentile to 1 at twice that |
| refusal | 1 when the answer declines to help |
| judge_low | 1 when a judge without a reference finds that the answer is of no use (optional, of a share only) |
| unlike | how unlike every golden question it is, above the limit |
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from flywheel.domain.likeness import GoldenQuestions
from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts
from flywheel.domain.quantile import P95, percentile
from flywheel.domain.refusal import is_refusal
from flywheel.domain.sampling_settings import SamplingSettings, Signal

# A percentile of fewer says little.
_FEWEST_LATENCIES = 20
_LONGEST_QUESTION = 4_000


@dataclass(frozen=True, slots=True)
class Risk:
    """`reasons`: the signals that were there, the heaviest first."""

    value: float = 0.0
    reasons: tuple[Signal, ...] = ()


def combine(strengths: Mapping[Signal, float], settings: SamplingSettings) -> Risk:
    """Signals of one trace, each with its strength in [0, 1] -> its risk."""
    parts = {signal: settings.weight(signal) * strength for signal, strength in strengths.items()}
    heard = sorted((signal for signal, part in parts.items() if part > 0), key=lambda signal: (-parts[signal], signal))
    missed = 1.0
    for signal in heard:
        missed *= 1 - parts[signal]
    return Risk(min(1.0, max(0.0, 1 - missed)), tuple(heard))


def usual_latency_s(heads: Iterable[TraceHead]) -> float | None:
    """The 95th percentile of a window; None: too few traces to call one of them slow."""
    latencies = [head.latency_s for head in heads if head.latency_s is not None]
    return percentile(latencies, P95) if len(latencies) >= _FEWEST_LATENCIES else None


def head_signals(head: TraceHead, *, failing: AbstractSet[str], usual_s: float | None) -> dict[Signal, float]:
    """What a trace's head says. `failing`: traces with an observation of level ERROR other than the root."""
    found: dict[Signal, float] = {}
    if head.level == "ERROR":
        found["error"] = 1.0
    elif head.level == "WARNING":
        found["error"] = 0.5
    if head.trace_id in failing:
        found["tool_error"] = 1.0
    if usual_s and head.latency_s is not None and head.latency_s > usual_s:
        found["latency"] = min(1.0, head.latency_s / usual_s - 1)
    return found


def text_signals(texts: TraceTexts, golden: GoldenQuestions, settings: SamplingSettings) -> dict[Signal, float]:
    """What question and answer say. Without a golden dataset nothing is unlike it."""
    found: dict[Signal, float] = {}
    if is_refusal(texts.answer[:_LONGEST_QUESTION]):
        found["refusal"] = 1.0
    if len(golden) and texts.question.strip():
        unlike = 1 - golden.nearest(texts.question[:_LONGEST_QUESTION]).likeness
        if unlike > settings.unlike_above:
            found["unlike"] = unlike
    return found


def score_signals(scores: Sequence[TraceScore], settings: SamplingSettings) -> dict[Signal, float]:
    """What users and online evaluators say; the worst of them counts."""
    found: dict[Signal, float] = {}
    for score in scores:
        if score.name in settings.feedback_names and score.value < settings.feedback_below:
            found["feedback"] = 1.0
        if score.name in settings.low_scores and score.value < settings.low_scores[score.name]:
            found["low_score"] = 1.0
    return found


def topic_of(head: TraceHead, settings: SamplingSettings) -> str:
    """What a head says of the topic: a tag that names one, else the name of the trace."""
    prefix = settings.topic_tag_prefix
    named = min((tag.removeprefix(prefix) for tag in head.tags if tag.startswith(prefix)), default="")
    return (named or head.name)[:80]


def stratum_of(head: TraceHead, texts: TraceTexts | None, golden: GoldenQuestions, settings: SamplingSettings) -> str:
    """The topic, and the slice of the golden question most like this one: `new` when it is unlike all of them."""
    topic = topic_of(head, settings)
    if texts is None or not len(golden):
        return topic
    nearest = golden.nearest(texts.question[:_LONGEST_QUESTION])
    near = nearest.slice if nearest.slice and 1 - nearest.likeness <= settings.unlike_above else "new"
    return f"{topic}/{near}" if topic else near
