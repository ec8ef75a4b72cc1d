"""How the sizes and cold starts of the functions are shown."""

from pathlib import Path

from tests.bench.packages import Measured, table, unzipped_mb, zip_kb


def test_a_function_is_a_line_of_the_table() -> None:
    measured = Measured("ScoreFunction", 1.24, ("core", "evaluation"), 61.4, 0.8)

    assert table([measured]).splitlines()[-1] == "| `ScoreFunction` | 1.2 | core, evaluation | 61 | 0.80 |"


def test_sizes_are_of_all_files_below(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"\0" * 1_500_000)
    (tmp_path / "b").write_bytes(b"\0" * 500_000)

    assert unzipped_mb(tmp_path) == 2.0
    assert zip_kb(tmp_path) < 10
