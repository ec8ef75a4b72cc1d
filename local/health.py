"""Is a process of the stack there, and does it answer?"""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answer(url: str, timeout_s: float = 2.0) -> dict[str, Any] | None:
    """JSON object that a health route answers with status 200 (`{}` if it is no JSON object); None otherwise."""
    try:
        with _OPENER.open(url, timeout=timeout_s) as response:
            if response.status != http.client.OK:
                return None
            body = response.read(65536)
    except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException):
        return None
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
