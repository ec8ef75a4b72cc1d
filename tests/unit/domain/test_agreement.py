from itertools import product
from math import exp, lgamma, log

import pytest

from flywheel.domain.agreement import Agreement, compare


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        (Agreement(20, 5, 10, 15), 0.40),
        # The same agreement of 60 %, other margins: a textbook pair.
        (Agreement(45, 15, 25, 15), 0.1304),
        (Agreement(25, 35, 5, 35), 0.2593),
        # Sim and Wright, Physical Therapy 85 (2005), table 1.
        (Agreement(22, 2, 4, 11), 0.67),
        (Agreement(10, 0, 0, 10), 1.0),
        (Agreement(0, 10, 10, 0), -1.0),
    ],
)
def test_kappa_is_what_textbooks_say(table: Agreement, kappa: float) -> None:
    found = table.kappa()

    assert found is not None
    assert found.value == pytest.approx(kappa, abs=0.005)
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_the_interval_is_the_large_sample_one_when_there_are_many_answers() -> None:
    found = Agreement(20_000, 5_000, 10_000, 15_000).kappa()

    # Fleiss, Cohen and Everitt (1969): .4 +- 1.96 * .8974 / sqrt(n).
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 0.8974 / 50_000**0.5, rel=0.01)


@pytest.mark.parametrize("table", [Agreement(30, 0, 0, 0), Agreement(29, 0, 1, 0), Agreement(0, 3, 0, 27), compare([])])
def test_kappa_says_nothing_where_people_gave_one_kind_of_answer_only(table: Agreement) -> None:
    assert table.kappa() is None


def test_a_judge_that_lets_everything_pass_agrees_by_chance_only() -> None:
    found = Agreement(24, 6, 0, 0).kappa()

    assert found is not None
    assert found.value == 0


def test_full_agreement_on_a_few_answers_is_no_proof_of_full_agreement() -> None:
    found = Agreement(25, 0, 0, 5).kappa()

    assert found is not None
    assert found.value == found.high == 1
    assert 0.5 < found.low < 0.7


@pytest.mark.parametrize("table", [Agreement(20, 5, 10, 15), Agreement(1, 9, 9, 1), Agreement(40, 1, 2, 3)])
def test_agreement_is_never_below_kappa(table: Agreement) -> None:
    found = table.kappa()

    assert found is not None
    assert table.agreed / table.answers >= found.value


def test_answers_are_counted_by_who_lets_them_pass() -> None:
    answers = [(True, True), (True, True), (True, False), (False, True), (False, False)]

    assert compare(answers) == Agreement(2, 1, 1, 1)


def cells(people: float, judge: float, kappa: float) -> list[float]:
    """Shares of the four cells with these shares of passed answers and this kappa."""
    chance = people * judge + (1 - people) * (1 - judge)
    agreed = kappa * (1 - chance) + chance
    both = (agreed + people + judge - 1) / 2
    return [both, judge - both, people - both, agreed - both]


@pytest.mark.parametrize("answers", [20, 30])
def test_the_interval_covers_the_true_kappa(answers: int) -> None:
    """No simulation: the chance of every table there is, in worlds from chance to near-perfect agreement."""
    counts = range(answers + 1)
    tables = [(a, b, c, answers - a - b - c) for a, b, c in product(counts, repeat=3) if a + b + c <= answers]
    found = [Agreement(*table).kappa() for table in tables]
    ways = [lgamma(answers + 1) - sum(lgamma(cell + 1) for cell in table) for table in tables]
    covered = []
    for people, bias, kappa in product((0.5, 0.7, 0.85), (0.0, 0.05), (0.0, 0.4, 0.6, 0.8)):
        logs = [log(max(cell, 1e-12)) for cell in cells(people, people + bias, kappa)]
        chances = [
            exp(way + sum(n * p for n, p in zip(table, logs, strict=True)))
            for way, table in zip(ways, tables, strict=True)
        ]
        said = [(chance, k) for chance, k in zip(chances, found, strict=True) if k is not None]
        covered.append(
            sum(chance for chance, k in said if k.low <= kappa <= k.high) / sum(chance for chance, _ in said)
        )

    assert min(covered) > 0.93
    assert sum(covered) / len(covered) > 0.95
