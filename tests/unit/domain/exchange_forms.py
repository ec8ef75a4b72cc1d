"""One question, one conversation and one answer, as agents and integrations write them."""

import json
from typing import Any

from flywheel.domain.exchange import Turn

ASKED = "And how do I undo that again?"
FIRST = Turn("user", "How do I archive a dataset item?")
REPLY = Turn("assistant", "Set its status to ARCHIVED.")
BEFORE = (FIRST, REPLY)
ANSWERED = "Set its status back to ACTIVE."


def _lc(name: str, content: Any) -> dict[str, Any]:
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", name],
        "kwargs": {"content": content},
    }


QUESTIONS: dict[str, Any] = {
    "plain text": ASKED,
    "JSON text": json.dumps(ASKED),
    **{f"field {name}": {name: ASKED} for name in (
        "question", "prompt", "query", "input", "message", "text", "user_input", "userInput", "inputText", "content",
        "user_message", "utterance", "Question", "user-query",
    )},
    "JSON twice": json.dumps(json.dumps({"question": ASKED})),
    "Python's notation": str({"question": ASKED}),
    "lambda proxy": {"body": json.dumps({"question": ASKED}), "headers": {"a": "b"}},
    "observed kwargs": {"args": [], "kwargs": {"question": ASKED}},
    "observed args": {"args": [ASKED, "en"], "kwargs": {}},
    "observed args with an object": {"args": ["<Client object at 0x1>", {"question": ASKED}], "kwargs": {}},
    "observed kwargs of any name": {"args": [], "kwargs": {"frage": ASKED, "lang": "en"}},
    "list of one text": [ASKED],
    "Anthropic blocks": {"role": "user", "content": [{"type": "text", "text": ASKED}]},
    "Converse blocks": [{"text": ASKED}],
    "Gemini contents as text": {"contents": [ASKED]},
    "Gemini contents": {"contents": [{"parts": [{"text": ASKED}]}]},
    "ADK new message": {"new_message": {"role": "user", "parts": [{"text": ASKED}]}},
    "CrewAI inputs": {"inputs": {"question": ASKED, "tone": "short"}},
    "Haystack": {"data": {"prompt_builder": {"a": 1}, "question": ASKED}},
}  # fmt: skip

CONVERSATIONS: dict[str, Any] = {
    "OpenAI": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": FIRST.text},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "found"},
        {"role": "assistant", "content": REPLY.text},
        {"role": "user", "content": ASKED},
    ],
    "Anthropic": {"system": "Be short.", "messages": [
        {"role": "user", "content": FIRST.text},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text",
            "text": REPLY.text}]},
        {"role": "user", "content": [{"type": "text", "text": ASKED, "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "search", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "found"}]},
    ]},
    "Bedrock Converse": {"modelId": "m", "messages": [
        {"role": "user", "content": [{"text": FIRST.text}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}},
            {"text": REPLY.text}]},
        {"role": "user", "content": [{"text": ASKED}]},
    ]},
    "LangChain dictionaries": {"messages": [
        {"type": "human", "content": FIRST.text}, {"type": "ai", "content": REPLY.text},
        {"type": "human", "content": ASKED},
    ]},
    "LangChain messages_to_dict": [
        {"type": "human", "data": {"content": FIRST.text}}, {"type": "ai", "data": {"content": REPLY.text}},
        {"type": "human", "data": {"content": ASKED}},
    ],
    "LangChain constructors, in batches": [[
        _lc("SystemMessage", "Be short."), _lc("HumanMessage", FIRST.text), _lc("AIMessage", REPLY.text),
        _lc("HumanMessage", [{"type": "text", "text": ASKED}]),
    ]],
    "LangGraph state": {"messages": [
        {"type": "HumanMessage", "content": FIRST.text}, {"type": "AIMessage", "content": REPLY.text},
        {"type": "HumanMessage", "content": ASKED},
    ], "remaining_steps": 24},
    "OpenTelemetry GenAI": {"gen_ai.input.messages": json.dumps([
        {"role": "user", "parts": [{"type": "text", "content": FIRST.text}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text",
            "content": REPLY.text}]},
        {"role": "user", "parts": [{"type": "text", "content": ASKED}]},
    ])},
    "Vercel AI SDK": {"prompt": json.dumps({"messages": [
        {"role": "user", "content": [{"type": "text", "text": FIRST.text}]},
        {"role": "assistant", "content": [{"type": "text", "text": REPLY.text}, {"type": "tool-call", "input": {}}]},
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
    ]})},
    "Vercel UI parts": {"messages": [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": FIRST.text}]},
        {"id": "2", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": REPLY.text}]},
        {"id": "3", "role": "user", "parts": [{"type": "text", "text": ASKED}]},
    ]},
    "OpenAI Responses": {"model": "m", "instructions": "Be short.", "input": [
        {"role": "user", "content": FIRST.text},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": REPLY.text}]},
        {"type": "function_call_output", "output": "found"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASKED}]},
    ]},
    "LlamaIndex": {"messages": [
        {"role": "MessageRole.USER", "blocks": [{"block_type": "text", "text": FIRST.text}]},
        {"role": "assistant", "blocks": [{"block_type": "text", "text": REPLY.text}]},
        {"role": "user", "blocks": [{"block_type": "text", "text": ASKED}], "additional_kwargs": {}},
    ]},
    "Haystack": {"messages": [
        {"_role": "user", "_content": [{"text": FIRST.text}], "_meta": {}},
        {"_role": "assistant", "_content": [{"text": REPLY.text}]},
        {"_role": "user", "_content": [{"text": ASKED}]},
    ]},
    "Pydantic AI": [
        {"kind": "request", "parts": [
            {"part_kind": "system-prompt", "content": "Be short."}, {"part_kind": "user-prompt", "content": FIRST.text}
        ]},
        {"kind": "response", "parts": [
            {"part_kind": "thinking", "content": "hm"}, {"part_kind": "text", "content": REPLY.text}
        ]},
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ASKED}]},
    ],
    "Gemini": {"contents": [
        {"role": "user", "parts": [{"text": FIRST.text}]}, {"role": "model", "parts": [{"text": REPLY.text}]},
        {"role": "user", "parts": [{"text": ASKED}]},
    ]},
    "OpenInference": [
        {"message.role": "user", "message.content": FIRST.text},
        {"message": {"role": "assistant", "content": REPLY.text}},
        {"message.role": "user", "message.content": ASKED},
    ],
    "ShareGPT": {"conversation": [
        {"from": "human", "value": FIRST.text}, {"from": "gpt", "value": REPLY.text}, {"from": "human", "value": ASKED},
    ]},
    "LangGraph pairs": {"messages": [["user", FIRST.text], ["assistant", REPLY.text], ["human", ASKED]]},
    "history of messages": {"question": ASKED, "chat_history": [
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text}
    ]},
    "history that holds the question": {"question": ASKED, "messages": [
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text},
        {"role": "user", "content": ASKED},
    ]},
    "input with messages before it": {"input": ASKED, "messages": [
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text}
    ]},
    "history of constructors": {"input": ASKED, "chat_history": [
        _lc("HumanMessage", FIRST.text), _lc("AIMessage", REPLY.text)
    ]},
    "history of pairs": {"message": ASKED, "history": [[FIRST.text, REPLY.text]]},
    "history of named pairs": {"query": ASKED, "history": [{"question": FIRST.text, "answer": REPLY.text}]},
    "history as text": {"input": ASKED, "history": f"Human: {FIRST.text}\nAI: {REPLY.text}"},
    "history of lines": {"input": ASKED, "history": [f"User: {FIRST.text}", f"Assistant: {REPLY.text}"]},
    "history as JSON": {"input": ASKED, "chat_history": json.dumps([
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text}
    ])},
    "observed function": {"args": [ASKED], "kwargs": {"chat_history": [
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text}
    ]}},
    "observed kwargs with history": {"args": [], "kwargs": {"question": ASKED, "chat_history": [
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text}
    ]}},
    "observed messages": {"args": [[
        {"role": "user", "content": FIRST.text}, {"role": "assistant", "content": REPLY.text},
        {"role": "user", "content": ASKED},
    ]], "kwargs": {"temperature": 0}},
}  # fmt: skip

UNREADABLE_QUESTIONS: dict[str, Any] = {
    "nothing": None,
    "an empty text": "  ",
    "a number": 42,
    "a truth": True,
    "an empty object": {},
    "an empty list": [],
    "unknown fields": {"order_id": 7, "customer": "c-1"},
    "cut JSON": '{"question": "How do I',
    "no user": [{"role": "system", "content": "Be short."}, {"role": "assistant", "content": "Hello!"}],
    "an image": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url",
        "image_url": {"url": "x"}}]}],
    "a picture for Converse": {"messages": [{"role": "user", "content": [{"text": "This?"},
        {"image": {"format": "png"}}]}]},
    "arguments that say nothing": {"args": ["How do I ask?", "Why would I?"], "kwargs": {}},
    "a history in no known form": {"question": ASKED, "chat_history": [{"x": 1}]},
    "several texts": ["a b", "c d"],
    "only tool results": [{"role": "user", "content": [{"type": "tool_result", "content": "found"}]}],
}  # fmt: skip

ANSWERS: dict[str, Any] = {
    "plain text": ANSWERED,
    **{f"field {name}": {name: ANSWERED, "stop_reason": "end_turn"} for name in (
        "answer", "result", "output", "response", "content", "text", "final_output", "completion", "generated_text",
        "outputText", "raw", "reply", "message",
    )},
    "JSON text": json.dumps({"answer": ANSWERED}),
    "Chat Completions": {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWERED}}]},
    "Anthropic": {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "I can help."}, {"type": "text", "text": ANSWERED},
        {"type": "tool_use", "name": "x", "input": {"answer": "no"}},
    ], "stop_reason": "end_turn"},
    "blocks alone": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": ANSWERED}],
    "Converse": {"output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": ANSWERED}
    ]}}, "stopReason": "end_turn"},
    "Responses": {"output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWERED,
            "annotations": []}]},
    ]},
    "Gemini": {"candidates": [{"content": {"role": "model", "parts": [
        {"text": "hm", "thought": True}, {"text": ANSWERED}
    ]}}]},
    "LangGraph": {"messages": [
        {"type": "human", "content": "x"}, {"type": "ai", "content": ""}, {"type": "tool", "content": "y"},
        {"type": "ai", "content": ANSWERED},
    ]},
    "LangGraph pairs": {"messages": [["user", "x"], ["ai", ANSWERED]]},
    "A2A": {"result": {"artifacts": [{"parts": [{"kind": "text", "text": ANSWERED}]}]}},
    "LangGraph updates": [{"agent": {"messages": [{"type": "ai", "content": "Let me see."}]}},
                          {"agent": {"messages": [{"type": "ai", "content": ANSWERED}]}}],
    "LangChain generations": {"generations": [[{"text": ANSWERED, "message": _lc("AIMessage", ANSWERED)}]]},
    "LangChain message": _lc("AIMessage", [{"type": "text", "text": ANSWERED}]),
    "LangChain finish": {"return_values": {"output": ANSWERED}, "log": ""},
    "Strands": {"message": {"role": "assistant", "content": [{"text": ANSWERED}]}, "stop_reason": "end_turn"},
    "OpenTelemetry GenAI": [{"role": "assistant", "parts": [
        {"type": "reasoning", "content": "hm"}, {"type": "text", "content": ANSWERED}
    ], "finish_reason": "stop"}],
    "CrewAI": {"raw": ANSWERED, "pydantic": None, "tasks_output": [{"raw": "draft"}]},
    "Haystack": {"llm": {"replies": [ANSWERED], "meta": [{"model": "m"}]}},
    "Haystack chat": {"llm": {"replies": [{"_role": "assistant", "_content": [{"text": ANSWERED}]}]}},
    "Titan": {"inputTextTokenCount": 3, "results": [{"outputText": ANSWERED}]},
    "Lambda proxy": {"statusCode": 200, "body": json.dumps({"answer": ANSWERED})},
    "Assistants": [{"role": "assistant", "content": [{"type": "text", "text": {"value": ANSWERED,
        "annotations": []}}]}],
    "text in pieces": ["Set its status ", "back to ", "ACTIVE."],
    "Chat Completions in pieces": [
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": "Set its status back"}}]},
        {"choices": [{"delta": {"content": " to ACTIVE."}}]},
        {"choices": []},
    ],
    "Anthropic in pieces": [
        {"type": "message_start", "message": {"role": "assistant", "content": []}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Set its status back"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": " to ACTIVE."}},
        {"type": "message_stop"},
    ],
    "Converse in pieces": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Set its status back"}}},
        {"contentBlockDelta": {"delta": {"text": " to ACTIVE."}}},
    ],
    "Vercel in pieces": [{"type": "text-delta", "textDelta": "Set its status back"},
                         {"type": "text-delta", "textDelta": " to ACTIVE."}, {"type": "finish"}],
    "server-sent events": 'data: {"type": "text-delta", "delta": "Set its status back"}\n\n'
                          'data: {"type": "text-delta", "delta": " to ACTIVE."}\n\ndata: [DONE]\n',
    "a refusal beside the content": {"choices": [{"message": {"role": "assistant", "content": None,
        "refusal": ANSWERED}}]},
    "a refusal among the blocks": {"role": "assistant", "content": [{"type": "refusal", "refusal": ANSWERED}]},
    "cited blocks": [{"type": "text", "text": "Set its status "}, {"type": "text", "text": "back to ACTIVE"},
                     {"type": "text", "text": "."}],
    "line breaks in JSON": '{"answer": "Set its status back\nto ACTIVE."}',
}  # fmt: skip

UNREADABLE_ANSWERS: dict[str, Any] = {
    "nothing": None, "an empty text": "", "a number": 3, "an empty object": {}, "an empty list": [],
    "unknown fields": {"score": 0.3, "done": True}, "cut JSON": '{"answer": "Set its',
    "only calls of tools": [{"type": "tool_use", "name": "x", "input": {"text": "no"}}],
    "only thoughts": {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]},
}  # fmt: skip
