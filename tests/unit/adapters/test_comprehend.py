"""Names of people from Amazon Comprehend: asked in parts, and nothing else that it finds is used."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from flywheel.adapters.comprehend import ComprehendNames
from flywheel.domain.redaction import Found
from flywheel.errors import TransientError


class FakeComprehend:
    """Finds every `Ann`, and a date with it, as the service answers (offsets count characters of the text given)."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def detect_pii_entities(self, *, Text: str, LanguageCode: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(Text)
        starts = [at for at in range(len(Text)) if Text.startswith("Ann", at)]
        found = [{"Type": "NAME", "Score": 0.99, "BeginOffset": at, "EndOffset": at + 3} for at in starts]
        found += [{"Type": "NAME", "Score": 0.2, "BeginOffset": 0, "EndOffset": 1}]
        return {"Entities": [*found, {"Type": "DATE_TIME", "Score": 0.99, "BeginOffset": 0, "EndOffset": 3}]}


def test_names_are_found_and_nothing_else() -> None:
    assert ComprehendNames(FakeComprehend()).find(["Ann and Ann", "", "nobody"]) == [
        [Found("NAME", 0, 3), Found("NAME", 8, 11)],
        [],
        [],
    ]


def test_a_long_text_is_asked_in_parts_and_offsets_are_those_of_the_whole() -> None:
    service = FakeComprehend()
    text = "x" * 24_000 + "Ann"
    assert ComprehendNames(service).find([text]) == [[Found("NAME", 24_000, 24_003)]]
    assert [len(part) for part in service.asked] == [24_000, 3]


def test_a_throttled_service_lets_no_text_pass() -> None:
    class Throttled:
        def detect_pii_entities(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "DetectPiiEntities")

    with pytest.raises(TransientError):
        ComprehendNames(Throttled()).find(["Ann"])
