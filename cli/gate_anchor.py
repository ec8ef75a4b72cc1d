"""`flywheel gate anchor`: the release that candidates are held against besides the incumbent, shown and moved."""

import json
from dataclasses import dataclass
from typing import Any

from cli.gate_view import short_digest
from cli.problems import CommandError
from cli.session import Session
from flywheel.baselines import Baselines
from flywheel.errors import InvalidRequestError
from flywheel.ports import Release
from flywheel.stored_arms import ANCHOR_SETTING, AnchorSetting, parse_anchor


@dataclass(frozen=True, slots=True)
class AnchorView:
    """`setting` None: what is set cannot be read, `problem` says why. `stored`: gates that left answers, by release."""

    setting: AnchorSetting | None
    problem: str
    releases: tuple[Release, ...]
    stored: dict[int, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "anchor": None if self.setting is None else self.setting.model_dump(),
            "problem": self.problem or None,
            "releases": [
                {
                    "release": release.release_no,
                    "candidate_id": release.candidate.candidate_id,
                    "digest": release.candidate.image_digest,
                    "since": release.since.isoformat(),
                    "gates_with_stored_answers": self.stored[release.release_no],
                }
                for release in self.releases
            ],
        }


def read(session: Session, limit: int = 20) -> AnchorView:
    """The setting as it is, and the newest releases with what is stored of each."""
    setting, problem = None, ""
    try:
        setting = parse_anchor(session.settings.text(ANCHOR_SETTING))
    except InvalidRequestError as error:
        problem = f"the SSM parameter {session.facts.settings_prefix}/{ANCHOR_SETTING} is invalid: {error}"
    releases = tuple(session.releases.releases(limit))
    gates = Baselines(session.objects).gates()
    stored = {release.release_no: len(gates.get(release.candidate.candidate_id, ())) for release in releases}
    return AnchorView(setting, problem, releases, stored)


def set_anchor(session: Session, release: int | str, *, by: str, dry_run: bool) -> AnchorSetting:
    """Write the setting with who and when; `release` is a number, `oldest` or `off`.

    Raises:
        CommandError: there is no such release.
    """
    if isinstance(release, int) and session.releases.release(release) is None:
        raise CommandError(f"there is no release {release}: flywheel gate anchor shows what there is")
    setting = AnchorSetting.model_validate(
        {"release": release, "set_by": by, "set_at": session.clock.now().isoformat(timespec="seconds")}
    )
    if not dry_run:
        session.settings.put(ANCHOR_SETTING, json.dumps(setting.model_dump()))
    return setting


def in_words(setting: AnchorSetting) -> str:
    what = {
        "oldest": "the oldest release whose stored answers can be used",
        "off": "off: slow decline over many releases is not looked for",
    }.get(str(setting.release), f"release {setting.release}")
    who = f" (set by {setting.set_by}, {setting.set_at})" if setting.set_by else ""
    return what + who


def lines(view: AnchorView) -> list[str]:
    """What is shown at a terminal."""
    said = [f"anchor  {in_words(view.setting)}" if view.setting else f"anchor  INVALID: {view.problem}"]
    for release in view.releases:
        count = view.stored[release.release_no]
        answers = f"answers stored by {count} gate{'' if count == 1 else 's'}" if count else "no stored answers"
        said.append(f"  release {release.release_no}: {short_digest(release.candidate.image_digest)}, {answers}")
    if not view.releases:
        said.append("  no releases yet; next: flywheel push")
    return said
