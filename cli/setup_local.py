"""A local stack -> its Langfuse set up, secrets made, and the stand-in's automations pointed at the webhook."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from cli import setup_plan, setup_rows, setup_secrets
from cli.problems import CommandError
from flywheel.deliveries import SECRET_HEADER, SENDERS

if TYPE_CHECKING:
    from cli.session import Session
    from local.stack_info import StackInfo

_CONTROL = "/_webhooks"
# Langfuse cannot sign a callout: it brings the secret in a header.
_UNSIGNED = "web-callout"

type Post = Callable[[str, dict[str, Any]], None]


def set_up(session: "Session", info: "StackInfo", say: Callable[[str], None]) -> list[setup_rows.Row]:
    """Everything of `flywheel setup`, and what a person clicks in a real Langfuse. Safe to repeat.

    Against a real Langfuse the clicks are left: it cannot reach this machine. Gives a row about each part.

    Raises:
        CommandError: a part of Langfuse was refused, or it does not answer; the stand-in takes no automation.
    """
    rows = list(setup_rows.carry_out(setup_plan.parts(session, setup_plan.Choices()), dry_run=False))
    for row in rows:
        if row.state in setup_rows.WANTING | setup_rows.BROKEN:
            raise CommandError(f"{row.part} {row.name}: {row.state}: {row.said}; {row.next_step}")
    made = sum(row.state in ("created", "changed") for row in rows)
    say(f"Langfuse is set up: {made} parts made, {len(rows) - made} there already")
    current = {sender: _secret(session, sender) for sender in sorted(SENDERS)}
    if info.langfuse.kind != "stand-in":
        say("this Langfuse cannot reach the webhook of this machine: no automations")
        return rows
    point_automations(info.langfuse.url, local_address(session), current, _post)
    say(f"deliveries of {', '.join(current)} go to the webhook")
    return rows


def point_automations(langfuse_url: str, webhook_url: str, secrets: dict[str, str], post: Post) -> None:
    """Tell the stand-in where each sender delivers, and with which secret; the same once more changes nothing."""
    for sender, secret in secrets.items():
        proof: dict[str, Any] = {"headers": {SECRET_HEADER: secret}} if sender == _UNSIGNED else {"secret": secret}
        post(langfuse_url + _CONTROL, {"sender": sender, "url": webhook_url + sender, **proof})


def local_address(session: "Session") -> str:
    """Where the emulator answers for the webhook's Function URL, whose own name no DNS knows; ends in a slash."""
    url = session.facts.webhook_url
    if not url:
        raise CommandError(f"stack {session.facts.stack} has no output LangfuseWebhookUrl: deploy it again")
    url_id = (urlsplit(url).hostname or "").partition(".")[0]
    return f"{os.environ['AWS_ENDPOINT_URL'].rstrip('/')}/_aws/lambda-url/{url_id}/"


def _secret(session: "Session", sender: str) -> str:
    valid = setup_secrets.kept(session.settings, sender)
    if valid:
        return valid[0]
    secret = setup_secrets.generate()
    setup_secrets.keep(session.settings, sender, secret)
    return secret


def _post(url: str, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json"}
    try:
        reply = urllib3.request("POST", url, body=body, headers=headers, timeout=10.0, retries=2)
    except urllib3.exceptions.HTTPError as error:
        raise CommandError(f"the stand-in of Langfuse at {url} does not answer ({type(error).__name__})") from error
    if reply.status >= 400:  # noqa: PLR2004
        raise CommandError(f"the stand-in of Langfuse refused an automation: {reply.status}")
