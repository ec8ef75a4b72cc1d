"""Names of configurations: what a search varies, in words that tell them apart."""

import string
from itertools import product

import pytest

from flywheel.domain.experiment_names import words_of

SAMPLE = {"model": ["nova-pro", "nova-lite"], "prompt": ["plain", "strict"], "top_k": ["3", "5"]}


def test_the_words_say_what_is_varied_in_the_order_of_the_file() -> None:
    assert words_of({"model": "nova-pro", "prompt": "plain", "top_k": "5"}, SAMPLE) == "nova-pro, plain, top_k 5"


@pytest.mark.parametrize(
    ("choices", "values", "expected"),
    [
        ({"model": ["us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0"]}, {}, "nova-pro"),
        ({"model": ["anthropic.claude-3-5-sonnet-20240620-v1:0", "b"]}, {}, "claude-3-5-sonnet-20240620"),
        ({"model": ["openai/gpt-4o", "openai/gpt-4o-mini"]}, {}, "gpt-4o"),
        ({"model": ["us.amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0"]}, {}, "model 1"),
        ({"model": ["gpt-4.1", "gpt-4.1-mini"]}, {}, "gpt-4.1"),
        ({"temperature": ["0.7", "0"]}, {}, "temperature 0.7"),
        ({"strict": ["true", "false"]}, {}, "strict true"),
        ({"a": ["plain", "x1y"], "b": ["plain", "strict"]}, {}, "a plain, b plain"),
        ({"model": ["only"], "prompt": ["plain", "strict"]}, {}, "plain"),
        ({"model": ["only"]}, {}, ""),
        ({}, {}, ""),
        ({"prompt": ["Antworte auf Deutsch", "Réponds en français"]}, {}, "Antworte auf Deutsch"),
        ({"prompt": ["日本語で答える", "短く"]}, {}, "日本語で答える"),
        ({"prompt": ["a/b\u0000\u202e<script>", "other"]}, {}, "b script"),
        ({"prompt": ["x" * 60 + "1", "x" * 60 + "2"]}, {"prompt": "x" * 60 + "2"}, "prompt 2"),
        ({"prompt": ["???", "!!!"]}, {"prompt": "!!!"}, "prompt 2"),
        ({"prompt": ["Plain", "plain"]}, {}, "prompt 1"),
    ],
)
def test_words_of_values_of_every_kind(choices: dict[str, list[str]], values: dict[str, str], expected: str) -> None:
    first = {name: names[0] for name, names in choices.items()}
    assert words_of(first | values, choices) == expected


def test_every_configuration_of_a_search_has_other_words() -> None:
    everything = [words_of(dict(zip(SAMPLE, of, strict=True)), SAMPLE) for of in product(*SAMPLE.values())]
    assert len(set(everything)) == len(everything) == 8


def test_they_are_bounded_and_safe() -> None:
    choices = {f"dimension_{n}": [f"value {n} " + "é" * 90, "b\n\t,"] for n in range(12)}
    words = words_of({name: names[0] for name, names in choices.items()}, choices)
    assert len(words) <= 120
    assert set(words) <= set(string.ascii_letters + string.digits + " .:+()=%-_,é")
