"""Where an image runs: operating system and processor."""

import re
from dataclasses import dataclass
from typing import Self

from flywheel.domain.json_words import shown

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_./+-]{0,99}")
# Names of one processor, as containerd reads them.
_ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64", "x86-64": "amd64"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Where an image runs. A variant (`v8` of arm64) makes no difference here."""

    os: str
    architecture: str

    @classmethod
    def of(cls, os: str, architecture: str) -> Self:
        name = architecture.lower()
        return cls(os.lower(), _ARCHITECTURES.get(name, name))

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Read `os/architecture`, such as `linux/arm64`.

        Raises:
            ValueError: it is something else.
        """
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(f"{text[:60]!r} is no platform; expected os/architecture, such as linux/arm64")
        return cls.of(parts[0], parts[1])

    @property
    def is_known(self) -> bool:
        """False for what has no platform of its own, which BuildKit calls `unknown/unknown`."""
        return "" not in (self.os, self.architecture) and "unknown" not in (self.os, self.architecture)

    def __str__(self) -> str:
        return plain(f"{self.os}/{self.architecture}")


def plain(name: str) -> str:
    """A name from outside as it is, unless it looks like no name."""
    return name if _NAME.fullmatch(name) else shown(name)
