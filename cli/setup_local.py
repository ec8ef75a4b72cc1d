"""A local stack -> its Langfuse set up, secrets made, and the stand-in's automations pointed at the webhook."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from cli import setup_plan, setup_rows, setup_secrets, setup_server
from cli.langfuse_reach import webhook_notes
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

    Whatever this Langfuse does not allow is said in one list, with the mend. What only Langfuse's own evaluators need
    ends nothing, and neither do the clicks that are left against a real one. Gives a row about each part.

    Raises:
        CommandError: what gates or the loop need was refused, or Langfuse does not answer; the stand-in takes no
            automation.
    """
    rows = [setup_server.server(session)]
    if rows[0].state == "exists":
        rows += setup_rows.carry_out(setup_plan.parts(session, setup_plan.Choices()), dry_run=False)
    lacking = [row for row in rows if row.state in setup_rows.WANTING | setup_rows.BROKEN]
    needed = [row for row in lacking if row.part not in setup_rows.OPTIONAL]
    if needed:
        raise CommandError("\n".join(["Langfuse lacks what gates or the loop need:", *map(_told, lacking)]))
    made = sum(row.state in ("created", "changed") for row in rows)
    there = sum(row.state == "exists" for row in rows)
    say(f"Langfuse is set up: {made} parts made, {there} there already")
    notes = [_told(row) for row in lacking]
    webhook = local_address(session, info.aws.url)
    if info.langfuse.kind != "stand-in":
        notes += _deliveries(info.langfuse.url, webhook)
    if notes:
        say("this Langfuse does not do all of it yet; gates and the loop need none of these:")
        for note in notes:
            say(note)
    current = {sender: _secret(session, sender) for sender in sorted(SENDERS)}
    if info.langfuse.kind != "stand-in":
        return rows
    point_automations(info.langfuse.url, webhook, current, _post)
    say(f"deliveries of {', '.join(current)} go to the webhook")
    return rows


def point_automations(langfuse_url: str, webhook_url: str, secrets: dict[str, str], post: Post) -> None:
    """Tell the stand-in where each sender delivers, and with which secret; the same once more changes nothing."""
    for sender, secret in secrets.items():
        proof: dict[str, Any] = {"headers": {SECRET_HEADER: secret}} if sender == _UNSIGNED else {"secret": secret}
        post(langfuse_url + _CONTROL, {"sender": sender, "url": webhook_url + sender, **proof})


def local_address(session: "Session", endpoint: str | None = None) -> str:
    """Where the emulator answers for the webhook's Function URL, whose own name no DNS knows; ends in a slash.

    `endpoint`: the emulator's own address; None: that of this process's environment.
    """
    url = session.facts.webhook_url
    if not url:
        raise CommandError(f"stack {session.facts.stack} has no output LangfuseWebhookUrl: deploy it again")
    url_id = (urlsplit(url).hostname or "").partition(".")[0]
    return f"{(endpoint or os.environ['AWS_ENDPOINT_URL']).rstrip('/')}/_aws/lambda-url/{url_id}/"


def _told(row: setup_rows.Row) -> str:
    whose = " (only evaluators that Langfuse runs itself need it)" if row.part in setup_rows.OPTIONAL else ""
    return f"- {row.part} {row.name}{whose}: {row.state}: {row.said}; {row.next_step}"


def _deliveries(langfuse_url: str, webhook: str) -> list[str]:
    """Langfuse tells nobody whether it would deliver there: what it takes is said beforehand."""
    notes = (note.strip() for note in webhook_notes(langfuse_url, webhook))
    return [
        "- webhooks (for what is changed or started in Langfuse itself): `flywheel setup langfuse` lists the clicks",
        *(f"  {note}" for note in notes),
    ]


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
