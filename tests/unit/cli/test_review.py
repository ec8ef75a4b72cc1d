"""The reviewers' page from the command line."""

import json

from cli.target import stands_in
from flywheel.domain.review_form import LIVE_FORM
from tests.unit.cli.double_session import DoubleSession, run

LIVE = "flywheel live reviews"


def session_with(*traces: str, queue: str = LIVE) -> DoubleSession:
    session = DoubleSession()
    made = session.people.ensure(queue, LIVE_FORM)
    for trace in traces:
        session.people.add(made.queue_id, trace, tried_since=None)
    return session


def test_what_waits_is_counted_and_the_stand_in_s_page_opened() -> None:
    session = session_with("a", "b", "c")
    session.people.finish("b")
    done = run(session, "review")

    page = "https://langfuse.test/project/p/annotation-queues/queue-1/review"
    assert done.exit_code == 0
    assert done.stdout == f"{LIVE}: 2 waiting\nreview: {page}\n"
    assert session.opened == [page]


def test_a_real_langfuse_is_opened_at_its_own_page_of_the_queue() -> None:
    session = session_with("a")
    session.standing_in = False
    done = run(session, "review", "--json")

    url = "https://langfuse.test/project/p/annotation-queues/queue-1"
    assert json.loads(done.stdout) == {"queue": LIVE, "url": url, "waiting": 1}
    assert session.opened == []


def test_nothing_that_waits_is_told_by_the_exit_code_and_opens_nothing() -> None:
    session = session_with()
    done = run(session, "review")

    assert (done.exit_code, session.opened) == (1, [])
    assert "0 waiting" in done.stdout


def test_without_a_browser_the_address_is_said() -> None:
    session = session_with("a")
    assert run(session, "review", "--no-open").exit_code == 0
    assert session.opened == []
    session.has_browser = False
    assert "no browser here" in run(session, "review").stdout


def test_a_queue_of_the_stack_is_made_and_any_other_is_only_looked_for() -> None:
    session = DoubleSession()
    assert run(session, "review", "--queue", "flywheel gate reviews").exit_code == 1
    refused = run(session, "review", "--queue", "typo")

    assert refused.exit_code == 2
    assert "no annotation queue 'typo'" in refused.stderr
    assert set(session.people.queues) == {"flywheel gate reviews"}
    session.people.ensure("experts", LIVE_FORM)
    assert run(session, "review", "--queue", "experts").exit_code == 1


def test_its_help_has_an_example() -> None:
    assert "flywheel review --queue" in run(DoubleSession(), "review", "--help").stdout


def test_a_stand_in_is_known_by_what_the_local_stack_says() -> None:
    assert stands_in("langfuse", {"FLYWHEEL_STAND_INS": "langfuse,model"})
    assert not stands_in("langfuse", {"FLYWHEEL_STAND_INS": "model"})
    assert not stands_in("langfuse", {})
