"""Model id, temperature and system prompt -> how this model behaves: the hyperparameters it follows."""

import re
from dataclasses import dataclass, replace
from typing import Literal

type Size = Literal["small", "medium", "large"]

_SMALL = re.compile(r"haiku|mini|nano|small|lite|micro|flash|\b[1-8]b\b", re.IGNORECASE)
_LARGE = re.compile(r"sonnet|opus|large|premier|\bpro\b|\b([4-9]\d|\d{3})b\b", re.IGNORECASE)

_CONCISE = re.compile(r"\b(concise(ly)?|brief(ly)?|short|terse|succinct(ly)?|knapp|kurz)\b", re.IGNORECASE)
_ONE_SENTENCE = re.compile(
    r"\b(answer|answers|reply|respond|antworte)\b[^.\n]{0,30}\b(one|a single|1|einem) (sentence|satz)\b", re.IGNORECASE
)
_THOROUGH = re.compile(
    r"\b(thorough(ly)?|detailed|in detail|complete(ly)?|comprehensive(ly)?|ausführlich)\b", re.IGNORECASE
)
_CAUTIOUS = re.compile(
    r"\b(do not|don't|never) (guess|invent|speculate|make (things |anything )?up)|\bnicht raten\b", re.IGNORECASE
)
_SAFETY = re.compile(r"\b(refuse|decline|reject|harmful|unsafe|unethical|lehne|ablehnen|schädlich\w*)\b", re.IGNORECASE)
_OVERVIEW_FIRST = re.compile(
    r"\b(call|use|run|invoke|with|ask)\s+[`'\"]?getLangfuseOverview\b(?![^.\n]{0,30}\b(for|when|if|only)\b)",
    re.IGNORECASE,
)
_GERMAN = re.compile(r"\b(auf deutsch|in german|antworte|du bist|beantworte)\b", re.IGNORECASE)

_LONGEST_ANSWER = 8


@dataclass(frozen=True, slots=True)
class Traits:
    """What the planner may do.

    `answer_sentences`: most sentences taken from passages for one question. `max_questions`: how many questions of one
    message it looks up. `rewrites`: whether it searches again in other words when the passages do not fit.
    `reads_typos`, `reads_languages`: whether misspelt or foreign words are matched. `sees_veiled_harm`: whether
    requests that do not name the harm outright are refused. `min_coverage`: the share of the question's terms that a
    passage must hold for an answer, in [0, 1]. `noise`: how far temperature shuffles sentences, 0 = not at all.
    """

    size: Size
    answer_sentences: int
    max_questions: int
    rewrites: bool
    reads_typos: bool
    reads_languages: bool
    sees_veiled_harm: bool
    min_coverage: float
    overview_first: bool = False
    concise: bool = False
    german: bool = False
    noise: float = 0.0


_BY_SIZE: dict[Size, Traits] = {
    "small": Traits("small", 2, 1, False, False, False, False, 0.25),  # noqa: FBT003
    "medium": Traits("medium", 3, 2, False, True, False, True, 0.34),  # noqa: FBT003
    "large": Traits("large", 4, 3, True, True, True, True, 0.4),  # noqa: FBT003
}


def read_size(model_id: str) -> Size:
    """By the names that model families use; medium when the id tells nothing."""
    if _SMALL.search(model_id):
        return "small"
    return "large" if _LARGE.search(model_id) else "medium"


def read_traits(model_id: str, system_prompt: str, temperature: float | None) -> Traits:
    """Traits of the size, changed by what the system prompt asks for.

    `temperature` is in [0, 2]; None counts as 0.
    """
    traits = _BY_SIZE[read_size(model_id)]
    sentences = traits.answer_sentences
    concise = bool(_CONCISE.search(system_prompt))
    thorough = bool(_THOROUGH.search(system_prompt))
    if _ONE_SENTENCE.search(system_prompt):
        sentences, concise = 1, True
    elif concise and thorough:
        concise = False  # "complete but brief" asks for neither more nor less than usual
    elif concise:
        sentences = max(1, sentences - 2)
    elif thorough:
        sentences = min(_LONGEST_ANSWER, sentences + 2)
    return replace(
        traits,
        answer_sentences=sentences,
        concise=concise,
        sees_veiled_harm=traits.sees_veiled_harm or bool(_SAFETY.search(system_prompt)),
        min_coverage=min(1.0, traits.min_coverage + (0.1 if _CAUTIOUS.search(system_prompt) else 0.0)),
        overview_first=traits.size != "small" and bool(_OVERVIEW_FIRST.search(system_prompt)),
        german=bool(_GERMAN.search(system_prompt)),
        noise=temperature or 0.0,
    )
