"""How a route words that a key is missing, wrong or not enough: most alike, some in a form of their own."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.langfuse.auth import DENIED

_NAMES = {401: "UnauthorizedError", 403: "ForbiddenError"}


class Form(Enum):
    MESSAGE = "message"
    NAMED = "message, and the class of the error"
    ERROR = "error alone"
    SCIM = "an error of SCIM 2.0"


@dataclass(frozen=True, slots=True)
class Refusal:
    denied: str = DENIED
    form: Form = Form.MESSAGE

    def shaped(self, status: int, body: dict[str, Any]) -> dict[str, Any]:
        match self.form:
            case Form.ERROR:
                return {"error": body["message"]}
            case Form.SCIM:
                schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"]
                return {"schemas": schemas, "detail": body["message"], "status": status}
            case Form.NAMED if status in _NAMES:
                return body | {"error": _NAMES[status]}
        return body
