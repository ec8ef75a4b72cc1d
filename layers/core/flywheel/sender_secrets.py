"""Secrets of Langfuse's senders <- settings, kept for a while: whoever knocks cannot make us ask all the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flywheel.errors import TransientError

if TYPE_CHECKING:
    from flywheel.ports import Clock, Settings

FOLDER = "webhook-secrets"
_KEPT = timedelta(seconds=60)
# A delivery that does not verify may be signed with a secret that was put there just now.
_LOOKED_AGAIN = timedelta(seconds=5)
_AFTER_FAILURE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """`secrets` None: the settings have not answered yet."""

    secrets: tuple[str, ...] | None
    asked_at: datetime
    failed: bool = False


class SenderSecrets:
    """Each sender has its own; a value `new,old` makes both valid.

    A secret that was taken away counts for up to a minute more; while the settings do not answer, what is known counts.
    """

    def __init__(self, settings: "Settings", clock: "Clock") -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def of(self, sender: str) -> tuple[str, ...]:
        """Give those that are valid now; none when nobody has set one.

        Raises:
            TransientError: the settings do not answer, and nothing is known from before.
        """
        return self._look(sender, _KEPT)

    def again(self, sender: str) -> tuple[str, ...]:
        """Give them as they are now, unless they were looked up a few seconds ago."""
        return self._look(sender, _LOOKED_AGAIN)

    def _look(self, sender: str, kept: timedelta) -> tuple[str, ...]:
        known = self._known.get(sender)
        now = self._clock.now()
        if known is None or now - known.asked_at >= (_AFTER_FAILURE if known.failed else kept):
            known = self._ask(sender, now, known)
            self._known[sender] = known
        if known.secrets is None:
            raise TransientError(f"the secret of {sender} cannot be read")
        return known.secrets

    def _ask(self, sender: str, now: datetime, before: _Known | None) -> _Known:
        try:
            value = self._settings.text(f"{FOLDER}/{sender}") or ""
        except TransientError:
            return _Known(before.secrets if before else None, now, failed=True)
        return _Known(tuple(part.strip() for part in value.split(",") if part.strip()), now)
