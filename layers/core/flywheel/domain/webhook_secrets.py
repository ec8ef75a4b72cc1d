"""Secrets of Langfuse's senders as they are kept: `new`, or `new,old` while both are valid."""

SHORTEST = 16
LONGEST = 512


def check_secret(text: str) -> str:
    """Give the secret without the spaces around it.

    Raises:
        ValueError: it cannot be one; says why, and repeats nothing of it.
    """
    secret = text.strip()
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ValueError(f"a secret has {SHORTEST} to {LONGEST} characters; this has {len(secret)}")
    if "," in secret or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise ValueError("a secret is plain ASCII on one line, without spaces and commas")
    return secret


def valid_secrets(kept: str | None) -> tuple[str, ...]:
    """Those that are valid, the newest first; none when nothing is kept."""
    return tuple(part.strip() for part in (kept or "").split(",") if part.strip())


def rotated(kept: str | None, new: str, *, only: bool = False) -> str:
    """What to keep when `new` is added: the newest of before stays valid beside it, unless `only`.

    Adding the newest once more changes nothing: a rotation that is repeated does not drop the old one.
    """
    before = valid_secrets(kept)
    if only:
        return new
    if before[:1] == (new,):
        return ",".join(before[:2])
    return ",".join((new, *before[:1]))
