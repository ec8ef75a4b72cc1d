"""`flywheel push`: the agent's code -> image -> repository, which starts a gate."""

import json
import re
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.session import Session

_out = Console()
_err = Console(stderr=True)
_REPOSITORY = "flywheel-agent-dev"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def push(  # noqa: PLR0917, C901 - one option each, and what each of them changes
    ctx: typer.Context,
    overlay: Annotated[
        str | None, typer.Option(help="Files laid over the source: a folder, or a name under local/images/overlays.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="The agent's code; the project's agent/ when left out.")] = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Tag; left out: the commit and a random end."),
    ] = None,
    repository: Annotated[str, typer.Option(help="Repository to push to.")] = _REPOSITORY,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Pack only: show the digest, push nothing.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow this push's gate; exit with its verdict's code.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="With --watch: seconds to watch at most.")] = 1800,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable; with --watch the gate's JSON.")] = False,
) -> None:
    """Pack the agent into an image and push it to the local stack's registry. The push starts a gate.

    Equal content gives an equal digest, whatever the tag; an image that has the tag already starts no gate. To push to
    a real ECR, docker builds the image: the command says how when the local stack is down.

    Exit code with --watch: 0 PASS, 1 FAIL or nothing that a gate could judge, 2 INCONCLUSIVE or an error.

    Examples:
      flywheel push
      flywheel push --watch
      flywheel push --overlay regressed --tag try-7
      flywheel push --dry-run --json
    """
    from local.images.oci import ImageError  # noqa: PLC0415
    from local.images.release import agent_image, find_overlay, holds_already, revision  # noqa: PLC0415
    from local.images.release import push_to as push_image  # noqa: PLC0415
    from local.stack import load  # noqa: PLC0415

    commit = revision()
    chosen_tag = tag or f"{commit[:12] or 'local'}-{secrets.token_hex(3)}"
    if not _TAG.fullmatch(chosen_tag):
        raise _fail(f"{chosen_tag[:80]!r} is no tag; use letters, digits, _ . and -, at most 128")
    info = None if dry_run else load()
    if not dry_run and info is None:
        raise _fail(f"the local stack is down. Start it: flywheel local up\n{_aws_hint(repository, chosen_tag)}")
    if watch:
        _can_watch(ctx.obj, repository, dry_run=dry_run)
    try:
        image = agent_image(source, find_overlay(overlay) if overlay else None)
        started, pushed_at = time.monotonic(), datetime.now(UTC)
        there = info is not None and holds_already(info, image, repository, chosen_tag)
        if info is not None and not there:
            push_image(info, image, repository, chosen_tag)
    except ImageError as error:
        raise _fail(str(error)) from None
    name = f"{chosen_tag}@{image.digest}"
    if there and watch:
        raise _fail(
            f"{repository}:{chosen_tag} is this image already: nothing was pushed, so no gate starts.\n"
            f"Judge it again: flywheel gate start --image {image.digest} --wait\n"
            f"Or look at its last gate: flywheel gate show {name}"
        )
    size = sum(map(len, image.layers))
    if as_json and not watch:
        said: dict[str, object] = {"digest": image.digest, "repository": repository, "tag": chosen_tag}
        said |= {"revision": commit, "bytes": size, "pushed": not (dry_run or there)}
        typer.echo(json.dumps(said))
        return
    verb = f"pushed in {time.monotonic() - started:.1f} s"
    if dry_run or there:
        verb = "packed, not pushed" if dry_run else "there already, nothing was pushed"
    lines = [f"{repository}:{chosen_tag}  ({size / 1024:.0f} KiB, {verb})", image.digest]
    _say(lines, on=_err if as_json else _out)
    if watch:
        from cli import gate_watch  # noqa: PLC0415 - what a push alone does not need

        raise typer.Exit(gate_watch.watch(ctx.obj, name, timeout_s=timeout, as_json=as_json, since=pushed_at))
    if there:
        _say([f"no gate starts; judge it again: flywheel gate start --image {image.digest}"], on=_out)
    elif not dry_run:
        _say([f"a gate starts now; follow it: flywheel gate watch {name}"], on=_out)


def _say(lines: list[str], *, on: Console) -> None:
    for line in lines:
        on.print(line, highlight=False, soft_wrap=True)


def _can_watch(session: "Session", repository: str, *, dry_run: bool) -> None:
    if dry_run:
        raise CommandError("--watch needs a push: leave --dry-run out")
    if session.facts.repository != repository:
        raise CommandError(
            f"a push to {repository} starts no gate in the stack {session.facts.stack}, which listens to "
            f"{session.facts.repository}: leave --watch out, or name another stack with --stack"
        )


def _fail(message: str) -> typer.Exit:
    _err.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


def _aws_hint(repository: str, tag: str) -> str:
    docker = "docker" if shutil.which("docker") else "docker (not installed here)"
    return (
        f"To push to ECR on AWS instead, build the real image with {docker}:\n"
        "  aws ecr get-login-password | docker login --username AWS --password-stdin "
        "<account>.dkr.ecr.<region>.amazonaws.com\n"
        "  docker buildx build --platform linux/arm64 --provenance=false -f agent/Dockerfile --push "
        f"-t <account>.dkr.ecr.<region>.amazonaws.com/{repository}:{tag} ."
    )
