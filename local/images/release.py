"""The project's agent as an image: what is packed, how it is labelled, where it goes."""

import subprocess
from pathlib import Path

from local.images.oci import REVISION, Image, ImageError
from local.images.packer import pack
from local.images.pusher import digest_at, push
from local.stack_info import StackInfo
from local.tools import ROOT

ENTRYPOINT = ("python", "-m", "agent")
OVERLAYS = ROOT / "local" / "images" / "overlays"


def agent_image(
    source_dir: Path | None = None, overlay_dir: Path | None = None, *, labels: dict[str, str] | None = None
) -> Image:
    """Image of the agent in `source_dir` (None = the project's), labelled with the commit.

    Raises:
        ImageError: a folder is missing or cannot be packed.
    """
    commit = revision()
    if commit and (source_dir or overlay_dir or _changed("agent")):
        commit += "-changed"  # a verdict must not be traced to a commit that does not hold the code
    return pack(
        source_dir or ROOT / "agent",
        overlay_dir,
        entrypoint=ENTRYPOINT,
        labels={**({REVISION: commit} if commit else {}), **(labels or {})},
    )


def revision() -> str:
    """Commit of the checkout; empty outside a git repository."""
    return _git("rev-parse", "HEAD") or ""


def _changed(folder: str) -> bool:
    return bool(_git("status", "--porcelain", "--", folder))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def find_overlay(name: str) -> Path:
    """Folder of an overlay, by its name or its path.

    Raises:
        ImageError: there is none; names those that there are.
    """
    named = OVERLAYS / name
    if "/" not in name and named.is_dir():
        return named
    if Path(name).is_dir():
        return Path(name)
    known = sorted(path.name for path in OVERLAYS.glob("*") if path.is_dir())
    raise ImageError(f"there is no overlay {name!r}; give a folder, or one of: {', '.join(known) or 'none yet'}")


def push_to(info: StackInfo, image: Image, repository: str, tag: str) -> str:
    """Push to the local stack's registry; the digest. Whoever pushes what the tag holds already starts no gate.

    Raises:
        ImageError: the registry refuses, most often because the stack was not deployed.
    """
    return push(image, info.aws.url, repository, tag)


def holds_already(info: StackInfo, image: Image, repository: str, tag: str) -> bool:
    """Whether the tag is this very image in the local stack's registry: pushing it again is no push, as in ECR.

    Raises:
        ImageError: the registry does not answer.
    """
    return digest_at(info.aws.url, repository, tag) == image.digest
