"""The whole study with one gate a world: every row, mutant and wave size is there, and can be written."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.bench import verdict_study
from tests.bench.naive import RULES
from tests.bench.simulation import Setting, simulate
from tests.bench.verdict_mutants import MUTANTS
from tests.bench.verdict_rows import LIMITS
from tests.bench.verdict_study import WAVES, Study, study, wave_lines
from tests.bench.worlds import WORLDS


@pytest.fixture(scope="module")
def found() -> Study:
    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor(1) as pool:
        patched.setattr(verdict_study, "CHAINS", 1)
        patched.setattr(verdict_study, "LOOSE_CHAINS", 1)
        return study(pool, 1)


def test_every_limit_has_its_row_and_the_two_other_worlds_theirs(found: Study) -> None:
    quantities = [(row["world"], row["quantity"], row["bound"], row["limit"]) for row in found.rows]
    assert quantities[: len(LIMITS)] == [
        (WORLDS[limit.setting.world].words, limit.quantity, limit.bound, limit.limit) for limit in LIMITS
    ]
    assert quantities[len(LIMITS) :] == [
        ("-10 points, failures arrive late, a look at every arrival", "PASS share", "at most", 0.05),
        ("ten releases of -3 points, with the anchor", "cumulative change", "above", -0.06),
    ]


def test_every_row_has_the_naive_rules_beside_it(found: Study) -> None:
    *shares, creep = [set(row["naive"]) for row in found.rows]
    assert all(set(RULES) <= rules for rules in shares)
    assert creep == {*(f"{rule}: change" for rule in RULES), "without the anchor: change"}


def test_every_world_and_mutant_and_wave_size_is_reported(found: Study) -> None:
    assert found.worlds.keys() == WORLDS.keys()
    assert [mutant["name"] for mutant in found.mutants] == [
        *(mutant.name for mutant in MUTANTS),
        "results counted as they arrive",
    ]
    assert [wave["pairs_a_look"] for wave in found.waves] == list(WAVES)
    assert len(wave_lines(found.waves).splitlines()) == len(found.waves)


def test_what_was_found_can_be_written_as_json(found: Study) -> None:
    assert json.loads(json.dumps(found.rows)) == found.rows
    assert json.loads(json.dumps([found.mutants, found.worlds, found.waves]))


def test_a_row_observes_what_the_same_gate_did_alone(found: Study) -> None:
    [outcome] = simulate(Setting("broken-slice"), [0])
    [row] = [r for r in found.rows if r["world"] == WORLDS["broken-slice"].words and "invocations" in r["quantity"]]
    assert row["observed"] == outcome.invocations
