import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.model.text import alike, content_words, sentences, stem, terms, tokenize


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("trace", "tracing"),
        ("traces", "traced"),
        ("delete", "deletion"),
        ("query", "queries"),
        ("filter", "filtered"),
        ("annotate", "annotation"),
        ("process", "processed"),
        ("configure", "configuration"),
    ],
)
def test_inflections_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), [("trace", "track"), ("session", "service"), ("role", "rule")])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_contractions_and_number_words_are_opened() -> None:
    assert tokenize("It doesn\N{RIGHT SINGLE QUOTATION MARK}t cost Sixty, it can't") == [
        "it",
        "does",
        "not",
        "cost",
        "60",
        "it",
        "can",
        "not",
    ]


def test_thousands_are_one_number() -> None:
    assert tokenize("50,000 units") == ["50000", "units"]


def test_stop_words_and_negations_carry_no_content() -> None:
    assert content_words("The keys are not in the browser") == ["keys", "browser"]


def test_a_full_stop_inside_a_name_ends_no_sentence() -> None:
    assert sentences("Use langfuse.openai here. Version 4.59 is needed.") == (
        "Use langfuse.openai here.",
        "Version 4.59 is needed.",
    )


def test_questions_in_lower_case_are_separate_sentences() -> None:
    assert sentences("how long? and why? ok") == ("how long?", "and why?", "ok")


@pytest.mark.parametrize(
    ("one", "other"), [("viewer", "viwer"), ("webhook", "webhok"), ("retention", "rentention"), ("signal", "singal")]
)
def test_one_typing_error_is_forgiven(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(("one", "other"), [("role", "rule"), ("10000", "10001"), ("viewer", "vewr"), ("abcde", "")])
def test_short_words_numbers_and_two_errors_are_not_forgiven(one: str, other: str) -> None:
    assert not alike(one, other)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert all(terms(text))
    assert all(sentence.strip() for sentence in sentences(text))


@given(st.text(alphabet=st.characters(categories=["Ll"]), max_size=20))
def test_a_stem_is_a_fixed_point(word: str) -> None:
    assert stem(stem(word)) == stem(word)
