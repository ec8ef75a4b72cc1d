"""Refusals of the API -> status, body and headers as Langfuse 4.16 words them."""

from typing import Any


class ApiError(Exception):
    """A request that is answered with an error status.

    `body` None means an answer without JSON: `text` is sent as it is, without a content type, as Next.js does.
    """

    def __init__(
        self, status: int, body: dict[str, Any] | None, text: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {body if body is not None else text}")
        self.status = status
        self.body = body
        self.text = text
        self.headers = headers or {}


def invalid_data(issues: list[dict[str, Any]]) -> ApiError:
    """400 with validator issues (`code`, `path`, `message`)."""
    return ApiError(400, {"message": "Invalid request data", "error": issues})


def invalid_request(message: str) -> ApiError:
    return ApiError(400, {"message": message, "error": "InvalidRequestError"})


def not_found(message: str) -> ApiError:
    return ApiError(404, {"message": message, "error": "LangfuseNotFoundError"})


def conflict(message: str) -> ApiError:
    return ApiError(409, {"message": message, "error": "LangfuseConflictError"})


def unauthorized(message: str) -> ApiError:
    return ApiError(401, {"message": message})


def forbidden(message: str) -> ApiError:
    return ApiError(403, {"message": message})


def method_not_allowed() -> ApiError:
    return ApiError(405, {"message": "Method not allowed", "error": "MethodNotAllowedError"})


def not_in_events_only() -> ApiError:
    return ApiError(
        404,
        {
            "message": "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
            "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
        },
    )
