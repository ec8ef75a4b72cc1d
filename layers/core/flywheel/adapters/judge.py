"""Facts -> how an answer covers each of them, by autoevals' Factuality over any OpenAI-compatible endpoint.

autoevals repeats a 429 up to a hundred times, for hours and with no deadline. Here it never sees one: its client's
`complete` is ours, waits as the server asks inside the judgement's deadline, and raises what autoevals lets through.
"""

import asyncio
import random
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import openai
from autoevals.llm import Factuality
from autoevals.oai import LLMClient

from flywheel.domain.outcome import FactScore
from flywheel.evaluation.ports import JudgementFailure

_RETRIED: Final = (
    openai.RateLimitError,
    openai.InternalServerError,
    openai.APIConnectionError,  # APITimeoutError is one of them
    openai.ConflictError,
)
_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 8.0
# A reply without the forced tool call, cut JSON or an unknown letter: the model may do better once more.
_ATTEMPTS_AT_A_USABLE_REPLY = 2
# So many judgements failed in a row that the judge counts as down: later ones get one attempt, not a whole deadline.
_DOWN_AFTER = 10


class _GaveUpError(Exception):
    """Ends a judgement; inside this module only, and none of those that autoevals catches."""


@dataclass(slots=True)
class _Attempts:
    """Of the judgement that is running: when it must be over, and what went wrong last."""

    end_s: float
    single: bool
    trouble: str = "no reply"
    kind: str = "timeout"


_attempts: ContextVar[_Attempts] = ContextVar("attempts")


def judge_client(*, base_url: str, api_key: str, call_timeout_s: float = 30.0) -> openai.AsyncOpenAI:
    """Client of the judge's endpoint. Never without its own URL: autoevals' default would send the data elsewhere.

    `call_timeout_s` bounds one request. It does not retry: waiting is this module's business.
    """
    return openai.AsyncOpenAI(base_url=base_url, api_key=api_key, timeout=call_timeout_s, max_retries=0)


class FactualityJudge:
    """Judges one fact at a time; concurrent calls are meant, up to `concurrency` are in flight.

    It belongs to the event loop in which it is first used.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model_id: str,
        choice_scores: Mapping[str, float],
        deadline_s: float = 60.0,
        concurrency: int = 100,
    ) -> None:
        self._client = client
        self._choice_scores = dict(choice_scores)
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(concurrency)
        self._failed_in_a_row = 0
        llm = LLMClient(openai=client, is_async=True)
        llm.complete = self._complete
        self._evaluator = Factuality(model=model_id, client=llm, temperature=0)

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        """Ask how `answer` covers `fact`; a failure says so as a value, within the deadline."""
        async with self._slots:
            now = asyncio.get_running_loop().time()
            attempts = _Attempts(now + self._deadline_s, single=self._failed_in_a_row >= _DOWN_AFTER)
            token = _attempts.set(attempts)
            judged: FactScore | JudgementFailure
            try:
                async with asyncio.timeout_at(attempts.end_s):
                    judged = await self._judge(question, fact, answer, attempts)
            except TimeoutError:
                judged = JudgementFailure(
                    attempts.kind, f"no usable reply in {self._deadline_s:g} s; last: {attempts.trouble}"
                )
            except _GaveUpError as error:
                judged = JudgementFailure(attempts.kind, str(error))
            finally:
                _attempts.reset(token)
            self._failed_in_a_row = 0 if isinstance(judged, FactScore) else self._failed_in_a_row + 1
            return judged

    async def _judge(self, question: str, fact: str, answer: str, attempts: _Attempts) -> FactScore:
        for _ in range(_ATTEMPTS_AT_A_USABLE_REPLY):
            try:
                result = await self._evaluator.eval_async(answer, fact, input=question)
                choice = str(result.metadata["choice"])
                return FactScore(fact, choice, self._choice_scores[choice], str(result.metadata.get("rationale", "")))
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                # JSONDecodeError is a ValueError. All of these come from reading what the model made up.
                attempts.kind = "unusable_reply"
                attempts.trouble = f"{type(error).__name__}: {error}"
        raise _GaveUpError(attempts.trouble)

    async def _complete(self, **arguments: Any) -> Any:
        """One chat completion, waited for and repeated inside the deadline; never raises RateLimitError."""
        arguments.pop("use_responses_api", None)
        attempts = _attempts.get()
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                return await self._client.chat.completions.create(**arguments)
            except _RETRIED as error:
                attempts.kind, attempts.trouble = _named(error), str(error)
                cause: openai.APIError = error
            except openai.APIError as error:
                attempts.kind = _named(error)
                raise _GaveUpError(_with_hint(error)) from error
            wait_s = max(backoff_s * random.uniform(0.5, 1.0), _retry_after_s(cause))  # noqa: S311
            if attempts.single or asyncio.get_running_loop().time() + wait_s >= attempts.end_s:
                raise _GaveUpError(f"gave up: {attempts.trouble}") from cause
            await asyncio.sleep(wait_s)
            backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)


def _named(error: openai.APIError) -> str:
    """Countable name: `timeout`, `unreachable`, or the HTTP status."""
    if isinstance(error, openai.APITimeoutError):
        return "timeout"
    if isinstance(error, openai.APIStatusError):
        return f"http_{error.status_code}"
    return "unreachable"


def _with_hint(error: openai.APIError) -> str:
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return f"{error}. Check the judge's API key and its access to the model"
    if isinstance(error, openai.NotFoundError):
        return f"{error}. Check JUDGE_BASE_URL and JUDGE_MODEL_ID"
    return str(error)


def _retry_after_s(error: openai.APIError) -> float:
    """Seconds the server asked to wait; 0 when it did not say, or said it as a date."""
    if not isinstance(error, openai.APIStatusError):
        return 0.0
    said = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        return 0.0
