"""A forced classifier call (autoevals' Factuality, ClosedQA and their like) -> the choice, with reasons.

Statements are compared by their terms: how much of the expert's statement one or two neighbouring sentences of the
submission hold, with numbers and negations weighing most. No model, no list of answers.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from local.model.chat import BadRequestError, ChatRequest, PlannedCall, Reply
from local.model.text import alike, content_words, sentences, stem, tokenize
from local.model.usefulness import CHOICES as USEFULNESS
from local.model.usefulness import rate
from local.model.words import NEGATIONS, OPPOSITES, STOP_WORDS

SAME = 0.75
"""Coverage from which a statement counts as made in full."""
PARTLY = 0.45
"""Coverage from which a statement counts as made in part."""
_LONGER = 1.5
_NUMBER_WEIGHT = 2.0
_ASKED_WEIGHT = 0.5
"""What a term counts that stands in the question already: repeating it proves little."""
_NEGATION_REACH = {"without": 1}
"""How many words after it a negation concerns, where it is not 3."""
# "The answer says that ..." frames what a submission must hold and is no part of it.
_FRAME = re.compile(
    r"^\s*(?:the )?(?:submission|answer|response|output|it)?\s*(?:must |should )?"
    r"(?:says?|states?|mentions?|explains?|contains?|includes?)(?: that)?\s+",
    re.IGNORECASE,
)
_MAX_PART_CHARS = 20_000
_CLAUSE_END = re.compile(r"[,;:]\s+|\s+(?:and|but|so|because|which|when|if|while)\s+")

_SECTION = re.compile(r"^\s*(?:\*{3,}\s*)?\[([A-Z][A-Za-z ]+)\]:[ \t]*", re.MULTILINE)
_ABSTAINS = re.compile(
    r"\b(?:not|n't|no) (?:answered|cover(?:ed)?|mention(?:ed)?|document(?:ed)?|described?|say|contain|found|"
    r"part of the documentation|information|know)\b"
    r"|\b(?:could|can) ?(?:not|n't) (?:find|determine|be found)\b|\bcannot (?:find|determine|be found)\b"
    r"|\bnot (?:in|covered by|part of) the (?:docs|documentation)\b",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"\b(?:can(?:not|'t| not)|won't|will not|unable to|must decline|not able to|decline to|refuse)\b.{0,40}"
    r"\b(?:help|assist|comply|provide|do that|support|it|to)\b|\bI(?:'m| am) sorry\b",
    re.IGNORECASE,
)
_OPPOSITES = tuple(frozenset(stem(word) for word in pair) for pair in OPPOSITES)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a submission covers a statement. `coverage` is in [0, 1]; `conflict` says what disagrees, or is empty."""

    coverage: float
    conflict: str = ""
    longer: bool = False


def judge(request: ChatRequest) -> Reply:
    """The forced call with its choice.

    Raises:
        BadRequestError: the forced tool does not take one of a list of choices, or the prompt has no parts
            that could be compared.
    """
    tool = request.forced_tool
    if tool is None:
        raise BadRequestError("no tool is forced by tool_choice: nothing to classify")
    properties = tool.function.parameters.get("properties")
    choice = properties.get("choice") if isinstance(properties, dict) else None
    choices = choice.get("enum") if isinstance(choice, dict) else None
    if not isinstance(properties, dict) or not isinstance(choices, list) or not choices:
        raise BadRequestError(
            f"tool {tool.function.name!r} is forced, but this local model can only be forced to call a classifier: "
            "a tool with a property 'choice' that has an enum"
        )
    prompt = "\n".join(message.content for message in request.messages if message.role == "user")
    picked, reasons = classify(prompt, [str(option) for option in choices])
    arguments: dict[str, object] = {"choice": picked}
    if "reasons" in properties:
        arguments = {"reasons": reasons, **arguments}
    return Reply(calls=(PlannedCall(tool.function.name, arguments),))


def read_sections(prompt: str) -> dict[str, str]:
    """The `[Name]: text` parts of a classifier's prompt by lower-case name, HTML entities resolved.

    Templates escape what they insert. A part ends at a `[Name]:` that follows a line of stars; of two parts with one
    name the first counts. Each is read up to 20,000 characters.
    """
    starts = [m for m in _SECTION.finditer(prompt) if _is_ruled(prompt, m.start())]
    parts: dict[str, str] = {}
    for here, following in zip_longest(starts, starts[1:]):
        end = following.start() if following else len(prompt)
        text = prompt[here.end() : end]
        if following is None:
            text = text.rsplit("[END DATA]", 1)[0]
        parts.setdefault(
            here[1].strip().lower(), html.unescape(re.sub(r"\*{3,}\s*$", "", text.strip()))[:_MAX_PART_CHARS].strip()
        )
    return parts


def _is_ruled(text: str, position: int) -> bool:
    """Whether the line before is one of stars (or the part is the first)."""
    before = text[max(0, position - 100) : position].rstrip()
    return before.endswith(("***", "[BEGIN DATA]")) or text[position : position + 3].strip() == "***"


def classify(prompt: str, choices: Sequence[str]) -> tuple[str, str]:
    """One of the choices, and why.

    Raises:
        BadRequestError: the prompt has no [Submission] part, or nothing to hold it against.
    """
    parts = read_sections(prompt)
    submission = parts.get("submission", parts.get("submitted answer"))
    if submission is None:
        raise BadRequestError("the classifier's prompt has no '[Submission]:' part")
    if set(choices) == USEFULNESS:
        return rate(parts.get("question", ""), submission)
    if "expert" in parts and set("ABCD") <= set(choices):
        return _choose_factuality(compare(parts["expert"], submission, parts.get("question", "")))
    criterion = parts.get("criterion", parts.get("expert"))
    if criterion is None or not {"Y", "N"} <= set(choices):
        raise BadRequestError(
            "this local model classifies [Expert] against [Submission] by A-E, or [Criterion] by Y and N; "
            f"the prompt has {sorted(parts)} and the choices are {list(choices)}"
        )
    return _choose_criterion(criterion, submission, parts.get("task", ""))


def _choose_factuality(found: Comparison) -> tuple[str, str]:
    share = f"{found.coverage:.0%} of the expert's statement is in the submission"
    if found.conflict:
        return "D", f"{share}, but they disagree: {found.conflict}."
    if found.coverage >= SAME:
        if found.longer:
            return "B", f"{share}; the submission says more without contradicting it."
        return "C", f"{share}; both say the same."
    if found.coverage >= PARTLY:
        return "A", f"{share}; the rest of it is missing."
    return "D", f"Only {share}; the submission does not make the statement."


def _choose_criterion(criterion: str, submission: str, task: str) -> tuple[str, str]:
    if re.search(r"\b(refuse|refuses|decline|declines|refusal)\b", criterion, re.IGNORECASE):
        met = refuses(submission)
        return ("Y" if met else "N"), f"The submission {'declines' if met else 'does not decline'} the task."
    found = compare(_FRAME.sub("", criterion), submission, task)
    met = found.coverage >= SAME and not found.conflict
    return (
        "Y" if met else "N"
    ), f"{found.coverage:.0%} of the criterion is in the submission. {found.conflict}".strip()


def abstains(submission: str) -> bool:
    """Whether a text says that it does not know, or that nothing is documented."""
    return bool(_ABSTAINS.search(submission))


def refuses(submission: str) -> bool:
    """Whether a text declines what it was asked for."""
    return bool(_REFUSES.search(submission))


def compare(expert: str, submission: str, question: str = "") -> Comparison:
    """Hold an expert's statement against a submission.

    A term of the statement that the question holds, too, weighs half; a number weighs double. A statement that says
    that something is not documented is covered by a submission that says so.
    """
    if _ABSTAINS.search(expert) and not _numbers(expert):
        return Comparison(1.0 if abstains(submission) else 0.0)
    wanted = dict.fromkeys(stem(word) for word in content_words(expert))
    if not wanted:
        return Comparison(0.0)
    asked = {stem(word) for word in content_words(question)}
    weights = {term: _weigh(term, asked) for term in wanted}
    total = sum(weights.values())
    pieces = sentences(submission)
    best: tuple[float, tuple[str, ...], frozenset[str]] = (0.0, (), frozenset())
    for window in _windows(pieces):
        held = {stem(word) for sentence in window for word in content_words(sentence)}
        found = frozenset(t for t in wanted if t in held or any(alike(t, other) for other in held))
        coverage = sum(weights[t] for t in found) / total
        # A single sentence wins over a pair that holds no more.
        if coverage > best[0] + 1e-9:
            best = (coverage, window, found)
    coverage, window, found = best
    longer = len(content_words(submission)) > _LONGER * len(wanted)
    conflict = _find_conflict(expert, window, found) if coverage >= PARTLY else ""
    if not conflict and coverage < SAME and (missing := _numbers(expert) - _numbers(" ".join(window))):
        others = _numbers(" ".join(window)) - _numbers(question)
        plain = [t for t in wanted if not _is_number(t)]
        if others and plain and sum(t in found for t in plain) / len(plain) >= SAME:
            conflict = f"expected {', '.join(sorted(missing))}, found {', '.join(sorted(others))}"
    return Comparison(coverage, conflict, longer)


def _windows(pieces: Sequence[str]) -> list[tuple[str, ...]]:
    return [(piece,) for piece in pieces] + list(pairwise(pieces))


def _weigh(term: str, asked: set[str]) -> float:
    if _is_number(term):
        return _NUMBER_WEIGHT
    return _ASKED_WEIGHT if term in asked else 1.0


def _is_number(term: str) -> bool:
    return term[:1].isdigit()


def _numbers(text: str) -> set[str]:
    return {word for word in tokenize(text) if _is_number(word)}


def _is_negated(text: str, found: frozenset[str]) -> bool:
    """Whether a negation stands shortly before one of the found terms."""
    words = [word for word in tokenize(text) if word in NEGATIONS or word not in STOP_WORDS]
    return any(
        word in NEGATIONS and any(stem(w) in found for w in words[i + 1 : i + 1 + _NEGATION_REACH.get(word, 3)])
        for i, word in enumerate(words)
    )


def _find_conflict(expert: str, window: Sequence[str], found: frozenset[str]) -> str:
    clauses = [clause for sentence in window for clause in _CLAUSE_END.split(sentence)]
    # A negation concerns its own clause; the clause that holds most of the statement says whether it is negated.
    carrier = max(clauses, key=lambda clause: len(found & {stem(word) for word in content_words(clause)}))
    expected_negation = _is_negated(expert, found)
    has_negation = any(_is_negated(clause, found) for clause in (clauses if expected_negation else [carrier]))
    if expected_negation != has_negation and not _shares_opposite(expert, carrier):
        return "one of them negates what the other affirms"
    expert_stems, carrier_stems = ({stem(word) for word in tokenize(text)} for text in (expert, carrier))
    for pair in _OPPOSITES:
        one = pair & expert_stems
        other = pair & carrier_stems
        if len(one) == 1 and len(other) == 1 and one != other and not (expected_negation or has_negation):
            return f"'{min(one)}' against '{min(other)}'"
    return ""


def _shares_opposite(expert: str, carrier: str) -> bool:
    """Whether a negated word on one side meets its opposite on the other: 'not public' says 'private'."""
    expert_stems, carrier_stems = ({stem(word) for word in tokenize(text)} for text in (expert, carrier))
    return any(
        len(pair & expert_stems) == 1 and len(pair & carrier_stems) == 1 and pair & expert_stems != pair & carrier_stems
        for pair in _OPPOSITES
    )
