from dataclasses import replace
from pathlib import Path

import pytest

from local.agentcore.command import command_line, environment, working_folder
from local.agentcore.control_plane import RuntimeVersion
from local.images.oci import ImageError
from local.images.puller import ImageConfig

CONFIG = ImageConfig(("python", "-m", "agent.app"), {}, "/app", {})
VERSION = RuntimeVersion("fw-1", "1", "repo", "sha256:0", "role", {}, 900, 28800, frozenset())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "app").mkdir(parents=True)
    return tmp_path / "root"


def variables(config: ImageConfig, root: Path, **own: str) -> dict[str, str]:
    return environment(config, root, replace(VERSION, environment=own), port=9000, endpoints={"AWS_REGION": "r"})


@pytest.mark.parametrize("name", ["python", "python3", "python3.13", "/usr/local/bin/python"])
def test_python_becomes_an_interpreter_that_reads_no_path_files(root: Path, name: str) -> None:
    command = command_line(replace(CONFIG, entrypoint=(name, "-m", "agent.app")), root)

    assert command[1:] == ["-S", "-m", "agent.app"]
    assert ".venv" not in command[0]


def test_a_program_of_the_image_is_run_from_the_image(root: Path) -> None:
    program = root / "app" / "run.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert command_line(replace(CONFIG, entrypoint=("./run.sh", "-x")), root) == [str(program), "-x"]
    assert command_line(replace(CONFIG, entrypoint=("/app/run.sh",)), root) == [str(program)]


@pytest.mark.parametrize("name", ["bash", "/bin/sh", "../../../bin/sh", "./nothing", "app"])
def test_a_program_that_the_image_does_not_hold_is_refused(root: Path, name: str) -> None:
    with pytest.raises(ImageError):
        command_line(replace(CONFIG, entrypoint=(name,)), root)


@pytest.mark.parametrize("folder", ["/nowhere", "/../..", "/app/../../.."])
def test_a_working_folder_outside_the_image_is_refused(root: Path, folder: str) -> None:
    with pytest.raises(ImageError):
        working_folder(replace(CONFIG, working_dir=folder), root)


def test_the_runtimes_variables_win_over_the_images(root: Path) -> None:
    config = replace(CONFIG, env={"MODEL_ID": "image", "KEPT": "yes"})

    found = variables(config, root, MODEL_ID="runtime")

    assert (found["MODEL_ID"], found["KEPT"], found["PORT"], found["AWS_REGION"]) == ("runtime", "yes", "9000", "r")


def test_nothing_comes_from_this_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert "AWS_SECRET_ACCESS_KEY" not in variables(CONFIG, root)


def test_an_image_cannot_make_the_agent_listen_on_every_interface(root: Path) -> None:
    assert "DOCKER_CONTAINER" not in variables(replace(CONFIG, env={"DOCKER_CONTAINER": "1", "PATH": "/x"}), root)


def test_folders_that_the_image_puts_on_the_import_path_are_found_in_the_image(root: Path) -> None:
    found = variables(replace(CONFIG, env={"PYTHONPATH": "/app:/app/lib"}), root)["PYTHONPATH"].split(":")

    assert found[:2] == [str(root / "app"), str(root / "app" / "lib")]
