"""Evaluators and evaluation rules of one project, below /unstable of Langfuse's API (4.16 and newer servers have it).

The API of the SDK from 5 on, /v2/evaluators, has another form and is not there in 4.16; servers that have it answer
below /unstable too.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, LangfuseTooMuchError, json_bytes, segment
from flywheel.adapters.langfuse_score_configs import pages
from flywheel.domain.live_evaluators import Condition, Evaluator, JudgeModel, Rule, Source
from flywheel.errors import NotFoundError, TransientError
from flywheel.ports.evaluators import EvaluatorNotRunnableError, EvaluatorsNotOfferedError, StandingRule

_EVALUATORS: Final = "unstable/evaluators"
_RULES: Final = "unstable/evaluation-rules"
_TYPE: Final = "llm_as_judge"


class LangfuseEvaluators:
    """Names are looked for, as ids are Langfuse's own; what was sent and not answered is looked for before an error."""

    def __init__(self, api: LangfuseApi, *, deadline_s: float = 30.0) -> None:
        self._api = api
        self._deadline_s = deadline_s

    def evaluator(self, name: str) -> Evaluator | None:
        row = next((row for row in self._rows(_EVALUATORS) if _is(row, name) and row.get("type") == _TYPE), None)
        return None if row is None else _evaluator(row)

    def save(self, evaluator: Evaluator) -> None:
        self._write("POST", _EVALUATORS, _definition(evaluator), lambda: self.evaluator(evaluator.name) == evaluator)

    def rule(self, name: str) -> StandingRule | None:
        row = next((row for row in self._rows(_RULES) if _is(row, name)), None)
        if row is None:
            return None
        paused = str(row.get("pausedMessage") or row.get("pausedReason") or "paused")
        return StandingRule(str(row["id"]), _rule(row), paused if row.get("status") == "paused" else "")

    def create(self, rule: Rule) -> None:
        self._write("POST", _RULES, _description(rule), lambda: self.rule(rule.name) is not None)

    def change(self, rule_id: str, rule: Rule) -> None:
        # Repeated or not, it ends as wanted.
        self._write("PATCH", f"{_RULES}/{segment(rule_id)}", _description(rule), None)

    def _rows(self, path: str) -> Iterator[dict[str, Any]]:
        try:
            yield from pages(self._api, path, (), deadline_s=self._deadline_s)
        except NotFoundError as error:
            raise EvaluatorsNotOfferedError("this Langfuse offers no evaluators by its API (404)") from error

    def _write(self, method: str, path: str, content: Any, stands: Callable[[], bool] | None) -> None:
        """`stands`: whether what was sent once is there, asked when its reply was lost; None: it may be repeated."""
        try:
            body = json_bytes(content)
            self._api.request(method, path, body, deadline_s=self._deadline_s, repeat=stands is None)
        except LangfuseTooMuchError as error:
            raise EvaluatorNotRunnableError(str(error)) from error  # 422 means a failed preflight here
        except TransientError:
            if stands is None or not stands():
                raise


def _is(row: Mapping[str, Any], name: str) -> bool:
    return row.get("name") == name


def _definition(evaluator: Evaluator) -> dict[str, Any]:
    model = evaluator.model
    ends = {"minValue": evaluator.minimum, "maxValue": evaluator.maximum}
    return {
        "name": evaluator.name,
        "type": _TYPE,
        "prompt": evaluator.prompt,
        "outputDefinition": {
            "dataType": evaluator.data_type,
            "reasoning": {"description": evaluator.reasoning},
            "score": {"description": evaluator.score}
            | {name: value for name, value in ends.items() if value is not None},
        },
        **({"modelConfig": {"provider": model.provider, "model": model.model}} if model is not None else {}),
    }


def _evaluator(row: Mapping[str, Any]) -> Evaluator:
    output = row.get("outputDefinition") or {}
    score, model = output.get("score") or {}, row.get("modelConfig")
    return Evaluator(
        name=str(row["name"]),
        prompt=str(row.get("prompt") or ""),
        reasoning=str((output.get("reasoning") or {}).get("description", "")),
        score=str(score.get("description", "")),
        model=None if not model else JudgeModel(str(model["provider"]), str(model["model"])),
        data_type=str(output.get("dataType", "")),
        minimum=score.get("minValue"),
        maximum=score.get("maxValue"),
    )


def _description(rule: Rule) -> dict[str, Any]:
    mapping = [
        {"variable": one.variable, "source": one.source} | ({"jsonPath": one.json_path} if one.json_path else {})
        for one in rule.sources
    ]
    return {
        "name": rule.name,
        "target": rule.target,
        "enabled": rule.enabled,
        "sampling": rule.sampling,
        "filter": [
            {"type": one.kind, "column": one.column, "operator": one.operator}
            | ({"key": one.key} if one.key else {})
            | {"value": list(one.value) if isinstance(one.value, tuple) else one.value}
            for one in rule.conditions
        ],
        "evaluators": [{"evaluator": {"name": rule.evaluator, "type": _TYPE}, "mapping": mapping}],
    }


def _rule(row: Mapping[str, Any]) -> Rule:
    names = [str((one.get("evaluator") or {}).get("name", "")) for one in row.get("evaluators") or ()]
    return Rule(
        name=str(row["name"]),
        evaluator=", ".join(names),
        target=row["target"],
        sources=tuple(
            Source(str(one["variable"]), str(one.get("source") or ""), str(one.get("jsonPath") or ""))
            for one in row.get("mapping") or ()
        ),
        conditions=tuple(
            Condition(
                str(one.get("type", "")),
                str(one.get("column", "")),
                str(one.get("operator", "")),
                tuple(one["value"]) if isinstance(one.get("value"), list) else one.get("value"),
                str(one.get("key") or ""),
            )
            for one in row.get("filter") or ()
        ),
        sampling=float(row["sampling"]),
        enabled=bool(row["enabled"]),
    )
