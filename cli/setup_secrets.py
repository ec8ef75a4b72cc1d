"""Secrets of Langfuse's senders: kept in SSM as the webhook reads them, made here or typed in, never shown twice."""

import secrets
from typing import TYPE_CHECKING

from cli.problems import CommandError
from flywheel.deliveries import SENDERS
from flywheel.domain.webhook_secrets import check_secret, rotated, valid_secrets
from flywheel.sender_secrets import FOLDER

if TYPE_CHECKING:
    from cli.facts import StackFacts
    from cli.session_parts import Settings

# As Langfuse's own: the whole text is the key.
_PREFIX = "lf-whsec_"
_BYTES = 32


def parameter(sender: str) -> str:
    """Its name below the settings of the stack."""
    return f"{FOLDER}/{sender}"


def generate() -> str:
    return _PREFIX + secrets.token_hex(_BYTES)


def kept(settings: "Settings", sender: str) -> tuple[str, ...]:
    """Secrets of a sender that are valid, the newest first."""
    return valid_secrets(settings.text(parameter(sender)))


def read_it(facts: "StackFacts", sender: str) -> str:
    """The command that shows it to whoever may read it."""
    return (
        f"aws ssm get-parameter --with-decryption --name {facts.settings_prefix}/{parameter(sender)} "
        "--query Parameter.Value --output text"
    )


def keep(settings: "Settings", sender: str, secret: str, *, only: bool = False) -> int:
    """Make it valid, beside the one before unless `only`; give how many are valid now.

    Raises:
        CommandError: it cannot be a secret, or there is no such sender.
    """
    if sender not in SENDERS:
        raise CommandError(f"there is no sender {sender!r}; there are: {', '.join(sorted(SENDERS))}")
    try:
        secret = check_secret(secret)
    except ValueError as error:
        raise CommandError(f"{error}. Nothing was changed.") from error
    before = settings.text(parameter(sender))
    value = rotated(before, secret, only=only)
    if value != before:
        settings.put_secret(parameter(sender), value)
    return len(valid_secrets(value))
