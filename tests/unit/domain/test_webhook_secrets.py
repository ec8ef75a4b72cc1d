"""How secrets of senders are kept while one takes the place of another."""

import pytest

from flywheel.domain.webhook_secrets import check_secret, rotated, valid_secrets


def test_the_newest_of_before_stays_valid_and_no_older_one() -> None:
    assert rotated(None, "a") == "a"
    assert rotated("a", "b") == "b,a"
    assert rotated("b,a", "c") == "c,b"


def test_a_rotation_that_is_repeated_keeps_the_old_secret() -> None:
    assert rotated("b,a", "b") == "b,a"


def test_the_old_one_can_be_dropped() -> None:
    assert rotated("b,a", "b", only=True) == "b"
    assert rotated("b,a", "c", only=True) == "c"


def test_going_back_to_the_old_one_keeps_both() -> None:
    assert rotated("b,a", "a") == "a,b"


def test_spaces_and_empty_parts_are_no_secrets() -> None:
    assert valid_secrets(" a , ,b,") == ("a", "b")
    assert valid_secrets(None) == valid_secrets(",") == ()


def test_a_line_end_from_a_paste_is_taken_off() -> None:
    assert check_secret("  lf-whsec_0123456789\n") == "lf-whsec_0123456789"


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 513, "a" * 20 + ",b", "two words of a secret", "ümläute" * 5, "a\n" * 20]
)
def test_what_cannot_be_a_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="a secret") as caught:
        check_secret(text)
    assert not text.strip() or text.strip() not in str(caught.value)
