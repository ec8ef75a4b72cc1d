"""What every span of a request carries."""

from opentelemetry import baggage
from opentelemetry.context import Context

from agent.stamps import request_stamps


def stamps(context: Context | None = None, **known: str | None) -> dict[str, object]:
    return dict(
        request_stamps(
            context or Context(),
            environment=known.get("environment") or "dev",
            release=known.get("release"),
            session_id=known.get("session_id"),
            user_id=known.get("user_id"),
            tags=(),
        )
    )


def test_what_is_not_known_is_not_stamped() -> None:
    assert stamps() == {"langfuse.environment": "dev"}


def test_everything_known_is_stamped() -> None:
    made = request_stamps(
        Context(), environment="prd", release="abc", session_id="s", user_id="u", tags=("gate", "candidate")
    )

    assert dict(made) == {
        "langfuse.environment": "prd",
        "langfuse.release": "abc",
        "session.id": "s",
        "user.id": "u",
        "langfuse.trace.tags": ["gate", "candidate"],
    }


def test_only_baggage_for_langfuse_is_stamped() -> None:
    context = baggage.set_baggage("langfuse.experiment.id", "e1", Context())
    context = baggage.set_baggage("aws.account", "123456789012", context)

    assert stamps(context) == {"langfuse.experiment.id": "e1", "langfuse.environment": "dev"}


def test_baggage_cannot_change_what_the_runtime_knows() -> None:
    context = baggage.set_baggage("langfuse.environment", "prd", Context())
    context = baggage.set_baggage("langfuse.release", "forged", context)

    assert stamps(context, release="abc") == {"langfuse.environment": "dev", "langfuse.release": "abc"}
