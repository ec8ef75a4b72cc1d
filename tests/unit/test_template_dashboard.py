"""The dashboard of the loop shows what is really measured: names, dimensions, all alarms."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

ROOT = Path(__file__).parents[2]
NAMESPACE = "flywheel-${Environment}"
SEARCH = re.compile(r"SEARCH\('\{(.+)\} service=\"(\w+)\" MetricName=\"(\w+)\"', '(Maximum|Sum|Average)', \d+\)")
# What the loop is looked at for.
SHOWN = {
    "Arrivals", "SuccessRate", "CostUsd", "LatencyP50", "LatencyP95", "LatencyP99",
    "EstimatedFailureRate", "EstimatedFailureRateLow", "EstimatedFailureRateHigh",
    "QueueDepth", "OldestWaitingHours", "BudgetUsed", "BudgetLeft", "TracesSeen", "TracesQueued",
    "ReviewsHarvested", "DuplicatesLinked", "ReviewConflicts", "ReviewsUnjudged", "DatasetItems",
    "GatesEnded",
}  # fmt: skip


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    loaded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    plain: dict[str, Any] = json.loads(json.dumps(loaded))["Resources"]
    return plain


@pytest.fixture(scope="module")
def widgets(resources: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])[
        "widgets"
    ]
    return found


@pytest.fixture(scope="module")
def metrics(widgets: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, str | None]]]:
    """Namespace, name and dimensions of everything shown; the value of a dimension that is searched for is None."""
    found: list[tuple[str, str, dict[str, str | None]]] = []
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                search = SEARCH.fullmatch(metric[0]["expression"])
                assert search, metric
                namespace, *names = search[1].split(",")
                found.append((namespace, search[3], dict.fromkeys(names) | {"service": search[2]}))
            else:
                words = [word for word in metric[2:] if isinstance(word, str)]
                found.append((metric[0], metric[1], dict(zip(words[::2], words[1::2], strict=True))))
    return found


def test_all_of_the_loop_is_shown(metrics: list[tuple[str, str, dict[str, str | None]]]) -> None:
    assert {name for _, name, _ in metrics} >= SHOWN


def test_every_metric_is_emitted_with_its_dimensions_by_the_function_that_it_names(
    resources: dict[str, Any], metrics: list[tuple[str, str, dict[str, str | None]]]
) -> None:
    services = {
        r["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for r in resources.values()
        if r["Type"] == "AWS::Serverless::Function"
    }
    for namespace, name, dimensions in metrics:
        if namespace.startswith("AWS/"):
            continue
        assert namespace == NAMESPACE, name
        service = dimensions["service"]
        assert service in services, name
        source = (ROOT / "functions" / str(service) / "app.py").read_text()
        emitted = _emitted(source)
        assert name in emitted, f"{service} emits no {name}"
        assert emitted[name] | {"service"} == set(dimensions), f"{name}: {service} emits it with other dimensions"
        for dimension, value in dimensions.items():
            if dimension != "service" and value is not None:
                assert f'add_dimension("{dimension}", "{value}")' in source, name


def _emitted(source: str) -> dict[str, set[str]]:
    """Metrics of a function with their dimensions: those added to all of them, or to one metric of its own."""
    common = set(re.findall(r'metrics\.add_dimension\("(\w+)"', source))
    names = re.findall(r'add_metric\(\s*"(\w+)"', source)
    if re.search(r"add_metric\(\s*name,", source):  # a table of them, written by their names
        names += re.findall(r'^\s*"([A-Z]\w+)":', source, re.MULTILINE)
    found = {name: set(common) for name in names}
    single = re.compile(r'single_metric\(\s*"(\w+)".*? as metric:\n((?:\s+metric\.add_dimension\(.*\)\n?)+)')
    for name, block in single.findall(source):
        found[name] = set(re.findall(r'add_dimension\("(\w+)"', block))
    return found


def test_every_alarm_is_on_it(resources: dict[str, Any], widgets: list[dict[str, Any]]) -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    alarms = {f"${{{name}.Arn}}" for name, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    assert sorted(shown) == sorted(alarms), "name it in the widget of alarms of the Dashboard in template.yaml"


def test_widgets_lie_beside_each_other_and_not_over_each_other(widgets: list[dict[str, Any]]) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        place = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not place & taken, widget["properties"]["title"]
        assert max(x for x, _ in place) < 24
        taken |= place
