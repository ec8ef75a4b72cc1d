"""Gates and releases <-> the state table; every change that must happen once is a conditional write."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated
from flywheel.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

_WRITE, _READ = TypeSerializer(), TypeDeserializer()
# A batch may be answered in part; botocore has waited by then where the table was throttled as a whole.
_BATCH_ATTEMPTS = 2
_PAGE = 500


def to_wire(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as DynamoDB takes them; None is left out."""
    return {name: _WRITE.serialize(value) for name, value in values.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    return {name: _plain(_READ.deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Give DynamoDB's Decimals back as int, or float when they have a fraction."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


class Table:
    """The few operations that the stores need, on one table with keys `pk` and `sk`."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    @classmethod
    def from_name(cls, name: str) -> Self:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=10, connect_timeout=3)
        return cls(boto3.client("dynamodb", config=config), name)

    def get(self, pk: str, sk: str) -> Item | None:
        with translated(f"dynamodb:GetItem {pk} {sk}"):
            reply = self._client.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
        return from_wire(reply["Item"]) if "Item" in reply else None

    def get_all(self, pks: Sequence[str], sk: str, *, consistent: bool = False) -> list[Item]:
        """Items of several partitions (at most 100), in no order; one that was written just now may be missing,
        unless they are read `consistent`.

        Raises:
            TransientError: the table was throttled or unreachable; nothing is given in part.
        """
        items: list[Item] = []
        asked: Any = {self._name: {"Keys": [_key(pk, sk) for pk in pks], "ConsistentRead": consistent}}
        for _ in range(_BATCH_ATTEMPTS):
            with translated("dynamodb:BatchGetItem"):
                reply = self._client.batch_get_item(RequestItems=asked)
            items.extend(from_wire(item) for item in reply["Responses"].get(self._name, []))
            asked = reply.get("UnprocessedKeys")
            if not asked:
                return items
        raise TransientError("dynamodb:BatchGetItem: some keys were not read, the table is throttled")

    def put(self, item: Mapping[str, Any], *, when: str, values: Mapping[str, Any]) -> bool:
        """Write the whole item if the condition holds; False, unchanged, when it does not."""
        with translated(f"dynamodb:PutItem {item['pk']} {item['sk']}"):
            try:
                self._client.put_item(
                    TableName=self._name,
                    Item=to_wire(item),
                    ConditionExpression=when,
                    **_placeholders(values, None),
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True

    def newest(self, pk: str, prefix: str, limit: int) -> list[Item]:
        """Items of one partition whose sort key has the prefix, last key first."""
        items: list[Item] = []
        start: dict[str, Any] = {}
        while len(items) < limit:
            with translated(f"dynamodb:Query {pk}"):
                reply = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                    ExpressionAttributeValues=to_wire({":pk": pk, ":prefix": prefix}),
                    ScanIndexForward=False,
                    ConsistentRead=True,
                    Limit=limit - len(items),
                    **start,
                )
            items.extend(from_wire(item) for item in reply["Items"])
            if "LastEvaluatedKey" not in reply:
                break
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
        return items

    def pages(self, pk: str) -> Iterator[list[Item]]:
        """The items of one partition in the order of their keys, read while they are taken."""
        start: dict[str, Any] = {}
        while True:
            with translated(f"dynamodb:Query {pk}"):
                reply = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=to_wire({":pk": pk}),
                    ConsistentRead=True,
                    Limit=_PAGE,
                    **start,
                )
            yield [from_wire(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                return
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        *,
        when: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> Item | None:
        """Change one item if the condition holds and give it as it is now; None, unchanged, when it does not hold."""
        with translated(f"dynamodb:UpdateItem {pk} {sk}"):
            try:
                reply = self._client.update_item(
                    TableName=self._name,
                    Key=_key(pk, sk),
                    UpdateExpression=expression,
                    ConditionExpression=when,
                    ReturnValues="ALL_NEW",
                    **_placeholders(values, names),
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return None
                raise
        return from_wire(reply["Attributes"])

    def delete(self, pk: str, sk: str, *, when: str, values: Mapping[str, Any]) -> bool:
        """Delete one item if the condition holds; False when it does not."""
        with translated(f"dynamodb:DeleteItem {pk} {sk}"):
            try:
                self._client.delete_item(
                    TableName=self._name, Key=_key(pk, sk), ConditionExpression=when, **_placeholders(values, None)
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True

    def transact(self, *operations: Mapping[str, Any]) -> list[str]:
        """Carry out all operations or none. Give the code of each (`None` = would have worked); [] on success.

        Raises:
            TransientError: another transaction was at the same items, or the table was throttled or unreachable.
        """
        with translated("dynamodb:TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=[dict(o) for o in operations])  # type: ignore[misc]
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons: list[dict[str, str]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
                codes = [str(reason.get("Code")) for reason in reasons]
                if "ConditionalCheckFailed" not in codes:
                    error.response["Error"]["Code"] = "TransactionInProgressException"  # conflict or throttling
                    raise
                return codes
        return []

    def put_operation(self, item: Mapping[str, Any], when: str = "attribute_not_exists(pk)") -> Item:
        return {"Put": {"TableName": self._name, "Item": to_wire(item), "ConditionExpression": when}}

    def delete_operation(self, pk: str, sk: str) -> Item:
        return {"Delete": {"TableName": self._name, "Key": _key(pk, sk)}}

    def update_operation(
        self,
        pk: str,
        sk: str,
        expression: str,
        *,
        when: str | None,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> Item:
        return {
            "Update": {
                "TableName": self._name,
                "Key": _key(pk, sk),
                "UpdateExpression": expression,
                **({"ConditionExpression": when} if when else {}),
                **_placeholders(values, names),
            }
        }


def _key(pk: str, sk: str) -> dict[str, Any]:
    return to_wire({"pk": pk, "sk": sk})


def _placeholders(values: Mapping[str, Any], names: Mapping[str, str] | None) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if values:
        given["ExpressionAttributeValues"] = to_wire(values)
    if names:
        given["ExpressionAttributeNames"] = dict(names)
    return given
