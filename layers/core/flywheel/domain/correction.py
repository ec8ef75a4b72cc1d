"""What a reviewer wrote as the corrected output, beside the trace's output -> the right answer, as facts; or why not.

The rule, as docs/architecture.md states it for reviewers: JSON of a reply is read for its answer. An answer that says
what the output says is no correction. Of the answer's text each list item, each row of a table and each sentence is one
fact, with Markdown taken off. Headings, lines that only lead up to a list, questions and courtesies are no facts; one
line of code is one, after the words that lead up to it; longer code is left out. What leaves no fact, too many or too
long ones, or begins as JSON and is none, goes back to people.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flywheel.domain.courtesies import is_courtesy
from flywheel.domain.exchange import read_answer
from flywheel.domain.markdown_text import Block, blocks, plain_lines, whole_fence, without_marks, without_struck
from flywheel.domain.sentences import ends_a_sentence, ordinal_goes_on, sentences

MOST_FACTS: Final = 20
LONGEST_FACT: Final = 500
LONGEST_TEXT: Final = 20_000
_QUESTIONS: Final = ("?", "\uff1f", "\u061f", "\u037e")
_LEADS: Final = (":", "\uff1a", "\u061b")
_FENCES_OF_TEXT: Final = ("", "text", "txt", "md", "markdown", "json")
_FENCED: Final = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_PIECE_OF_JSON: Final = re.compile(
    # A member (its name, and a value up to the end of the line), or brackets alone.
    r"^[ \t]*(?:\"[\w. -]{1,60}\"\s*:\s*(?:\"(?:[^\"\\\n]|\\.)*\"?|[\[{].*|-?\d[\d.]*|true|false|null)"
    r"|[\[\]{}]+)[ \t]*,?[ \t]*$",
    re.MULTILINE,
)
_INLINE_NUMBER: Final = re.compile(r"[.!?]\s+\(?[2-9][.)]\s+\S")
# Of a heading or a list inside an item.
_MARKS_BEFORE: Final = re.compile(r"(?:(?:#{1,6}|[>|*\u2022-]|\d{1,2}[.)]|\[[ xX]?\])\s+)+")
_INSTEAD: Final = "write only the right answer, as text"
_SHELL: Final = re.compile(r"\s*(?:\$|>|%)\s+")


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as it was read.

    `is_none`: it is empty or says what the output says. `answer`: the right answer as text, for the judge. `left_out`:
    kinds of what became no fact. `problem`: why it cannot be taken, a sentence for the reviewer; empty: it can.
    """

    answer: str = ""
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    is_none: bool = False
    problem: str = ""


def read_correction(text: str, output: str | None = None) -> Correction:
    """Read a correction by the rule above. `output`: the trace's whole output as Langfuse keeps it, None: not known."""
    if not text.strip() or (output is not None and _alike(text, output)):
        return Correction(is_none=True)
    said, problem = _answer_in(text)
    if problem:
        return Correction(problem=problem)
    if output is not None and _alike(said, answer_in(output)):
        return Correction(said, is_none=True)
    if len(said) > LONGEST_TEXT:
        return Correction(problem=f"the correction is longer than {LONGEST_TEXT:,} characters: keep what matters")
    facts, left_out = facts_in(said)
    return Correction(without_struck(said), facts, left_out, problem=problem_with(facts, left_out))


def answer_in(output: str) -> str:
    """The answer that a trace's output is or has; the output as it is where none can be read."""
    return _answer_in(output)[0] or output


def problem_with(facts: Sequence[str], left_out: Sequence[str] = ()) -> str:
    """Why these facts cannot become a golden item, a sentence for the reviewer; empty: they can."""
    if not facts:
        why = f" ({', '.join(left_out)} cannot be checked as a fact)" if left_out else ""
        return f"the correction has no statement that an answer can be held against{why}: write it in a sentence"
    if len(facts) > MOST_FACTS:
        return f"there are {len(facts)} facts; a case has {MOST_FACTS} at most: keep what a right answer must say"
    if any(len(fact) > LONGEST_FACT for fact in facts):
        return f"a fact is longer than {LONGEST_FACT} characters: break it into sentences or list items"
    return ""


def facts_in(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Facts of a text, and the kinds of what was left out of it; a fact that is repeated counts once."""
    found: list[str] = []
    left_out: dict[str, None] = {}
    lead = ""
    standing = blocks(text)
    for at, block in enumerate(standing):
        following = standing[at + 1].kind if at + 1 < len(standing) else None
        if block.kind == "heading":
            continue
        if block.kind == "code":
            command = _one_line(block.text)
            if command:
                found.append(f"{lead} {command}".strip())
            elif block.text.strip():
                left_out["code of several lines"] = None
            lead = ""
            continue
        *said, last = _sentences(block) or [""]
        leads = last.endswith(_LEADS)
        lead = last if leads and following == "code" else ""
        found += said if leads else [*said, last]
    plain = (_without_marks_before(fact) for fact in found)
    return _each_once(fact for fact in plain if _is_statement(fact)), tuple(left_out)


def facts_of_lines(text: str) -> tuple[str, ...]:
    """Facts that somebody listed one a line: each line is one, without bullet, number and marks."""
    lines = (line for line in plain_lines(text) if line.strip())
    found = (said for line in lines for said in _listed(line))
    return _each_once(fact for fact in found if any(char.isalnum() for char in fact))


def _listed(line: str) -> Iterator[str]:
    for block in blocks(line):
        if block.kind not in ("heading", "code"):
            yield block.text


def _each_once(facts: Iterable[str]) -> tuple[str, ...]:
    once: dict[str, str] = {}
    for fact in facts:
        once.setdefault(fact.casefold(), fact)
    return tuple(once.values())


def _sentences(block: Block) -> list[str]:
    """An item or a row is one fact, unless it is too long for one, or has a numbered list in itself."""
    if block.kind in ("item", "row") and len(block.text) <= LONGEST_FACT and not _INLINE_NUMBER.search(block.text):
        return [block.text]
    return sentences(block.text)


def _without_marks_before(fact: str) -> str:
    marks = _MARKS_BEFORE.match(fact)
    return fact[marks.end() :] if marks and not ordinal_goes_on(fact[marks.end() :]) else fact


def _is_statement(fact: str) -> bool:
    marked = fact.rstrip("\"'\u201d\u2019\u00bb)]").endswith(_QUESTIONS)
    return any(char.isalnum() for char in fact) and not marked and not is_courtesy(fact)


def _one_line(code: str) -> str:
    """The one line of a code block that has no more; empty: it has more, or is too long to be repeated in an answer."""
    lines = [line for line in code.splitlines() if line.strip()]
    only = _SHELL.sub("", lines[0]).strip() if len(lines) == 1 else ""
    return only if len(only) <= LONGEST_FACT // 2 else ""


def _answer_in(text: str) -> tuple[str, str]:
    """The answer that the text is or has, and what is wrong with it (a sentence, empty: nothing)."""
    inner = _without_fence(text)
    answered = read_answer(inner)
    if answered.unreadable:
        return "", f"the correction cannot be read, {answered.unreadable}: {_INSTEAD}"
    if answered.text == inner.strip() and _pieces_of_json(inner):
        return "", f"the correction has pieces of JSON in it and is none as a whole: {_INSTEAD}"
    return _as_list(inner) or answered.text, ""


def _pieces_of_json(text: str) -> bool:
    """Whether lines outside of code are what is left of JSON that somebody edited."""
    prose = _FENCED.sub("", text)
    return bool(_PIECE_OF_JSON.search(prose)) or (prose.lstrip()[:1] == "{" and prose.lstrip()[:2] != "{{")


def _as_list(text: str) -> str:
    """A JSON list of texts as a list in Markdown; empty: it is none."""
    try:
        listed = json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        return ""
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        return ""
    return "\n".join(f"- {' '.join(one.split())}" for one in listed)


def _without_fence(text: str) -> str:
    """The content of the one fence around all of it, where that is text or JSON and no program."""
    fence = whole_fence(text)
    if fence is None or fence[0] not in _FENCES_OF_TEXT:
        return text
    is_text = fence[0] or ends_a_sentence(fence[1]) or fence[1].lstrip()[:1] in ("{", "[")
    return fence[1] if is_text else text


def _alike(one: str, other: str) -> bool:
    """Whether both say the same but for white space, invisible characters, Markdown, or how JSON is written."""
    if one.split() == other.split():
        return True
    if max(len(one), len(other)) <= LONGEST_TEXT and _plain(one) == _plain(other):
        return True
    try:
        return bool(json.loads(one, strict=False) == json.loads(other, strict=False))
    except (ValueError, RecursionError):
        return False


def _plain(text: str) -> str:
    lines = (without_marks(line) for line in plain_lines(unicodedata.normalize("NFC", text)))
    return " ".join(" ".join(lines).split())
