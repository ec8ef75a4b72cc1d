"""An image's entrypoint -> the command and environment of a process on this machine."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from local.agentcore.control_plane import RuntimeVersion
from local.images.oci import ImageError
from local.images.puller import ImageConfig

_INTERPRETERS = frozenset({"python", "python3", "python3.13"})
# PATH and the like name folders of the container; DOCKER_CONTAINER makes the SDK listen on every interface.
_NOT_TAKEN = frozenset(
    {"PATH", "HOME", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DOCKER_CONTAINER", "VIRTUAL_ENV"}
)


def working_folder(config: ImageConfig, root: Path) -> Path:
    """Raises ImageError: the image names a folder that it does not hold."""
    folder = _inside(config.working_dir, root)
    if not folder.is_dir():
        raise ImageError(f"the image's working folder {config.working_dir} does not exist in it")
    return folder


def command_line(config: ImageConfig, root: Path) -> list[str]:
    """Command that runs the image's own entrypoint; `python` becomes this machine's 3.13.

    `-S` keeps the interpreter from reading path files: the libraries of the project's environment stand in for the
    image's base layers, but nothing of the checkout can be imported.

    Raises:
        ImageError: the image does not hold the program that it names.
    """
    program, *arguments = config.entrypoint
    name = PurePosixPath(program).name
    if name in _INTERPRETERS:
        return [getattr(sys, "_base_executable", sys.executable), "-S", *arguments]
    found = _inside(str(PurePosixPath(config.working_dir) / program), root)
    if not os.access(found, os.X_OK) or not found.is_file():
        raise ImageError(f"the image's entrypoint {program!r} is no executable file in it, nor python")
    return [str(found), *arguments]


def environment(
    config: ImageConfig, root: Path, version: RuntimeVersion, *, port: int, endpoints: Mapping[str, str]
) -> dict[str, str]:
    """Everything the container sees: its image's and its runtime's variables and `endpoints`; nothing of the host's."""
    mapped = [str(_inside(part, root)) for part in config.env.get("PYTHONPATH", "").split(":") if part]
    scratch = root.parent / f"{root.name}.tmp"
    scratch.mkdir(exist_ok=True)
    return {
        **{name: value for name, value in config.env.items() if name not in _NOT_TAKEN},
        **version.environment,
        **endpoints,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([*mapped, sysconfig.get_paths()["purelib"]]),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _inside(path: str, root: Path) -> Path:
    """A path of the container, on this machine.

    Raises:
        ImageError: it leads out of the image.
    """
    found = (root / path.lstrip("/")).resolve()
    if not found.is_relative_to(root.resolve()):
        raise ImageError(f"{path!r} leads out of the image")
    return found
