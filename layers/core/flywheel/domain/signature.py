"""Signatures of deliveries: secret + raw body + time <-> the header `x-langfuse-signature`."""

import hashlib
import hmac
from collections.abc import Iterable

_MOST_SIGNATURES = 10
_LONGEST_HEADER = 2000
_LONGEST_TIME = 12


def sign(secret: str, body: bytes, at: int) -> str:
    """Give the header's value for a body sent `at` this Unix second, as Langfuse does: `t=...,v1=<hex>`."""
    return f"t={at},v1={_digest(secret, body, str(at))}"


def verify(header: str, body: bytes, secrets: Iterable[str], *, now: float, tolerance_s: float) -> int | None:
    """Give the Unix second at which one of these secrets signed this body; None: nobody who may did.

    The header is read by key, in any order; unknown keys are passed over, several `v1` may stand there (one is enough),
    a second `t` may not. A time further than `tolerance_s` from `now` is refused, whichever way. Every pair of secret
    and signature is compared, each in constant time, so that the time taken tells nothing of either.
    """
    stamp, signatures = _parts(header)
    if stamp is None or abs(int(stamp) - now) > tolerance_s:
        return None
    verified = False
    for secret in secrets:
        expected = _digest(secret, body, stamp).encode()
        for signature in signatures:
            # Never the other way round: `verified or ...` would stop comparing at the first match.
            verified = hmac.compare_digest(expected, signature.encode()) or verified
    return int(stamp) if verified else None


def is_secret(given: str, secrets: Iterable[str]) -> bool:
    """Say whether this is one of the secrets; constant time for each of them, however wrong it is."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
    found = False
    for secret in secrets:
        found = hmac.compare_digest(digest, hashlib.sha256(secret.encode()).digest()) or found
    return found


def _digest(secret: str, body: bytes, stamp: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _parts(header: str) -> tuple[str | None, list[str]]:
    """Time as it was written, and all `v1`; no time when it is missing, no number, or there twice."""
    if len(header) > _LONGEST_HEADER:
        return None, []
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for key, _, value in pairs if key == "t"]
    # What was written is what was signed, so only the plain form of a number may stand there.
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) <= _LONGEST_TIME):
        return None, []
    signatures = [value for key, _, value in pairs if key == "v1" and value.isascii()]
    return stamps[0], signatures[:_MOST_SIGNATURES]
