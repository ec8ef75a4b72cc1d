"""Exit code 0 only when every row holds, every mutant is caught and the gate is fast enough."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import verdict, verdict_speed
from tests.bench.naive import RULES
from tests.bench.verdict_rows import Row
from tests.bench.verdict_study import Study

FAST = {
    "record_us": 14.0,
    "pair_us": 22.0,
    "look_us": 11.0,
    "large_peak_mb": 5.0,
    "large_pairs": 10_000.0,
    "large_s": 1.5,
    "large_json_kb": 327.0,
    "large_to_json_ms": 20.0,
    "large_from_json_ms": 1400.0,
}


def _study(*, passed: float, caught: bool) -> Study:
    row = Row("-10 points", "PASS share", passed, "at most", 0.05, dict.fromkeys(RULES, 0.5))
    return Study(
        rows=[row.to_dict()],
        mutants=[{"name": "margin .15", "caught": caught, "missed_by": []}],
        worlds={"minus-10": {"passed": passed, "naive": dict.fromkeys(RULES, 0.5)}},
        waves=[{"world": "equal", "pairs_a_look": 10, "invocations": 251.0, "looks": 13.0}],
    )


def _run(monkeypatch: pytest.MonkeyPatch, folder: Path, found: Study, speed: dict[str, float]) -> int:
    def measured(large_peak_mb: float) -> dict[str, float]:
        return speed

    def studied(pool: object, gates: int) -> Study:
        return found

    def nothing(workers: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return [], []

    monkeypatch.setattr(verdict, "OUTPUT", folder / "bench" / "verdict.json")
    monkeypatch.setattr(verdict, "PICTURE", folder / "bench" / "verdict.svg")
    monkeypatch.setattr(verdict, "study", studied)
    monkeypatch.setattr(verdict, "sampler_rows", nothing)
    monkeypatch.setattr(verdict_speed, "peak_mb", float)
    monkeypatch.setattr(verdict_speed, "measure", measured)
    return verdict.main(["--gates", "1", "--workers", "1"])


@pytest.mark.parametrize(
    ("found", "speed", "code"),
    [
        (_study(passed=0.05, caught=True), FAST, 0),
        (_study(passed=0.0525, caught=True), FAST, 1),
        (_study(passed=0.05, caught=False), FAST, 1),
        (_study(passed=0.05, caught=True), FAST | {"record_us": 51.0}, 1),
    ],
)
def test_the_exit_code_says_whether_all_is_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Study, speed: dict[str, float], code: int
) -> None:
    assert _run(monkeypatch, tmp_path, found, speed) == code


def test_what_is_missed_is_written_and_printed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _study(passed=0.2, caught=False)
    assert _run(monkeypatch, tmp_path, found, FAST) == 1
    written = json.loads((tmp_path / "bench" / "verdict.json").read_text("utf-8"))
    assert written["rows"] == found.rows
    assert written["mutants"] == found.mutants
    assert written["speed"] == FAST
    assert (tmp_path / "bench" / "verdict.svg").read_text("utf-8").startswith("<svg")
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert "NOT CAUGHT" in printed
    assert "0 of 1 rows hold, 0 of 1 mutants are caught" in printed
