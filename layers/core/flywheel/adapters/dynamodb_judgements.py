"""Judgements <-> the state table (`JUDGEMENT#<sha256>`), where DynamoDB itself removes them after their time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self

import boto3
from botocore.config import Config
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flywheel.adapters.dynamodb import Table
from flywheel.evaluation.ports import StoredJudgement

_PREFIX, _SK = "JUDGEMENT#", "JUDGEMENT"


class _Row(BaseModel):
    """An item of ours; times are seconds since 1970."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    pk: str
    choice: Annotated[str, Field(min_length=1)]
    score: Annotated[float, Field(ge=0, le=1)]
    rationale: str
    judged_at: float


class DynamoDbJudgements:
    """`JudgementStore` on the state table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        """With little patience: asking the judge is what one does anyway when this does not answer."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            read_timeout=1,
            connect_timeout=1,
            max_pool_connections=4,
        )
        return cls(Table(boto3.client("dynamodb", config=config), name))

    def find(self, keys: Sequence[str], not_before: datetime) -> dict[str, StoredJudgement]:
        found = {}
        for item in self._table.get_all([_PREFIX + key for key in keys], _SK):
            try:
                row = _Row.model_validate(item)
            except ValidationError:
                continue  # written by another version: judged again, and replaced
            judged_at = datetime.fromtimestamp(row.judged_at, UTC)
            if judged_at >= not_before:
                key = row.pk.removeprefix(_PREFIX)
                found[key] = StoredJudgement(row.choice, row.score, row.rationale, judged_at)
        return found

    def keep(self, key: str, judgement: StoredJudgement, not_before: datetime, expires: datetime) -> bool:
        item = {
            "pk": _PREFIX + key,
            "sk": _SK,
            "choice": judgement.choice,
            "score": _number(judgement.score),
            "rationale": judgement.rationale,
            "judged_at": _number(judgement.judged_at.timestamp()),
            "expiration": int(expires.timestamp()),
        }
        return self._table.put(
            item,
            when="attribute_not_exists(judged_at) OR judged_at < :not_before",
            values={":not_before": _number(not_before.timestamp())},
        )


def _number(value: float) -> Decimal:
    """Boto3 takes no floats; their text is exact."""
    return Decimal(repr(value))
