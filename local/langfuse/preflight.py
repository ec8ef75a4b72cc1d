"""Before an evaluator is kept, or a rule that runs it: one answer of its model, in the form that judging will ask for.

Endpoints end at once, a model does not: they raise PreflightNeededError, the application asks, and calls them again.
"""

from collections.abc import Mapping
from typing import Any

from local.langfuse.evaluation_calls import EvaluationError, ModelCalls
from local.langfuse.structured import structured_error

_NOT_FOUND = 404


class PreflightNeededError(Exception):
    """Nothing was written yet."""

    def __init__(self, name: str, definition: Mapping[str, Any], connection: Mapping[str, Any]) -> None:
        super().__init__(f"the model of evaluator {name!r} was not asked yet")
        self.name = name
        self.definition = definition
        self.connection = connection


async def preflight(calls: ModelCalls, needed: PreflightNeededError) -> None:
    """Ask once.

    Raises:
        ApiError: 422; the model gave no answer, or none in the form that the evaluator asks for.
    """
    model = needed.definition["modelConfig"]
    try:
        await calls.try_out(needed.connection, needed.definition)
    except EvaluationError as error:
        message = error.said or str(error)
        if error.status == _NOT_FOUND:
            message = (
                f"The provider could not find model '{model['model']}' \u2014 it may be retired, misspelled, or not "
                "available to your API key. Update the evaluator's model or the project's default evaluation model."
            )
        raise structured_error(
            422,
            "evaluator_preflight_failed",
            f'Model configuration not valid for evaluator "{needed.name}". {message}',
            evaluatorName=needed.name,
            provider=model["provider"],
            model=model["model"],
        ) from error
