"""`python -m local.model.probe`: every golden item through planner, docs search and judge, in process -> mean
correctness by slice, tokens and pace, for several settings of the agent.

It shows that quality, tokens and latency depend on the hyperparameters. What it prints says nothing about a language
model.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from local.docs_mcp.corpus import load_pages
from local.docs_mcp.index import DocsIndex
from local.docs_mcp.server import SearchResult, search, write_overview
from local.model.chat import (
    ChatRequest,
    FunctionCall,
    FunctionSpec,
    Message,
    Reply,
    ToolCallPart,
    ToolSpec,
    count_usage,
)
from local.model.judge import classify, refuses
from local.model.pace import pace_s
from local.model.planner import plan

DATASET = Path(__file__).parents[2] / "dataset" / "golden.json"
PROMPT = "Answer from the documentation. First call getLangfuseOverview, then searchLangfuseDocs."
CHOICE_SCORES = {"A": 0.5, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}
POOR_SEARCH_DROPS = 3
"""Poor search: the best hits are dropped before the agent sees any."""

_FACTUALITY = """[BEGIN DATA]
************
[Question]: {question}
************
[Expert]: {fact}
************
[Submission]: {answer}
************
[END DATA]"""
_TOOLS = [
    ToolSpec(function=FunctionSpec(name="getLangfuseOverview", parameters={"type": "object", "properties": {}})),
    ToolSpec(
        function=FunctionSpec(
            name="searchLangfuseDocs",
            parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        )
    ),
]


@dataclass(frozen=True, slots=True)
class Setting:
    """One agent: its hyperparameters, and how many of the best hits its search loses. `tools` None: all."""

    name: str
    model_id: str = "local.sonnet"
    system_prompt: str = PROMPT
    temperature: float = 0.0
    top_k: int = 5
    dropped_hits: int = 0
    tools: tuple[str, ...] | None = None


SETTINGS = (
    Setting("good (sonnet, top_k 5)"),
    Setting("poor search", dropped_hits=POOR_SEARCH_DROPS),
    Setting("top_k 1", top_k=1),
    Setting("top_k 3", top_k=3),
    Setting("top_k 10", top_k=10),
    Setting("medium model", model_id="local.medium"),
    Setting("haiku", model_id="local.haiku"),
    Setting("concise prompt", system_prompt=PROMPT + " Be concise."),
    Setting("one sentence", system_prompt=PROMPT + " Answer in one sentence."),
    Setting("thorough prompt", system_prompt=PROMPT + " Be thorough."),
    Setting("german prompt", system_prompt="Du bist ein Assistent. Antworte auf Deutsch. " + PROMPT),
    Setting("temperature 0.7", temperature=0.7),
    Setting("temperature 1.0", temperature=1.0),
    Setting("search only", tools=("searchLangfuseDocs",)),
    Setting("overview only", tools=("getLangfuseOverview",)),
    # Names as Bedrock has them: these have a pace, which `local.*` has not.
    Setting("nova micro", model_id="amazon.nova-micro-v1:0"),
    Setting("gpt-oss 20b", model_id="openai.gpt-oss-20b-1:0"),
    Setting("sonnet 4", model_id="anthropic.claude-sonnet-4-20250514-v1:0"),
    Setting("sonnet 4, concise", "anthropic.claude-sonnet-4-20250514-v1:0", PROMPT + " Be concise."),
    Setting("sonnet 4, thorough", "anthropic.claude-sonnet-4-20250514-v1:0", PROMPT + " Be thorough."),
    Setting("sonnet 4, top_k 1", "anthropic.claude-sonnet-4-20250514-v1:0", top_k=1),
)


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of all model calls of one answer, and the seconds that those calls take."""

    input_tokens: int = 0
    output_tokens: int = 0
    paced_s: float = 0.0

    def plus(self, request: ChatRequest, reply: Reply) -> "Spent":
        usage = count_usage(request, reply)
        read, written = usage["prompt_tokens"], usage["completion_tokens"]
        return Spent(
            self.input_tokens + read, self.output_tokens + written, self.paced_s + pace_s(request.model, read, written)
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """The answer to one golden item; `facts` holds each fact with the judge's choice."""

    item: dict[str, Any]
    answer: str
    trajectory: tuple[str, ...]
    queries: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    correctness: float
    spent: Spent


def load_items(path: Path = DATASET) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return items


class Docs:
    """The tools of the docs server, without the server."""

    def __init__(self) -> None:
        pages = load_pages()
        self._overview, self._index = write_overview(pages), DocsIndex(pages)

    def call(self, tool: str, query: str, setting: Setting) -> str:
        """The text that the model gets for a call: one JSON object a passage, as MCP clients pass lists on."""
        if tool == "getLangfuseOverview":
            return self._overview
        results: list[SearchResult] = search(self._index, query)
        kept = results[setting.dropped_hits :][: setting.top_k]
        return "\n".join(result.model_dump_json(indent=2) for result in kept)


def _ask(question: str, docs: Docs, setting: Setting) -> tuple[str, list[tuple[str, str]], Spent]:
    messages = [Message(role="system", content=setting.system_prompt), Message(role="user", content=question)]
    tools = [tool for tool in _TOOLS if setting.tools is None or tool.function.name in setting.tools]
    steps: list[tuple[str, str]] = []
    spent = Spent()
    while True:
        request = ChatRequest(model=setting.model_id, messages=messages, tools=tools, temperature=setting.temperature)
        reply = plan(request)
        spent = spent.plus(request, reply)
        if not reply.calls:
            return reply.text, steps, spent
        calls = []
        results = []
        for call in reply.calls:
            call_id, query = f"call-{len(steps)}", str(call.arguments.get("query", ""))
            steps.append((call.tool, query))
            calls.append(
                ToolCallPart(id=call_id, function=FunctionCall(name=call.tool, arguments=json.dumps(call.arguments)))
            )
            results.append(Message(role="tool", tool_call_id=call_id, content=docs.call(call.tool, query, setting)))
        messages += [Message(role="assistant", tool_calls=calls), *results]


def run_item(item: dict[str, Any], docs: Docs, setting: Setting) -> Trial:
    """One item: answered, and scored as the gate scores it."""
    question, expected = item["input"]["question"], item["expected_output"]
    answer, steps, spent = _ask(question, docs, setting)
    facts = tuple(
        (fact, classify(_FACTUALITY.format(question=question, fact=fact, answer=answer), "ABCDE")[0])
        for fact in expected["response_facts"]
    )
    if expected.get("must_refuse"):
        correctness = float(refuses(answer))
    else:
        correctness = fmean(CHOICE_SCORES[choice] for _, choice in facts)
    tools, queries = tuple(tool for tool, _ in steps), tuple(query for _, query in steps if query)
    return Trial(item, answer, tools, queries, facts, correctness, spent)


def run(items: Sequence[dict[str, Any]], docs: Docs, setting: Setting) -> list[Trial]:
    return [run_item(item, docs, setting) for item in items]


def mean_by_slice(trials: Sequence[Trial]) -> dict[str, float]:
    """Mean correctness of each slice, and of all under `all`."""
    slices = dict.fromkeys(trial.item["metadata"]["slice"] for trial in trials)
    means = {s: fmean(t.correctness for t in trials if t.item["metadata"]["slice"] == s) for s in slices}
    return {"all": fmean(trial.correctness for trial in trials), **means}


def _print_losses(trials: Sequence[Trial], write: Callable[[str], None]) -> None:
    for trial in trials:
        if trial.correctness < 1:
            write(f"\n{trial.item['id']}  {trial.correctness:.2f}  {trial.item['input']['question'][:100]}")
            write(f"  searched: {' | '.join(trial.queries)}\n  answer:   {trial.answer[:400]}")
            for fact, choice in trial.facts:
                write(f"  {choice}  {fact}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.model.probe", description=__doc__)
    parser.add_argument("--losses", action="store_true", help="show what the good agent got wrong, too")
    show_losses = parser.parse_args().losses
    items, docs = load_items(), Docs()
    for setting in SETTINGS:
        trials = run(items, docs, setting)
        means = "  ".join(f"{name} {mean:.3f}" for name, mean in mean_by_slice(trials).items())
        exact = fmean(list(t.trajectory) == t.item["expected_output"]["trajectory"] for t in trials)
        spent = [trial.spent for trial in trials]
        tokens = f"{fmean(s.input_tokens for s in spent):5.0f} + {fmean(s.output_tokens for s in spent):3.0f} tokens"
        pace = f"{fmean(s.paced_s for s in spent) * 1000:3.0f} ms"
        print(f"{setting.name:24} {means}  trajectory {exact:.2f}  {tokens}  {pace}")  # noqa: T201
        if show_losses and setting is SETTINGS[0]:
            _print_losses(trials, print)


if __name__ == "__main__":
    main()
