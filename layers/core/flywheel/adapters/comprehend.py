"""Names of people in a text <- Amazon Comprehend; nothing else that it finds is used."""

from collections.abc import Sequence
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from flywheel.adapters.awserrors import translated
from flywheel.domain.redaction import Found

# A call takes 100 KB of UTF-8; a character has 4 bytes at most.
_LONGEST: Final = 24_000
_LEAST_SCORE = 0.5
_LANGUAGES = ("en", "es")


class ComprehendNames:
    """`NameFinder`. Comprehend finds personal data in English and Spanish only; other texts are read as English."""

    def __init__(self, client: Any, language: str = "en") -> None:
        self._client = client
        self._language = language if language in _LANGUAGES else "en"

    @classmethod
    def from_environment(cls) -> Self:
        return cls(boto3.client("comprehend", config=Config(retries={"mode": "standard", "total_max_attempts": 5})))

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """Give the names in each text.

        Raises:
            TransientError: throttled or unreachable; no text goes on without having been looked at.
        """
        return [self._names(text) for text in texts]

    def _names(self, text: str) -> list[Found]:
        found: list[Found] = []
        for start in range(0, len(text), _LONGEST):
            part = text[start : start + _LONGEST]
            if not part.strip():
                continue
            with translated("comprehend:DetectPiiEntities"):
                reply = self._client.detect_pii_entities(Text=part, LanguageCode=self._language)
            found += [
                Found("NAME", start + entity["BeginOffset"], start + entity["EndOffset"])
                for entity in reply["Entities"]
                if entity["Type"] == "NAME" and entity["Score"] >= _LEAST_SCORE
            ]
        return found
