"""What became of asking people -> what the report says of it."""

from dataclasses import dataclass

from flywheel.domain.annotation import Annotation
from flywheel.report.text import one_line, web_link


@dataclass(frozen=True, slots=True)
class ReviewsAsked:
    """How many answers wait for people, and where; `queue_url` None: it is no web address."""

    queue_name: str
    queue_url: str | None
    decided: int
    random: int

    @property
    def answers(self) -> int:
        return self.decided + self.random


def read_annotation(annotation: Annotation | None) -> ReviewsAsked | None:
    """None: nobody was asked. That it failed is a note of the verdict."""
    if annotation is None or annotation.state != "queued":
        return None
    counts = annotation.counts()
    return ReviewsAsked(
        queue_name=one_line(annotation.queue_name),
        queue_url=web_link(annotation.queue_url),
        decided=counts.get("decided", 0),
        random=counts.get("random", 0),
    )
