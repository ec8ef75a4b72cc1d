"""Changes of a prompt's versions, in any order and as often as they come -> which version has just got a label.

Langfuse tells of every change of a version with the labels that it has then. Deliveries may be late, come twice or in
the wrong order, and most of them are about something else: an edited tag sends one for every version. So what is known
of a version is its newest change only, by the time that Langfuse itself gives it, and what is known of the label is
where it was seen last. A label belongs to one version: seen on another one, it was taken away from this.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

# Versions of one prompt that are remembered; what is older than all of them is old news.
MOST_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One version of a prompt as it was at `at`; `gone`: it was deleted then. `delivery_id` is that of its message."""

    version: int
    at: datetime
    labels: frozenset[str]
    delivery_id: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest change of one version. A deletion bears the time of the change before it."""

    at: datetime
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where the label was seen last: `version` has had it at least from `since` to `at`.

    `kept`: it still has it, as far as is known. `request_id` is that of the change at `at`.
    """

    version: int
    since: datetime
    at: datetime
    request_id: str
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Gain:
    """A version got the label, no later than `at`. `request_id`: one for each gain, however often it is found."""

    version: int
    at: datetime
    request_id: str


@dataclass(frozen=True, slots=True)
class PromptState:
    """What is known of one prompt and one label.

    `waiting`: gains whose gate may not have been asked for yet. `floor`: of changes up to then some are forgotten.
    `revision` counts the writes: what is written must have been made of the revision that stands.
    """

    versions: Mapping[int, Seen] = field(default_factory=dict)
    last: Sighting | None = None
    waiting: tuple[Gain, ...] = ()
    floor: datetime | None = None
    revision: int = 0

    @property
    def holder(self) -> int | None:
        """The version that has the label, as far as is known."""
        return self.last.version if self.last is not None and self.last.kept else None


def after(state: PromptState, name: str, change: Change, label: str) -> PromptState:
    """The state with what the change tells; an equal state when it tells nothing new."""
    labelled = label in change.labels and not change.gone
    state = _away(state, change, labelled=labelled)
    before = state.versions.get(change.version)
    if before is None and state.floor is not None and change.at <= state.floor:
        return state
    if before is not None and (change.at, change.gone) <= (before.at, before.gone):
        return state
    state = replace(state, versions={**state.versions, change.version: Seen(change.at, change.gone)})
    return _bounded(_with(state, Sighting(change.version, change.at, change.at, _id(name, change)), labelled=labelled))


def asked(state: PromptState, gains: tuple[Gain, ...]) -> PromptState:
    """The state once the gates of these gains have been asked for."""
    return replace(state, waiting=tuple(gain for gain in state.waiting if gain not in gains))


def _away(state: PromptState, change: Change, *, labelled: bool) -> PromptState:
    """Late news that the holder was without its label in between: it has got it a second time."""
    last = state.last
    if last is None or not last.kept or not last.since < change.at < last.at:
        return state
    if (change.version == last.version) == labelled:
        return state
    return replace(state, last=replace(last, since=last.at), waiting=(*state.waiting, _gain(last)))


def _with(state: PromptState, now: Sighting, *, labelled: bool) -> PromptState:
    last = state.last
    same = last is not None and last.version == now.version
    if not labelled:
        return replace(state, last=replace(last, kept=False)) if last is not None and same else state
    if last is not None and not same and last.at > now.at:
        return state  # another version has had it since: whoever wants this one's gate is too late
    if last is not None and same and last.kept:
        return replace(state, last=replace(now, since=last.since))
    return replace(state, last=now, waiting=(*state.waiting, _gain(now)))


def _gain(sighting: Sighting) -> Gain:
    return Gain(sighting.version, sighting.at, sighting.request_id)


def _id(name: str, change: Change) -> str:
    what = f"{name}\0{change.version}\0{change.delivery_id}"
    return "prompt-" + hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _bounded(state: PromptState) -> PromptState:
    excess = len(state.versions) - MOST_VERSIONS
    if excess <= 0:
        return state
    oldest = sorted((seen.at, version) for version, seen in state.versions.items() if version != state.holder)[:excess]
    dropped = {version for _, version in oldest}
    kept = {version: seen for version, seen in state.versions.items() if version not in dropped}
    floor = oldest[-1][0] if state.floor is None else max(state.floor, oldest[-1][0])
    return replace(state, versions=kept, floor=floor)
