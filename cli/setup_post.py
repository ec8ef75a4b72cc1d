"""One POST, as a sender of Langfuse makes it: no redirects, no proof kept."""

from collections.abc import Mapping

import urllib3

from flywheel.errors import TransientError

_PATIENCE_S = 10.0


def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Give the status.

    Raises:
        TransientError: nobody answers there.
    """
    try:
        reply = urllib3.request(
            "POST", url, body=body, headers=dict(headers), timeout=_PATIENCE_S, retries=urllib3.Retry(1, redirect=False)
        )
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"the webhook at {url} does not answer ({type(error).__name__})") from error
    return reply.status
