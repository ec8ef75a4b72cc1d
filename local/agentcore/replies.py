"""Answers of AgentCore's data plane in AWS's shape."""

from starlette.responses import JSONResponse

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


class DataPlaneError(Exception):
    """One of the data plane's errors: `code` is the exception that an SDK raises for it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def response(self) -> JSONResponse:
        body = {"message": self.message} | ({"reason": "CannotParse"} if self.code == "ValidationException" else {})
        return JSONResponse(body, self.status, {"x-amzn-errortype": self.code, **self.headers})


def client_error(message: str) -> DataPlaneError:
    """424: the container failed, not AgentCore."""
    return DataPlaneError(424, "RuntimeClientError", message)


def not_found(message: str) -> DataPlaneError:
    return DataPlaneError(404, "ResourceNotFoundException", message)


def invalid(message: str) -> DataPlaneError:
    return DataPlaneError(400, "ValidationException", message)
