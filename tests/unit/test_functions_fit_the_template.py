"""Each function gets the environment that it reads, and no more."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
# Read by Powertools itself.
POWERTOOLS = {
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_LOGGER_LOG_EVENT",
    "POWERTOOLS_SERVICE_NAME",
}


def settings_of(function: str) -> Any:
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"{function}_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Settings


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded, _ = decode(str(ROOT / "template.yaml"))
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gets_what_it_reads_and_no_more(function: str, template: dict[str, Any]) -> None:
    logical_id = "".join(word.capitalize() for word in function.split("_")) + "Function"
    own = template["Resources"][logical_id]["Properties"]["Environment"]["Variables"]
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    fields = settings_of(function).model_fields
    required = {name.upper() for name, field in fields.items() if field.is_required()}

    assert required <= {*own, *shared}
    assert set(own) - POWERTOOLS <= {name.upper() for name in fields}
