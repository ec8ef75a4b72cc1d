"""What commands need of AWS and Langfuse beyond the product's own ports; `cli.aws` has the real parts."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flywheel.domain.golden import GoldenItem
    from flywheel.ports import DatasetSnapshot


class Executions(Protocol):
    """Executions of the stack's state machines."""

    def start(self, machine_arn: str, name: str, said: str) -> str:
        """Start one with that name and input (JSON text); give its ARN."""
        ...

    def status(self, execution_arn: str) -> str:
        """`RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`."""
        ...

    def state(self, execution_arn: str) -> str | None:
        """Name of the state entered last; None when none was."""
        ...

    def failed_at(self, execution_arn: str) -> tuple[str, str] | None:
        """State and error name of the last call that failed; None when none did."""
        ...

    def stop(self, execution_arn: str, cause: str) -> None:
        """Stop it where it is; one that has ended stays as it is."""
        ...


class Settings(Protocol):
    """Settings of the environment, below its SSM prefix."""

    def text(self, name: str) -> str | None: ...

    def put(self, name: str, value: str) -> None: ...

    def put_secret(self, name: str, value: str) -> None: ...


class Runs(Protocol):
    def run(self, *, dry_run: bool) -> dict[str, Any]:
        """Do now what the function does on its schedule; the summary of the run."""
        ...


class Requests(Protocol):
    def send(self, detail_type: str, detail: dict[str, Any], at: datetime) -> None:
        """Put an event of the command line on the bus, with that time."""
        ...


class Dataset(Protocol):
    """The golden dataset in Langfuse."""

    def snapshot(self, name: str, version: datetime | None = None) -> "DatasetSnapshot": ...

    def look(self, name: str) -> "DatasetSnapshot": ...

    def ensure(self, name: str) -> str: ...

    def upsert(self, name: str, items: "Sequence[GoldenItem]") -> None: ...

    def archive(self, name: str, item_ids: Sequence[str]) -> None: ...
