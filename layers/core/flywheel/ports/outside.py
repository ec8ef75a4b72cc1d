"""Everything else that is outside: time, objects, images, settings, Langfuse, the bus and people."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from flywheel.domain.golden import GoldenItem
from flywheel.domain.image_manifest import Finding
from flywheel.domain.unreadable_items import UnreadableItem

# What became of an effect: carried out now, at an earlier time, or by another call that is at it just now.
type Attempt = Literal["done", "before", "under_way"]


class Clock(Protocol):
    def now(self) -> datetime: ...


class ObjectStore(Protocol):
    """Evidence: objects by key."""

    def read(self, key: str) -> bytes:
        """Raise `NotFoundError` when there is no such object."""
        ...

    def create(self, key: str, body: bytes, content_type: str = "application/json") -> bool:
        """Write once: False, and nothing changed, when the object is there already."""
        ...

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        """Write, replacing what is there."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Every key that starts with `prefix`, sorted; all pages."""
        ...


@dataclass(frozen=True, slots=True)
class Image:
    """An image of our repository. `revision` is its label `org.opencontainers.image.revision`, None without one."""

    repository_uri: str
    digest: str
    revision: str | None = None


class ImageRegistry(Protocol):
    def resolve(self, reference: str) -> Image:
        """`reference` is a tag or a `sha256:` digest of our repository. Raise `NotFoundError` when it has no such."""
        ...

    def look(self, reference: str) -> Finding:
        """Say whether it is an image that runs here, or what else. Raise `NotFoundError` when there is no such."""
        ...


class Settings(Protocol):
    """Settings of this environment that people change without a deployment (SSM)."""

    def text(self, name: str) -> str | None:
        """Give the parameter's value, decrypted; None when there is no such parameter."""
        ...


class DatasetSnapshot(NamedTuple):
    """`version` is the time at which the items were read; reading that version again gives the same items.

    `unreadable`: what people put into the dataset and is no golden item; only `look` gives any.
    """

    items: tuple[GoldenItem, ...]
    version: datetime
    unreadable: tuple[UnreadableItem, ...] = ()


class DatasetStore(Protocol):
    def snapshot(self, name: str, version: datetime | None = None) -> DatasetSnapshot:
        """All active items, now or as of `version`, to judge by.

        Raises:
            NotFoundError: there is no such dataset.
            InvalidRequestError: items that people made are no golden items; names them all, and how each is mended.
        """
        ...

    def look(self, name: str) -> DatasetSnapshot:
        """The golden items of now, and beside them what is none: for all that does not judge by them.

        Raises:
            NotFoundError: there is no such dataset.
        """
        ...


class ScoreStore(Protocol):
    def read_back(self, expected: Mapping[str, Collection[str]], *, deadline_s: float) -> Mapping[str, frozenset[str]]:
        """Give what is missing of `expected` (trace id -> names of its scores); empty: all of them are there."""
        ...


class PromptStore(Protocol):
    def text(self, name: str, version: int) -> str:
        """Raise `NotFoundError` when there is no such prompt version."""
        ...


class EventBus(Protocol):
    def publish(self, detail_type: str, detail: Mapping[str, Any], *, at: datetime | None = None) -> None:
        """Put one event on our bus. `at` is its time, to the second; None is now."""
        ...


class Once(Protocol):
    def attempt(self, key: str, effect: Callable[[], None]) -> Attempt:
        """Carry the effect out unless it was, or is being, carried out under this key.

        Raises:
            TransientError: it is not known whether it was: nothing was done; or the effect is done and not on record.
        """
        ...

    def run(self, key: str, effect: Callable[[], None]) -> None:
        """Carry the effect out unless it was carried out under this key before."""
        ...


class Callbacks(Protocol):
    """Tasks of a state machine that wait for somebody."""

    def succeed(self, task_token: str) -> None:
        """Let the task go on. Raise `NotFoundError` when it does not wait any more."""
        ...


class Notifier(Protocol):
    def notify(self, subject: str, message: str) -> None: ...
