"""The rules are pure: what they import and call decides that, so that is what is looked at."""

import ast
import sys
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[3] / "layers" / "core" / "flywheel" / "domain"
MODULES = sorted(DOMAIN.glob("*.py"))
# Of the standard library: what reaches outside, or differs from run to run.
IMPURE = {
    "os",
    "sys",
    "time",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "logging",
    "threading",
    "asyncio",
    "pathlib",
}
CALLS = {"open", "print", "input", "now", "utcnow", "today"}


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_domain_was_found() -> None:
    assert {"gate.py", "guards.py", "golden.py"} <= {module.name for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_the_standard_library_pydantic_and_the_domain_only(module: Path) -> None:
    for name in imports(ast.parse(module.read_text("utf-8"))):
        top = name.split(".")[0]
        if top == "flywheel":
            assert name == "flywheel.errors" or name.startswith("flywheel.domain")
        else:
            assert top == "pydantic" or (top in sys.stdlib_module_names and top not in IMPURE), name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_asks_no_clock_and_writes_nothing(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in CALLS, f"{module.name}:{node.lineno}"
