"""Addresses that a person types in -> whether the server may call them: public ones, and what is allow-listed.

By the rules and in the words of a real 4.16, with its environment variables. Two things differ. No name is looked up: a
name that only DNS leads inside is let in. And a host of an allow-list may carry a port (`127.0.0.1:8080`, or `:*` for
any), which lifts the rule of ports 80 and 443 for it; a real server has no such entry.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

_BLOCKED_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
        "240.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "::ffff:0:0/96", "fc00::/7", "fe80::/10", "ff00::/8",
        "100::/64", "2001::/32", "2001:db8::/32",
    )
)  # fmt: skip
_BLOCKED_SUFFIXES = ("localhost", "internal", "intranet")
_STANDARD_PORTS = (None, 80, 443)


class AddressError(Exception):
    """The server does not call this address; the message is the server's."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """`hosts` in lower case, `host:port` or `host:*`; `segments` in CIDR form."""

    hosts: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, prefix: str, environment: Mapping[str, str]) -> Self:
        """Lists with commas from `<prefix>_WHITELISTED_HOST`, `_IPS` and `_IP_SEGMENTS`.

        Raises:
            ValueError: a segment is none.
        """

        def entries(name: str) -> tuple[str, ...]:
            listed = environment.get(f"{prefix}_WHITELISTED_{name}", "").split(",")
            return tuple(entry.strip().lower() for entry in listed if entry.strip())

        segments = entries("IP_SEGMENTS")
        for segment in segments:
            ipaddress.ip_network(segment, strict=False)
        return cls(entries("HOST"), entries("IPS"), segments)

    def takes_host(self, host: str) -> bool:
        return any(host in (entry, entry.rpartition(":")[0]) for entry in self.hosts)

    def takes_port(self, host: str, port: int | None) -> bool:
        return f"{host}:*" in self.hosts or f"{host}:{port}" in self.hosts

    def takes_ip(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        networks = (ipaddress.ip_network(segment, strict=False) for segment in self.segments)
        return str(address) in self.ips or any(address in network for network in networks)


def check_model_address(url: str, allowed: Allowed) -> None:
    """Raise AddressError unless an LLM connection may have this base URL."""
    parts = _parsed(url)
    if parts.username is not None or parts.password is not None:
        raise AddressError("URL credentials are not allowed. Use authentication headers instead.")
    _check_protocol(parts)
    _check_host(parts, allowed)


def check_webhook_address(url: str, allowed: Allowed) -> None:
    """Raise AddressError unless a webhook, a remote experiment or a callout may go there."""
    parts = _parsed(url)
    _check_protocol(parts)
    host, port = parts.hostname or "", parts.port
    if port not in _STANDARD_PORTS and not allowed.takes_port(host, port):
        raise AddressError("Only ports 80 and 443 are allowed")
    _check_host(parts, allowed)


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as error:
        raise AddressError("Invalid URL syntax") from error
    if not parts.scheme or not parts.hostname:
        raise AddressError("Invalid URL syntax")
    return parts


def _check_protocol(parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https"):
        raise AddressError("Only HTTP and HTTPS protocols are allowed")


def _check_host(parts: SplitResult, allowed: Allowed) -> None:
    host = parts.hostname or ""
    if allowed.takes_host(host):
        return
    if any(host == suffix or host.endswith(f".{suffix}") for suffix in _BLOCKED_SUFFIXES):
        raise AddressError("Blocked hostname detected")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not allowed.takes_ip(address) and any(address in network for network in _BLOCKED_NETWORKS):
        raise AddressError("Blocked IP address detected")
