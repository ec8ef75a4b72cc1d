"""Personal data and secrets are found as well as the labelled texts say, and what replaces them keeps its meaning."""

import pytest

from flywheel.domain.redaction import Found
from flywheel.redaction import PatternRedactor, find_all
from tests.bench.redaction import labelled_texts, measure

# Below what is measured today (`python -m tests.bench.redaction`), so that one more hard text does not fail the build.
FLOORS = {"KEY": 0.95, "EMAIL": 0.95, "IBAN": 0.95, "CARD": 0.95, "IP": 0.95, "ADDRESS": 0.9, "PHONE": 0.9}


@pytest.fixture(scope="module")
def figures() -> dict[str, tuple[float, float, int]]:
    return {kind: (f.recall, f.precision, f.labels) for kind, f in measure().items()}


@pytest.mark.parametrize("kind", FLOORS)
def test_recall_and_precision_are_above_their_floors(kind: str, figures: dict[str, tuple[float, float, int]]) -> None:
    recall, precision, labels = figures[kind]
    assert labels >= 10
    assert recall >= FLOORS[kind]
    assert precision >= 0.95


def test_a_third_of_the_texts_have_nothing_to_be_found_and_there_are_many_languages() -> None:
    texts = labelled_texts()
    assert sum(not text.labels for text in texts) >= len(texts) / 4
    assert len({text.language for text in texts}) >= 7


def test_the_same_thing_has_one_placeholder_in_all_texts_of_an_item() -> None:
    redacted = PatternRedactor().redact(
        ["From +1 415-555-2671 to a@b.org", "a@b.org, A@B.org, c@d.org; +1 (415) 555 2671"]
    )
    assert redacted.texts == ("From <PHONE_1> to <EMAIL_1>", "<EMAIL_1>, <EMAIL_1>, <EMAIL_2>; <PHONE_1>")
    assert list(redacted.replaced) == [
        {"kind": "EMAIL", "placeholder": "<EMAIL_1>", "count": 3},
        {"kind": "EMAIL", "placeholder": "<EMAIL_2>", "count": 1},
        {"kind": "PHONE", "placeholder": "<PHONE_1>", "count": 2},
    ]


def test_a_placeholder_that_somebody_typed_is_nobody_elses() -> None:
    assert PatternRedactor().redact(["<EMAIL_1> or a@b.org"]).texts == ("<EMAIL_1> or <EMAIL_2>",)


def test_redacting_twice_changes_nothing() -> None:
    once = PatternRedactor().redact([text.text for text in labelled_texts()]).texts
    assert PatternRedactor().redact(once).texts == once


def test_names_are_found_by_who_can_find_them_only() -> None:
    class Names:
        def find(self, texts: object) -> list[list[Found]]:
            return [[Found("NAME", 0, 3)]]

    assert PatternRedactor().redact(["Ann asks."]).texts == ("Ann asks.",)
    assert PatternRedactor(Names()).redact(["Ann asks."]).texts == ("<NAME_1> asks.",)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "hostile", ["a" * 10_000, "1 " * 5_000, "a@" * 5_000, "A1 " * 3_000, ":" * 9_000, "9-" * 5_000, "Ab " * 3_000]
)
def test_a_hostile_text_takes_no_time(hostile: str) -> None:
    find_all(hostile)
