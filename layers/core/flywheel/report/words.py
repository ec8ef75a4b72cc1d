"""Figures of a report -> short texts that plots, page and command share."""

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 3) -> str:
    """A difference: always with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def interval_text(mean: float, low: float, high: float) -> str:
    """`+0.012 (-0.071 to +0.094)`."""
    return f"{signed(mean)} ({signed(low)} to {signed(high)})"


def after(pairs: int) -> str:
    """`1 pair`, `1,200 pairs`."""
    return f"{pairs:,} pair{'' if pairs == 1 else 's'}"


def evidence_text(value: float) -> str:
    """An e-value with as many digits as say something; the largest as a power of ten."""
    if value >= 1e6:  # noqa: PLR2004 - longer than anybody reads
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    if value >= 100:  # noqa: PLR2004 - three digits say enough
        return f"{value:,.0f}"
    return f"{value:.3g}"


def figure_text(value: float, low: float, high: float) -> str:
    """A figure that has no sign: `0.71 (0.55 to 0.83)`."""
    return f"{value:.2f} ({low:.2f} to {high:.2f})".replace("-", MINUS)
