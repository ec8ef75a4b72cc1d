"""Errors below /api/public/unstable -> their own form: a code that programs read, with details beside it."""

from typing import Any

from local.langfuse.problems import ApiError

UNSTABLE = "/api/public/unstable/"
_CODES = {
    400: "invalid_request",
    401: "authentication_failed",
    403: "access_denied",
    404: "resource_not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "unprocessable_content",
    429: "rate_limited",
}


def structured_error(status: int, code: str, message: str, **details: Any) -> ApiError:
    return ApiError(status, {"message": message, "code": code} | ({"details": details} if details else {}))


def structured(error: ApiError, method: str) -> ApiError:
    """The same refusal in this form; what is no JSON (a broken body, one too long) stays as Next.js words it."""
    if error.body is None or "code" in error.body:
        return error
    message, said = str(error.body.get("message", "")), error.body.get("error")
    code, details = _CODES.get(error.status, "internal_error"), {}
    if isinstance(said, list):
        code, details = "invalid_query" if method == "GET" else "invalid_body", {"issues": said}
    answer = structured_error(error.status, code, message, **details)
    answer.headers = error.headers
    return answer
