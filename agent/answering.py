"""A checked request -> an answer with its trajectory: prompt, tools and model put together for one question."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from strands import Agent
from strands.agent import AgentResult
from strands.hooks import AfterModelCallEvent, HookProvider, HookRegistry
from strands.types.content import Messages
from strands.types.exceptions import MaxTokensReachedException, ModelThrottledException
from strands.types.tools import AgentTool, ToolResult

from agent.errors import ModelFailedError
from agent.history import opening
from agent.models import Models, retry_strategy
from agent.prompts import Prompts
from agent.request import AgentRequest
from agent.search import SearchLimit
from agent.settings import Hyperparameters
from agent.tools import allowed_tools

ANSWER_DEADLINE_S = 110.0
"""Model and tools together; AgentCore and boto3's callers give up not long after."""

_MESSAGE_CHARS = 500


class Tools(Protocol):
    """Gives the tools of one request for as long as the context is open."""

    def tools(self) -> AbstractAsyncContextManager[Sequence[AgentTool]]: ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One step of the trajectory."""

    tool: str
    input: dict[str, Any]
    error: bool


@dataclass(frozen=True, slots=True)
class ToolError:
    """What a failed tool told the model."""

    tool: str
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all successful model calls of one request."""

    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent made of a question. `stop_reason` is the model's, or `limit_...` when a limit cut it short."""

    answer: str
    stop_reason: str
    model_id: str
    trajectory: tuple[ToolCall, ...] = ()
    tool_errors: tuple[ToolError, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Answering:
    """Answers questions; any number at once."""

    def __init__(
        self, models: Models, tools: Tools, prompts: Prompts, *, deadline_s: float = ANSWER_DEADLINE_S
    ) -> None:
        self._models = models
        self._tools = tools
        self._prompts = prompts
        self._deadline_s = deadline_s

    async def answer(self, request: AgentRequest) -> Answer:
        """Answer one question.

        Raises:
            PromptUnavailableError: the named prompt cannot be had.
            ToolsUnavailableError: the tool server cannot be reached when the request begins.
            UnknownToolError: the hyperparameter `tools` names one that the server does not have.
            ModelFailedError: the model failed, or throttled three times.
        """
        hyperparameters = request.hyperparameters
        before, question = opening(request.history, request.question)
        system_prompt = await self._prompts.system_prompt(hyperparameters)
        async with self._tools.tools() as offered:
            tools = allowed_tools(offered, hyperparameters.tools)
            calls = _SuccessfulModelCalls()
            agent = Agent(
                name="langfuse-docs",
                model=await asyncio.to_thread(self._models.model, hyperparameters),
                tools=[*tools],
                system_prompt=system_prompt,
                hooks=[SearchLimit(hyperparameters.top_k), calls],
                messages=[*before],  # Strands goes on with the list that it is given
                retry_strategy=retry_strategy(),
                callback_handler=None,
            )
            stop_reason = await self._run(agent, question, hyperparameters)
        usage = agent.event_loop_metrics.accumulated_usage
        new = agent.messages[len(before) :]
        steps = list(_steps(new))
        return Answer(
            answer=_last_text(new),
            stop_reason=stop_reason,
            model_id=hyperparameters.model_id,
            trajectory=tuple(call for call, _ in steps),
            tool_errors=tuple(ToolError(call.tool, message) for call, message in steps if call.error),
            usage=Usage(usage["inputTokens"], usage["outputTokens"], calls.count),
        )

    async def _run(self, agent: Agent, question: str, limits: Hyperparameters) -> str:
        try:
            async with asyncio.timeout(self._deadline_s):
                result: AgentResult = await agent.invoke_async(
                    question,
                    limits={"turns": limits.max_turns, "output_tokens": limits.max_output_tokens},
                )
        except MaxTokensReachedException:
            return "limit_output_tokens"
        except TimeoutError:
            return "limit_time"
        except ModelThrottledException as error:
            raise ModelFailedError("The model is throttled. Try again later.") from error
        except Exception as error:  # a model's client raises errors of its own kind; tools never raise through Strands
            raise ModelFailedError("The model failed to answer. The trace holds the cause.") from error
        return str(result.stop_reason)


class _SuccessfulModelCalls(HookProvider):
    """Counts the calls that Bedrock bills: a throttled one is free."""

    def __init__(self) -> None:
        self.count = 0

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(AfterModelCallEvent, self._after)

    def _after(self, event: AfterModelCallEvent) -> None:
        if event.stop_response is not None:
            self.count += 1


def _steps(messages: Messages) -> Iterator[tuple[ToolCall, str]]:
    """Tool calls in their order, each with the message of its failure ("" when it did not fail)."""
    blocks = [block for message in messages for block in message["content"]]
    results = {block["toolResult"]["toolUseId"]: block["toolResult"] for block in blocks if "toolResult" in block}
    for block in blocks:
        if "toolUse" not in block:
            continue
        use = block["toolUse"]
        given = use["input"]
        result = results.get(use["toolUseId"])
        failed = result is None or result["status"] == "error"
        message = "the call was not completed" if result is None else _text_of(result)
        yield (
            ToolCall(use["name"], given if isinstance(given, dict) else {"value": given}, failed),
            message[:_MESSAGE_CHARS] if failed else "",
        )


def _text_of(result: ToolResult) -> str:
    return " ".join(block["text"] for block in result["content"] if "text" in block) or "no message"


def _last_text(messages: Messages) -> str:
    """Text of the last message in which the model said anything; "" when it said nothing."""
    for message in reversed(messages):
        if message["role"] == "assistant":
            text = "".join(block["text"] for block in message["content"] if "text" in block).strip()
            if text:
                return text
    return ""
