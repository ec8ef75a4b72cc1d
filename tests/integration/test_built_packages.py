"""What `sam build` makes, for both processors: what is in it, once, pinned, and nothing else."""

import re
import struct
from pathlib import Path
from typing import get_args

import pytest

from local.tools import ROOT
from tests.packages import Architecture, build, packages

# The limit of AWS, on a function and its layers together.
UNZIPPED_LIMIT = 250_000_000
# `e_machine` of an ELF file.
PROCESSORS = {"arm64": 183, "x86_64": 62}
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture.__value__)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    chosen: Architecture = request.param
    return chosen


@pytest.fixture(scope="module")
def built(architecture: Architecture) -> Path:
    return build(architecture)


def layers(built: Path) -> dict[str, Path]:
    return {
        "core": built / "CoreLayer",
        "evaluation": built / "EvaluationLayer",
        "harvest": built / "HarvestLayer",
    }


def distributions(layer: Path) -> dict[str, str]:
    """Name -> version of all that was installed into a layer."""
    found = (path.name.removesuffix(".dist-info").rsplit("-", 1) for path in layer.rglob("*.dist-info"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def pinned(layer: str) -> dict[str, str]:
    """Name -> version of what a layer's requirements ask for on Lambda."""
    lines = (ROOT / "layers" / layer / "requirements.txt").read_text().splitlines()
    wanted = (
        line.split(";")[0].strip() for line in lines if line[:1] not in ("", "#") and "== 'emscripten'" not in line
    )
    return dict(line.split("==") for line in wanted)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_all_machine_code_is_for_the_processor_that_was_asked_for(built: Path, architecture: Architecture) -> None:
    objects = sorted(built.rglob("*.so*"))
    machines = {path.name: struct.unpack_from("<H", path.read_bytes(), 18)[0] for path in objects}

    assert len(objects) >= 7
    assert set(machines.values()) == {PROCESSORS[architecture]}, machines


@pytest.mark.parametrize("layer", ["core", "evaluation", "harvest"])
def test_a_layer_has_its_content_under_python_once(built: Path, layer: str) -> None:
    folder = layers(built)[layer]

    assert [path.name for path in folder.iterdir()] == ["python"]
    assert not (folder / "python" / "python").exists()
    # Twice the same distribution is two versions of it, and only one of them is imported.
    assert len(list(folder.rglob("*.dist-info"))) == len(distributions(folder))


def test_our_package_is_in_the_core_layer_once_and_whole(built: Path) -> None:
    source = ROOT / "layers" / "core" / "flywheel"
    files = {p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    found = [path.parent for path in built.rglob("flywheel/__init__.py")]

    assert found == [built / "CoreLayer" / "python" / "flywheel"]
    assert {path.relative_to(found[0]) for path in found[0].rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("layer", ["core", "evaluation", "harvest"])
def test_a_layer_holds_the_pinned_versions_and_nothing_that_came_along(built: Path, layer: str) -> None:
    assert distributions(layers(built)[layer]) == pinned(layer)


def test_boto3_is_pinned_in_the_core_layer_and_knows_agentcore(built: Path) -> None:
    core = distributions(built / "CoreLayer")
    services = built / "CoreLayer" / "python" / "botocore" / "data"

    assert {"boto3", "botocore", "pydantic", "aws-lambda-powertools"} <= set(core)
    assert not {"boto3", "botocore"} & set(distributions(built / "EvaluationLayer"))
    assert {"bedrock-agentcore", "bedrock-agentcore-control"} <= {path.name for path in services.iterdir()}


def test_what_slows_a_start_down_for_nothing_is_in_no_layer(built: Path) -> None:
    for layer in layers(built).values():
        assert not {"numpy", "langfuse", "strands-agents"} & set(distributions(layer))


def test_a_function_carries_its_own_folder_and_no_neighbour(built: Path) -> None:
    found = list(packages(built))
    for package in found:
        folder = ROOT / "functions" / re.sub(r"(?<!^)(?=[A-Z])", "_", package.name.removesuffix("Function")).lower()
        source = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

        assert {path.name: path.read_bytes() for path in package.code.iterdir()} == source, package.name
    assert len(found) == len(list((ROOT / "functions").glob("*/app.py")))


def test_no_function_is_near_the_limit_of_its_size(built: Path) -> None:
    for package in packages(built):
        assert size(package.code) + sum(size(layer) for layer in package.layers) < UNZIPPED_LIMIT / 2, package.name
