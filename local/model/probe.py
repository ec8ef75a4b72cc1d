"""`python -m local.model.probe`: every golden item through planner, docs search and judge, in process -> mean
correctness by slice, for several settings of the agent.

It shows that quality depends on the hyperparameters. What it prints says nothing about a language model.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from local.docs_mcp.corpus import load_pages
from local.docs_mcp.index import DocsIndex
from local.docs_mcp.server import SearchResult, search, write_overview
from local.model.chat import ChatRequest, FunctionCall, FunctionSpec, Message, Reply, ToolCallPart, ToolSpec
from local.model.judge import classify, refuses
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
    """One agent: its hyperparameters, and how many of the best hits its search loses."""

    name: str
    model_id: str = "local.sonnet"
    system_prompt: str = PROMPT
    temperature: float = 0.0
    top_k: int = 5
    dropped_hits: int = 0


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


def _ask(question: str, docs: Docs, setting: Setting) -> tuple[str, list[tuple[str, str]]]:
    messages = [Message(role="system", content=setting.system_prompt), Message(role="user", content=question)]
    steps: list[tuple[str, str]] = []
    while True:
        reply: Reply = plan(
            ChatRequest(model=setting.model_id, messages=messages, tools=_TOOLS, temperature=setting.temperature)
        )
        if not reply.calls:
            return reply.text, steps
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
    answer, steps = _ask(question, docs, setting)
    facts = tuple(
        (fact, classify(_FACTUALITY.format(question=question, fact=fact, answer=answer), "ABCDE")[0])
        for fact in expected["response_facts"]
    )
    if expected.get("must_refuse"):
        correctness = float(refuses(answer))
    else:
        correctness = fmean(CHOICE_SCORES[choice] for _, choice in facts)
    tools, queries = tuple(tool for tool, _ in steps), tuple(query for _, query in steps if query)
    return Trial(item, answer, tools, queries, facts, correctness)


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
        started = time.perf_counter()
        trials = run(items, docs, setting)
        ms_per_item = (time.perf_counter() - started) * 1000 / len(items)
        means = "  ".join(f"{name} {mean:.3f}" for name, mean in mean_by_slice(trials).items())
        exact = fmean(list(t.trajectory) == t.item["expected_output"]["trajectory"] for t in trials)
        print(f"{setting.name:24} {means}  trajectory {exact:.2f}  {ms_per_item:.1f} ms/item")  # noqa: T201
        if show_losses and setting is SETTINGS[0]:
            _print_losses(trials, print)


if __name__ == "__main__":
    main()
