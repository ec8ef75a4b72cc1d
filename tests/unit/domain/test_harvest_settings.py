import pytest

from flywheel.domain.harvest_settings import HarvestSettings, harvest_settings, load_default_harvest
from flywheel.errors import InvalidRequestError


def test_the_packaged_settings_are_the_defaults() -> None:
    assert load_default_harvest() == HarvestSettings() == harvest_settings(None)


def test_an_environment_says_only_what_differs() -> None:
    found = harvest_settings('{"settle_minutes": 0, "conflict_queue": "conflicts"}')
    assert (found.settle_minutes, found.conflict_queue, found.watch_days) == (0, "conflicts", 7)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        harvest_settings('{"watch_days": "7", "similarity": 2, "agreement_reviews": 1.5, "conflict_queue": 3, "x": 1}')
    said = str(raised.value)
    assert all(name in said for name in ("watch_days", "similarity", "agreement_reviews", "conflict_queue", "'x'"))


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        harvest_settings(text)
