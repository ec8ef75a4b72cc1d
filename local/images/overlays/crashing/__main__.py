"""`python -m agent` that looks for a kept reply before it answers; the table of replies has a hole."""

# ruff: noqa: INP001

import hashlib
import os
import sys
from dataclasses import dataclass, replace

from agent.answering import Answer
from agent.app import Answers, Parts
from agent.request import AgentRequest
from agent.serving import load_parts, serve
from agent.settings import Settings

KEPT: dict[int, Answer | None] = {1: None, 2: None, 3: None, 4: None}


@dataclass(frozen=True, slots=True)
class KeptReplies:
    """Fails for the fifth of all questions whose shelf is missing: always the same ones."""

    otherwise: Answers

    async def answer(self, request: AgentRequest) -> Answer:
        shelf = int.from_bytes(hashlib.sha256(request.question.encode()).digest()) % 5
        return KEPT[shelf] or await self.otherwise.answer(request)


def load(settings: Settings) -> Parts:
    parts = load_parts(settings)
    return replace(parts, answering=KeptReplies(parts.answering))


if __name__ == "__main__":
    sys.exit(serve(os.environ, load))
