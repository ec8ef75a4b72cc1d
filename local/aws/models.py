"""Bedrock model calls through the proxy: a model server that is down is an error, never a canned answer."""

from collections.abc import Callable
from typing import Any

import ministack.services.bedrock_runtime as bedrock

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that this patch was written for."""
    patching.wrap(bedrock, "_proxy_openai_chat_message", "4ab1ac947f94", _without_mock)


def _without_mock(forward: Callable[..., Any]) -> Callable[..., Any]:
    def proxy_openai_chat_message(*args: Any, **kwargs: Any) -> Any:
        message, usage = forward(*args, **kwargs)
        if message is None and bedrock._PROXY_URL:
            # MiniStack answers 500 to this; an agent sees a failed model, as it would on AWS.
            raise RuntimeError(f"the model server at {bedrock._PROXY_URL} gave no usable answer")
        return message, usage

    return proxy_openai_chat_message
