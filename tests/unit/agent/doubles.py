"""A model that follows a script, tools without a server, and settings."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, override

from strands import tool
from strands.models.model import Model
from strands.types.tools import AgentTool

from agent.answering import Answering
from agent.errors import ToolsUnavailableError
from agent.prompts import Prompts
from agent.request import AgentRequest
from agent.settings import Hyperparameters, RuntimeSettings, Settings

FIXED = Hyperparameters(model_id="m", max_turns=4, max_output_tokens=100, top_k=2)
SETTINGS = Settings(runtime=RuntimeSettings(mcp_url="http://tools/mcp", allow_overrides=True), hyperparameters=FIXED)

type Say = str
type Call = tuple[str, Any]
type Step = Say | Call | Exception
"""What the model does next: say something and end, call a tool, or fail."""


class ScriptedModel(Model):
    """Takes the next step of `script(question)` at each call; records what it was shown."""

    def __init__(
        self, script: Callable[[str], Sequence[Step]], *, end: str = "end_turn", output_tokens: int = 5
    ) -> None:
        self._script, self._end, self._output_tokens = script, end, output_tokens
        self.seen: list[tuple[list[Any], str | None]] = []
        self.offered: list[list[str]] = []
        self.delay_s = 0.0

    @override
    def update_config(self, **model_config: Any) -> None: ...

    @override
    def get_config(self) -> Any:
        return {"model_id": "m", "context_window_limit": 100_000}

    @override
    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a model without structured output, which Strands asks to say so")

    @override
    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any]:
        self.offered.append([spec["name"] for spec in tool_specs or ()])
        self.seen.append((json.loads(json.dumps(messages, default=str)), system_prompt))
        await asyncio.sleep(self.delay_s)
        question = messages[0]["content"][0]["text"]
        done = sum(message["role"] == "assistant" for message in messages)
        step = self._script(question)[done]
        if isinstance(step, Exception):
            raise step
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(step, tuple):
            name, given = step
            text = given if isinstance(given, str) else json.dumps(given)
            yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": f"call_{done}"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": step}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if isinstance(step, tuple) else self._end}}
        usage = {"inputTokens": 10, "outputTokens": self._output_tokens, "totalTokens": 10 + self._output_tokens}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


class OneModel:
    """`Models` that always gives the same."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def model(self, hyperparameters: Hyperparameters) -> Model:
        return self._model


@tool
def get_overview() -> str:
    """Topics."""
    return "tracing, retention"


@tool
def search_docs(query: str) -> dict[str, Any]:
    """Pages for a query, the best first."""
    if query == "broken":
        raise ValueError("the index is broken" + "." * 1000)
    content = [{"text": json.dumps({"title": f"page {n}", "text": f"{query} {n}"})} for n in range(1, 6)]
    return {"status": "success", "content": content}


class LocalTools:
    """`Tools` without a server; counts how often they are opened and closed."""

    def __init__(self, *, available: bool = True) -> None:
        self.available, self.opened, self.closed = available, 0, 0

    @asynccontextmanager
    async def tools(self) -> AsyncIterator[list[AgentTool]]:
        if not self.available:
            raise ToolsUnavailableError("The tool server cannot be reached.")
        self.opened += 1
        try:
            yield [get_overview, search_docs]
        finally:
            self.closed += 1


def answering(model: Model, tools: LocalTools | None = None, *, deadline_s: float = 10.0) -> Answering:
    return Answering(OneModel(model), tools or LocalTools(), Prompts(None), deadline_s=deadline_s)


def asked(question: str = "What is a trace?", hyperparameters: Hyperparameters = FIXED) -> AgentRequest:
    return AgentRequest(question, hyperparameters)
