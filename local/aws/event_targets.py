"""EventBridge rule -> function, asynchronously: called again when it fails, then its failure destination, as on AWS."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that this patch was written for."""
    patching.wrap(eventbridge, "_dispatch_to_lambda", "1f95adbaed3a", _asynchronously)


def _asynchronously(_dispatch: Callable[..., None]) -> Callable[..., None]:
    """MiniStack calls once and forgets; its own asynchronous call, which `InvocationType=Event` takes, does it all."""

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        try:
            event: Any = json.loads(payload)
        except (json.JSONDecodeError, TypeError):
            event = {"body": payload}
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)

    return dispatch_to_lambda
