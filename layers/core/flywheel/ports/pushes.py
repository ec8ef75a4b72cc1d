"""What was pushed: the images of our repository by their tags, and which gate judges each of them."""

from datetime import datetime
from typing import NamedTuple, Protocol

from flywheel.domain.pushes import PushClaim


class TaggedImage(NamedTuple):
    """`pushed_at`: when the digest was pushed first; a tag that it got later does not move that."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


class TaggedImages(Protocol):
    def tagged(self) -> list[TaggedImage]:
        """Everything that has a tag, in no order, images or not."""
        ...


class ReleaseTags(TaggedImages, Protocol):
    def add_tag(self, digest: str, tag: str) -> None:
        """Give it one more tag; nothing happens when it has that already. Raise `NotFoundError` when it is gone."""
        ...


class PushClaims(Protocol):
    """The newest claim on each digest that runs."""

    def claim_on(self, runs: str) -> PushClaim | None: ...

    def claim(self, claim: PushClaim, *, instead_of: PushClaim | None) -> bool:
        """Make it the one that stands; False, and nothing changed, when another one than `instead_of` does."""
        ...
