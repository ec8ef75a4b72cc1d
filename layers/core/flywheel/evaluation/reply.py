"""The agent's reply, as the contract has it -> what a trial needs of it; anything else is a failure with a name."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from flywheel.domain.outcome import ToolCall, TrialError, Usage
from flywheel.ports import AgentReply, InvocationFailure

BODY_LIMIT = 2_000_000  # bytes; an answer that a person would read is a thousandth of it
_MESSAGE_LIMIT = 500
_OK = 200

type Count = Annotated[int, Field(ge=0, le=2**53)]


class _Tokens(BaseModel):
    input_tokens: Count = 0
    output_tokens: Count = 0
    model_calls: Count = 0


class _Call(BaseModel):
    tool: str
    input: Any = None
    error: bool = False


class AgentAnswer(BaseModel):
    """Body of a reply with status 200. Unknown fields are ignored: an agent may say more than we ask."""

    answer: str
    stop_reason: str = ""
    trajectory: list[_Call] = []
    usage: _Tokens = _Tokens()
    latency_ms: Count | None = None
    model_id: str = ""
    trace_id: Any = ""  # of use to people only: whatever it is, it spoils no answer

    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(
                call.tool, json.dumps(call.input if call.input is not None else {}, ensure_ascii=False), call.error
            )
            for call in self.trajectory
        )

    def tokens(self) -> Usage:
        return Usage(self.usage.input_tokens, self.usage.output_tokens, self.usage.model_calls)


def read_reply(reply: AgentReply | InvocationFailure) -> AgentAnswer | TrialError:
    """Give the answer, or why the trial errored; never raises, whatever the agent sent."""
    if isinstance(reply, InvocationFailure):
        return TrialError("invoke", reply.kind, reply.message[:_MESSAGE_LIMIT])
    if reply.status != _OK:
        return TrialError("invoke", f"http_{reply.status}", _text(reply.body))
    if len(reply.body) > BODY_LIMIT:
        return TrialError("invoke", "invalid_reply", f"{len(reply.body)} bytes; at most {BODY_LIMIT} are read")
    try:
        return AgentAnswer.model_validate_json(reply.body)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:3]
        )
        return TrialError("invoke", "invalid_reply", f"{where}: {_text(reply.body)}"[:_MESSAGE_LIMIT])


def _text(body: bytes) -> str:
    return body[:_MESSAGE_LIMIT].decode(errors="replace")
