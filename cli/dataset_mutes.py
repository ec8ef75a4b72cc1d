"""Muted regression tests <-> the setting `mutes` of the environment, a JSON list that every plan copies."""

import json
from dataclasses import asdict
from datetime import UTC, date

from pydantic import TypeAdapter, ValidationError

from cli import dataset_view
from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.plan import MutedItem

SETTING = "mutes"
LONGEST_REASON = 500
# SSM holds 4 KB in a standard parameter.
LARGEST_BYTES = 4_096
_MUTES: TypeAdapter[list[MutedItem]] = TypeAdapter(list[MutedItem])


def read(session: Session) -> list[MutedItem]:
    """The mutes as they are set, expired ones included.

    Raises:
        CommandError: somebody wrote something else into the setting.
    """
    text = session.settings.text(SETTING)
    if not text:
        return []
    try:
        return _MUTES.validate_json(text)
    except ValidationError as error:
        where = f"{session.facts.settings_prefix}/{SETTING}"
        raise CommandError(
            f"the SSM parameter {where} is not a list of mutes ({error.error_count()} problems): correct it, or "
            "set it to []"
        ) from error


def mute(session: Session, item_id: str, until: date, reason: str) -> MutedItem:
    """Mute the item; what had ended before today is dropped from the list on the way.

    Raises:
        CommandError: no such item, it is no regression test, the date is over, or there is no room for more.
    """
    today = session.clock.now().astimezone(UTC).date()
    if until < today:
        raise CommandError(f"--until {until} is over already (today is {today}, UTC)")
    why = reason.strip()
    if not why or len(why) > LONGEST_REASON:
        raise CommandError(f"--reason needs 1 to {LONGEST_REASON} characters: it stands in every gate's evidence")
    item = next((i for i in dataset_view.stored(session) if i.item_id == item_id), None)
    if item is None:
        raise CommandError(f"there is no item {item_id[:80]!r}: flywheel dataset list shows what there is")
    if not item.must_pass:
        raise CommandError(
            f"{item_id} is no regression test (origin {item.origin}): it counts in an average, and only items of "
            "origin production can be muted"
        )
    muted = MutedItem(item_id, until.isoformat(), why)
    rest = [m for m in read(session) if m.item_id != item_id and m.until >= today.isoformat()]
    _write(session, [*rest, muted])
    return muted


def unmute(session: Session, item_id: str) -> bool:
    """End a mute; False when there was none."""
    before = read(session)
    after = [m for m in before if m.item_id != item_id]
    if len(after) == len(before):
        return False
    _write(session, after)
    return True


def _write(session: Session, mutes: list[MutedItem]) -> None:
    text = json.dumps([asdict(m) for m in sorted(mutes, key=lambda m: m.item_id)], ensure_ascii=False)
    if len(text.encode()) > LARGEST_BYTES:
        raise CommandError(f"{len(mutes)} mutes need more than {LARGEST_BYTES} bytes: unmute some, or shorten reasons")
    session.settings.put(SETTING, text)
