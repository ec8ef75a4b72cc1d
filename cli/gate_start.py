"""A wish for a gate -> `GateRequested` on the bus, and the id that the gate will have."""

import uuid
from collections.abc import Sequence
from typing import Any

from cli.problems import CommandError
from cli.session import Session
from flywheel.triggers import GateTrigger, NotForUs, parse_trigger


def request_gate(
    session: Session,
    image: str,
    *,
    prompt: str | None,
    promote: bool,
    annotate: bool = False,
    baseline: int | None = None,
    item_ids: Sequence[str] | None = None,
    reason: str = "cli",
    dataset: str | None = None,
) -> GateTrigger:
    """Check the request as the gate itself will read it, then send it.

    Raises:
        CommandError: the prompt is not `name:version`, or the image is of another repository.
        InvalidRequestError: the image reference is malformed.
    """
    # EventBridge keeps whole seconds, and the gate's id is made of this time.
    now = session.clock.now().replace(microsecond=0)
    detail: dict[str, Any] = {
        "version": 1,
        "request_id": str(uuid.uuid4()),
        "image": image,
        "reason": reason,
        "promote": promote,
    }
    if annotate:
        detail["annotate"] = True
    if baseline is not None:
        detail["baseline"] = baseline
    if dataset not in (None, session.facts.dataset):
        detail["dataset"] = dataset
    if item_ids is not None:
        detail["item_ids"] = list(item_ids)
    if prompt is not None:
        detail["prompt"] = _prompt(prompt)
    event = {"id": detail["request_id"], "time": now.isoformat(), "detail-type": "GateRequested", "detail": detail}
    trigger = parse_trigger(event, session.facts.repository)
    if isinstance(trigger, NotForUs):
        raise CommandError(f"{trigger.reason}: push the image there, or name another stack with --stack")
    session.requests.send("GateRequested", detail, now)
    return trigger


def _prompt(text: str) -> dict[str, str | int]:
    name, colon, version = text.rpartition(":")
    if not colon or not name or not version.isascii() or not version.isdigit() or int(version) < 1:
        raise CommandError(f"--prompt {text[:120]!r}: expected name:version, such as docs-agent:4")
    return {"name": name, "version": int(version)}
