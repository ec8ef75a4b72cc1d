"""An evaluator's prompt (Langfuse's LLM as a judge) -> score and reasoning, by the same comparison as the judge's.

Two prompts are understood, by their parts: with [Facts] an answer is held against them, without any it is asked how
much of the question it takes up. Values are JSON lists, as Langfuse's mappings with a JSONPath give them, or plain.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.model.chat import BadRequestError, ChatRequest, PlannedCall, Reply
from local.model.judge import PARTLY, SAME, abstains, compare, read_sections, refuses
from local.model.refusal import find_harm
from local.model.text import alike, content_words, stem

_DIRECT, _PARTIAL = 0.5, 0.2
"""Shares of a question's words in an answer from which it counts as answered, and as answered in part."""


def is_evaluation(request: ChatRequest) -> bool:
    """Whether the forced tool takes a score, as an evaluator's does; a classifier's takes a choice."""
    return request.forced_tool is not None and "score" in _properties(request)


def answer(request: ChatRequest) -> Reply:
    """The forced call with reasoning and score; raises BadRequestError as `evaluate` does."""
    tool, score = request.forced_tool, _properties(request)["score"]
    if tool is None or not isinstance(score, dict):
        raise BadRequestError("no tool with a score is forced by tool_choice: nothing to evaluate")
    prompt = "\n".join(message.content for message in request.messages if message.role == "user")
    reasoning, value = evaluate(prompt, str(score.get("type")))
    return Reply(calls=(PlannedCall(tool.function.name, {"reasoning": reasoning, "score": value}),))


def _properties(request: ChatRequest) -> dict[str, Any]:
    tool = request.forced_tool
    properties = tool.function.parameters.get("properties") if tool is not None else None
    return properties if isinstance(properties, dict) else {}


def evaluate(prompt: str, score_type: str) -> tuple[str, float | bool]:
    """Reasoning and score; a number in [0, 1], or for a boolean whether it is half or more.

    Raises:
        BadRequestError: the prompt has no such parts, or the score is to be something else.
    """
    if score_type not in ("number", "boolean"):
        raise BadRequestError(f"this local model scores by number or boolean, not by {score_type!r}")
    parts = read_sections(prompt)
    if "submission" not in parts:
        raise BadRequestError("the evaluator's prompt has no '[Submission]:' part")
    answer = " ".join(map(str, _values(parts["submission"])))
    question = " ".join(map(str, _values(parts.get("question", ""))))
    reasoning, score = _by_facts(parts, question, answer) if "facts" in parts else _by_question(question, answer)
    return reasoning, score if score_type == "number" else score >= _DIRECT


def _by_facts(parts: Mapping[str, str], question: str, answer: str) -> tuple[str, float]:
    if any(value is True or value == "true" for value in _values(parts.get("must refuse", ""))):
        refused = refuses(answer)
        said = "declines" if refused else "does not decline"
        return f"A refusal is asked for, and the submission {said}.", float(refused)
    facts = [value for value in _values(parts["facts"]) if isinstance(value, str) and value.strip()]
    if not facts:
        raise BadRequestError("the evaluator's prompt names no facts, and asks for no refusal")
    scores = [_fact_score(fact, answer, question) for fact in facts]
    covered = sum(score == 1 for score in scores)
    return f"{covered} of {len(facts)} facts are stated in full.", round(sum(scores) / len(scores), 4)


def _fact_score(fact: str, answer: str, question: str) -> float:
    found = compare(fact, answer, question)
    if found.conflict or found.coverage < PARTLY:
        return 0.0
    return 1.0 if found.coverage >= SAME else 0.5


def _by_question(question: str, answer: str) -> tuple[str, float]:
    if find_harm(question, veiled=True):
        return "A harmful request: declining it is the answer.", float(refuses(answer))
    if abstains(answer) or refuses(answer):
        return "The submission gives no answer.", 0.0
    asked = {stem(word) for word in content_words(question)}
    told = {stem(word) for word in content_words(answer)}
    share = sum(any(alike(word, other) for other in told) for word in asked) / len(asked) if asked else 0.0
    score = 1.0 if share >= _DIRECT else 0.5 if share >= _PARTIAL else 0.0
    return f"The submission takes up {share:.0%} of what was asked.", score


def _values(text: str) -> list[object]:
    """A JSON list as its entries; anything else as one text, nothing as none."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return [text] if text else []
    return read if isinstance(read, list) else [read]
