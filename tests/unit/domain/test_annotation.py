import pytest

from flywheel.domain.annotation import Annotation, dump_annotation, failed_note, load_annotation
from flywheel.domain.review_choice import ReviewTask
from flywheel.errors import InvalidRequestError

TASKS = (ReviewTask("a", 1, "candidate", "t-1", "decided"), ReviewTask("b", 2, "incumbent", "t-2", "random"))


def test_an_annotation_is_read_as_it_was_written() -> None:
    annotation = Annotation("queued", "2 answers wait", "q-1", "reviews", "https://langfuse.test/q-1", TASKS)

    assert load_annotation(dump_annotation(annotation)) == annotation
    assert annotation.counts() == {"decided": 1, "random": 1}


@pytest.mark.parametrize("text", ["", "[]", '{"state": "done", "message": ""}', '{"state": "queued", "x": 1}'])
def test_something_else_is_no_annotation(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not an annotation file"):
        load_annotation(text)


def test_only_what_was_not_queued_is_noted() -> None:
    assert failed_note(Annotation("queued", "", tasks=TASKS)) is None
    assert failed_note(Annotation("nothing", "")) is None
    failed = failed_note(Annotation("failed", "Langfuse does not answer"))
    assert failed is not None
    assert (failed.code, failed.message) == ("annotation_failed", "Langfuse does not answer")
    assert failed_note(None) is not None
