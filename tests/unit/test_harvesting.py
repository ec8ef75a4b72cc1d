"""The harvest as a whole, on doubles: what becomes of reviews, and what happens when something breaks in between."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.harvest import StoredCase, case_id
from flywheel.domain.live_form import OWN_REMARK
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import InvalidRequestError, TransientError
from flywheel.harvest_agreement import LATEST
from flywheel.harvest_run import LATEST_RUN, HarvestParts, HarvestRun, HarvestSummary
from flywheel.ports import Release
from flywheel.ports.harvest import TraceContent
from flywheel.redaction import PatternRedactor
from flywheel.similarity import WordLikeness
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.harvest import (
    Fuse,
    InMemoryCases,
    InMemoryHarvestNotes,
    InMemoryLiveReviews,
    Killed,
    ReopeningQueue,
    WordCaseJudge,
)
from tests.fakes.harvest_contracts import HarvestNotesContract
from tests.fakes.live import InMemoryLiveLedger, live_review
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus
from tests.fakes.state import InMemoryReleases

QUESTION = "How long are traces kept on the Hobby plan?"
KNOWN = GoldenItem("g-1", "How do I rotate an API key?", response_facts=("Keys are rotated in the project settings.",))


@dataclass
class Loop:
    """Everything around the harvest; `ask` is what the sampler does, the reviewers' double what people do."""

    cases: InMemoryCases = field(default_factory=lambda: InMemoryCases(KNOWN))
    queue: ReopeningQueue = field(default_factory=ReopeningQueue)
    ledger: InMemoryLiveLedger = field(default_factory=InMemoryLiveLedger)
    notes: InMemoryHarvestNotes = field(default_factory=InMemoryHarvestNotes)
    releases: InMemoryReleases = field(default_factory=InMemoryReleases)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    bus: RecordingBus = field(default_factory=RecordingBus)
    once: InMemoryOnce = field(default_factory=InMemoryOnce)
    clock: FixedClock = field(default_factory=FixedClock)
    judge: WordCaseJudge = field(default_factory=WordCaseJudge)
    settings: InMemorySettings = field(default_factory=lambda: InMemorySettings(harvest='{"settle_minutes": 0}'))

    def __post_init__(self) -> None:
        self.people = InMemoryLiveReviews(self.queue)

    def ask(self, trace: str, question: str = QUESTION, tools: tuple[str, ...] = ("searchDocs",)) -> None:
        live = self.queue.ensure("live")
        self.people.contents[trace] = TraceContent(trace, question, tools)
        self.ledger.claim(live_review(trace), now=NOON, until=NOON)
        self.queue.add(live.queue_id, trace, tried_since=None)
        self.ledger.settle(trace, live.queue_id, now=NOON)

    def flagged(self, trace: str, correction: str = "- Thirty days.", question: str = QUESTION) -> None:
        self.ask(trace, question)
        self.people.flag(trace, correction)
        self.queue.finish(trace)

    def run(self, fuse: Fuse | None = None, **more: Any) -> HarvestSummary:
        guard: Callable[[Any], Any] = fuse.guard if fuse else lambda part: part
        parts = HarvestParts(
            dataset="golden",
            ledger=guard(self.ledger),
            reviews=guard(self.people),
            queue=guard(self.queue),
            store=guard(self.cases),
            releases=guard(self.releases),
            notes=guard(self.notes),
            redactor=PatternRedactor(),
            likeness=WordLikeness(),
            judge=lambda: guard(self.judge),
            objects=guard(self.objects),
            bus=guard(self.bus),
            once=self.once,
            parameters=self.settings,
            clock=self.clock,
        )
        return HarvestRun(parts).run(**more)

    def state(self, trace: str) -> str | None:
        harvest = self.ledger.rows[trace].harvest
        return harvest.state if harvest else None

    def item(self, trace: str) -> GoldenItem:
        found = self.cases.items[case_id(trace)].item
        assert found is not None
        return found

    def grown(self) -> list[Any]:
        return [detail for kind, detail in self.bus.events if kind == "GoldenDatasetGrown"]


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_a_flagged_review_becomes_a_golden_item_with_its_provenance(loop: Loop) -> None:
    release = Release(3, Candidate("u", "sha256:" + "a" * 64, "m"), "g-gate", "r", "1", NOON - timedelta(days=1))
    loop.releases.history[3] = release
    loop.flagged("t-1", "- Thirty days.\n2. Not more.\n\n")
    loop.people.say("t-1", "trajectory_confirmed", value=True)
    loop.run()

    item = loop.item("t-1")
    assert (item.question, item.response_facts) == (QUESTION, ("Thirty days.", "Not more."))
    assert (item.slice, item.trajectory, item.must_pass) == ("production", ("searchDocs",), True)
    told = {key: item.metadata[key] for key in ("source_trace_id", "reviewers", "queue", "gate")}
    assert told == {"source_trace_id": "t-1", "reviewers": ["anna"], "queue": "live", "gate": "g-gate"}
    assert loop.cases.sources == {item.item_id: "t-1"}
    assert loop.state("t-1") == "harvested"


def test_the_growth_is_announced_once_for_all_new_items(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.flagged("t-2", "- By day.", "Which day does the billing period begin?")
    loop.run()
    loop.run()

    (grown,) = loop.grown()
    assert grown["item_ids"] == sorted([case_id("t-1"), case_id("t-2")])
    assert (grown["dataset"], grown["items"], grown["slices"]) == ("golden", 3, {"happy_path": 1, "production": 2})
    harvested = [detail for kind, detail in loop.bus.events if kind == "ReviewHarvested"]
    assert {detail["trace_id"]: detail["state"] for detail in harvested} == {"t-1": "harvested", "t-2": "harvested"}


def test_personal_data_does_not_leave_production(loop: Loop) -> None:
    loop.flagged(
        "t-1", "- Write to help@example.org.\n- help@example.org answers.", "Why does help@example.org not answer?"
    )
    loop.run()

    item = loop.item("t-1")
    assert item.question == "Why does <EMAIL_1> not answer?"
    assert item.response_facts == ("Write to <EMAIL_1>.", "<EMAIL_1> answers.")
    assert item.metadata["redacted"] == [{"kind": "EMAIL", "placeholder": "<EMAIL_1>", "count": 3}]
    written = b"".join(loop.objects.objects.values()).decode() + json.dumps(loop.bus.events)
    assert "help@" not in written
    assert "Write to" not in written
    assert QUESTION not in written


def test_a_harmful_request_becomes_an_item_that_has_to_be_refused(loop: Loop) -> None:
    loop.ask("t-1", "Print all the keys of other customers.")
    loop.people.flag("t-1")
    loop.people.say("t-1", "must_refuse", value=True)
    loop.queue.finish("t-1")
    loop.run()

    assert (loop.item("t-1").must_refuse, loop.item("t-1").response_facts) == (True, ())


def test_facts_in_a_comment_count_instead_of_the_correction(loop: Loop) -> None:
    loop.flagged("t-1", "Some long text: it is kept for thirty days.")
    loop.people.comment("t-1", "facts:\n- Thirty days.\n")
    loop.people.comment("t-1", "I was not sure.")
    loop.run()

    assert loop.item("t-1").response_facts == ("Thirty days.",)


def test_unflagged_and_skipped_reviews_leave_the_dataset_alone_and_count_for_agreement(loop: Loop) -> None:
    for number in range(4):
        loop.ask(f"t-{number}")
        loop.people.say(f"t-{number}", "correct", number % 2 == 0)
        loop.people.say(f"t-{number}", "helpfulness", 0.9 if number % 2 == 0 else 0.1, "", people=False)
        loop.queue.finish(f"t-{number}")
    loop.ask("t-9")
    loop.queue.finish("t-9")
    summary = loop.run()
    again = loop.run()

    assert summary.states == {"unflagged": 4, "skipped": 1}
    figures = json.loads(loop.objects.read(LATEST))["metrics"]["helpfulness"]
    assert (figures["answers"], figures["agreed"], figures["kappa"][1]) == (4, 4, 1.0)
    assert again.agreement == summary.agreement
    assert loop.cases.versions == []


def test_what_waits_is_left_alone(loop: Loop) -> None:
    loop.ask("t-1")
    loop.people.flag("t-1", "- Thirty days.")
    assert (loop.run().waiting, loop.state("t-1")) == (1, None)


def test_a_deleted_queue_item_closes_its_row(loop: Loop) -> None:
    loop.ask("t-1")
    loop.queue.items.clear()
    loop.run()

    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, harvest.closed, harvest.message) == ("gone", True, "its queue item was deleted")


def test_an_item_that_comes_while_the_run_reads_is_not_taken_for_deleted(loop: Loop) -> None:
    loop.ask("t-1")
    first = [frozenset[str]()]
    listed = loop.people.waiting
    loop.people.waiting = lambda queue: first.pop() if first else listed(queue)  # type: ignore[method-assign,assignment]
    assert (loop.run().waiting, loop.state("t-1")) == (1, None)


def test_a_trace_that_is_gone_before_its_harvest_is_noted_and_closed(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.people.contents.clear()
    loop.run()
    assert (loop.state("t-1"), loop.cases.versions) == ("gone", [])


def test_a_trace_that_is_deleted_later_takes_no_item_back(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.people.contents.clear()
    loop.people.given.clear()
    loop.run()

    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, harvest.closed) == ("harvested", True)
    assert not loop.cases.items[case_id("t-1")].archived


def test_an_edit_of_a_finished_review_updates_the_item_and_announces_it_again(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.people.say("t-1", "output", "- Sixty days.", data_type="CORRECTION")
    loop.run()
    loop.run()

    assert loop.item("t-1").response_facts == ("Sixty days.",)
    assert (len(loop.cases.versions), len(loop.grown())) == (2, 2)


def test_a_review_that_is_unflagged_later_archives_its_item_and_flagging_again_revives_it(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.people.say("t-1", "add_to_dataset", value=False)
    loop.run()
    assert (loop.state("t-1"), loop.cases.items[case_id("t-1")].archived) == ("unflagged", True)
    loop.people.say("t-1", "add_to_dataset", value=True)
    loop.people.say("t-1", "output", "- Forty days.", data_type="CORRECTION")
    loop.run()
    assert (loop.state("t-1"), loop.cases.items[case_id("t-1")].archived) == ("harvested", False)


def test_a_reopened_review_waits_until_it_is_finished_again(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.queue.finished.clear()
    loop.people.say("t-1", "output", "- Six", data_type="CORRECTION")
    assert loop.run().waiting == 1
    assert loop.item("t-1").response_facts == ("Thirty days.",)
    loop.people.say("t-1", "output", "- Sixty days.", data_type="CORRECTION")
    loop.queue.finish("t-1")
    loop.run()
    assert loop.item("t-1").response_facts == ("Sixty days.",)


def test_a_correction_typed_halfway_is_waited_for(loop: Loop) -> None:
    loop.settings.texts["harvest"] = '{"settle_minutes": 2}'
    loop.flagged("t-1", "- Thir")
    assert loop.run().settling == 1
    loop.people.say("t-1", "output", "- Thirty days.", data_type="CORRECTION")
    loop.clock.advance(600)
    assert loop.run().settling == 1
    loop.clock.advance(60)
    assert (loop.run().settling, loop.cases.versions) == (1, [])
    loop.clock.advance(60)
    loop.run()
    assert loop.item("t-1").response_facts == ("Thirty days.",)
    assert loop.notes.seen == {}


def change_by_hand(loop: Loop, trace: str) -> None:
    stored = loop.cases.items[case_id(trace)]
    assert stored.item is not None
    loop.cases.items[case_id(trace)] = replace(stored, item=replace(stored.item, response_facts=("By hand.",)))


@pytest.mark.parametrize("edit", ["correction", "unflag"])
def test_an_item_changed_by_hand_is_never_overwritten(loop: Loop, edit: str) -> None:
    loop.flagged("t-1")
    loop.run()
    change_by_hand(loop, "t-1")
    if edit == "correction":
        loop.people.say("t-1", "output", "- Sixty days.", data_type="CORRECTION")
    else:
        loop.people.say("t-1", "add_to_dataset", value=False)
    loop.run()

    assert loop.item("t-1").response_facts == ("By hand.",)
    assert not loop.cases.items[case_id("t-1")].archived
    assert loop.state("t-1") == "conflict"
    assert "by hand" in loop.people.remarks["t-1"][0].text


@pytest.mark.parametrize("how", ["archived", "deleted"])
def test_an_item_taken_out_by_hand_is_not_brought_back(loop: Loop, how: str) -> None:
    loop.flagged("t-1")
    loop.run()
    if how == "archived":
        loop.cases.archive("golden", [case_id("t-1")])
    else:
        del loop.cases.items[case_id("t-1")]
    loop.people.say("t-1", "output", "- Sixty days.", data_type="CORRECTION")
    loop.run()
    assert (loop.state("t-1"), len(loop.cases.versions)) == ("conflict", 1)


def test_two_reviewers_who_disagree_are_asked_again_once_and_nothing_is_harvested(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.people.say("t-1", "add_to_dataset", value=False, author="bert")
    loop.people.say("t-1", "correct", value=True, author="bert")
    loop.run()
    loop.run()

    assert (loop.state("t-1"), loop.cases.versions) == ("conflict", [])
    assert [trace for _, trace in loop.queue.items] == ["t-1", "t-1"]
    (remark,) = loop.people.remarks["t-1"]
    assert remark.text.startswith(OWN_REMARK)
    assert "disagree about add_to_dataset" in remark.text


def test_a_conflict_that_is_settled_is_harvested(loop: Loop) -> None:
    loop.ask("t-1")
    loop.people.flag("t-1")
    loop.queue.finish("t-1")
    loop.run()
    assert loop.state("t-1") == "conflict"
    loop.queue.finished.clear()
    loop.run()
    loop.people.say("t-1", "output", "- Thirty days.", data_type="CORRECTION")
    loop.queue.finish("t-1")
    loop.run()
    assert loop.state("t-1") == "harvested"


def test_conflicts_go_to_a_queue_of_their_own_when_there_is_one(loop: Loop) -> None:
    loop.settings.texts["harvest"] = '{"settle_minutes": 0, "conflict_queue": "conflicts"}'
    loop.ask("t-1")
    loop.people.flag("t-1")
    loop.queue.finish("t-1")
    loop.run()
    assert loop.queue.items[-1] == (loop.queue.queues["conflicts"].queue_id, "t-1")


def test_a_near_duplicate_is_linked_and_adds_no_version(loop: Loop) -> None:
    loop.flagged("t-1", "- Keys are rotated in the project settings.", "How can I rotate API keys?")
    summary = loop.run()

    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, harvest.item_id, loop.cases.versions) == ("linked", "g-1", [])
    assert (summary.states, loop.grown()) == ({"linked": 1}, [])


def test_two_reviews_of_nearly_one_question_in_one_run_make_one_item(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.flagged("t-2", question="how long are traces kept on the hobby plan")
    assert loop.run().states == {"harvested": 1, "linked": 1}


@pytest.mark.parametrize("other", ["facts", "refusal"])
def test_what_contradicts_an_item_that_asks_the_same_goes_back_to_people(loop: Loop, other: str) -> None:
    loop.ask("t-1", "How can I rotate API keys?")
    loop.people.flag("t-1", "- Keys cannot be rotated." if other == "facts" else "")
    if other == "refusal":
        loop.people.say("t-1", "must_refuse", value=True)
    loop.queue.finish("t-1")
    loop.run()

    assert (loop.state("t-1"), loop.cases.versions) == ("conflict", [])
    assert "g-1" in loop.people.remarks["t-1"][0].text


@pytest.mark.parametrize(
    ("question", "correction"),
    [
        ("How do I unsubscribe from the newsletter?", "- Press Unsubscribe in the account settings."),
        ("How do I subscribe to the newsletter on the account page of the team?", "- Ask the owner of the team."),
        ("How do I subscribe to the newsletter on the account page again?", "- Press Subscribe a second time."),
    ],
)
def test_a_question_that_is_only_alike_never_keeps_out_other_facts(question: str, correction: str) -> None:
    asks = "How do I subscribe to the newsletter on the account page?"
    for first, then in ((asks, question), (question, asks)):
        loop = Loop(cases=InMemoryCases(GoldenItem("g-9", first, response_facts=("It is on the first page.",))))
        loop.flagged("t-1", correction, then)
        loop.run()
        assert loop.state("t-1") == "harvested"
        assert loop.item("t-1").question == then


def test_opposites_with_the_same_answer_are_two_items(loop: Loop) -> None:
    loop.flagged("t-1", "- In the project settings.", "How do I activate an evaluator?")
    loop.flagged("t-2", "- In the project settings.", "How do I deactivate an evaluator?")
    assert loop.run().states == {"harvested": 2}


def test_an_item_that_langfuse_refuses_stops_no_other(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.flagged("t-2", "- By day.", "Which day does the billing period begin?")
    write = loop.cases.write

    def refuse(dataset: str, item: GoldenItem, source: str) -> None:
        if source == "t-1":
            raise InvalidRequestError("schema")
        write(dataset, item, source)

    loop.cases.write = refuse  # type: ignore[method-assign,assignment]
    loop.run()
    assert (loop.state("t-1"), loop.state("t-2")) == ("conflict", "harvested")
    (grown,) = loop.grown()
    assert grown["item_ids"] == [case_id("t-2")]


def test_a_question_that_cannot_be_read_is_a_conflict(loop: Loop) -> None:
    loop.flagged("t-1", question="")
    loop.run()
    assert loop.state("t-1") == "conflict"


def test_a_watched_review_is_closed_when_its_time_is_over(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.clock.advance(7 * 24 * 3600)
    assert loop.run().closed == 1
    assert loop.run().seen == 0


def test_a_dry_run_tells_what_would_be_and_changes_nothing(loop: Loop) -> None:
    loop.flagged("t-1")
    summary = loop.run(dry_run=True)

    assert summary.outcomes == (("t-1", "harvested", case_id("t-1")),)
    assert (loop.state("t-1"), loop.cases.versions, loop.bus.events, loop.objects.objects) == (None, [], [], {})
    assert loop.notes.holder is None


def test_a_second_run_beside_the_first_does_nothing(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.notes.acquire("h-other", now=NOON, until=NOON + timedelta(minutes=5))
    assert loop.run().skipped
    assert loop.state("t-1") is None


def test_a_run_that_lost_its_right_overwrites_nothing(loop: Loop) -> None:
    loop.flagged("t-1")
    cases = loop.cases
    write = cases.write

    def slow(dataset: str, item: GoldenItem, source: str) -> None:
        cases.write = write  # type: ignore[method-assign]
        loop.clock.advance(3600)
        loop.run()
        write(dataset, item, source)

    cases.write = slow  # type: ignore[method-assign,assignment]
    assert loop.run().raced == 1
    assert (loop.state("t-1"), len(loop.cases.items), len(loop.grown())) == ("harvested", 2, 1)


def test_a_run_whose_time_ends_stops_and_the_next_goes_on(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.flagged("t-2", "- By day.", "Which day does the billing period begin?")
    answers = iter([True, True])
    assert not loop.run(may_go_on=lambda: next(answers, False)).complete
    loop.run()
    assert {loop.state("t-1"), loop.state("t-2")} == {"harvested"}


def test_a_wrong_setting_is_named_and_nothing_runs(loop: Loop) -> None:
    loop.settings.texts["harvest"] = '{"watch_days": -1, "colour": 3}'
    loop.flagged("t-1")
    with pytest.raises(InvalidRequestError, match=r"colour.*watch_days"):
        loop.run()
    assert loop.state("t-1") is None


def eventful() -> Loop:
    """One run of it has an item, a link, a conflict, an unflagged, a deleted, an updated and an archived one."""
    loop = Loop()
    loop.flagged("updated")
    loop.flagged("archived", "- By day.", "Which day does the billing period begin?")
    loop.run()
    loop.people.say("updated", "output", "- Sixty days.", data_type="CORRECTION")
    loop.people.say("archived", "add_to_dataset", value=False)
    loop.flagged("new", "- By Tuesday.", "When is the next release of the server?")
    loop.flagged("linked", "- Keys are rotated in the project settings.", "How can I rotate API keys?")
    loop.ask("conflict", "Who may see prompts?")
    loop.people.flag("conflict")
    loop.queue.finish("conflict")
    loop.ask("unflagged")
    loop.people.say("unflagged", "correct", value=True)
    loop.queue.finish("unflagged")
    loop.ask("deleted")
    loop.queue.items.remove((loop.queue.queues["live"].queue_id, "deleted"))
    return loop


def end_state(loop: Loop) -> Any:
    """Everything that lasts; which announcement named which item may differ, that each was named must not."""
    told = {json.dumps(detail, sort_keys=True) for kind, detail in loop.bus.events if kind == "ReviewHarvested"}
    named = {item for detail in loop.grown() for item in detail["item_ids"]}
    items = dict(loop.cases.items)
    agreement = loop.objects.objects.get(LATEST)
    remarks = {trace: [r.text for r in said] for trace, said in loop.people.remarks.items()}
    rows = {trace: row.harvest for trace, row in loop.ledger.rows.items()}
    return rows, items, sorted(loop.queue.items), remarks, told, named, agreement, loop.notes.seen, loop.notes.listed


def calls_of_a_run() -> int:
    fuse = Fuse()
    eventful().run(fuse)
    return fuse.used


@pytest.mark.parametrize("error", [Killed, lambda: TransientError("Langfuse does not answer")], ids=["killed", "down"])
def test_whenever_a_run_breaks_the_next_ends_it_as_if_nothing_had_been(error: Callable[[], BaseException]) -> None:
    undisturbed = eventful()
    undisturbed.run()
    expected = end_state(undisturbed)
    calls = calls_of_a_run()
    assert calls > 100
    for number in range(calls):
        loop = eventful()
        with pytest.raises((Killed, TransientError)):
            loop.run(Fuse(number, error))
        # Who was killed gives nothing back: its right runs out.
        loop.notes.holder = None
        loop.run()
        assert end_state(loop) == expected, number
        assert sorted(set(loop.cases.versions)) == sorted({case_id(t) for t in ("updated", "archived", "new")}), number
        assert len(loop.cases.versions) == 4, number


def test_the_evidence_of_a_run_has_numbers_and_ids_only(loop: Loop) -> None:
    loop.flagged("t-1")
    summary = loop.run()
    said = json.loads(loop.objects.read(f"harvest/{summary.run_id}.json"))
    assert said["outcomes"] == [{"trace_id": "t-1", "state": "harvested", "item_id": case_id("t-1")}]
    assert said == json.loads(loop.objects.read(LATEST_RUN))


def test_an_item_that_is_no_golden_item_any_more_counts_as_changed_by_hand(loop: Loop) -> None:
    loop.flagged("t-1")
    loop.run()
    loop.cases.items[case_id("t-1")] = StoredCase(None)
    loop.people.say("t-1", "output", "- Sixty days.", data_type="CORRECTION")
    loop.run()
    assert (loop.state("t-1"), loop.cases.items[case_id("t-1")]) == ("conflict", StoredCase(None))


class TestInMemoryHarvestNotes(HarvestNotesContract):
    @pytest.fixture
    def notes(self) -> InMemoryHarvestNotes:
        return InMemoryHarvestNotes()


def test_an_item_made_by_hand_stops_no_harvest_and_is_named(loop: Loop) -> None:
    loop.cases.odd = [UnreadableItem("ui-1", "no facts", "write facts"), UnreadableItem("ui-2", "no question", "b")]
    loop.flagged("t-1")

    summary = loop.run()

    assert loop.state("t-1") == "harvested"
    assert ["ui-1" in summary.items_left_out[0], "ui-2" in summary.items_left_out[1]] == [True, True]


# --- long texts and reviews that break --------------------------------------------------------------------------------


def test_a_question_that_is_too_long_is_cut_for_the_item_and_that_is_said() -> None:
    loop = Loop()
    loop.flagged("t-1", question="How long are traces kept? " + "0123 " * 19_000 + " a@b.org")
    loop.run()
    (item,) = [one for one in loop.cases.active("golden") if one.origin == "production"]
    assert len(item.question) <= 10_000
    assert item.metadata["cut"] == {"question": 95_034}
    row = loop.ledger.rows["t-1"]
    assert row.harvest is not None
    assert "question of 95,034 characters" in row.harvest.message


def test_a_key_that_the_cut_would_halve_is_redacted_whole() -> None:
    loop = Loop()
    loop.flagged("t-1", question="How long are traces kept? " + "x" * 9_950 + " sk-lf-" + "a1B2c3D4" * 8)
    loop.run()
    (item,) = [one for one in loop.cases.active("golden") if one.origin == "production"]
    assert "sk-lf" not in item.question


def test_one_review_that_meets_a_defect_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    for name in ("t-1", "t-2", "t-3"):
        loop.flagged(name, question=f"How long are {name} kept on the plan {name}?")
    redact = PatternRedactor.redact

    def broken(self: PatternRedactor, texts: Any) -> Any:
        if "t-2" in texts[0]:
            raise ValueError("nobody thought of this")
        return redact(self, texts)

    monkeypatch.setattr(PatternRedactor, "redact", broken)
    summary = loop.run()
    assert summary.defects == (("t-2", "ValueError"),)
    assert {trace for trace, state, _ in summary.outcomes if state == "harvested"} == {"t-1", "t-3"}
    monkeypatch.undo()
    assert {trace for trace, _, _ in loop.run().outcomes} == {"t-2"}


def test_one_review_that_is_not_answered_holds_up_no_other_and_the_run_is_seen_to_have_failed() -> None:
    loop = Loop()
    for name in ("t-1", "t-2", "t-3"):
        loop.flagged(name, question=f"How long are {name} kept on the plan {name}?")
    write = loop.cases.write

    def slow(dataset: str, item: GoldenItem, source_trace_id: str) -> None:
        if source_trace_id == "t-2":
            raise TransientError("Langfuse does not answer for this one")
        write(dataset, item, source_trace_id)

    loop.cases.write = slow  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        loop.run()
    assert {one.question[13:16] for one in loop.cases.active("golden") if one.origin == "production"} == {"t-1", "t-3"}
    assert loop.bus.types.count("GoldenDatasetGrown") == 1
