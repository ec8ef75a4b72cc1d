"""Imports run downward only: errors <- domain <- ports <- services <- adapters <- functions and command."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLYWHEEL = ROOT / "layers" / "core" / "flywheel"
# What may be imported of `flywheel`, lowest first; whatever is not named here is a service: it works through ports.
LOWEST = ("errors", "domain", "ports")
SERVICE = len(LOWEST)
ADAPTERS = SERVICE + 1
# The commands that run the local stack load it when they are called.
LOADS_LOCAL = {"demo.py", "demo_loop.py", "demo_pushes.py", "local.py", "push.py", "setup_local.py", "target.py"}


def imports(path: Path, *, when_loaded: bool = False) -> Iterator[str]:
    """Absolute names of the modules that a file imports; `when_loaded`: not those inside its functions."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes: list[ast.AST] = list(tree.body) if when_loaded else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its layer"
            # `from flywheel import domain` names the layer among the names.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


def rank(part: str) -> int:
    if part in LOWEST:
        return LOWEST.index(part)
    return ADAPTERS if part == "adapters" else SERVICE


@pytest.mark.parametrize("path", files("layers/core/flywheel"), ids=lambda path: str(path.relative_to(FLYWHEEL)))
def test_a_module_of_the_product_imports_its_own_layer_and_those_below(path: Path) -> None:
    own = rank(path.relative_to(FLYWHEEL).parts[0].removesuffix(".py"))
    for name in imports(path):
        top, _, rest = name.partition(".")
        assert top not in {"cli", "local", "agent", "functions", "tests"}, name
        if top == "flywheel":
            assert rank(rest.partition(".")[0]) <= own, name


@pytest.mark.parametrize("path", files("layers/core/flywheel"), ids=lambda path: str(path.relative_to(FLYWHEEL)))
def test_only_adapters_know_an_aws_sdk(path: Path) -> None:
    if path.relative_to(FLYWHEEL).parts[0] != "adapters":
        assert not {name.partition(".")[0] for name in imports(path)} & {"boto3", "botocore", "urllib3", "openai"}


@pytest.mark.parametrize("path", files("functions"), ids=lambda path: path.parent.name)
def test_a_function_imports_the_layer_and_no_neighbour(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & {"functions", "cli", "local", "agent", "tests"}


@pytest.mark.parametrize("path", files("agent"), ids=lambda path: path.stem)
def test_the_agent_stands_alone(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & {"flywheel", "functions", "cli", "local", "tests"}


@pytest.mark.parametrize("path", files("local"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_local_stack_imports_nothing_of_the_product(path: Path) -> None:
    ours = {"flywheel", "functions", "cli", "tests"}
    if "overlays" not in path.parts:  # an overlay is a piece of the agent: it lies over it in the image
        ours.add("agent")
    assert not {name.partition(".")[0] for name in imports(path)} & ours


@pytest.mark.parametrize("path", files("cli"), ids=lambda path: path.stem)
def test_a_command_loads_the_local_stack_only_when_it_is_called(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & {"functions", "agent", "tests"}
    when_loaded = imports(path, when_loaded=True)
    looked_at = when_loaded if path.name in LOADS_LOCAL else imports(path)
    assert "local" not in {name.partition(".")[0] for name in looked_at}
