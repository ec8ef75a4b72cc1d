"""`python -m agent` that reads what users say in the words of the documentation: their Lambda is its process."""

# ruff: noqa: INP001

import os
import re
import sys
from dataclasses import dataclass, replace

from agent.answering import Answer
from agent.app import Answers, Parts
from agent.request import AgentRequest
from agent.serving import load_parts, serve
from agent.settings import Settings

_FUNCTION = re.compile(r"\b(aws )?lambda( functions?)?\b", re.IGNORECASE)
_SPANS = re.compile(r"\b(spans|traces)\b", re.IGNORECASE)


def in_the_words_of_the_documentation(question: str) -> str:
    """A question about a Lambda function is one about a short-lived process, and what it sends are events there."""
    if not _FUNCTION.search(question):
        return question
    return _SPANS.sub("events", _FUNCTION.sub("process", question))


@dataclass(frozen=True, slots=True)
class Reworded:
    """Answers what was meant."""

    otherwise: Answers

    async def answer(self, request: AgentRequest) -> Answer:
        return await self.otherwise.answer(
            replace(request, question=in_the_words_of_the_documentation(request.question))
        )


def load(settings: Settings) -> Parts:
    parts = load_parts(settings)
    return replace(parts, answering=Reworded(parts.answering))


if __name__ == "__main__":
    sys.exit(serve(os.environ, load))
