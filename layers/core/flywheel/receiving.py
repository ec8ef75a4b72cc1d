"""One request from Langfuse -> verified, one event on the bus for each delivery, and the answer to its sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, cast

from flywheel.deliveries import (
    CHECK_HEADER,
    MAY_BE_UNSIGNED,
    SECRET_HEADER,
    SENDERS,
    SIGNATURE_HEADER,
    Delivery,
    Ignored,
    Sender,
    read_delivery,
)
from flywheel.domain.signature import is_secret, verify
from flywheel.errors import FlywheelError, InvalidRequestError

if TYPE_CHECKING:
    from flywheel.ports import Clock, EventBus, Once
    from flywheel.sender_secrets import SenderSecrets

# Langfuse takes bodies of up to 4.5 MB, and a prompt comes with its whole text; Lambda's own limit is 6 MB.
MOST_BYTES = 5 * 1024 * 1024

type Outcome = Literal[
    "Accepted",
    "Replayed",
    "Checked",
    "DeadLettered",
    "Ignored",
    "Refused",
    "Malformed",
    "UnknownPath",
    "WrongMethod",
    "WrongContentType",
    "TooLarge",
    "UnderWay",
    "Failed",
]
# Retries of Langfuse end with any 2xx; it shows other answers to nobody but who looks at the automation.
STATUS: Mapping[Outcome, int] = {
    "Accepted": 200,
    "Replayed": 200,
    "Checked": 200,
    "DeadLettered": 202,
    "Ignored": 202,
    "Refused": 401,
    "Malformed": 400,
    "UnknownPath": 404,
    "WrongMethod": 405,
    "WrongContentType": 415,
    "TooLarge": 413,
    "UnderWay": 503,
    "Failed": 503,
}


class DeadLetters(Protocol):
    """Where an event goes that the bus does not take, so that it can be handed over again."""

    def keep(self, detail_type: str, detail: Mapping[str, object]) -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """As it came; names of headers in lower case, a header that came twice joined by commas. `body`: the raw bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is for the log, never for the sender; it repeats nothing of what was sent."""

    outcome: Outcome
    sender: str | None = None
    delivery_id: str | None = None
    reason: str | None = None

    @property
    def status(self) -> int:
        return STATUS[self.outcome]


class Receiver:
    """`tolerance_s`: how far a signature's time may be from ours, either way."""

    def __init__(
        self,
        *,
        secrets: "SenderSecrets",
        once: "Once",
        bus: "EventBus",
        letters: DeadLetters,
        clock: "Clock",
        tolerance_s: float,
    ) -> None:
        self._secrets = secrets
        self._once = once
        self._bus = bus
        self._letters = letters
        self._clock = clock
        self._tolerance_s = tolerance_s

    def receive(self, request: Request) -> Answer:
        """Answer one request; whatever it is and whatever is down, this raises nothing of its own."""
        sender = _sender(request)
        if isinstance(sender, Answer):
            return sender
        try:
            verified = self._verify(sender, request)
        except FlywheelError as error:  # the secret cannot be read: Langfuse may come again
            return Answer("Failed", sender, reason=str(error))
        if isinstance(verified, Answer):
            return verified
        if request.headers.get(CHECK_HEADER) == "1":  # somebody who has the secret asks whether it is the right one
            return Answer("Checked", sender)
        return self._read(sender, request.body, verified)

    def _verify(self, sender: Sender, request: Request) -> int | Answer | None:
        """Give the second at which it was signed, None when it came unsigned with the secret; or the refusal.

        Raises:
            FlywheelError: the secrets cannot be read.
        """
        header = request.headers.get(SIGNATURE_HEADER)
        given = request.headers.get(SECRET_HEADER) if sender in MAY_BE_UNSIGNED else None
        if header is None and given is None:
            return Answer("Refused", sender, reason="neither signature nor secret")
        secrets = self._secrets.of(sender)
        for _ in range(2):
            if header is not None:
                now = self._clock.now().timestamp()
                signed_at = verify(header, request.body, secrets, now=now, tolerance_s=self._tolerance_s)
                if signed_at is not None:
                    return signed_at
            elif given is not None and is_secret(given, secrets):
                return None
            before, secrets = secrets, self._secrets.again(sender)  # it may have been set a moment ago
            if secrets == before:
                break
        return Answer("Refused", sender, reason="not verified" if secrets else "no secret is set")

    def _read(self, sender: Sender, body: bytes, signed_at: int | None) -> Answer:
        now = self._clock.now()
        # The same for each try of a delivery, as its id is: ids of gates and experiments are made of it.
        at = now.replace(second=0) if signed_at is None else datetime.fromtimestamp(signed_at, UTC)
        try:
            delivery = read_delivery(sender, body, signed_at=signed_at, received_at=now)
        except InvalidRequestError as error:
            return Answer("Malformed", sender, reason=str(error))
        if isinstance(delivery, Ignored):
            return Answer("Ignored", sender, reason=delivery.reason)
        return self._accept(sender, delivery, at)

    def _accept(self, sender: Sender, delivery: Delivery, at: datetime) -> Answer:
        handed: list[Outcome] = []
        tried: list[Delivery] = []

        def hand_on() -> None:
            tried.append(delivery)
            handed.append(self._hand_on(delivery, at))

        try:
            attempt = self._once.attempt(f"webhook/{sender}/{delivery.id}", hand_on)
        except FlywheelError as error:
            if not handed and not tried:  # the table does not answer: nobody can tell whether it was here before
                return self._keep(sender, delivery, str(error))
            # Handed on, but not on record: whoever acts on the event does so once for each delivery id.
            return Answer(handed[0] if handed else "Failed", sender, delivery.id, str(error))
        if attempt == "under_way":
            return Answer("UnderWay", sender, delivery.id)
        return Answer(handed[0] if handed else "Replayed", sender, delivery.id)

    def _hand_on(self, delivery: Delivery, at: datetime) -> Outcome:
        try:
            self._bus.publish(delivery.detail_type, delivery.detail(), at=at)
        except FlywheelError:
            self._letters.keep(delivery.detail_type, delivery.detail())
            return "DeadLettered"
        return "Accepted"

    def _keep(self, sender: Sender, delivery: Delivery, reason: str) -> Answer:
        try:
            self._letters.keep(delivery.detail_type, delivery.detail())
        except FlywheelError as error:
            return Answer("Failed", sender, delivery.id, str(error))
        return Answer("DeadLettered", sender, delivery.id, reason)


def _sender(request: Request) -> Sender | Answer:
    """Whose delivery it says to be; or what is wrong with the request before anybody looks inside."""
    name = request.path.removeprefix("/")
    if name not in SENDERS or request.path == name:
        return Answer("UnknownPath")
    sender = cast("Sender", name)
    if request.method != "POST":
        return Answer("WrongMethod", sender)
    if len(request.body) > MOST_BYTES:
        return Answer("TooLarge", sender)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Answer("WrongContentType", sender)
    return sender
