"""Signatures of deliveries: what verifies, and that nothing else does."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.signature import is_secret, sign, verify

SECRET = "lf-whsec_" + "a1" * 32
OTHER = "lf-whsec_" + "b2" * 32
BODY = '{"id":"1","grüße":"✓"}'.encode()
NOW = 1_795_372_919


def check(header: str, *secrets: str, body: bytes = BODY, now: float = NOW, tolerance_s: float = 300) -> int | None:
    return verify(header, body, secrets or (SECRET,), now=now, tolerance_s=tolerance_s)


def test_a_header_is_the_time_and_the_hash_of_time_and_body() -> None:
    expected = hmac.new(SECRET.encode(), str(NOW).encode() + b"." + BODY, hashlib.sha256).hexdigest()
    assert sign(SECRET, BODY, NOW) == f"t={NOW},v1={expected}"
    assert check(sign(SECRET, BODY, NOW)) == NOW


def test_either_secret_of_a_rotation_verifies() -> None:
    assert check(sign(SECRET, BODY, NOW), OTHER, SECRET) == NOW
    assert check(sign(OTHER, BODY, NOW), OTHER, SECRET) == NOW
    assert check(sign(SECRET, BODY, NOW), OTHER) is None


def test_without_a_secret_nothing_verifies() -> None:
    assert verify(sign("", BODY, NOW), BODY, (), now=NOW, tolerance_s=300) is None


def test_keys_stand_in_any_order_among_others_and_several_signatures_may_stand_there() -> None:
    stamp, signature = sign(SECRET, BODY, NOW).split(",")
    assert check(f"{signature},{stamp}") == NOW
    assert check(f"v0=x, {stamp} ,v1={'0' * 64}, {signature},s=y") == NOW


@pytest.mark.parametrize(("age_s", "accepted"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_the_window_is_closed_on_both_sides(age_s: int, accepted: bool) -> None:
    assert (check(sign(SECRET, BODY, NOW), now=NOW + age_s) is not None) is accepted


@pytest.mark.parametrize(
    "stamp", ["", "abc", "-1", "+1", "1.5", "1e9", " 1", "١٢٣", "9" * 400, "0x10", "1_0", "NaN", "inf"]
)
def test_a_time_that_is_no_plain_number_is_refused(stamp: str) -> None:
    signature = sign(SECRET, BODY, NOW).partition(",")[2]
    assert check(f"t={stamp},{signature}") is None


@pytest.mark.parametrize(
    "header",
    ["", ",", "=", "t", "t=", f"t={NOW}", f"v1={'0' * 64}", f"t={NOW},v1=", f"t={NOW},v1=ü", f"t={NOW},s={'0' * 64}"],
)
def test_a_header_that_lacks_something_is_refused(header: str) -> None:
    assert check(header) is None


def test_a_second_time_is_refused_even_beside_a_good_signature() -> None:
    header = sign(SECRET, BODY, NOW)
    assert check(f"{header},t={NOW}") is None
    assert check(f"{header},{header}") is None


def test_a_header_of_any_length_is_refused_without_work() -> None:
    assert check(sign(SECRET, BODY, NOW) + ",v1=" + "0" * 100_000) is None


def test_capitals_are_not_the_same_signature() -> None:
    assert check(sign(SECRET, BODY, NOW).upper().replace("T=", "t=").replace("V1=", "v1=")) is None


@given(body=st.binary(max_size=300), at=st.integers(0, 10**11), position=st.integers(0), bit=st.integers(0, 7))
def test_what_was_signed_verifies_and_one_changed_bit_does_not(body: bytes, at: int, position: int, bit: int) -> None:
    header = sign(SECRET, body, at)
    assert check(header, body=body, now=at) == at
    if body:
        changed = bytearray(body)
        changed[position % len(body)] ^= 1 << bit
        assert check(header, body=bytes(changed), now=at) is None


@given(header=st.text(max_size=200))
def test_no_text_as_a_header_raises_or_verifies(header: str) -> None:
    assert check(header) is None


def test_a_secret_is_compared_with_all_that_are_valid() -> None:
    assert is_secret(SECRET, (OTHER, SECRET))
    assert not is_secret(SECRET + "x", (OTHER, SECRET))
    assert not is_secret("", ())
    assert not is_secret("\udc80", (SECRET,))
