"""Images, settings, Langfuse, bus and notifications in memory."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from flywheel.domain.golden import GoldenItem
from flywheel.domain.image_manifest import Finding
from flywheel.domain.unreadable_items import UnreadableItem, refusal
from flywheel.errors import AccessDeniedError, InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import Attempt, DatasetSnapshot, Image, TaggedImage
from tests.fakes.clock import NOON


class InMemoryImages:
    """`tags` maps tag -> digest; a digest is there when a tag points at it or `untagged` has it.

    `findings`: what a digest turns out to be, a runnable image unless it is named there. `pushed`: when (noon).
    """

    def __init__(self, tags: dict[str, str], revision: str | None = "abc123") -> None:
        self.tags = tags
        self.untagged: set[str] = set()
        self.revision = revision
        self.findings: dict[str, Finding] = {}
        self.pushed: dict[str, datetime] = {}
        self.down = False

    def resolve(self, reference: str) -> Image:
        digest = self.tags.get(reference, reference)
        if digest not in self.tags.values() and digest not in self.untagged:
            raise NotFoundError(reference)
        return Image("000000000000.dkr.ecr.us-east-1.amazonaws.com/flywheel-agent-dev", digest, self.revision)

    def look(self, reference: str) -> Finding:
        if self.down:
            raise TransientError("ECR does not answer")
        digest = self.resolve(reference).digest
        return self.findings.get(digest, Finding("runnable", "is an image for linux/arm64", digest))

    def tagged(self) -> list[TaggedImage]:
        digests = dict.fromkeys(self.tags.values())
        tags = {digest: tuple(tag for tag, of in self.tags.items() if of == digest) for digest in digests}
        return [TaggedImage(digest, tags[digest], self.pushed.get(digest, NOON)) for digest in digests]

    def add_tag(self, digest: str, tag: str) -> None:
        self.resolve(digest)
        self.tags[tag] = digest


class InMemorySettings:
    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def text(self, name: str) -> str | None:
        return self.texts.get(name)


class InMemoryPrompts:
    """Has every prompt, but those of `missing` (name and version); chat prompts are those of `chats`."""

    def __init__(self) -> None:
        self.missing: set[tuple[str, int]] = set()
        self.chats: set[tuple[str, int]] = set()

    def text(self, name: str, version: int) -> str:
        if (name, version) in self.missing:
            raise NotFoundError(name)
        if (name, version) in self.chats:
            raise InvalidRequestError(f"{name} is a chat prompt")
        return "Answer from the documentation."


class InMemoryDatasets:
    def __init__(self, name: str, items: Collection[GoldenItem]) -> None:
        self.datasets = {name: tuple(items)}
        self.down = False
        self.denied = False
        self.unreadable: tuple[UnreadableItem, ...] = ()

    def snapshot(self, name: str, version: datetime | None = None) -> DatasetSnapshot:
        if self.down:
            raise TransientError("Langfuse does not answer")
        if self.denied:
            raise AccessDeniedError("Langfuse answered 403")
        if name not in self.datasets:
            raise NotFoundError(name)
        if self.unreadable:
            raise InvalidRequestError(refusal(name, self.unreadable))
        return DatasetSnapshot(self.datasets[name], version or NOON)

    def look(self, name: str) -> DatasetSnapshot:
        unreadable, self.unreadable = self.unreadable, ()
        try:
            return self.snapshot(name)._replace(unreadable=unreadable)
        finally:
            self.unreadable = unreadable


class InMemoryScores:
    """Has every score that is asked for, but those of `lost` (trace id -> names)."""

    def __init__(self) -> None:
        self.lost: dict[str, frozenset[str]] = {}
        self.reads: list[int] = []

    def read_back(self, expected: Mapping[str, Collection[str]], *, deadline_s: float) -> Mapping[str, frozenset[str]]:
        self.reads.append(len(expected))
        return {trace: names for trace, names in self.lost.items() if trace in expected}


class RecordingBus:
    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.times: list[datetime | None] = []
        self.failures = 0

    def publish(self, detail_type: str, detail: Mapping[str, Any], *, at: datetime | None = None) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("the bus is throttled")
        self.events.append((detail_type, detail))
        self.times.append(at)

    @property
    def types(self) -> list[str]:
        return [detail_type for detail_type, _ in self.events]


class RecordingLetters:
    """The dead-letter queue, as far as it takes events that the bus did not."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, Mapping[str, Any]]] = []
        self.failures = 0

    def keep(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("the queue does not answer")
        self.letters.append((detail_type, detail))


class RecordingNotifier:
    def __init__(self) -> None:
        self.letters: list[tuple[str, str]] = []

    def notify(self, subject: str, message: str) -> None:
        self.letters.append((subject, message))


class InMemoryOnce:
    """`under_way`: keys that another call is at."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.under_way: set[str] = set()

    def run(self, key: str, effect: Callable[[], None]) -> None:
        if self.attempt(key, effect) == "under_way":
            raise TransientError(f"another call is at {key}")

    def attempt(self, key: str, effect: Callable[[], None]) -> Attempt:
        if key in self.done:
            return "before"
        if key in self.under_way:
            return "under_way"
        effect()
        self.done.add(key)
        return "done"


class RecordingCallbacks:
    """Knows no token that was used before, nor those of `closed`; fails first as often as `failures` says."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.closed: set[str] = set()
        self.failures = 0

    def succeed(self, task_token: str) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("states:SendTaskSuccess: ThrottlingException")
        if task_token in self.closed or task_token in self.woken:
            raise NotFoundError("the state machine does not wait for this call any more")
        self.woken.append(task_token)
