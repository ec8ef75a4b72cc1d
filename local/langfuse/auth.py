"""Authorization header -> allowed, or the refusal of Langfuse 4.16."""

import base64
import binascii
import secrets

from local.langfuse.problems import forbidden, unauthorized
from local.langfuse.settings import Settings

DENIED = "Access denied - insufficient permissions for this endpoint"
_HINT = ". Confirm that you've configured the correct host."
_WRONG = f"Invalid credentials{_HINT}"
_UNREADABLE = f"Invalid authorization header{_HINT}"


def authorize(
    header: str | None, settings: Settings, *, public_key_suffices: bool = False, denied: str = DENIED
) -> None:
    """Let a project key pass.

    The secret alone decides, as on the real server: a wrong public key with the right secret is let in. Scores may
    also be written with `Bearer <public key>` (`public_key_suffices`); `denied` is said where it does not suffice.

    Raises:
        ApiError: 401 for no, unknown or unreadable credentials, 403 for a public key where a secret is needed.
    """
    if not header:
        raise unauthorized("No authorization header")
    scheme, space, rest = header.partition(" ")
    if scheme + space == "Bearer ":
        if not _same(rest, settings.public_key):
            raise unauthorized(f"Invalid public key{_HINT}")
        if not public_key_suffices:
            raise forbidden(denied)
    elif scheme + space == "Basic ":
        if not _same(_secret(rest.split(" ")[0]), settings.secret_key):
            raise unauthorized(_WRONG)
    else:
        raise unauthorized("Invalid authorization header")


def _secret(encoded: str) -> str:
    """What stands after the first colon, up to the next one: so the server splits it."""
    if not encoded:
        raise unauthorized(_UNREADABLE)
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError) as error:
        raise unauthorized(f"The string to be decoded is not correctly encoded.{_HINT}") from error
    public, _, rest = decoded.partition(":")
    secret = rest.partition(":")[0]
    if not public or not secret:
        raise unauthorized(_UNREADABLE)
    return secret


def _same(given: str, expected: str) -> bool:
    """Equal, in a time that does not tell how much of it is."""
    return secrets.compare_digest(given.encode(), expected.encode())
