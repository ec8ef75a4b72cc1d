"""How files of evidence are read: strictly, with what pydantic finds wrong in one line for people."""

from pydantic import ConfigDict, ValidationError

# An unknown field, a number that came as text or a NaN is an error, not a guess.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

_MOST = 5


def first_problems(error: ValidationError) -> str:
    """Where and what, of the first five problems, and how many more there are; never the input itself."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{'.'.join(str(part) for part in d['loc']) or 'the whole'}: {d['msg']}" for d in details[:_MOST]]
    more = [f"and {len(details) - _MOST} more"] if len(details) > _MOST else []
    return "; ".join([*shown, *more])
