"""What happened -> our event bus."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from flywheel.adapters.awserrors import THROTTLED, translated
from flywheel.errors import FlywheelError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "flywheel"
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 4})


class EventBridgeBus:
    """One bus; every event has the source `flywheel`, which is what its rules and IAM conditions look at."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    @classmethod
    def from_bus(cls, bus: str, config: Config = _PATIENT) -> Self:
        return cls(boto3.client("events", config=config), bus)

    def publish(self, detail_type: str, detail: Mapping[str, Any], *, at: datetime | None = None) -> None:
        """Put one event. EventBridge keeps whole seconds of its time.

        Its time is always said: boto3 repeats a request whose answer was lost, and both events then differ in
        EventBridge's own id only, so that whoever makes an id of the time makes one.

        Raises:
            TransientError: the bus throttled or failed.
            FlywheelError: the bus refused the event; the message carries its code.
        """
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, allow_nan=False),
        }
        entry["Time"] = (at or datetime.now(UTC)).replace(microsecond=0)
        with translated(f"events:PutEvents {detail_type}"):
            reply = self._client.put_events(Entries=[entry])
        # PutEvents answers 200 for an event that it did not take.
        for result in reply["Entries"]:
            if code := result.get("ErrorCode"):
                said = f"events:PutEvents {detail_type}: {code}: {result.get('ErrorMessage', '')}"
                raise TransientError(said) if code in THROTTLED else FlywheelError(said)
