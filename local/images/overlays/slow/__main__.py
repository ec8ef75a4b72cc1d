"""`python -m agent` that waits for its turn before each answer, as if the model had a quota of its own."""

# ruff: noqa: INP001

import asyncio
import os
import sys
from dataclasses import dataclass, replace

from agent.answering import Answer
from agent.app import Answers, Parts
from agent.request import AgentRequest
from agent.serving import load_parts, serve
from agent.settings import Settings

TURN_S = 6.0


@dataclass(frozen=True, slots=True)
class InTurn:
    """Adds `TURN_S` to each answer; requests wait side by side."""

    then: Answers

    async def answer(self, request: AgentRequest) -> Answer:
        await asyncio.sleep(TURN_S)
        return await self.then.answer(request)


def load(settings: Settings) -> Parts:
    parts = load_parts(settings)
    return replace(parts, answering=InTurn(parts.answering))


if __name__ == "__main__":
    sys.exit(serve(os.environ, load))
