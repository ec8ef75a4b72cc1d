"""A dataset's JSON Schemas -> the complaints of its items, in the words of the validator that Langfuse uses (ajv)."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft7Validator, SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable


def is_schema(schema: Mapping[str, Any]) -> bool:
    try:
        Draft7Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        return False
    return True


def complaint(schema: Mapping[str, Any] | None, value: Any) -> str | None:
    """What is wrong with the value, None when nothing is."""
    if schema is None:
        return None
    # An empty registry: nothing is ever fetched for a $ref.
    validator = Draft7Validator(schema, registry=Registry())
    try:
        errors = sorted(validator.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    except Unresolvable as error:
        return f"can't resolve reference {error.ref}"
    except RecursionError:
        return "schema refers to itself without end"
    return ", ".join(_worded(error) for error in errors[:10]) or None


def _worded(error: ValidationError) -> str:
    match error.validator:
        case "type":
            types = error.schema["type"] if isinstance(error.schema, dict) else ""
            return f"must be {types if isinstance(types, str) else ','.join(types)}"
        case "required":
            present = error.instance if isinstance(error.instance, dict) else {}
            required = error.schema["required"] if isinstance(error.schema, dict) else []
            absent = [name for name in required if name not in present]
            return f"must have required property '{absent[0] if absent else ''}'"
        case "additionalProperties":
            return "must NOT have additional properties"
        case "enum":
            return "must be equal to one of the allowed values"
        case _:
            return error.message[:300]
