"""Model id and tokens of a call -> how long a model of that size takes, so that latency follows the configuration."""

from local.model.traits import Size, read_size

LONGEST_S = 0.150

# The stand-ins of the local stack answer at once: the gate's own time is not to be made of invented waits.
_AT_ONCE = "local."

# Seconds: of any call, of each token that is read, of each token that is written.
_PACES: dict[Size, tuple[float, float, float]] = {
    "small": (0.015, 0.000_002, 0.000_10),
    "medium": (0.025, 0.000_004, 0.000_25),
    "large": (0.040, 0.000_008, 0.000_40),
}


def pace_s(model_id: str, prompt_tokens: int, completion_tokens: int) -> float:
    """Seconds that the call takes, `LONGEST_S` at most: always the same for the same call, and 0 for `local.*`."""
    if model_id.startswith(_AT_ONCE):
        return 0.0
    call, read, written = _PACES[read_size(model_id)]
    return min(LONGEST_S, call + read * prompt_tokens + written * completion_tokens)
