"""A review of a trace in which a conversation came before the question, or in which no question can be read."""

from flywheel.domain.exchange import Turn
from flywheel.domain.golden_item import asked
from flywheel.domain.harvest import content_hash
from flywheel.ports.harvest import TraceContent
from tests.unit.test_harvesting import Loop

UNDO = "And how do I undo that again?"
ARCHIVING = (Turn("user", "How do I archive an item?"), Turn("assistant", "Set its status to ARCHIVED."))
DELETING = (Turn("user", "How do I delete a trace?"), Turn("assistant", "Open it and press Delete."))


def flagged(loop: Loop, trace: str, turns: tuple[Turn, ...], correction: str) -> None:
    loop.ask(trace, UNDO)
    loop.people.contents[trace] = TraceContent(trace, UNDO, turns=turns)
    loop.people.flag(trace, correction)
    loop.queue.finish(trace)


def test_the_item_keeps_the_conversation_and_asks_with_it() -> None:
    loop = Loop()
    flagged(loop, "t-1", ARCHIVING, "- Set its status to ACTIVE.")
    loop.run()

    item = loop.item("t-1")
    assert item.turns == ARCHIVING
    assert asked(item)["chat_history"][1] == {"role": "assistant", "content": "Set its status to ARCHIVED."}
    assert item.metadata["content_hash"] == content_hash(item)


def test_the_same_words_after_another_conversation_are_another_question() -> None:
    loop = Loop()
    flagged(loop, "t-1", ARCHIVING, "- Set its status to ACTIVE.")
    flagged(loop, "t-2", DELETING, "- A deleted trace does not come back.")
    loop.run()

    assert (loop.state("t-1"), loop.state("t-2")) == ("harvested", "harvested")


def test_the_conversation_is_redacted_as_the_question_is() -> None:
    loop = Loop()
    mail = "jo.doe@example.com"
    flagged(loop, "t-1", (Turn("user", f"I am {mail}."), Turn("assistant", f"Hello {mail}!")), "- Set it to ACTIVE.")
    loop.run()

    assert mail not in str(asked(loop.item("t-1")))


def test_a_trace_without_a_question_says_why() -> None:
    loop = Loop()
    loop.ask("t-1")
    loop.people.contents["t-1"] = TraceContent("t-1", "", unreadable="it is empty")
    loop.people.flag("t-1", "- A fact.")
    loop.queue.finish("t-1")
    loop.run()

    harvest = loop.ledger.rows["t-1"].harvest
    assert harvest is not None
    assert (harvest.state, "it is empty" in harvest.message) == ("conflict", True)
