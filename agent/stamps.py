"""Attributes that every span of a request carries: session, user, environment, release, tags, experiment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.util.types import AttributeValue

type Stamps = Mapping[str, AttributeValue]

_NONE: Stamps = MappingProxyType({})
_current: ContextVar[Stamps] = ContextVar("stamps", default=_NONE)


class StampProcessor(SpanProcessor):
    """Stamps at the start of a span, whoever starts it: Strands' `trace_attributes` miss the spans of MCP."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        del parent_context
        span.set_attributes(_current.get())


@contextmanager
def stamped(stamps: Stamps) -> Iterator[None]:
    """Spans started inside carry `stamps`, also in tasks and threads that copy the context."""
    token = _current.set(stamps)
    try:
        yield
    finally:
        _current.reset(token)


def request_stamps(
    context: Context,
    *,
    environment: str,
    release: str | None,
    session_id: str | None,
    user_id: str | None,
    tags: tuple[str, ...],
) -> Stamps:
    """Stamps of one request. Baggage that starts with `langfuse.` comes along: it joins spans to an experiment.

    What this runtime knows itself (environment, release, session, user, tags) wins over baggage of the same name.
    """
    stamps: dict[str, AttributeValue] = {
        key: value
        for key, value in baggage.get_all(context).items()
        if key.startswith("langfuse.") and isinstance(value, str)
    }
    stamps["langfuse.environment"] = environment
    if release:
        stamps["langfuse.release"] = release
    if session_id:
        stamps["session.id"] = session_id
    if user_id:
        stamps["user.id"] = user_id
    if tags:
        stamps["langfuse.trace.tags"] = list(tags)
    return stamps
