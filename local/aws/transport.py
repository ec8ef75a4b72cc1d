"""The hop to the emulator on this machine counts as encrypted."""

from collections.abc import Callable

import ministack.app as gateway

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that this patch was written for."""
    patching.wrap(gateway, "pin_request_origin", "de819c1bd9ac", _secure)


def _secure(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    def pin_request_origin(source_ip: str, _secure_transport: object) -> None:
        # On AWS every call of an SDK is TLS. Over plain HTTP on the loopback, policies that deny insecure transport
        # would refuse everything, and could not be tested at all.
        pin(source_ip, True)  # noqa: FBT003

    return pin_request_origin
