"""Files of experiments: the sample's form, ours, and everything that may be wrong with one."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.experiment import Constraints, ExperimentBudget, LateScores, SearchOptions, Value
from flywheel.domain.experiment_combinations import combinations
from flywheel.domain.experiment_file import ExperimentFileError, parse_experiment

ROOT = Path(__file__).parents[3]
SAMPLE = {
    "models": [
        {"name": "claude37sonnet", "model_id": "us.anthropic.claude-3-7-sonnet-20250219-v1:0"},
        {"name": "claude45haiku", "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    ],
    "system_prompts": [
        {"name": "prompt_english", "prompt": "You are an experienced agent supporting developers..."},
        {"name": "prompt_german", "prompt": "Du bist ein erfahrener Agent..."},
    ],
}
TWO = {"top_k": [3, 5]}


def read(data: Any) -> Any:
    return parse_experiment(json.dumps(data), name="mine")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ExperimentFileError) as caught:
        parse_experiment(text, name="mine")
    return [str(problem) for problem in caught.value.problems]


def test_the_samples_own_form_is_taken_unchanged() -> None:
    file = read(SAMPLE)
    model, prompt = file.dimensions
    assert (model.name, prompt.name) == ("model", "system_prompt")
    assert model.values[0] == Value("claude37sonnet", {"model_id": "us.anthropic.claude-3-7-sonnet-20250219-v1:0"})
    assert prompt.values[1] == Value("prompt_german", {"system_prompt": "Du bist ein erfahrener Agent..."})
    assert len(combinations(file)) == 4
    assert (file.image, file.search.strategy, file.objectives) == (
        "production",
        "halving",
        ("quality", "cost", "latency"),
    )


def test_the_samples_lists_may_stand_beside_dimensions() -> None:
    file = read(SAMPLE | {"dimensions": {"temperature": [0, 0.7]}, "search": {"strategy": "grid"}})
    assert [dimension.name for dimension in file.dimensions] == ["model", "system_prompt", "temperature"]
    assert len(combinations(file)) == 8


def test_the_example_is_as_it_says() -> None:
    path = ROOT / "dataset" / "experiment.json"
    file = parse_experiment(path.read_bytes(), name="experiment")
    assert len(file.dimensions) == 3
    assert len(combinations(file)) == 16
    assert file.dimensions[1].values[0].settings == {}
    assert file.fixed == {"temperature": 0.0}


def test_a_whole_file_is_read() -> None:
    file = read(
        {
            "version": 1,
            "image": "v1.8.0",
            "dimensions": {
                "model": ["m-a", {"name": "b", "model": "m-b", "max_turns": 4}],
                "temperature": [0, 0.7],
                "prompt": ["docs-agent:4"],
                "tools": [["search"], ["search", "overview"]],
                "retries": [1, 2.5, "none", True],
            },
            "fixed": {"max_output_tokens": 512},
            "except": [{"model": "b", "temperature": 0.7}, {"tools": "search", "retries": True}],
            "search": {"strategy": "random", "trials": 2, "sample": 10, "seed": 3},
            "budget": {"trials": 500, "usd": 3, "minutes": 30},
            "objectives": ["cost", "quality"],
            "tolerance": 0.02,
            "constraints": {"safety": 0.9, "error_rate": 0.1, "latency_p95_ms": 9000, "cost_per_item_usd": 0.01},
            "dataset": "other",
            "items": ["a", "b"],
            "late_scores": {"names": ["helpfulness"], "deadline_minutes": 5},
            "parallel": 4,
            "own_runtimes": True,
        }
    )
    assert file.image == "v1.8.0"
    by_name = {dimension.name: dimension.values for dimension in file.dimensions}
    assert by_name["model"] == (Value("m-a", {"model_id": "m-a"}), Value("b", {"model_id": "m-b", "max_turns": 4}))
    assert by_name["temperature"] == (Value("0", {"temperature": 0.0}), Value("0.7", {"temperature": 0.7}))
    assert by_name["tools"][1] == Value("search,overview", {"tools": "search,overview"})
    assert [value.name for value in by_name["retries"]] == ["1", "2.5", "none", "true"]
    assert file.conditions == ({"model": "b", "temperature": "0.7"}, {"tools": "search", "retries": "true"})
    assert file.search == SearchOptions("random", 2, 10, 3)
    assert file.budget == ExperimentBudget(500, 3.0, 30.0)
    assert (file.objectives, file.tolerance) == (("cost", "quality"), 0.02)
    assert file.constraints == Constraints(0.9, 0.1, 9000.0, 0.01)
    assert (file.dataset, file.item_ids) == ("other", ("a", "b"))
    assert file.late_scores == LateScores(("helpfulness",), 5.0)
    assert (file.parallel, file.own_runtimes) == (4, True)


@pytest.mark.parametrize(
    ("dimensions", "said"),
    [
        ({}, "dimensions: is empty; expected at least one dimension"),
        (None, "dimensions: is empty"),
        ([], "dimensions: is a list of 0; expected an object"),
        ({"top_k": []}, "dimensions.top_k: is a list of 0; expected a list of 1 to 200"),
        ({"top_k": None}, "dimensions.top_k: is null; expected a list"),
        ({"top_k": 3}, "dimensions.top_k: is 3; expected a list"),
        ({"top_k": [3, 51]}, "dimensions.top_k.1: is 51; expected a whole number from 1 to 50"),
        ({"top_k": [3, 3]}, "dimensions.top_k.1: '3' is there already"),
        ({"temperature": [0, 0.0]}, "dimensions.temperature.1: '0' is there already"),
        ({"temperature": [0, {"name": "cold", "temperature": 0}]}, "temperature.1: sets the same as '0'"),
        ({"temperature": [None, 1]}, "dimensions.temperature.0: is null; expected a number from 0 to 2"),
        ({"Top": [1, 2]}, "is no name of a dimension"),
        ({"../x": [1, 2]}, "is no name of a dimension"),
        ({"model": ["a", {"model_id": "b"}]}, "dimensions.model.1.name: is null; expected text"),
        ({"model": ["a", {"name": "\u202eb", "model_id": "b"}]}, "expected printable characters only"),
        ({"model": ["a", {"name": "b", "model_id": "b", "model": "c"}]}, "model_id is there already, by another name"),
        ({"system_prompt": ["Be brief.\nBe kind.", "b"]}, "expected a name beside it"),
        ({"system_prompt": ["x" * 101, "b"]}, "is too long to be its own name"),
        ({"p": [{"name": "a", "prompt": "n:1", "system_prompt": "s"}]}, "has both prompt and system_prompt"),
        (
            {"prompt": ["a:1"], "system_prompt": ["b", "c"]},
            "has both prompt and system_prompt; expected one of them in",
        ),
        ({"model": ["a", "b"], "model_id": ["c", "d"]}, "sets model_id, which the dimension model sets too"),
        ({"retries": [{"name": "a", "retries": [1]}, 2]}, "is a list of 1; expected text, true, false"),
        ({"port": [1, 2]}, "dimensions.port.0: no parameter can be called so"),
        ({"top_k": [3]}, "only one configuration is left; expected two or more"),
        ({f"d{n}": [1, 2] for n in range(10)}, "has 1024 configurations; expected at most 1000"),
        ({f"d{n}": [1, 2] for n in range(14)}, "has 16384 combinations; expected at most 10000"),
        ({f"d{n}": [1] for n in range(21)}, "has 21 dimensions; expected at most 20"),
        ({"a": [{"name": str(n), f"p{n}": 1} for n in range(31)]}, "sets more than 30 parameters"),
    ],
)
def test_what_is_wrong_with_a_dimension_is_named_with_its_place(dimensions: Any, said: str) -> None:
    found = problems(json.dumps({"dimensions": dimensions}))
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version: is 2; expected a whole number from 1 to 1"),
        ({"mood": 1}, "mood: unknown key 'mood'; known are budget, constraints"),
        ({"image": 3}, "image: is 3; expected a tag, a digest or production"),
        ({"image": "v1", "dimensions": {"image": ["v1", "v2"]}}, "image: every value of image sets the image"),
        ({"fixed": {"top_k": 3}}, "dimensions.top_k: sets top_k, which fixed sets too"),
        ({"fixed": {"image": "v1"}}, "fixed.image: the image stands outside of fixed"),
        ({"fixed": {"temperature": float("nan")}}, "fixed.temperature: is nan; expected"),
        ({"fixed": []}, "fixed: is a list of 0; expected an object"),
        ({"fixed": {"prompt": "a:1", "system_prompt": "b"}}, "fixed: has both prompt and system_prompt"),
        ({"except": [{}]}, "except.0: is an object; expected an object of dimensions and their values"),
        ({"except": {}}, "except: is an object; expected a list"),
        ({"except": [{"model": "a"}]}, "except.0.model: no dimension is called so; there are top_k"),
        ({"except": [{"top_k": 4}]}, "except.0.top_k: is 4; top_k has the values 3, 5"),
        ({"except": [{"top_k": [3]}]}, "except.0.top_k: is a list of 1; top_k has"),
        ({"except": [{"top_k": 3}, {"top_k": 5}]}, "except: no configuration is left"),
        ({"except": [{"top_k": 3}]}, "except: only one configuration is left"),
        ({"search": {"strategy": "luck"}}, "search.strategy: is 'luck'; expected one of grid, random, halving"),
        ({"search": {"strategy": ["grid"]}}, "search.strategy: is a list of 1"),
        (
            {"search": {"strategy": "random", "sample": 1}},
            "search.sample: is 1; expected a whole number from 2 to 1000",
        ),
        ({"search": {"trials": 0}}, "search.trials: is 0; expected a whole number from 1 to 20"),
        ({"search": {"seed": -1}}, "search.seed: is -1"),
        ({"search": {"speed": 1}}, "search.speed: unknown key"),
        ({"search": 3}, "search: is 3; expected an object"),
        ({"budget": {"usd": 0}}, "budget.usd: is 0; expected a number from 0.001"),
        ({"budget": {"usd": float("inf")}}, "budget.usd: is inf"),
        ({"budget": {"minutes": "ten"}}, "budget.minutes: is 'ten'"),
        ({"objectives": ["quality", "fun"]}, "objectives.1: is 'fun'; expected one of quality"),
        ({"objectives": ["cost", "cost"]}, "objectives.1: 'cost' is there already"),
        ({"objectives": []}, "objectives: is a list of 0"),
        ({"tolerance": 2}, "tolerance: is 2; expected a number from 0 to 0.5"),
        ({"constraints": {"safety": 95}}, "constraints.safety: is 95; expected a number from 0 to 1"),
        ({"dataset": 3}, "dataset: is 3; expected text"),
        ({"items": ["a", "a"]}, "items.1: 'a' is there already"),
        ({"items": []}, "items: is a list of 0"),
        ({"late_scores": {"deadline_minutes": 5}}, "late_scores: names is missing"),
        ({"late_scores": []}, "late_scores: is a list of 0; expected an object"),
        ({"parallel": 0}, "parallel: is 0; expected a whole number from 1 to 40"),
        ({"own_runtimes": "yes"}, "own_runtimes: is 'yes'; expected true or false"),
        ({"models": [{"name": "a", "model_id": "b", "x": 1}]}, "models.0.x: unknown key"),
        ({"models": [{"name": "a"}]}, "models.0.model_id: is null; expected text"),
        ({"models": ["a"]}, "models.0: is 'a'; expected an object with name and model_id"),
        ({"models": None}, "models: is null; expected a list"),
        ({"models": [{"name": "a", "model_id": "b"}], "dimensions": {"model": ["c"]}}, "model is there already"),
    ],
)
def test_what_is_wrong_beside_the_dimensions_is_named_with_its_place(change: dict[str, Any], said: str) -> None:
    found = problems(json.dumps({"dimensions": TWO} | change))
    assert any(said in problem for problem in found), found


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = '{"dimensions": {\n"top_k": [3, 99],\n"temperature": ["hot"]},\n"budget": {\n"usd": -1}}'
    assert [problem.split(":")[0] for problem in problems(text)] == [
        "line 2, dimensions.top_k.1",
        "line 3, dimensions.temperature.0",
        "line 5, budget.usd",
    ]


def test_a_file_full_of_unknown_keys_is_not_answered_with_all_of_them() -> None:
    found = problems(json.dumps({f"k{n}": 1 for n in range(500)} | {"dimensions": TWO}))
    assert len(found) == 11
    assert "490 more keys are unknown" in found[-1]


def test_a_condition_may_take_the_two_prompts_apart() -> None:
    mixed = {
        "prompt": [{"name": "none"}, "docs:1"],
        "system_prompt": [{"name": "none"}, {"name": "own", "system_prompt": "Be brief."}],
    }
    file = read({"dimensions": mixed, "except": [{"prompt": "docs:1", "system_prompt": "own"}]})
    assert len(combinations(file)) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", 'is a list of 0; expected {"dimensions": {..}}'),
        ("{}", "is an object; expected"),
        ("null", "is null; expected"),
        ('{"dimensions": {\n"top_k": [3,]}}', "line 2: not JSON"),
        ('{"dimensions": {"top_k": [1, 2], "top_k": [3, 4]}}', "the key 'top_k' comes twice"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"dimensions": ' + "9" * 5_000 + "}", "thousands of digits"),
        ('{"dimensions": {"temperature": [' + "9" * 400 + ", 1]}}", "expected a number from 0 to 2"),
        ('{"dimensions": {"top_k": [3, 5]}, "except": [{"top_k": ' + "[" * 900 + "]" * 900 + "}]}", "is a list of 1;"),
        (" " * (1024 * 1024 + 1), "at most"),
        ("{" + ",".join(f'"k{n}":1' for n in range(20_000)) + ',"k0":2,"dimensions":{"top_k":[3,5]}}', "comes twice"),
    ],
)
def test_hostile_files_are_refused_with_a_reason(text: str | bytes, said: str) -> None:
    assert any(said in problem for problem in problems(text))


@pytest.mark.parametrize("name", ["", "../x", "A", "a" * 65, "a b", "-a"])
def test_a_name_that_no_key_may_have_is_refused(name: str) -> None:
    with pytest.raises(ExperimentFileError, match="cannot be used"):
        parse_experiment(json.dumps(SAMPLE), name=name)


def test_the_hash_of_a_files_content_is_a_name() -> None:
    assert parse_experiment(json.dumps(SAMPLE), name="0a" * 32).name == "0a" * 32


_KEYS = st.sampled_from(
    [
        *(
            "dimensions",
            "models",
            "system_prompts",
            "fixed",
            "except",
            "search",
            "strategy",
            "name",
            "model",
            "model_id",
        ),
        *("prompt", "system_prompt", "temperature", "top_k", "tools", "image", "items", "budget", "usd", "late_scores"),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["docs:1", "grid", "a", 3, 0.5, 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS | st.text(max_size=4), inner, max_size=6),
    max_leaves=25,
)


@given(_JSON)
def test_whatever_the_file_holds_it_is_read_or_refused(data: Any) -> None:
    with suppress(ExperimentFileError):
        assert len(combinations(read(data))) >= 2


@given(st.dictionaries(_KEYS, st.lists(_JSON, max_size=4), min_size=1, max_size=4), st.lists(_JSON, max_size=2))
def test_whatever_the_dimensions_hold_they_are_read_or_refused(dimensions: Any, excepted: Any) -> None:
    with suppress(ExperimentFileError):
        assert len(combinations(read({"dimensions": dimensions, "except": excepted}))) >= 2


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_whatever_the_text_is_it_is_refused_in_order(text: str | bytes) -> None:
    with pytest.raises(ExperimentFileError):
        parse_experiment(text, name="mine")
