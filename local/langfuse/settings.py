"""What one stand-in is: its project, keys, version and the file it keeps."""

from dataclasses import dataclass

from local.langfuse.outbound_addresses import Allowed

_PUBLIC_ONLY = Allowed()


@dataclass(frozen=True, slots=True)
class Settings:
    """`deletion_delay_s`: how long a deleted score stays readable (a real 4.16.0 still showed it after 60 s).

    `evaluation_delay_s`: how long after it was stored an observation is judged by evaluation rules.
    `models_allowed`, `webhooks_allowed`: what LLM connections and automations may name beside public addresses.
    `members`: users of the organisation besides `user_id`; nobody else may be named as the author of a comment.
    """

    database: str = ":memory:"
    project_id: str = "rec-project"
    project_name: str = "rec-project"
    organization_id: str = "rec-org"
    organization_name: str = "rec-org"
    public_key: str = "pk-lf-local"
    secret_key: str = "sk-lf-local"  # noqa: S105 - the key of a server on the loopback, printed in the README
    user_id: str = "rec-user"
    members: tuple[str, ...] = ()
    models_allowed: Allowed = _PUBLIC_ONLY
    webhooks_allowed: Allowed = _PUBLIC_ONLY
    server_version: str = "4.16.0"
    deletion_delay_s: float = 60.0
    evaluation_delay_s: float = 1.0

    def is_member(self, user_id: str) -> bool:
        return user_id == self.user_id or user_id in self.members

    @property
    def takes_score_arrays(self) -> bool:
        """Servers from 4.59 take POST /scores as an array; 4.16 refuses it."""
        return version_tuple(self.server_version) >= (4, 59)


def version_tuple(version: str) -> tuple[int, int, int]:
    """`4.16.0` as numbers.

    Raises:
        ValueError: not three numbers between dots.
    """
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):  # noqa: PLR2004
        raise ValueError(f"server version {version!r} is not of the form 4.16.0")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch
