"""The agent's turn in a conversation -> tool calls, an answer quoted from their results, or a refusal.

It decides by the request alone: the model id, the system prompt, the messages and the tools on offer.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from local.model.chat import ChatRequest, Message, PlannedCall, Reply, ToolSpec
from local.model.extraction import Excerpt, cover_question, extract
from local.model.passages import Passage, read_tool_answer
from local.model.question import Question, is_broad, read_questions, rewrite
from local.model.refusal import find_harm, write_refusal
from local.model.traits import Traits, read_traits

_MAX_ROUNDS = 3
"""Most messages with tool calls in one turn; after that it answers with what there is."""

NOT_COVERED = "The documentation that was searched does not cover this question."
TOOLS_FAILED = "The documentation tool failed, so this question is not answered: "
NO_TOOLS = "There is no documentation tool to look this up with, and guessing would not be honest."
NO_QUESTION = "The message holds no question. Please ask something about Langfuse."


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools on offer that the planner knows how to use, by the form of their specifications."""

    overview: str | None
    search: str | None
    query_field: str

    @classmethod
    def from_specs(cls, specs: Sequence[ToolSpec]) -> "Toolbox":
        overview = search = None
        query_field = "query"
        for spec in specs:
            name, function = spec.function.name, spec.function
            properties = function.parameters.get("properties")
            fields = properties.items() if isinstance(properties, dict) else ()
            texts = [field for field, form in fields if isinstance(form, dict) and form.get("type") == "string"]
            if search is None and "search" in name.lower() and texts:
                search, query_field = name, "query" if "query" in texts else texts[0]
            elif overview is None and "overview" in name.lower() and not function.parameters.get("required"):
                overview = name
        return cls(overview, search, query_field)


@dataclass(frozen=True, slots=True)
class Turn:
    """What has happened since the user's last message."""

    message: str
    calls: tuple[tuple[str, str], ...]
    rounds: int
    passages: dict[str, tuple[Passage, ...]]
    """By tool name, in the order of the calls, each passage once."""
    error: str

    @classmethod
    def from_messages(cls, messages: Sequence[Message]) -> "Turn":
        start = max((i for i, m in enumerate(messages) if m.role == "user"), default=-1)
        message = messages[start].content if start >= 0 else ""
        names: dict[str, str] = {}
        calls: list[tuple[str, str]] = []
        found: dict[str, dict[Passage, None]] = {}
        rounds, error = 0, ""
        for entry in messages[start + 1 :]:
            rounds += bool(entry.tool_calls)
            for call in entry.tool_calls:
                names[call.id] = call.function.name
                calls.append((call.function.name, call.function.arguments))
            if entry.role == "tool":
                answer = read_tool_answer(entry.content)
                error = error or answer.error
                found.setdefault(names.get(entry.tool_call_id, ""), {}).update(dict.fromkeys(answer.passages))
        return cls(message, tuple(calls), rounds, {name: tuple(group) for name, group in found.items()}, error)

    def has_called(self, tool: str | None) -> bool:
        return any(name == tool for name, _ in self.calls)

    def has_searched(self, tool: str | None, field: str, query: str) -> bool:
        return any(name == tool and _read_argument(text, field) == query for name, text in self.calls)


def _read_argument(arguments: str, field: str) -> object:
    try:
        values = json.loads(arguments)
    except ValueError:
        return None
    return values.get(field) if isinstance(values, dict) else None


def plan(request: ChatRequest) -> Reply:
    """The next message of the agent's model."""
    traits = read_traits(request.model, request.system_prompt, request.temperature)
    turn = Turn.from_messages(request.messages)
    if subject := find_harm(turn.message, veiled=traits.sees_veiled_harm):
        return Reply(write_refusal(subject))
    broad = is_broad(turn.message)
    questions = read_questions(turn.message, max_questions=traits.max_questions, reads_languages=traits.reads_languages)
    if not questions and not broad:
        return Reply(NO_QUESTION)
    tools = Toolbox.from_specs(request.tools)
    calls = _plan_calls(turn, tools, questions, traits, broad=broad) if turn.rounds < _MAX_ROUNDS else []
    if calls:
        return Reply(calls=tuple(calls))
    return Reply(_write_answer(turn, tools, questions, traits, broad=broad))


def _plan_calls(
    turn: Turn, tools: Toolbox, questions: Sequence[Question], traits: Traits, *, broad: bool
) -> list[PlannedCall]:
    wants_overview = broad or traits.overview_first
    if wants_overview and tools.overview and not turn.has_called(tools.overview):
        return [PlannedCall(tools.overview, {})]
    if broad and turn.passages.get(tools.overview or ""):
        # The rest of a broad message may still ask something specific.
        questions = [question for question in questions if not is_broad(question.text)]
    if tools.search is None or turn.error:
        return []
    queries = [question.query for question in questions]
    searched = [turn.has_searched(tools.search, tools.query_field, query) for query in queries]
    if traits.rewrites and queries and all(searched):
        found = turn.passages.get(tools.search, ())
        unclear = [q for q in questions if cover_question(q, found, replace(traits, rewrites=False)) < _clear(traits)]
        queries = [rewrite(question) for question in unclear]
    new = [q for q in dict.fromkeys(queries) if not turn.has_searched(tools.search, tools.query_field, q)]
    return [PlannedCall(tools.search, {tools.query_field: query}) for query in new]


def _clear(traits: Traits) -> float:
    """The coverage from which a question counts as found, so that no second search is worth its time."""
    return min(1.0, traits.min_coverage + 0.2)


def _write_answer(turn: Turn, tools: Toolbox, questions: Sequence[Question], traits: Traits, *, broad: bool) -> str:
    if tools.overview is None and tools.search is None:
        return NO_TOOLS
    excerpts: dict[Excerpt, None] = {}
    overview = turn.passages.get(tools.overview or "", ())
    if broad and overview:
        excerpts.update(dict.fromkeys(_open_overview(overview, traits)))
        questions = [question for question in questions if not is_broad(question.text)]
    found = turn.passages.get(tools.search or "", ()) or overview
    answered = bool(excerpts)
    missed = False
    for question in questions:
        if cover_question(question, found, traits) >= traits.min_coverage:
            excerpts.update(dict.fromkeys(extract(question, found, traits)))
            answered = True
        else:
            missed = True
    if not answered:
        return TOOLS_FAILED + turn.error.strip()[:200] if turn.error else NOT_COVERED
    return _join(list(excerpts), traits, missed=missed)


def _open_overview(passages: Sequence[Passage], traits: Traits) -> list[Excerpt]:
    """The first sentences of an overview: what it opens with is what matters most."""
    opening = [(s, p.source) for p in passages for s, _ in p.sentence_stems() if not s.startswith(("#", "["))]
    return [Excerpt(s, source, (-1, place)) for place, (s, source) in enumerate(opening[: traits.answer_sentences])]


def _join(excerpts: Sequence[Excerpt], traits: Traits, *, missed: bool) -> str:
    body = " ".join(excerpt.sentence for excerpt in excerpts)
    if missed and len(excerpts) > 0:
        body += " A part of the question is not covered by the documentation that was searched."
    if traits.concise:
        return body
    sources = list(dict.fromkeys(excerpt.source for excerpt in excerpts if excerpt.source))
    lead = "Laut Dokumentation: " if traits.german else "According to the documentation: "
    end = f" ({'Quelle' if traits.german else 'Source'}: {', '.join(sources)})" if sources else ""
    return f"{lead}{body}{end}"
