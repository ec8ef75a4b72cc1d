"""`flywheel push`: the agent's code -> image -> repository, which starts a gate."""

import json
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_out = Console()
_err = Console(stderr=True)
_REPOSITORY = "flywheel-agent-dev"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def push(  # noqa: PLR0917 - one option each
    overlay: Annotated[
        str | None, typer.Option(help="Files laid over the source: a folder, or a name under local/images/overlays.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="The agent's code; the project's agent/ when left out.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag; the commit and a random end when left out.")] = None,
    repository: Annotated[str, typer.Option(help="Repository to push to.")] = _REPOSITORY,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Pack only: show the digest, push nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Pack the agent into an image and push it to the local stack's registry. The push starts a gate.

    Equal content gives an equal digest, whatever the tag. To push to a real ECR, docker builds the image: the command
    says how when the local stack is down.

    Examples:
      flywheel push
      flywheel push --overlay regressed --tag try-7
      flywheel push --dry-run --json
    """
    from local.images.oci import ImageError  # noqa: PLC0415
    from local.images.release import agent_image, find_overlay, revision  # noqa: PLC0415
    from local.images.release import push_to as push_image  # noqa: PLC0415
    from local.stack import load  # noqa: PLC0415

    commit = revision()
    chosen_tag = tag or f"{commit[:12] or 'local'}-{secrets.token_hex(3)}"
    if not _TAG.fullmatch(chosen_tag):
        raise _fail(f"{chosen_tag[:80]!r} is no tag; use letters, digits, _ . and -, at most 128")
    info = None if dry_run else load()
    if not dry_run and info is None:
        raise _fail(f"the local stack is down. Start it: flywheel local up\n{_aws_hint(repository, chosen_tag)}")
    try:
        image = agent_image(source, find_overlay(overlay) if overlay else None)
        started = time.monotonic()
        if info is not None:
            push_image(info, image, repository, chosen_tag)
    except ImageError as error:
        raise _fail(str(error)) from None
    size = sum(map(len, image.layers))
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "digest": image.digest,
                    "repository": repository,
                    "tag": chosen_tag,
                    "revision": commit,
                    "bytes": size,
                    "pushed": not dry_run,
                }
            )
        )
        return
    verb = "packed, not pushed" if dry_run else f"pushed in {time.monotonic() - started:.1f} s"
    _out.print(f"{repository}:{chosen_tag}  ({size / 1024:.0f} KiB, {verb})", highlight=False)
    _out.print(image.digest, highlight=False)
    if not dry_run:
        _out.print("a gate starts now; follow it: flywheel gate watch", highlight=False)


def _fail(message: str) -> typer.Exit:
    _err.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


def _aws_hint(repository: str, tag: str) -> str:
    docker = "docker" if shutil.which("docker") else "docker (not installed here)"
    return (
        f"To push to ECR on AWS instead, build the real image with {docker}:\n"
        "  aws ecr get-login-password | docker login --username AWS --password-stdin "
        "<account>.dkr.ecr.<region>.amazonaws.com\n"
        f"  docker buildx build --platform linux/arm64 -f agent/Dockerfile --push "
        f"-t <account>.dkr.ecr.<region>.amazonaws.com/{repository}:{tag} ."
    )
