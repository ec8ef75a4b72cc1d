"""Bytes of a request -> values; values -> bytes of an answer. JSON as JavaScript reads and writes it."""

import json
import math
import re
import zlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from local.langfuse.problems import ApiError

MIB = 1024 * 1024
DEFAULT_BODY_LIMIT = int(4.5 * MIB)
SCORES_BODY_LIMIT = MIB
OTLP_BODY_LIMIT = 64 * MIB
# What is read of a body that is too long, so that the sender hears the refusal instead of a reset connection.
_DRAIN_LIMIT = 32 * MIB
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


async def read_body(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413 in plain text when it is longer than `limit` bytes.
    """
    kept: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size <= limit:
            kept.append(chunk)
        elif size > limit + _DRAIN_LIMIT:
            break
    if size > limit:
        shown = f"{limit / MIB:g}"
        raise ApiError(413, None, text=f"Body exceeded {shown}mb limit", headers={"connection": "close"})
    return b"".join(kept)


def inflate(body: bytes, limit: int = 4 * OTLP_BODY_LIMIT) -> bytes:
    """Gunzip, at most `limit` bytes.

    Raises:
        ValueError: not gzip, cut off, or longer than `limit`.
    """
    decoder = zlib.decompressobj(wbits=31)
    try:
        inflated = decoder.decompress(body, limit)
    except zlib.error as error:
        raise ValueError("not gzip") from error
    if not decoder.eof:
        raise ValueError("cut off or too long")
    return inflated


def _number(text: str) -> float | None:
    # 1e999 is infinite in JavaScript, which writes it as null; and 1.0 is 1 there.
    value = float(text)
    return plain_number(value) if math.isfinite(value) else None


def _refuse(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are no JSON


def read_json(body: bytes) -> Any:
    """A JSON body.

    Raises:
        ApiError: 400 in plain text, as the real server answers.
    """
    try:
        value = json.loads(body, parse_float=_number, parse_constant=_refuse)
        if b"\\u" in body:  # a lone surrogate cannot be stored or sent as UTF-8
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, None, text="Invalid JSON") from error
    return value


def to_json(value: Any) -> str:
    """Compact JSON that can be stored: a lone surrogate becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def from_json(text: str) -> Any:
    return json.loads(text)


def parsed_if_json(value: Any) -> Any:
    """A text that is JSON becomes its value; anything else stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_float=_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def without_controls(value: Any) -> Any:
    """Texts without what PostgreSQL cannot keep or nobody can see: C0 and C1 but for tab and line ends."""
    if isinstance(value, str):
        return _CONTROLS.sub("", value)
    if isinstance(value, list):
        return [without_controls(entry) for entry in value]
    if isinstance(value, dict):
        return {without_controls(key): without_controls(entry) for key, entry in value.items()}
    return value


def plain_number(value: float) -> float:
    """3.0 as 3: JavaScript has no other way to write it."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    reply = Response(to_json(value), status, headers)
    reply.headers["content-type"] = "application/json; charset=utf-8"
    return reply


def bare_reply(status: int, text: str = "", headers: dict[str, str] | None = None) -> Response:
    """Without a content type, as Next.js answers in a few places."""
    return Response(text, status, headers)
