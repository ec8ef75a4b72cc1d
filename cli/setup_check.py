"""Whether all of the set-up is there: Langfuse, each part of it, and each sender by test deliveries."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from cli import setup_plan, setup_rows, setup_secrets, setup_server
from cli.setup_local import local_address
from cli.setup_rows import Row
from flywheel.deliveries import CHECK_HEADER, SECRET_HEADER, SENDERS, SIGNATURE_HEADER
from flywheel.domain.signature import sign
from flywheel.errors import TransientError

if TYPE_CHECKING:
    from cli.session import Session

_BODY = b"{}"
# Langfuse cannot sign a callout: it brings the secret in a header.
_UNSIGNED = "web-callout"
_SENDER = "sender"
_MAKE_IT = "flywheel setup langfuse"


def complete(rows: Sequence[Row]) -> bool:
    return all(row.state == "exists" for row in rows)


def check(session: "Session", choices: setup_plan.Choices) -> list[Row]:
    """One row for each of them, with what to do where it is not there. Changes nothing."""
    return [*_langfuse(session, choices), *(_sender(session, sender) for sender in sorted(SENDERS))]


def _langfuse(session: "Session", choices: setup_plan.Choices) -> Iterator[Row]:
    found = setup_server.server(session)
    yield found
    if found.state != "exists":
        return
    make_it = f"{_MAKE_IT} --enable-evaluators" if choices.evaluators is not None else _MAKE_IT
    for row in setup_rows.carry_out(setup_plan.parts(session, choices), dry_run=True):
        missing = row.state in ("create", "change")
        yield Row(row.part, row.name, row.state, row.said, make_it if missing else row.next_step)


def _sender(session: "Session", sender: str) -> Row:
    valid = setup_secrets.kept(session.settings, sender)
    if not valid:
        return Row(_SENDER, sender, "by hand", "no secret is kept", f"flywheel setup secret {sender}")
    address = local_address(session) if session.target.kind == "local" else session.facts.webhook_url
    if not address:
        return Row(_SENDER, sender, "failed", "the stack has no output LangfuseWebhookUrl", "deploy it again")
    try:
        statuses = [_status(session, address, sender, secret) for secret in (*valid, setup_secrets.generate())]
    except TransientError as error:
        return Row(_SENDER, sender, "failed", str(error), "see the webhook's log, then run this again")
    *accepted, forged = statuses
    if forged != HTTPStatus.UNAUTHORIZED:
        return Row(_SENDER, sender, "failed", f"a wrong proof got {forged}, not 401", "deploy the stack again")
    if refused := [status for status in accepted if status != HTTPStatus.OK]:
        step = f"flywheel setup secret {sender}, and check this machine's clock"
        return Row(_SENDER, sender, "refused", f"a test delivery got {refused[0]}", step)
    return Row(_SENDER, sender, "exists", "a test delivery was accepted, a wrong proof refused")


def _status(session: "Session", address: str, sender: str, secret: str) -> int:
    at = int(session.clock.now().timestamp())
    unsigned = sender == _UNSIGNED
    proof = {SECRET_HEADER: secret} if unsigned else {SIGNATURE_HEADER: sign(secret, _BODY, at)}
    return session.deliver(address + sender, {"content-type": "application/json", CHECK_HEADER: "1", **proof}, _BODY)
