import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.model.chat import (
    BadRequestError,
    PlannedCall,
    Reply,
    count_tokens,
    limit_reply,
    parse_request,
    write_chunks,
    write_completion,
)


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def test_content_parts_are_joined_and_null_is_empty() -> None:
    request = parse_request(
        body(
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": None, "tool_calls": None},
            ]
        )
    )
    assert [message.content for message in request.messages] == ["a\nb", ""]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(BadRequestError, match=r"messages.*temperature|temperature.*messages"):
        parse_request(body(messages=[], temperature=9))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_request_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(BadRequestError, match="not a chat-completions request"):
        parse_request(raw)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_request(raw)


def test_a_forced_tool_must_be_on_offer() -> None:
    request = parse_request(body(tool_choice={"type": "function", "function": {"name": "gone"}}))
    with pytest.raises(BadRequestError, match="'gone', which is not among tools"):
        _ = request.forced_tool


def test_a_required_call_with_one_tool_forces_that_tool() -> None:
    tools = [{"type": "function", "function": {"name": "only"}}]
    forced = parse_request(body(tools=tools, tool_choice="required")).forced_tool
    assert forced is not None
    assert forced.function.name == "only"
    assert parse_request(body(tools=tools, tool_choice="auto")).forced_tool is None


def test_an_answer_over_the_limit_is_cut_and_says_so() -> None:
    reply = limit_reply(Reply("x" * 100), token_limit=5)
    assert len(reply.text) == 20
    assert reply.finish_reason == "length"


def test_tool_calls_are_never_cut() -> None:
    reply = Reply(calls=(PlannedCall("search", {"query": "x" * 100}),))
    assert limit_reply(reply, token_limit=1) == reply


def test_the_same_request_gives_the_same_body() -> None:
    one, two = (write_completion(parse_request(body()), Reply("hello")) for _ in range(2))
    assert one == two
    assert one["choices"][0]["finish_reason"] == "stop"


def test_usage_counts_messages_tools_and_answer() -> None:
    plain = write_completion(parse_request(body()), Reply("hello you"))["usage"]
    tools = [{"type": "function", "function": {"name": "search", "description": "d" * 400}}]
    with_tools = write_completion(parse_request(body(tools=tools)), Reply("hello you"))["usage"]
    assert plain == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    assert with_tools["prompt_tokens"] > plain["prompt_tokens"] + 100


@pytest.mark.parametrize("text", ["", "a", "two words", "  spaces  kept "])
def test_streamed_chunks_add_up_to_the_answer(text: str) -> None:
    events = write_chunks(parse_request(body(stream=True, stream_options={"include_usage": True})), Reply(text))
    assert events[-1] == "data: [DONE]\n\n"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == text
    assert chunks[-1]["usage"]["completion_tokens"] == count_tokens(text)
