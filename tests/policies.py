"""The policies of a template as IAM would decide by them: references filled in, statements, conditions, Deny first."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cfnlint.decode import decode

ROOT = Path(__file__).parents[1]
REGION, ACCOUNT, STACK = "eu-central-1", "123456789012", "flywheel-dev"
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": STACK,
}
type Decision = Literal["allowed", "denied", "implicitly denied"]
type Statement = dict[str, Any]


def load(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """A template as plain dictionaries, intrinsic functions by their long names."""
    loaded, _ = decode(str(path))
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


class Policies:
    """The roles of a template under some values of its parameters."""

    def __init__(self, template: Mapping[str, Any], **parameters: str) -> None:
        self._template = template
        self._values = {name: p.get("Default", "") for name, p in template["Parameters"].items()} | parameters

    def function(self, name: str) -> list[Statement]:
        """Statements of the role of a function; SAM's policy templates are left out."""
        logical_id = "".join(word.capitalize() for word in name.split("_")) + "Function"
        return self._statements(self._template["Resources"][logical_id]["Properties"]["Policies"])

    def role(self, logical_id: str) -> list[Statement]:
        """Inline statements of an `AWS::IAM::Role`."""
        policies = self._template["Resources"][logical_id]["Properties"]["Policies"]
        return self._statements([policy["PolicyDocument"] for policy in policies])

    def _statements(self, policies: Sequence[Any]) -> list[Statement]:
        filled = [self.filled(policy) for policy in policies]
        return [
            statement
            for policy in filled
            if isinstance(policy, dict)
            for statement in policy.get("Statement", [])
            if statement is not None
        ]

    def holds(self, condition: Any) -> bool:
        """Whether a condition of the template is true, by its name or written out."""
        if isinstance(condition, str):
            return self.holds(self._template["Conditions"][condition])
        ((operator, operands),) = condition.items()
        if operator == "Condition":
            return self.holds(operands)
        if operator == "Fn::Equals":
            left, right = (self.filled(one) for one in operands)
            return str(left) == str(right)
        results = [self.holds(one) for one in operands]
        return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[operator]

    def filled(self, node: Any) -> Any:
        """A part of the template with its references filled in; what is not there (`AWS::NoValue`) is None."""
        if isinstance(node, list):
            return [one for one in map(self.filled, node) if one is not None]
        if not isinstance(node, dict):
            return node
        name = next(iter(node)) if len(node) == 1 else ""
        if name == "Ref" or name.startswith("Fn::"):
            return self._intrinsic(name, node[name])
        return {key: full for key, value in node.items() if (full := self.filled(value)) is not None}

    def _intrinsic(self, name: str, value: Any) -> Any:
        if name == "Fn::Sub":
            return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._ref(found[1])), value)
        if name == "Fn::If":
            return self.filled(value[1] if self.holds(value[0]) else value[2])
        if name == "Fn::Join":
            return value[0].join(one for part in listed(self.filled(value[1])) for one in str(part).split(","))
        return self._ref(value if name == "Ref" else ".".join(value))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        if name.endswith(".Arn"):
            return f"arn:aws:test:{REGION}:{ACCOUNT}:{name.removesuffix('.Arn')}"
        return _PSEUDO.get(name, self._values.get(name, name))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(statements: Sequence[Statement], effect: str = "Allow") -> Iterator[tuple[str, Statement]]:
    """Each action of each statement with that effect."""
    for statement in statements:
        if statement["Effect"] == effect:
            for action in listed(statement["Action"]):
                yield action, statement


def decide(statements: Sequence[Statement], action: str, resource: str, context: Mapping[str, Any]) -> Decision:
    """What IAM says of one action on one resource; `context` are the condition keys that the request has."""
    effects = {
        s["Effect"] for s in statements if _matches(s, action, resource, {k.lower(): v for k, v in context.items()})
    }
    return "denied" if "Deny" in effects else "allowed" if "Allow" in effects else "implicitly denied"


def _matches(statement: Statement, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    if not any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["Action"])):
        return False
    if not any(_like(resource, pattern) for pattern in listed(statement["Resource"])):
        return False
    return all(
        _fulfilled(operator, [str(one) for one in listed(expected)], context.get(key.lower()))
        for operator, keys in statement.get("Condition", {}).items()
        for key, expected in keys.items()
    )


def _fulfilled(operator: str, expected: list[str], actual: Any) -> bool:
    if operator == "Null":
        return (actual is None) == (expected == ["true"])
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = name.startswith(("StringNot", "ArnNot"))
    if actual is None:
        # As AWS: an absent key satisfies IfExists, ForAllValues and whatever is negated.
        return if_exists or negated or quantifier == "ForAllValues"
    test = _like if "Like" in name else str.__eq__
    hits = [any(test(str(one), pattern) for pattern in expected) is not negated for one in listed(actual)]
    return any(hits) if quantifier == "ForAnyValue" else all(hits)


def _like(value: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.DOTALL) is not None
