"""Outbound requests as a real 4.16.0 makes them: headers, signature, attempts, time-outs.

Nothing is sent unless an address was given by hand (`local.langfuse.webhooks`).
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.langfuse.wire import to_json

# Seconds before the second, third and fourth attempt; the same request each time.
PAUSES_S = (0.1, 0.2, 0.4)
WEBHOOK_TIMEOUT_S = 10.0
EXPERIMENT_TIMEOUT_S = 20.0
CALLOUT_TIMEOUT_S = 5.0
# Executions in a row that failed, after which these automations are switched off.
_DISABLED_AFTER = 5
_DISABLED = ("prompt-version", "monitor-alert")
_OWN = ("content-type", "user-agent", "x-langfuse-signature")
_FETCH = (("accept", "*/*"), ("accept-language", "*"), ("sec-fetch-mode", "cors"), ("accept-encoding", "gzip, deflate"))


@dataclass(slots=True)
class Automation:
    """Where one sender's deliveries go. `secret` None: they are not signed. `failures`: executions failed in a row."""

    sender: str
    url: str
    secret: str | None
    headers: Mapping[str, str]
    enabled: bool = True
    sent: int = 0
    failures: int = 0
    answers: list[int | str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {
            "sender": self.sender,
            "url": self.url,
            "signed": self.secret is not None,
            "enabled": self.enabled,
            "sent": self.sent,
            "failures": self.failures,
            "answers": self.answers[-20:],
        }

    def note(self, *, succeeded: bool) -> None:
        self.sent += 1
        self.failures = 0 if succeeded else self.failures + 1
        if self.sender in _DISABLED and self.failures >= _DISABLED_AFTER:
            self.enabled = False


class Outbound:
    """All automations of the project, and the deliveries that are on their way."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, now: Callable[[], float] = time.time) -> None:
        self.automations: list[Automation] = []
        self._transport = transport
        self._now = now
        self._under_way: set[asyncio.Task[None]] = set()

    def of(self, sender: str) -> list[Automation]:
        return [one for one in self.automations if one.sender == sender and one.enabled]

    def send(self, sender: str, payload: Callable[[], dict[str, Any]]) -> int:
        """Start one delivery, with an id of its own, to each automation of this sender; how many there are."""
        found = self.of(sender)
        for automation in found:
            task = asyncio.get_running_loop().create_task(self._deliver(automation, to_json(payload()).encode()))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(found)

    async def settled(self) -> None:
        """Wait until nothing is on its way."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def ask(self, sender: str, payload: dict[str, Any], timeout_s: float) -> list[dict[str, Any]]:
        """Send once, without retries, and give what was answered: a person waits for it."""
        body = to_json(payload).encode()
        told: list[dict[str, Any]] = []
        for automation in self.of(sender):
            answer = await self._attempt(automation, body, self._headers(automation, body), timeout_s)
            automation.note(succeeded=_is_success(answer))
            told.append({"url": automation.url, "answered": answer})
        return told

    async def _deliver(self, automation: Automation, body: bytes) -> None:
        headers = self._headers(automation, body)  # signed once: the time in it does not move with the attempts
        for pause_s in (0.0, *PAUSES_S):
            await asyncio.sleep(pause_s)
            answer = await self._attempt(automation, body, headers, WEBHOOK_TIMEOUT_S)
            if _is_success(answer):
                break
        automation.note(succeeded=_is_success(answer))

    async def _attempt(
        self, automation: Automation, body: bytes, headers: list[tuple[str, str]], timeout_s: float
    ) -> int | str:
        try:
            async with (
                asyncio.timeout(timeout_s),
                httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=timeout_s) as client,
            ):
                request = httpx.Request("POST", automation.url, headers=headers, content=body)
                answer: int | str = (await client.send(request, follow_redirects=True)).status_code
        except (TimeoutError, httpx.TimeoutException):
            answer = "timeout"
        except httpx.HTTPError as error:
            answer = type(error).__name__
        automation.answers.append(answer)
        return answer

    def _headers(self, automation: Automation, body: bytes) -> list[tuple[str, str]]:
        first = [("host", httpx.URL(automation.url).netloc.decode()), ("connection", "keep-alive")]
        last = [*_FETCH, ("content-length", str(len(body)))]
        own = [("content-type", "application/json"), ("user-agent", "Langfuse/1.0")]
        custom = [(name, value) for name, value in automation.headers.items() if name.lower() not in _OWN]
        if automation.sender == "web-callout":  # these come in another order and in capitals
            return first + [(name.title(), value) for name, value in own] + custom + last
        if automation.sender == "remote-experiment":
            custom = [(name.lower(), value) for name, value in custom]
        if automation.secret is not None:
            at = int(self._now())
            digest = hmac.new(automation.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
            own.append(("x-langfuse-signature", f"t={at},v1={digest}"))
        return first + custom + own + last


def _is_success(answer: int | str) -> bool:
    return isinstance(answer, int) and 200 <= answer < 300  # noqa: PLR2004 - any 2xx
