"""Authorization header -> allowed, or the refusal of Langfuse 4.16."""

import base64
import binascii
import secrets

from local.langfuse.problems import forbidden, unauthorized
from local.langfuse.settings import Settings

_WRONG = "Invalid credentials. Confirm that you've configured the correct host."


def authorize(header: str | None, settings: Settings, *, public_key_suffices: bool = False) -> None:
    """Let a project key pass.

    The secret alone decides, as on the real server: a wrong public key with the right secret is let in. Scores may
    also be written with `Bearer <public key>` (`public_key_suffices`).

    Raises:
        ApiError: 401 for no, unknown or unreadable credentials, 403 for a public key where a secret is needed.
    """
    if not header:
        raise unauthorized("No authorization header")
    scheme, _, rest = header.partition(" ")
    if scheme == "Bearer":
        if not _same(rest.strip(), settings.public_key):
            raise unauthorized(_WRONG)
        if not public_key_suffices:
            raise forbidden("Access denied - insufficient permissions for this endpoint")
        return
    if scheme != "Basic":
        raise unauthorized("Invalid authorization header")
    try:
        decoded = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise unauthorized("Invalid authorization header") from error
    if not _same(decoded.partition(":")[2], settings.secret_key):
        raise unauthorized(_WRONG)


def _same(given: str, expected: str) -> bool:
    """Equal, in a time that does not tell how much of it is."""
    return secrets.compare_digest(given.encode(), expected.encode())
