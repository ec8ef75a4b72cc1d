"""OpenAI chat-completions bodies -> checked requests; replies of planner and judge -> bodies and stream chunks."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

type Role = Literal["system", "developer", "user", "assistant", "tool"]

_CHARS_PER_TOKEN = 4


class BadRequestError(ValueError):
    """The body is not a chat-completions request; the message says which field is wrong."""


class FunctionCall(BaseModel):
    name: str
    arguments: str = "{}"


class ToolCallPart(BaseModel):
    id: str = ""
    function: FunctionCall


class Message(BaseModel):
    """One message. `content` is plain text; lists of content parts are joined, parts other than text are ignored."""

    role: Role
    content: str = ""
    tool_calls: list[ToolCallPart] = []
    tool_call_id: str = ""

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, value: object) -> object:
        if value is None:
            return ""
        if isinstance(value, list):
            return "\n".join(str(part.get("text", "")) for part in value if isinstance(part, dict))
        return value

    @field_validator("tool_calls", mode="before")
    @classmethod
    def _no_calls(cls, value: object) -> object:
        return [] if value is None else value


class FunctionSpec(BaseModel):
    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}


class ToolSpec(BaseModel):
    type: Literal["function"] = "function"
    function: FunctionSpec


class JsonSchema(BaseModel):
    """`response_format.json_schema`: what the answer's JSON must be valid for."""

    name: str = "response"
    definition: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _schema_is_given(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("type json_schema needs json_schema")
        return self


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """The fields of a chat-completions request that this server reads; the others are accepted and ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1)
    tools: list[ToolSpec] = []
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stream: bool = False
    stream_options: StreamOptions | None = None

    @field_validator("tools", mode="before")
    @classmethod
    def _no_tools(cls, value: object) -> object:
        return [] if value is None else value

    @property
    def system_prompt(self) -> str:
        return "\n".join(m.content for m in self.messages if m.role in ("system", "developer"))

    @property
    def token_limit(self) -> int | None:
        """Most tokens of the answer; None when the request sets no limit."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """The JSON schema that the answer's text must be valid for; None: any text."""
        wanted = self.response_format
        if wanted is None or wanted.type != "json_schema" or wanted.json_schema is None:
            return None
        return wanted.json_schema.definition

    @property
    def forced_tool(self) -> ToolSpec | None:
        """The tool that the reply must call: the one named, or the only one when any call is required."""
        if isinstance(self.tool_choice, dict):
            name = (self.tool_choice.get("function") or {}).get("name")
            found = next((tool for tool in self.tools if tool.function.name == name), None)
            if found is None:
                raise BadRequestError(f"tool_choice names {name!r}, which is not among tools")
            return found
        return self.tools[0] if self.tool_choice == "required" and len(self.tools) == 1 else None


def parse_request(body: bytes) -> ChatRequest:
    """Read a request.

    Raises:
        BadRequestError: not JSON, or a field is missing or of the wrong form; every such field is named.
    """
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:10]
        )
        raise BadRequestError(f"not a chat-completions request: {problems}") from error


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A tool call of the reply. `arguments` become JSON text."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says: tool calls, or text when there are none."""

    text: str = ""
    calls: tuple[PlannedCall, ...] = ()
    truncated: bool = field(default=False)

    @property
    def finish_reason(self) -> str:
        if self.calls:
            return "tool_calls"
        return "length" if self.truncated else "stop"


def count_tokens(text: str) -> int:
    """A rough count: 4 characters a token, at least 1 for any text."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def limit_reply(reply: Reply, token_limit: int | None) -> Reply:
    """The reply cut to the limit. Tool calls are never cut, since half a call is of no use."""
    if token_limit is None or reply.calls or count_tokens(reply.text) <= token_limit:
        return reply
    return Reply(text=reply.text[: token_limit * _CHARS_PER_TOKEN], truncated=True)


def _identify(request: ChatRequest) -> str:
    """The same for the same request, so that whole responses can be compared."""
    return hashlib.sha256(request.model_dump_json(exclude={"stream", "stream_options"}).encode()).hexdigest()[:24]


def count_usage(request: ChatRequest, reply: Reply) -> dict[str, int]:
    """Tokens of the whole request and of the reply, by the names of the response's `usage`."""
    prompt = sum(count_tokens(m.content) + sum(count_tokens(c.function.arguments) for c in m.tool_calls)
                 for m in request.messages)  # fmt: skip
    prompt += sum(count_tokens(tool.model_dump_json()) for tool in request.tools)
    completion = count_tokens(reply.text) + sum(count_tokens(json.dumps(c.arguments) + c.tool) for c in reply.calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _tool_calls(request_id: str, reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{request_id}_{position}",
            "type": "function",
            "function": {"name": call.tool, "arguments": json.dumps(call.arguments)},
        }
        for position, call in enumerate(reply.calls)
    ]


def write_completion(request: ChatRequest, reply: Reply) -> dict[str, Any]:
    """The body of a response that is not streamed. `created` is 0: the same request has the same response."""
    request_id = _identify(request)
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = _tool_calls(request_id, reply)
    return {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": 0,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}],
        "usage": count_usage(request, reply),
    }


def write_chunks(request: ChatRequest, reply: Reply) -> list[str]:
    """The events of a streamed response: role, text by words or one chunk a tool call, finish reason, usage, end."""
    request_id = _identify(request)
    base = {"id": f"chatcmpl-{request_id}", "object": "chat.completion.chunk", "created": 0, "model": request.model}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in reply.text.split(" ")[:1] if word]
    deltas += [{"content": f" {word}"} for word in reply.text.split(" ")[1:]]
    deltas += [{"tool_calls": [{"index": i, **call}]} for i, call in enumerate(_tool_calls(request_id, reply))]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]})
    if request.stream_options and request.stream_options.include_usage:
        chunks.append({**base, "choices": [], "usage": count_usage(request, reply)})
    return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
