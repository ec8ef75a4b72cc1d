"""Every built handler in an interpreter that has the built function, its layers and the standard library, no more."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.deploy import host_architecture
from local.tools import ROOT
from tests.packages import Package, build, packages

FUNCTIONS = sorted(
    "".join(word.capitalize() for word in path.parent.name.split("_")) + "Function"
    for path in (ROOT / "functions").glob("*/app.py")
)
# Says where every module came from, after the handler and what it imports only when it runs were imported.
PROBE = """
import importlib, json, sys
path, later = json.loads(sys.argv[1])
sys.path[:0] = path
import app
for name in later:
    importlib.import_module(name)
found = {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps({"handler": callable(app.lambda_handler), "modules": found}))
"""


@pytest.fixture(scope="module")
def built() -> dict[str, Package]:
    return {package.name: package for package in packages(build(host_architecture()))}  # type: ignore[arg-type]


def imported_later(package: Package) -> list[str]:
    """Modules that the handler, or a module of ours, imports inside a function, and that are not imported before."""
    roots = [Path(entry) for entry in package.path() if (Path(entry) / "flywheel").is_dir()]
    waiting, seen, later = [package.code / "app.py"], set[Path](), set[str]()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        tree = ast.parse(file.read_text())
        # Below `if TYPE_CHECKING` stands what is never imported.
        typing_only = {id(inner) for node in tree.body if isinstance(node, ast.If) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if id(node) in typing_only:
                continue
            if node not in tree.body:
                later |= set(names)
            for base in (root / Path(*name.split(".")) for root in roots for name in names if name[:9] == "flywheel."):
                waiting += [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()]
    return sorted(later)


def start(package: Package) -> dict[str, Any]:
    python = getattr(sys, "_base_executable", sys.executable)
    argument = json.dumps([package.path(), imported_later(package)])
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", PROBE, argument], capture_output=True, text=True, env={}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_finds_all_that_it_imports_in_its_own_package(built: dict[str, Package], function: str) -> None:
    package = built[function]
    said = start(package)
    own = tuple(package.path())
    standard = (str(Path(json.__file__).parents[1]), sys.base_prefix)
    elsewhere = {name: file for name, file in said["modules"].items() if not file.startswith((*own, *standard))}

    assert said["handler"]
    assert not elsewhere
    assert said["modules"]["boto3"].startswith(own)
    assert not [name for name, file in said["modules"].items() if "site-packages" in file]


def test_what_is_imported_only_when_needed_is_looked_at_too(built: dict[str, Package]) -> None:
    """The judge and the report: their absence would show at the first gate, not at the start."""
    assert "flywheel.adapters.judge" in imported_later(built["EvaluateShardFunction"])
    assert "flywheel.report" in imported_later(built["PublishVerdictFunction"])
    assert "openai" in start(built["EvaluateShardFunction"])["modules"]
    assert "jinja2" in start(built["PublishVerdictFunction"])["modules"]


def test_a_function_without_its_layer_does_not_start(built: dict[str, Package]) -> None:
    """The probe can fail: the scoring function needs the evaluation layer."""
    whole = built["EvaluateShardFunction"]
    without = Package(whole.name, whole.code, whole.layers[:1])

    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        start(without)
