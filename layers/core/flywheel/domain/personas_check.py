"""Decoded JSON of a personas file -> its cast, with everything that is wrong and where."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flywheel.domain.json_document import Place
from flywheel.domain.json_words import kind, shown
from flywheel.domain.personas import Branch, Cast, Condition, Persona, Scenario

LOAD_CONFIG = "load-config"
_LONGEST_NAME = 40
_LONGEST_TEXT = 200
_LONGEST_QUESTION = 20_000
_MOST = {"personas": 200, "scenarios": 500, "prompts": 5_000, "open": 50, "then": 20, "branches": 20, "texts": 50}
_LARGEST_WEIGHT = 1_000_000
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8})*")
# Words of a name: `harmful1`, `must_refuse`, `promptInjection`.
_NAME_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+")
_HARMFUL = frozenset(
    word
    for words in (
        "harm harmful malicious adversarial jailbreak jailbreaks unsafe toxic toxicity injection injections",
        "attack attacks abuse abusive illegal dangerous violence violent hate forbidden",
        "prohibited refuse refusal redteam unethical",
        "schädlich gefährlich bösartig verboten illegale nuisible malveillant dangereux interdit",
        "dañino malicioso peligroso prohibido ilegal dannoso pericoloso prejudicial",
    )
    for word in words.split()
)
_NO_HARM = frozenset("no non not never without anti un nicht kein keine ohne pas sin".split())  # noqa: SIM905
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class CastCheck:
    """Reads one file; `problems` grows by (place in the file, message)."""

    def __init__(self) -> None:
        self.problems: list[tuple[Place, str]] = []

    def read(self, data: Any) -> Cast | None:
        """The cast, or None when there is any problem."""
        if not isinstance(data, Mapping) or not ({"personas", "prompts"} & set(data)):
            self._wrong((), f'expected {{"personas": [..]}} or {{"prompts": [..]}}, not {_what(data)}')
            return None
        if "prompts" in data:
            self._keys((), data, {"prompts"})
            personas = self._prompts(data["prompts"])
        else:
            self._keys((), data, {"personas", "version"})
            if data.get("version", 1) != 1:
                self._wrong(("version",), f"is {shown(data['version'])}; expected 1")
            personas = self._list(("personas",), data["personas"], "personas", self._persona)
            self._twice(("personas",), data["personas"])
        return None if self.problems else Cast(tuple(personas))

    def _prompts(self, given: Any) -> list[Persona]:
        scenarios = self._list(("prompts",), given, "prompts", self._prompt)
        return [Persona(LOAD_CONFIG, "load", "plain", "en", tuple(scenarios), in_turn=True)] if scenarios else []

    def _prompt(self, place: Place, given: Mapping[str, Any]) -> Scenario:
        self._keys(place, given, {"name", "prompt", "must_refuse"})
        name = self._text((*place, "name"), given.get("name"), _LONGEST_TEXT)
        said = self._flag(place, given, "must_refuse")
        question = self._question((*place, "prompt"), given.get("prompt"))
        return Scenario(name, (question,), must_refuse=says_harmful(name) if said is None else said)

    def _persona(self, place: Place, given: Mapping[str, Any]) -> Persona:
        self._keys(place, given, {"name", "goal", "tone", "language", "weight", "scenarios"})
        language = self._text((*place, "language"), given.get("language", "en"), _LONGEST_NAME)
        if language and not _LANGUAGE.fullmatch(language):
            self._wrong((*place, "language"), f"{shown(language)} is no language tag, such as en or pt-BR")
        scenarios = self._list((*place, "scenarios"), given.get("scenarios"), "scenarios", self._scenario)
        self._twice((*place, "scenarios"), given.get("scenarios"))
        return Persona(
            name=self._name((*place, "name"), given.get("name")),
            goal=self._text((*place, "goal"), given.get("goal"), _LONGEST_TEXT),
            tone=self._text((*place, "tone"), given.get("tone"), _LONGEST_TEXT),
            language=language,
            scenarios=tuple(scenarios),
            weight=self._weight(place, given),
        )

    def _scenario(self, place: Place, given: Mapping[str, Any]) -> Scenario:
        self._keys(place, given, {"name", "open", "then", "must_refuse", "weight", "edge"})
        opens = self._texts((*place, "open"), given.get("open"), _MOST["open"], self._question)
        if not opens and isinstance(given.get("open"), list | None):
            self._wrong((*place, "open") if "open" in given else place, "open has no question to begin with")
        then: list[tuple[Branch, ...]] = []
        entries = given.get("then", [])
        if not isinstance(entries, list) or len(entries) > _MOST["then"]:
            self._wrong((*place, "then"), f"is {_what(entries)}; expected a list of at most {_MOST['then']} turns")
            entries = []
        for number, branches in enumerate(entries):
            then.append(tuple(self._list((*place, "then", number), branches, "branches", self._branch)))
        edge = given.get("edge")
        return Scenario(
            name=self._name((*place, "name"), given.get("name")),
            opens=opens,
            then=tuple(then),
            must_refuse=self._flag(place, given, "must_refuse") or False,
            weight=self._weight(place, given),
            edge=None if edge is None else self._text((*place, "edge"), edge, _LONGEST_TEXT),
        )

    def _branch(self, place: Place, given: Mapping[str, Any]) -> Branch:
        self._keys(place, given, {"if", "say", "must_refuse"})
        return Branch(
            say=self._question((*place, "say"), given.get("say")),
            condition=self._condition((*place, "if"), given["if"]) if "if" in given else Condition(),
            must_refuse=self._flag(place, given, "must_refuse") or False,
        )

    def _condition(self, place: Place, given: Any) -> Condition:
        if not isinstance(given, Mapping) or not given:
            self._wrong(place, f"is {_what(given)}; expected an object with a condition")
            return Condition()
        self._keys(place, given, {"contains", "lacks", "tool", "refused", "errored"})
        errored = self._flag(place, given, "errored")
        if errored and len(given) > 1:
            self._wrong(place, "a turn that errored has no answer: nothing else can be asked of it")
        tool = given.get("tool")
        return Condition(
            contains=self._texts((*place, "contains"), given.get("contains"), _MOST["texts"], self._short),
            lacks=self._texts((*place, "lacks"), given.get("lacks"), _MOST["texts"], self._short),
            tool=None if tool is None else self._text((*place, "tool"), tool, _LONGEST_TEXT),
            refused=self._flag(place, given, "refused"),
            errored=errored,
        )

    def _list[T](self, place: Place, given: Any, what: str, read: Callable[[Place, Mapping[str, Any]], T]) -> list[T]:
        if not isinstance(given, list) or not given:
            self._wrong(place if given is not None else place[:-1], f"{what}: {_what(given)}; expected a list")
            return []
        if len(given) > _MOST[what]:
            self._wrong(place, f"has {len(given)} entries; at most {_MOST[what]} are read")
            return []
        found = []
        for number, one in enumerate(given):
            if isinstance(one, Mapping):
                found.append(read((*place, number), one))
            else:
                self._wrong((*place, number), f"is {kind(one)}; expected an object")
        return found

    def _twice(self, place: Place, given: Any) -> None:
        seen: set[str] = set()
        for number, one in enumerate(given if isinstance(given, list) else []):
            name = one.get("name") if isinstance(one, Mapping) else None
            if isinstance(name, str):
                if name in seen:
                    self._wrong((*place, number, "name"), f"{shown(name)} is there already")
                seen.add(name)

    def _texts(self, place: Place, given: Any, most: int, read: Callable[[Place, Any], str]) -> tuple[str, ...]:
        if given is None:
            return ()
        if isinstance(given, str):
            given = [given]
        if not isinstance(given, list) or len(given) > most:
            self._wrong(place, f"is {_what(given)}; expected at most {most} texts")
            return ()
        return tuple(read((*place, number), one) for number, one in enumerate(given))

    def _name(self, place: Place, given: Any) -> str:
        name = self._text(place, given, _LONGEST_NAME)
        if name and not _NAME.fullmatch(name):
            self._wrong(place, f"{shown(name)}: expected lower-case letters and digits with - between")
        return name

    def _question(self, place: Place, given: Any) -> str:
        return self._text(place, given, _LONGEST_QUESTION)

    def _short(self, place: Place, given: Any) -> str:
        return self._text(place, given, _LONGEST_TEXT)

    def _text(self, place: Place, given: Any, longest: int) -> str:
        if given is None:
            self._wrong(place[:-1], f"{place[-1]} is missing")
        elif not isinstance(given, str):
            self._wrong(place, f"is {kind(given)}; expected text")
        elif not given.strip():
            self._wrong(place, "is empty")
        elif len(given) > longest:
            self._wrong(place, f"has {len(given)} characters; at most {longest} are allowed")
        elif _CONTROL.search(given):
            self._wrong(place, "has a control character or half a character: the file is damaged")
        else:
            return given
        return ""

    def _flag(self, place: Place, given: Mapping[str, Any], key: str) -> bool | None:
        value = given.get(key)
        if value is not None and not isinstance(value, bool):
            self._wrong((*place, key), f"is {kind(value)}; expected true or false")
            return None
        return value

    def _weight(self, place: Place, given: Mapping[str, Any]) -> float:
        weight = given.get("weight", 1.0)
        if (
            isinstance(weight, bool)
            or not isinstance(weight, int | float)
            or not 0 < weight <= _LARGEST_WEIGHT  # no NaN, no infinity either
        ):
            self._wrong((*place, "weight"), f"is {shown(weight)}; expected a number above 0, at most {_LARGEST_WEIGHT}")
            return 1.0
        return float(weight)

    def _keys(self, place: Place, given: Mapping[str, Any], known: set[str]) -> None:
        for key in given:
            if key not in known:
                self._wrong((*place, key), f"unknown key; known are {', '.join(sorted(known))}")

    def _wrong(self, place: Place, message: str) -> None:
        self.problems.append((place, message))


def says_harmful(name: str) -> bool:
    """Whether the name of a prompt says that it has to be refused: `harmful1`, `jailbreak-3`, `promptInjection`."""
    words = _NAME_WORD.findall(name)
    plain = [word.casefold() for word in words]
    return any(word in _HARMFUL and not (place and plain[place - 1] in _NO_HARM) for place, word in enumerate(plain))


def _what(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return kind(value)
