"""What a Langfuse server must allow, and this machine's address as it reaches it."""

import pytest

from cli.langfuse_reach import allow_model, allow_webhooks, is_loopback, is_private, is_refused_address, webhook_notes

WEBHOOK = "http://127.0.0.1:4566/_aws/lambda-url/abc/"


@pytest.mark.parametrize(
    ("url", "loopback", "private"),
    [
        ("http://127.0.0.1:8000/v1", True, True),
        ("http://localhost:8000/v1", True, True),
        ("http://[::1]:8000/v1", True, True),
        ("http://10.1.2.3/v1", False, True),
        ("http://192.168.0.7/v1", False, True),
        ("http://169.254.169.254/", False, True),
        ("http://model.internal/v1", False, True),
        ("https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1", False, False),
        ("https://8.8.8.8/", False, False),
    ],
)
def test_loopback_and_private_addresses_are_told_apart(url: str, *, loopback: bool, private: bool) -> None:
    assert (is_loopback(url), is_private(url)) == (loopback, private)


def test_a_model_on_this_machine_comes_with_its_host_and_what_a_container_calls_it() -> None:
    said = allow_model("http://127.0.0.1:9100/v1")
    assert "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST=127.0.0.1 " in said
    assert "http://host.docker.internal:9100/v1" in said
    assert "host.docker.internal" not in allow_model("http://10.1.2.3:9100/v1")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://abc.lambda-url.eu-central-1.on.aws/", ""),
        ("http://example.com/", ""),
        ("https://example.com:8443/", "LANGFUSE_WEBHOOK_WHITELISTED_HOST=example.com:8443"),
        ("https://10.0.0.1/", "LANGFUSE_WEBHOOK_WHITELISTED_HOST=10.0.0.1:443"),
        (WEBHOOK, "LANGFUSE_WEBHOOK_WHITELISTED_HOST=127.0.0.1:4566"),
    ],
)
def test_a_webhook_needs_leave_unless_it_is_public_at_an_open_port(url: str, allowed: str) -> None:
    said = allow_webhooks(url)
    assert allowed in said
    assert bool(said) is bool(allowed)


@pytest.mark.parametrize("langfuse", ["http://localhost:3000", "http://127.0.0.1:3000"])
def test_a_langfuse_on_this_machine_reaches_the_local_webhook(langfuse: str) -> None:
    said = "\n".join(webhook_notes(langfuse, WEBHOOK))
    assert "http://host.docker.internal:4566/_aws/lambda-url/abc/SENDER" in said
    assert "LANGFUSE_WEBHOOK_WHITELISTED_HOST=127.0.0.1:4566" in said
    assert "cannot" not in said


def test_a_langfuse_elsewhere_needs_a_tunnel_and_on_aws_nothing_is_said() -> None:
    assert "tunnel" in "\n".join(webhook_notes("https://cloud.langfuse.com", WEBHOOK))
    assert list(webhook_notes("https://cloud.langfuse.com", "https://abc.lambda-url.eu-central-1.on.aws/")) == []


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("400: Invalid baseURL: Blocked IP address detected", True),
        ("Blocked hostname detected", True),
        ("400: Invalid request data", False),
    ],
)
def test_only_a_refused_address_is_read_as_one(said: str, *, refused: bool) -> None:
    assert is_refused_address(said) is refused
