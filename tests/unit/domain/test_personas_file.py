"""Personas files: the packaged one, a load_config.json, and everything that may be wrong with one."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.personas import Condition
from flywheel.domain.personas_file import PersonasError, parse_cast

ROOT = Path(__file__).parents[3]


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PersonasError) as caught:
        parse_cast(text, source="mine.json")
    return [str(problem) for problem in caught.value.problems]


def persona(**more: Any) -> dict[str, Any]:
    return {
        "name": "ada",
        "goal": "g",
        "tone": "t",
        "language": "en",
        "scenarios": [{"name": "s", "open": ["What is a trace?"]}],
    } | more


def file(*personas: Any) -> str:
    return json.dumps({"personas": list(personas)})


def test_the_packaged_personas_are_varied() -> None:
    path = ROOT / "dataset" / "personas.json"
    cast = parse_cast(path.read_bytes(), source=str(path))
    scenarios = [scenario for one in cast.personas for scenario in one.scenarios]
    assert 8 <= len(cast.personas) <= 12
    assert {one.language for one in cast.personas} == {"en", "de", "es"}
    assert sum(scenario.most_turns for scenario in scenarios) >= 60
    assert sum(scenario.must_refuse for scenario in scenarios) >= 5
    edges = {scenario.edge for scenario in scenarios}
    assert {"typing errors", "nearly empty", "very long", "code", "off topic"} <= edges


def test_the_packaged_questions_are_not_those_of_the_golden_dataset() -> None:
    golden = {item["input"]["question"].casefold() for item in json.loads((ROOT / "dataset/golden.json").read_text())}
    cast = parse_cast((ROOT / "dataset" / "personas.json").read_bytes(), source="personas")
    asked = {text.casefold() for one in cast.personas for scenario in one.scenarios for text in scenario.opens}
    assert not golden & asked


def test_a_load_config_of_the_sample_is_taken_unchanged() -> None:
    text = '{"prompts": [{"name": "What is it?", "prompt": "What is Langfuse?"}, {"name": "b", "prompt": "Why?"}]}'
    (one,) = parse_cast(text, source="load_config.json").personas
    assert [scenario.opens for scenario in one.scenarios] == [("What is Langfuse?",), ("Why?",)]
    assert [scenario.most_turns for scenario in one.scenarios] == [1, 1]


def test_a_whole_scenario_is_read() -> None:
    then = [
        [{"if": {"contains": "cost", "lacks": ["x"], "tool": "t", "refused": False}, "say": "{phrase}?"}],
        [{"if": {"errored": True}, "say": "Hello?", "must_refuse": True}],
    ]
    scenario = {"name": "s", "open": ["a", "b"], "then": then, "must_refuse": True, "weight": 2, "edge": "typo"}
    (one,) = parse_cast(file(persona(scenarios=[scenario], weight=0.5)), source="f").personas
    (read,) = one.scenarios
    assert (one.weight, read.weight, read.must_refuse, read.edge) == (0.5, 2, True, "typo")
    assert read.then[0][0].condition == Condition(("cost",), ("x",), "t", refused=False)
    assert read.then[1][0].condition == Condition(errored=True)
    assert read.then[1][0].must_refuse


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Ada Lovelace"}, "personas.0.name: 'Ada Lovelace': expected lower-case letters"),
        ({"name": None}, "personas.0: name is missing"),
        ({"goal": 3}, "personas.0.goal: is a number; expected text"),
        ({"language": "German!"}, "personas.0.language: 'German!' is no language tag"),
        ({"weight": 0}, "personas.0.weight: is 0; expected a number above 0"),
        ({"weight": True}, "personas.0.weight: is True"),
        ({"scenarios": []}, "personas.0.scenarios: scenarios: a list of 0; expected a list"),
        ({"scenarios": None}, "personas.0: scenarios: null; expected a list"),
        ({"scenarios": ["ask"]}, "personas.0.scenarios.0: is text; expected an object"),
        ({"scenarios": [{"name": "s"}]}, "personas.0.scenarios.0: open has no question"),
        ({"scenarios": [{"name": "s", "open": [" "]}]}, "personas.0.scenarios.0.open.0: is empty"),
        ({"scenarios": [{"name": "s", "open": ["a\x00"]}]}, "control character"),
        ({"scenarios": [{"name": "s", "open": ["a" * 20_001]}]}, "has 20001 characters"),
        ({"scenarios": [{"name": "s", "open": ["a"], "then": {}}]}, "then: is an object; expected a list"),
        ({"scenarios": [{"name": "s", "open": ["a"], "then": [[]]}]}, "then.0: branches: a list of 0"),
        (
            {"scenarios": [{"name": "s", "open": ["a"], "then": [[{"say": "b", "if": {}}]]}]},
            "then.0.0.if: is an object",
        ),
        (
            {"scenarios": [{"name": "s", "open": ["a"], "then": [[{"say": "b", "if": {"has": "x"}}]]}]},
            "then.0.0.if.has: unknown key",
        ),
        (
            {
                "scenarios": [
                    {"name": "s", "open": ["a"], "then": [[{"say": "b", "if": {"errored": True, "tool": "t"}}]]}
                ]
            },
            "a turn that errored has no answer",
        ),
        ({"scenarios": [{"name": "s", "open": ["a"], "must_refuse": "yes"}]}, "must_refuse: is text; expected true or"),
        ({"mood": "bad"}, "personas.0.mood: unknown key"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: dict[str, Any], said: str) -> None:
    found = problems(file(persona(**change)))
    assert any(said in problem for problem in found), found


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = '{"personas": [\n{"name": "A B",\n"goal": 3,\n"tone": "t", "scenarios": [{"name": "s",\n"open": [""]}]}]}'
    assert [problem.split(",")[0] for problem in problems(text)] == ["line 5", "line 2", "line 3"]


def test_names_may_not_come_twice() -> None:
    scenarios = [{"name": "s", "open": ["a"]}, {"name": "s", "open": ["b"]}]
    assert "'s' is there already" in problems(file(persona(scenarios=scenarios)))[0]
    assert "'ada' is there already" in problems(file(persona(), persona()))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", 'expected {"personas": [..]} or {"prompts": [..]}, not a list of 0'),
        ("{}", "expected"),
        ("null", "not null"),
        ('{"personas": [}', "line 1: not JSON"),
        ('{"personas": 3}', "personas: a number; expected a list"),
        ('{"prompts": [{"name": "a"}]}', "prompts.0: prompt is missing"),
        ('{"prompts": [], "prompts": []}', "the key 'prompts' comes twice"),
        ('{"personas": [], "version": 2}', "version: is 2; expected 1"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"personas": ' + "9" * 5_000 + "}", "thousands of digits"),
        (" " * (4 * 1024 * 1024 + 1), "at most"),
    ],
)
def test_hostile_files_are_refused_with_a_reason(text: str | bytes, said: str) -> None:
    assert any(said in problem for problem in problems(text))


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["personas", "prompts", "name", "scenarios", "open", "then", "if", "say"]), inner
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_whatever_the_file_holds_it_is_read_or_refused(data: Any) -> None:
    with suppress(PersonasError):
        assert parse_cast(json.dumps(data), source="f").personas


@pytest.mark.parametrize(
    ("name", "harmful"),
    [
        ("harmful1", True),
        ("harmful5", True),
        ("Harmful question", True),
        ("must_refuse-2", True),
        ("jailbreak", True),
        ("promptInjection", True),
        ("schädlich1", True),
        ("harmless3", False),
        ("not-harmful", False),
        ("nonHarmful", False),
        ("charm", False),
        ("trace1", False),
    ],
)
def test_a_prompt_whose_name_says_harmful_has_to_be_refused(name: str, *, harmful: bool) -> None:
    text = json.dumps({"prompts": [{"name": name, "prompt": "Why?"}]})
    ((scenario,),) = (persona.scenarios for persona in parse_cast(text, source="load_config.json").personas)
    assert scenario.must_refuse is harmful


def test_what_a_prompt_says_itself_counts_more_than_its_name() -> None:
    text = '{"prompts": [{"name": "harmful1", "prompt": "Why?", "must_refuse": false}]}'
    assert not parse_cast(text, source="f").personas[0].scenarios[0].must_refuse
