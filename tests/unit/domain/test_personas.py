"""Who arrives, and how an answer leads to the next question."""

from collections import Counter

import pytest

from flywheel.domain.personas import (
    Branch,
    Cast,
    Condition,
    Persona,
    Reply,
    Scenario,
    Turn,
    Visits,
    drawn,
    merge,
    next_turn,
    phrase,
    visit,
)


def scenario(*branches: Branch) -> Scenario:
    return Scenario("one", ("What is a trace?",), (branches,))


@pytest.mark.parametrize(
    ("condition", "reply", "holds"),
    [
        (Condition(), Reply("Anything."), True),
        (Condition(contains=("30 DAYS", "a month")), Reply("It is kept for 30 days."), True),
        (Condition(contains=("30 days",)), Reply("For ever."), False),
        (Condition(lacks=("sorry",)), Reply("Sorry, no idea."), False),
        (Condition(lacks=("sorry",)), Reply("For ever."), True),
        (Condition(tool="search"), Reply("For ever.", tools=("overview", "search")), True),
        (Condition(tool="search"), Reply("For ever."), False),
        (Condition(refused=True), Reply("I cannot help with that.", refused=True), True),
        (Condition(refused=False), Reply("I cannot help with that.", refused=True), False),
        (Condition(contains=("a",), refused=True), Reply("a", refused=False), False),
        (Condition(), Reply(errored=True), False),
        (Condition(errored=True), Reply(errored=True), True),
        (Condition(errored=True), Reply("For ever."), False),
    ],
)
def test_a_condition_holds_when_everything_that_is_given_holds(condition: Condition, reply: Reply, holds: bool) -> None:
    assert condition.holds(reply) is holds


def test_the_first_branch_that_holds_speaks() -> None:
    asked = scenario(
        Branch("Why not?", Condition(refused=True)),
        Branch("And {phrase}?", Condition(contains=("cost",)), must_refuse=True),
        Branch("Thanks."),
    )
    assert next_turn(asked, 1, Reply("No.", refused=True)) == Turn("Why not?", must_refuse=False)
    said = next_turn(asked, 1, Reply("It is free. The cost of models is yours."))
    assert said == Turn("And The cost of models is yours?", must_refuse=True)
    assert next_turn(asked, 1, Reply("It is free.")) == Turn("Thanks.", must_refuse=False)


def test_a_conversation_ends_when_nothing_holds_or_nothing_is_left() -> None:
    asked = scenario(Branch("Why not?", Condition(refused=True)))
    assert next_turn(asked, 1, Reply("It is free.")) is None
    assert next_turn(asked, 2, Reply("No.", refused=True)) is None
    assert next_turn(asked, 1, Reply(errored=True)) is None


@pytest.mark.parametrize(
    ("answer", "wanted", "said"),
    [
        ("Traces are kept. Costs are `inferred`.", ("INFERRED",), "Costs are inferred"),
        ("## Sessions\nA session groups traces.", (), "Sessions"),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", (), "one two three four five six"),
        ("", (), "that"),
        ("***", (), "that"),
    ],
)
def test_a_phrase_is_a_short_piece_of_the_answer(answer: str, wanted: tuple[str, ...], said: str) -> None:
    assert phrase(answer, wanted).startswith(said)
    assert len(phrase(answer, wanted).split()) <= 12


def person(name: str, *scenarios: Scenario, weight: float = 1.0) -> Persona:
    return Persona(name, "g", "t", "en", scenarios or (Scenario("s", ("q",)),), weight)


def test_who_arrives_follows_the_weights_and_is_always_the_same() -> None:
    cast = Cast((person("often", weight=3), person("seldom")))
    names = Counter(visit(cast, 7, number).persona.name for number in range(4_000))
    assert names["often"] / 4_000 == pytest.approx(0.75, abs=0.03)
    assert visit(cast, 7, 11) == visit(cast, 7, 11)
    assert [visit(cast, 7, n).persona.name for n in range(40)] != [visit(cast, 8, n).persona.name for n in range(40)]


def test_arrivals_are_spread_over_several_users_whose_names_say_that_they_are_synthetic() -> None:
    users = {visit(Cast((person("ada"),)), 1, number).user_id for number in range(400)}
    assert users == {f"synthetic-ada-{number}" for number in range(1, 21)}


def test_a_later_file_replaces_a_persona_of_the_same_name_and_adds_others() -> None:
    first, second = Cast((person("ada"), person("ben"))), Cast((person("ben", weight=5), person("wrong-answer")))
    merged = merge([first, second])
    assert [(one.name, one.weight) for one in merged.personas] == [("ada", 1), ("ben", 5), ("wrong-answer", 1)]


def test_draws_are_even() -> None:
    values = [drawn(3, "x", number) for number in range(2_000)]
    assert 0 <= min(values) < max(values) < 1
    assert sum(values) / len(values) == pytest.approx(0.5, abs=0.02)


def test_the_turns_of_a_conversation_are_counted() -> None:
    long = Scenario("l", ("q",), ((Branch("a"),), (Branch("b"),)))
    cast = Cast((person("ada", long, Scenario("s", ("q",))),))
    assert cast.most_turns == 3


def listed(count: int) -> Persona:
    return Persona("load", "g", "t", "en", tuple(Scenario(f"p{n}", (f"q{n}",)) for n in range(count)), in_turn=True)


@pytest.mark.parametrize("seed", range(20))
def test_every_prompt_of_a_list_is_asked_before_any_is_asked_again(seed: int) -> None:
    cast = Cast((listed(26),))
    rounds = [[visit(cast, seed, n).opening for n in range(at, at + 26)] for at in (0, 26, 52)]
    assert all(len(set(one)) == 26 for one in rounds)
    assert rounds[0] != rounds[1]


def test_a_list_beside_other_personas_is_asked_in_turn_as_well() -> None:
    cast = Cast((listed(5), person("ada", weight=2)))
    visits = Visits(cast, 3)
    asked = [one.opening for n in range(200) if (one := visits.visit(n)).persona.in_turn]
    assert all(len(set(asked[at : at + 5])) == 5 for at in range(0, len(asked) - 5, 5))
    assert visits.visit(7) == visit(cast, 3, 7)


def test_only_a_list_by_itself_asks_for_a_number_of_visits() -> None:
    assert (Cast((listed(5),)).fewest_visits, Cast((listed(5), person("ada"))).fewest_visits) == (5, 0)
    assert Cast((person("ada"),)).fewest_visits == 0
