"""What no API of Langfuse offers: for each sender where to click, and the exact values to paste."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.problems import CommandError
from flywheel.deliveries import SECRET_HEADER

if TYPE_CHECKING:
    from cli.facts import StackFacts

_SHOWN_ONCE = "Langfuse signs, and shows its secret once: keep it by `flywheel setup secret {}`"
_HEADER = (
    f"header {SECRET_HEADER}, its value the secret that `flywheel setup secret {{}} --generate` makes and tells how "
    "to read"
)
# Sender -> where, for which events, how it proves who it is.
_SENDERS = {
    "prompt-version": ("a new automation, source prompt, action webhook", "created, updated, deleted", _SHOWN_ONCE),
    "monitor-alert": ("a new automation, source monitor, action webhook", "all severities, OK among them", _SHOWN_ONCE),
    "project-notification": ("a new automation, source project notification, action webhook", "all", _SHOWN_ONCE),
    "remote-experiment": (
        "the golden dataset: custom experiment (remote), signing on",
        "each start",
        _SHOWN_ONCE + "; where it does not sign: " + _HEADER,
    ),
    "web-callout": ("the web callout of the project (there is one)", "each call", _HEADER),
}


@dataclass(frozen=True, slots=True)
class Click:
    sender: str
    where: str
    url: str
    events: str
    proof: str


def clicks(facts: "StackFacts", webhook_url: str) -> tuple[Click, ...]:
    """One for each sender; `webhook_url`: the webhook's address as Langfuse reaches it, ending in a slash.

    Raises:
        CommandError: the stack has no webhook.
    """
    if not webhook_url:
        raise CommandError(f"stack {facts.stack} has no output LangfuseWebhookUrl: deploy it again")
    return tuple(
        Click(sender, where, webhook_url + sender, events, proof.replace("{}", sender))
        for sender, (where, events, proof) in _SENDERS.items()
    )


def lines_of(click: Click) -> Iterator[str]:
    yield f"{click.sender}: {click.where}"
    yield f"    URL:    {click.url}"
    yield f"    events: {click.events}"
    yield f"    proof:  {click.proof}"
