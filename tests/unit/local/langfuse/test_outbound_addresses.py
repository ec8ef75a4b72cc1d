"""Which addresses the stand-in's LLM connections and automations may name: public ones, and what is allow-listed."""

from typing import Any

import pytest

from local.langfuse.outbound_addresses import AddressError, Allowed, check_model_address, check_webhook_address
from local.langfuse.settings import Settings
from tests.fakes.langfuse_client import LangfuseClient
from tests.fakes.langfuse_server import LangfuseServer

IP, HOST = "Blocked IP address detected", "Blocked hostname detected"
PORT, PROTOCOL = "Only ports 80 and 443 are allowed", "Only HTTP and HTTPS protocols are allowed"
SYNTAX = "Invalid URL syntax"
CONNECTION = {"provider": "p", "adapter": "openai", "secretKey": "k", "customModels": ["m"]}


def refused(check: Any, url: str, allowed: Allowed = Allowed()) -> str | None:  # noqa: B008 - frozen
    try:
        check(url, allowed)
    except AddressError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1/v1", IP),
        ("http://127.9.9.9/v1", IP),
        ("https://10.1.2.3", IP),
        ("https://172.31.0.1", IP),
        ("https://172.32.0.1", None),
        ("https://192.168.0.1", IP),
        ("http://169.254.169.254/latest/meta-data", IP),
        ("http://[::1]/v1", IP),
        ("http://[fd00::1]/v1", IP),
        ("http://[::ffff:127.0.0.1]/v1", IP),
        ("http://[2606:4700::1]/v1", None),
        ("http://localhost/v1", HOST),
        ("http://LOCALHOST/v1", HOST),
        ("http://a.localhost/v1", HOST),
        ("http://metadata.google.internal/v1", HOST),
        ("https://api.openai.com/v1", None),
        ("https://8.8.8.8", None),
        ("ftp://models.example", PROTOCOL),
        ("file:///etc/passwd", SYNTAX),
        ("models.example", SYNTAX),
        ("http://models.example:99999", SYNTAX),
    ],
)
def test_both_kinds_take_public_addresses_only(url: str, why: str | None) -> None:
    assert refused(check_model_address, url) == why
    assert refused(check_webhook_address, url) == why


def test_only_webhooks_are_held_to_the_standard_ports_and_only_models_to_no_credentials() -> None:
    for port in (80, 443):
        assert refused(check_webhook_address, f"https://hooks.example:{port}/x") is None
    assert refused(check_webhook_address, "https://hooks.example:8443/x") == PORT
    assert refused(check_model_address, "https://models.example:8443/v1") is None
    credentials = "URL credentials are not allowed. Use authentication headers instead."
    assert refused(check_model_address, "https://me:secret@models.example/v1") == credentials


@pytest.mark.parametrize(
    ("listed", "url", "why"),
    [
        ({"HOST": "127.0.0.1"}, "http://127.0.0.1/x", None),
        ({"HOST": "127.0.0.1"}, "http://127.0.0.2/x", IP),
        ({"HOST": " Localhost , b"}, "http://localhost/x", None),
        ({"HOST": "127.0.0.1"}, "http://127.0.0.1:8080/x", PORT),
        ({"HOST": "127.0.0.1:8080"}, "http://127.0.0.1:8080/x", None),
        ({"HOST": "127.0.0.1:8080"}, "http://127.0.0.1:8081/x", PORT),
        ({"HOST": "127.0.0.1:*"}, "http://127.0.0.1:8081/x", None),
        ({"IPS": "10.0.0.1,10.0.0.2"}, "http://10.0.0.2/x", None),
        ({"IPS": "10.0.0.1"}, "http://10.0.0.2/x", IP),
        ({"IP_SEGMENTS": "10.0.0.0/8"}, "http://10.200.0.1/x", None),
        ({"IP_SEGMENTS": "10.0.0.0/8"}, "http://192.168.0.1/x", IP),
    ],
)
def test_the_environment_lists_what_is_let_in(listed: dict[str, str], url: str, why: str | None) -> None:
    environment = {f"LANGFUSE_WEBHOOK_WHITELISTED_{name}": value for name, value in listed.items()}
    allowed = Allowed.from_environment("LANGFUSE_WEBHOOK", environment)
    assert refused(check_webhook_address, url, allowed) == why
    assert Allowed.from_environment("LANGFUSE_LLM_CONNECTION", environment) == Allowed()


def test_a_segment_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="10"):
        Allowed.from_environment("X", {"X_WHITELISTED_IP_SEGMENTS": "10.0.0.0/64"})


@pytest.mark.parametrize(("url", "why"), [("http://127.0.0.1:8080/v1", IP), ("http://localhost/v1", HOST)])
def test_a_connection_to_this_machine_is_refused_unless_it_is_listed(url: str, why: str) -> None:
    client = LangfuseClient(LangfuseServer(Settings()))
    status, answer = client.ask("PUT", "llm-connections", CONNECTION | {"baseURL": url})
    assert (status, answer["message"]) == (400, f"Invalid baseURL: {why}")
    assert client.made("GET", "llm-connections")["data"] == []
    listed = Settings(models_allowed=Allowed(("127.0.0.1", "localhost")))
    client = LangfuseClient(LangfuseServer(listed))
    assert client.ask("PUT", "llm-connections", CONNECTION | {"baseURL": url})[0] == 201
    assert client.ask("PUT", "llm-connections", CONNECTION | {"baseURL": url})[0] == 200
