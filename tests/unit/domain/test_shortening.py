"""What is too long for an item is cut where it reads on: at the end of a word, never inside a placeholder."""

from flywheel.domain.shortening import SPARE, before_redaction, shortened


def test_what_fits_stays_as_it_is() -> None:
    assert shortened("a b", 3) == "a b"
    assert before_redaction("a b", 3) == "a b"


def test_a_cut_falls_between_words() -> None:
    assert shortened("one two three", 9) == "one two"
    assert shortened("one\ntwo", 5) == "one"


def test_a_text_without_words_is_cut_at_the_limit() -> None:
    assert shortened("x" * 1_000, 500) == "x" * 500
    assert shortened("\u6771" * 1_000, 500) == "\u6771" * 500


def test_half_a_placeholder_is_left_out() -> None:
    for cut in range(1, 10):
        assert shortened("x" * 500 + "<EMAIL_1>" + "x" * 500, 500 + cut) in ("x" * 500, "x" * 500 + "<EMAIL_1>")


def test_what_stands_over_the_limit_is_redacted_with_it() -> None:
    assert len(before_redaction("x" * 100_000, 10_000)) == 10_000 + SPARE
