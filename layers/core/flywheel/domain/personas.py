"""Synthetic users: who they are, what they ask, and by which rules an answer leads to their next question."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flywheel.domain.synthetic import USER_PREFIX

PHRASE = "{phrase}"
USERS_PER_PERSONA = 20
_MOST_WORDS = 12
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
# Whoever asks again would name the thing, not repeat its markup.
_MARKUP = re.compile(r"[`*_#>|]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a turn, as far as a follow-up may depend on it. `errored`: there is no answer."""

    answer: str = ""
    tools: tuple[str, ...] = ()
    refused: bool = False
    errored: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when everything that is given holds. Of `contains` one text is enough, of `lacks` none may be there.

    Case does not count. Without `errored` it does not hold for a turn that has no answer.
    """

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    tool: str | None = None
    refused: bool | None = None
    errored: bool | None = None

    def holds(self, reply: Reply) -> bool:
        if reply.errored or self.errored:
            return reply.errored and bool(self.errored)
        answer = reply.answer.casefold()
        return (
            (not self.contains or any(text.casefold() in answer for text in self.contains))
            and not any(text.casefold() in answer for text in self.lacks)
            and (self.tool is None or self.tool in reply.tools)
            and (self.refused is None or self.refused == reply.refused)
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """`say` may hold `{phrase}`: a phrase of the answer before."""

    say: str
    condition: Condition = Condition()
    must_refuse: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A conversation: one of `opens`, then of each entry of `then` the first branch whose condition holds.

    It ends when no branch holds. `edge` says what is unusual about it, None when nothing is.
    """

    name: str
    opens: tuple[str, ...]
    then: tuple[tuple[Branch, ...], ...] = ()
    must_refuse: bool = False
    weight: float = 1.0
    edge: str | None = None

    @property
    def most_turns(self) -> int:
        return 1 + len(self.then)


@dataclass(frozen=True, slots=True)
class Persona:
    """`language` is a BCP 47 tag; `goal` and `tone` tell people what the questions are written for.

    `in_turn`: its scenarios are asked one after the other, each once before any comes again, and not drawn by weight.
    """

    name: str
    goal: str
    tone: str
    language: str
    scenarios: tuple[Scenario, ...]
    weight: float = 1.0
    in_turn: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may arrive. `personas` is not empty, and no two have one name."""

    personas: tuple[Persona, ...]

    @property
    def most_turns(self) -> int:
        """Turns of the longest conversation."""
        return max(scenario.most_turns for persona in self.personas for scenario in persona.scenarios)

    @property
    def fewest_visits(self) -> int:
        """So many have to arrive that everything that is asked in turn is asked; 0 where other personas arrive, too."""
        return max((len(one.scenarios) for one in self.personas if all(p.in_turn for p in self.personas)), default=0)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who arrives under a number, and what for."""

    number: int
    persona: Persona
    scenario: Scenario
    opening: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Turn:
    question: str
    must_refuse: bool


def merge(casts: Iterable[Cast]) -> Cast:
    """All personas; one of a later cast replaces the one of the same name, as a whole."""
    return Cast(tuple({persona.name: persona for cast in casts for persona in cast.personas}.values()))


def drawn(seed: int, what: str, number: int) -> float:
    """A number in [0, 1), the same for the same arguments everywhere and for ever."""
    digest = hashlib.sha256(f"{seed}\0{what}\0{number}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2.0**56


class Visits:
    """Who arrives under each number, by the weights; the same for the same cast and seed, whoever asks.

    Asked in the order of the numbers, as arrivals come, it takes constant time for each.
    """

    def __init__(self, cast: Cast, seed: int) -> None:
        self._cast = cast
        self._seed = seed
        self._weights = [one.weight for one in cast.personas]
        self._counted = 0
        self._before: Counter[str] = Counter()

    def visit(self, number: int) -> Visit:
        persona, seed = self._persona(number), self._seed
        scenario = self._in_turn(persona, number) if persona.in_turn else self._drawn(persona, number)
        opening = _chosen(scenario.opens, [1.0] * len(scenario.opens), drawn(seed, "opening", number))
        user = int(drawn(seed, "user", number) * USERS_PER_PERSONA)
        return Visit(number, persona, scenario, opening, f"{USER_PREFIX}{persona.name}-{user + 1}")

    def _persona(self, number: int) -> Persona:
        return _chosen(self._cast.personas, self._weights, drawn(self._seed, "persona", number))

    def _drawn(self, persona: Persona, number: int) -> Scenario:
        weights = [one.weight for one in persona.scenarios]
        return _chosen(persona.scenarios, weights, drawn(self._seed, "scenario", number))

    def _in_turn(self, persona: Persona, number: int) -> Scenario:
        """In each round every scenario once, in an order of the round's own."""
        round_, place = divmod(self._earlier(persona, number), len(persona.scenarios))
        order = sorted(
            range(len(persona.scenarios)), key=lambda at: (drawn(self._seed, f"order {persona.name} {round_}", at), at)
        )
        return persona.scenarios[order[place]]

    def _earlier(self, persona: Persona, number: int) -> int:
        """How often the persona has arrived before."""
        if len(self._cast.personas) == 1:
            return number
        if number < self._counted:
            self._counted, self._before = 0, Counter()
        for one in range(self._counted, number):
            self._before[self._persona(one).name] += 1
        self._counted = number
        return self._before[persona.name]


def visit(cast: Cast, seed: int, number: int) -> Visit:
    """Who arrives as `number`: one of `Visits`."""
    return Visits(cast, seed).visit(number)


def next_turn(scenario: Scenario, turns_over: int, reply: Reply) -> Turn | None:
    """What the person says after `turns_over` turns; None: the conversation is over."""
    if turns_over > len(scenario.then):
        return None
    for branch in scenario.then[turns_over - 1]:
        if branch.condition.holds(reply):
            said = branch.say.replace(PHRASE, phrase(reply.answer, branch.condition.contains))
            return Turn(said, branch.must_refuse)
    return None


def phrase(answer: str, wanted: Sequence[str] = ()) -> str:
    """At most 12 words of the answer: of its first sentence that has one of `wanted`, else of its first."""
    sentences = [text for part in _SENTENCE.split(answer) if (text := " ".join(_MARKUP.sub(" ", part).split()))]
    if not sentences:
        return "that"
    about = [s for s in sentences if any(text.casefold() in s.casefold() for text in wanted)]
    return " ".join((about or sentences)[0].split()[:_MOST_WORDS]).rstrip(".,;:!?")


def _chosen[T](choices: Sequence[T], weights: Sequence[float], at: float) -> T:
    left = at * sum(weights)
    for choice, weight in zip(choices, weights, strict=True):
        left -= weight
        if left < 0:
            return choice
    return choices[-1]
