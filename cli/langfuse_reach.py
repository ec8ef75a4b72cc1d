"""Where Langfuse's server may connect to -> what its operator has to allow, and this machine's address from there.

A self-hosted Langfuse refuses LLM connections and webhooks to loopback and private addresses, and webhooks to ports
other than 80 and 443, unless variables of its own environment list them. Its API tells nobody of these lists.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

_MODELS: Final = "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"
_WEBHOOKS: Final = "LANGFUSE_WEBHOOK_WHITELISTED_HOST"
_RESTART = "in the environment of its web and worker containers, restart them"
_IN_DOCKER = "host.docker.internal"
_OPEN_PORTS = (80, 443)
_PRIVATE_NAMES = ("localhost", ".localhost", ".local", ".internal")
_REFUSALS = ("Blocked IP address", "Blocked hostname")


def is_refused_address(said: str) -> bool:
    """Whether these words of Langfuse are about an address that it may not connect to."""
    return any(words in said for words in _REFUSALS)


def allow_model(base_url: str) -> str:
    """What lets Langfuse connect to a model there."""
    host = urlsplit(base_url).hostname or base_url
    step = f"on the Langfuse server set {_MODELS}={host} {_RESTART}, and run this again"
    return f"{step}. {_from_a_container(base_url)}" if is_loopback(base_url) else step


def allow_webhooks(url: str) -> str:
    """What lets Langfuse deliver there; empty where every Langfuse may: a public address at port 80 or 443."""
    parts = urlsplit(url)
    if _port(parts) in _OPEN_PORTS and not is_private(url):
        return ""
    return (
        f"Langfuse delivers to public addresses at ports 80 and 443 only: on its server set "
        f"{_WEBHOOKS}={parts.hostname}:{_port(parts)} {_RESTART}"
    )


def webhook_notes(langfuse_url: str, url: str) -> Iterator[str]:
    """What to know before Langfuse delivers to the webhook at this address: which address it needs, what to allow.

    Nothing where every Langfuse may deliver as it is.
    """
    if is_loopback(url):
        yield f"\nThese addresses are of this machine (port {_port(urlsplit(url))}):"
        if is_loopback(langfuse_url):
            yield "  a Langfuse outside of containers, or with network_mode: host, reaches them as they stand"
            yield f"  a Langfuse in Docker Desktop reaches them as {_at(url, _IN_DOCKER)}SENDER"
        else:
            yield f"  the Langfuse at {langfuse_url} reaches them through a tunnel to that port; put the tunnel's"
            yield "  address in front of the path, https and without a port: nothing has to be allowed then"
            return
    if allow := allow_webhooks(url):
        yield f"  {allow}" if is_loopback(url) else f"\n{allow}"


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_private(url: str) -> bool:
    """Loopback, private or link-local, by its number or by its name."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.endswith(_PRIVATE_NAMES)


def _from_a_container(url: str) -> str:
    return (
        f"A Langfuse in Docker reaches this machine as {_at(url, _IN_DOCKER)} (allow {_IN_DOCKER} then), on Linux with "
        "network_mode: host as it stands"
    )


def _at(url: str, host: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{host}:{_port(parts)}").geturl()


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
