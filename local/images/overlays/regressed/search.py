"""How many results of a search reach the model: the shortest `top_k`, which cost the fewest tokens."""

# ruff: noqa: INP001

import json
from typing import Any

from strands.hooks import AfterToolCallEvent, HookProvider, HookRegistry
from strands.types.tools import ToolResult, ToolResultContent

_LIST_KEYS = ("results", "result", "documents", "hits", "data")


def is_search(tool_name: str) -> bool:
    """Whether a tool's results are ranked, so that the first ones are the best."""
    return "search" in tool_name.lower()


def best_results(results: list[Any], top_k: int) -> list[Any]:
    """The shortest `top_k`: the model reads less, and short pages come to the point."""
    return sorted(results, key=lambda result: len(str(result)))[:top_k]


class SearchLimit(HookProvider):
    """Shortens what a search returned before the model reads it."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(AfterToolCallEvent, self._shorten)

    def _shorten(self, event: AfterToolCallEvent) -> None:
        if is_search(event.tool_use["name"]) and event.result["status"] == "success":
            event.result = limit_results(event.result, self._top_k)


def limit_results(result: ToolResult, top_k: int) -> ToolResult:
    """`result` with at most `top_k` search results.

    Servers give one block a result, or one block with a JSON list, or a JSON object that holds the list; any other
    form is left as it is, because cutting text would cut facts in half.
    """
    blocks = result["content"]
    limited = [_limited_block(blocks[0], top_k)] if len(blocks) == 1 else best_results(blocks, top_k)
    return {**result, "content": limited}


def _limited_block(block: ToolResultContent, top_k: int) -> ToolResultContent:
    if "json" in block:
        return {"json": _limited_json(block["json"], top_k)}
    text = block.get("text", "")
    if not text.lstrip().startswith(("[", "{")):
        return block
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return block
    limited = _limited_json(document, top_k)
    return block if limited == document else {"text": json.dumps(limited, ensure_ascii=False, indent=2)}


def _limited_json(document: Any, top_k: int) -> Any:
    if isinstance(document, list):
        return best_results(document, top_k)
    if isinstance(document, dict):
        for key in _LIST_KEYS:
            if isinstance(document.get(key), list):
                return {**document, key: best_results(document[key], top_k)}
    return document
