"""Live reviews <-> the state table (`LIVE#<trace>`, listed under `LIVE-DAY#<day>` and, while open, `LIVE-OPEN`)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import batched
from typing import Any, Self

from flywheel.adapters.dynamodb import Item, Table
from flywheel.adapters.dynamodb_gates import time_text, time_value
from flywheel.domain.live_review import Harvest, LiveReview
from flywheel.errors import ConflictError
from flywheel.ports import Claim

_ROW = "REVIEW"
_OPEN = "LIVE-OPEN"
_ROWS_PER_READ = 100
_UNQUEUED = "attribute_exists(pk) AND attribute_not_exists(queued_at)"


def _pk(trace_id: str) -> str:
    return f"LIVE#{trace_id}"


def _day(day: str) -> str:
    return f"LIVE-DAY#{day}"


def _number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(float(value)))


def _draw(review: LiveReview) -> Item:
    """What a draw says of a trace; it is never taken back once it is there."""
    return {
        "day": review.day,
        "inclusion_probability": _number(review.inclusion_probability),
        "risk": _number(review.risk),
        "stratum": review.stratum,
        "reasons": list(review.reasons),
    }


def _sets(values: Mapping[str, Any]) -> tuple[str, Item, dict[str, str]]:
    given = {name: value for name, value in values.items() if value is not None}
    expression = ", ".join(f"#{name} = :{name}" for name in given)
    return expression, {f":{name}": value for name, value in given.items()}, {f"#{name}": name for name in given}


def _harvest_item(harvest: Harvest) -> Item:
    item = {
        "state": harvest.state,
        "review_hash": harvest.review_hash,
        "looked_at": time_text(harvest.looked_at),
        "reviewed_at": time_text(harvest.reviewed_at),
        "watched_until": time_text(harvest.watched_until),
        "failed": harvest.failed,
        "item_id": harvest.item_id,
        "reviewers": list(harvest.reviewers),
        "message": harvest.message,
        "closed": harvest.closed,
    }
    return {name: value for name, value in item.items() if value is not None}


def _harvest(item: Mapping[str, Any] | None) -> Harvest | None:
    if item is None:
        return None
    times = {name: datetime.fromisoformat(item[name]) for name in ("looked_at", "reviewed_at", "watched_until")}
    return Harvest(**{**item, **times, "reviewers": tuple(item["reviewers"])})


def _review(item: Mapping[str, Any]) -> LiveReview:
    probability = item.get("inclusion_probability")
    return LiveReview(
        trace_id=item["pk"].removeprefix("LIVE#"),
        source=item["source"],
        day=item["day"],
        trace_at=datetime.fromisoformat(item["trace_at"]),
        queue_name=item["queue_name"],
        inclusion_probability=None if probability is None else float(probability),
        risk=float(item["risk"]),
        stratum=item["stratum"],
        reasons=tuple(item["reasons"]),
        queue_id=item.get("queue_id"),
        queued_at=time_value(item.get("queued_at")),
        harvest=_harvest(item.get("harvest")),
    )


class DynamoDbLiveLedger:
    """`LiveLedger` on the state table. Rows stay: a trace that was queued once is never queued again."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def claim(self, review: LiveReview, *, now: datetime, until: datetime) -> Claim | None:
        # The listing first: a listing without its row is passed over, a row that no listing names would be lost.
        self._table.put({"pk": _day(review.day), "sk": review.trace_id}, when="attribute_not_exists(pk)", values={})
        taken = self._claim(review, now, until)
        if taken is not None:
            return Claim(None if taken["tries"] == 1 else datetime.fromisoformat(taken["tried_since"]))
        standing = self._table.get(_pk(review.trace_id), _ROW) or {}
        if "queued_at" not in standing:
            raise ConflictError(
                f"trace {review.trace_id} is being queued by somebody else until {standing.get('claimed_until')}"
            )
        if review.inclusion_probability is not None:
            self._note_draw(review)
        return None

    def _claim(self, review: LiveReview, now: datetime, until: datetime) -> Item | None:
        told = _draw(review) | {
            "source": review.source,
            "trace_at": time_text(review.trace_at),
            "queue_name": review.queue_name,
        }
        free = "attribute_not_exists(queued_at) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)"
        tried = "claimed_until = :until, tried_since = if_not_exists(tried_since, :now)"
        times = {":until": time_text(until), ":now": time_text(now), ":one": 1}
        expression, values, names = _sets(told)
        when = free
        if review.inclusion_probability is None:
            when = f"{free} AND attribute_not_exists(inclusion_probability)"
        taken = self._table.update(
            _pk(review.trace_id),
            _ROW,
            f"SET {expression}, {tried} ADD tries :one",
            when=when,
            values=values | times,
            names=names,
        )
        if taken is not None or review.inclusion_probability is not None:
            return taken
        # It was drawn before, and is called out now: the draw stands.
        return self._table.update(
            _pk(review.trace_id),
            _ROW,
            f"SET {tried} ADD tries :one",
            when=f"{free} AND attribute_exists(inclusion_probability)",
            values=times,
        )

    def _note_draw(self, review: LiveReview) -> None:
        expression, values, names = _sets(_draw(review))
        self._table.update(
            _pk(review.trace_id),
            _ROW,
            f"SET {expression}",
            when="attribute_exists(pk) AND attribute_not_exists(inclusion_probability)",
            values=values,
            names=names,
        )

    def let_go(self, trace_id: str, *, now: datetime) -> None:
        self._table.update(
            _pk(trace_id), _ROW, "SET claimed_until = :now", when=_UNQUEUED, values={":now": time_text(now)}
        )

    def settle(self, trace_id: str, queue_id: str, *, now: datetime) -> None:
        # Both are written or none: a queued row that no listing names would never be harvested.
        queued = self._table.update_operation(
            _pk(trace_id),
            _ROW,
            "SET queued_at = :now, queue_id = :queue REMOVE claimed_until",
            when=_UNQUEUED,
            values={":now": time_text(now), ":queue": queue_id},
        )
        self._table.transact(queued, self._table.put_operation({"pk": _OPEN, "sk": trace_id}))

    def get(self, trace_id: str) -> LiveReview | None:
        item = self._table.get(_pk(trace_id), _ROW)
        return None if item is None else _review(item)

    def of_day(self, day: str) -> list[LiveReview]:
        return [review for review in self._listed(_day(day)) if review.day == day]

    def open(self) -> Iterator[LiveReview]:
        yield from self._listed(_OPEN)

    def _listed(self, pk: str) -> Iterator[LiveReview]:
        for page in self._table.pages(pk):
            for listed in batched(page, _ROWS_PER_READ, strict=False):
                found = self._table.get_all([_pk(item["sk"]) for item in listed], _ROW, consistent=True)
                yield from map(_review, sorted(found, key=lambda item: str(item["pk"])))

    def note_harvest(self, trace_id: str, harvest: Harvest, *, seen: Harvest | None) -> None:
        when = "attribute_exists(queued_at) AND "
        values: Item = {":harvest": _harvest_item(harvest)}
        if seen is None:
            when += "attribute_not_exists(harvest)"
        else:
            when += "harvest.review_hash = :hash AND harvest.looked_at = :looked"
            values |= {":hash": seen.review_hash, ":looked": time_text(seen.looked_at)}
        written = self._table.update_operation(_pk(trace_id), _ROW, "SET harvest = :harvest", when=when, values=values)
        unlisted = [self._table.delete_operation(_OPEN, trace_id)] if harvest.closed else []
        if self._table.transact(written, *unlisted):
            raise ConflictError(f"the review of trace {trace_id} was looked at by somebody else, or is not queued")
