"""What follows a delivery of Langfuse: a labelled prompt version -> a gate; an alert or a notice -> people, once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flywheel.combining import parse_agent_settings
from flywheel.deliveries import MonitorAlerted, ProjectNotified, PromptVersionChanged
from flywheel.domain.prompt_labels import Change, Gain, PromptState, after, asked
from flywheel.errors import ConflictError, TransientError
from flywheel.ports import EventBus, Notifier, Once, PromptStates, Release, ReleaseStore, Settings
from flywheel.triggers import PRODUCTION, PROMPT_VERSION

# Whoever gives this label to a version asks for its gate.
CANDIDATE_LABEL = "candidate"
_ATTEMPTS = 8
_RELEASES_LOOKED_AT = 20
# How long after a release our own move of the label `production` may change its prompt version.
_LABEL_FOLLOWS_IN = timedelta(minutes=1)
_BODY_LIMIT = 2000
_ENDED = "OK"


@dataclass(frozen=True, slots=True)
class Followed:
    """`gates` were asked for by this call; `why` says in words why there are none."""

    gates: int = 0
    why: str = ""


class PromptFollower:
    """Asks for one gate each time that a version gets the label.

    What is due is put on record with the change that shows it, before it is asked for: a call that is killed in between
    is made up for by the next one, whichever delivery that is for. A gate is asked for with an id and a time of its
    own, so that asking twice asks for the same gate.
    """

    def __init__(self, *, states: PromptStates, releases: ReleaseStore, parameters: Settings, bus: EventBus) -> None:
        self._states = states
        self._releases = releases
        self._parameters = parameters
        self._bus = bus

    def follow(self, event: PromptVersionChanged) -> Followed:
        """Take one delivery.

        Raises:
            InvalidRequestError: the environment's setting `agent` cannot be read.
            TransientError: something does not answer now, or others change the same prompt at this moment.
        """
        ours = self._ours()
        if ours not in (None, event.name):
            return Followed(why=f"the agent's prompt is {ours}")
        state = self._noted(event)
        if not state.waiting:
            return Followed(why=f"no version got the label {CANDIDATE_LABEL}")
        gates = sum(self._ask(event.name, gain) for gain in state.waiting)
        self._change(event.name, lambda now: asked(now, state.waiting))
        return Followed(gates, "" if gates else "that version is in production already, or was then")

    def _ours(self) -> str | None:
        """The agent's prompt by the settings; None: they name none, so that any prompt may be it."""
        text = self._parameters.text("agent")
        if text is None:
            return None
        prompt = parse_agent_settings(text).prompt
        return prompt.name if prompt else None

    def _noted(self, event: PromptVersionChanged) -> PromptState:
        change = Change(
            version=event.prompt_version,
            at=event.updated_at,
            labels=frozenset(event.labels),
            delivery_id=event.delivery_id,
            gone=event.action == "deleted",
        )
        return self._change(event.name, lambda now: after(now, event.name, change, CANDIDATE_LABEL))

    def _change(self, name: str, make: Callable[[PromptState], PromptState]) -> PromptState:
        """Write what `make` makes of what stands, if that is something else; give what stands then."""
        for _ in range(_ATTEMPTS):
            now = self._states.get(name)
            new = make(now)
            if new == now:
                return now
            try:
                self._states.put(name, new)
            except ConflictError:
                continue
            return new
        raise TransientError(f"others keep changing what is known of the prompt {name[:200]!r}")

    def _ask(self, name: str, gain: Gain) -> bool:
        """Ask for the gate of a gain; False: production runs that version already, or ran it when the gain was seen.

        The second is news of our own: a version that was rolled back may still have the label, and loses `production`
        just then. Whoever has not seen its label before must not take that for a wish.
        """
        if any(_ran_it(release, name, gain) for release in self._releases.releases(_RELEASES_LOOKED_AT)):
            return False
        detail = {
            "version": 1,
            "request_id": gain.request_id,
            "image": PRODUCTION,
            "prompt": {"name": name, "version": gain.version},
            "reason": PROMPT_VERSION,
        }
        self._bus.publish("GateRequested", detail, at=gain.at)
        return True


def _ran_it(release: Release, name: str, gain: Gain) -> bool:
    if (release.candidate.prompt_name, release.candidate.prompt_version) != (name, gain.version):
        return False
    return release.until is None or release.since <= gain.at <= release.until + _LABEL_FOLLOWS_IN


class Messenger:
    """Tells people what Langfuse has noticed: each delivery once."""

    def __init__(self, environment: str, *, notifier: Notifier, once: Once) -> None:
        self._environment = environment
        self._notifier = notifier
        self._once = once

    def alert(self, event: MonitorAlerted) -> None:
        """An alert that begins, changes or ends."""
        said = "it has ended" if event.severity == _ENDED else f"severity {event.severity}"
        lines = [
            f"{event.title or 'A monitor of Langfuse'}: {said} ({event.at:%Y-%m-%d %H:%M} UTC).",
            f"Window: {event.window}, {event.from_:%Y-%m-%d %H:%M} to {event.to:%Y-%m-%d %H:%M} UTC, {event.view}.",
            _short(event.body),
            event.permalink or "",
        ]
        word = "ended" if event.severity == _ENDED else event.severity
        self._tell(event.delivery_id, f"{word}: {event.title or 'a monitor of Langfuse'}", lines)

    def notice(self, event: ProjectNotified) -> None:
        """Something that Langfuse tells about the project itself."""
        lines = [
            f"Langfuse says of {event.resource_name}: {event.event_type}, severity {event.severity}.",
            _short(event.message),
            event.url or "",
        ]
        self._tell(event.delivery_id, f"{event.severity}: {event.event_type}", lines)

    def _tell(self, delivery_id: str, subject: str, lines: list[str]) -> None:
        text = "\n".join(line for line in lines if line)
        self._once.run(
            f"delivery/{delivery_id}/notification",
            lambda: self._notifier.notify(f"[{self._environment}] {subject}", text),
        )


def _short(text: str) -> str:
    return text if len(text) <= _BODY_LIMIT else text[: _BODY_LIMIT - 4] + " ..."
