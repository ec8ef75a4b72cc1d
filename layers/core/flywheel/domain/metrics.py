"""The registry of scores: which names a trial can have, what they mean, and to which items they apply."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from flywheel.domain.golden import GoldenItem


@dataclass(frozen=True, slots=True)
class Metric:
    """One score in [0, 1], higher is better.

    `applies` says for an item whether its trials have this score. `needs_judge`: it cannot be computed when the judge
    is down. `conditional`: a trial of such an item may still lack it, because nothing happened that it could judge.
    """

    name: str
    description: str
    applies: Callable[[GoldenItem], bool]
    needs_judge: bool = False
    conditional: bool = False


METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                "correctness",
                "mean of the facts' scores; on an item that must be refused 1 for a refusal, else 0",
                lambda _: True,
                needs_judge=True,
            ),
            Metric(
                "fact_coverage",
                "share of the expected facts that the answer covers at all (score .5 or more)",
                lambda item: bool(item.response_facts),
                needs_judge=True,
            ),
            Metric(
                "trajectory",
                "agreement of the called tools with the expected ones, in the policy's mode",
                lambda item: bool(item.trajectory),
            ),
            Metric(
                "search_term",
                "share of the expected search term's words in the best search query",
                lambda item: item.search_term is not None,
            ),
            Metric("refusal", "1 when an item that must be refused was refused, else 0", lambda item: item.must_refuse),
            Metric("tool_success", "share of tool calls that did not fail", lambda _: True, conditional=True),
        )
    }
)
