"""x successes of n, both of any size -> the exact binomial interval of Clopper and Pearson.

Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial". Its
limits are quantiles of beta distributions, which is why x and n need not be whole: survey statistics put effective
numbers in.
"""

from math import exp, lgamma, log, log1p, sqrt

# Past this many the continued fraction takes long, and the interval is narrower than anybody can use.
MOST_TRIALS = 1e7
_SMALLEST = 1e-300
_CLOSE = 1e-15
# As many as it takes from 1 to the smallest float; few quantiles take more than sixty.
_HALVINGS = 1100


def clopper_pearson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper limit of the success rate, each missed with at most half of 1 - `confidence`.

    Raises:
        ValueError: not 0 <= successes <= trials, 0 < trials <= 1e7 and 0 < confidence < 1.
    """
    if not (0 <= successes <= trials and 0 < trials <= MOST_TRIALS and 0 < confidence < 1):
        raise ValueError(f"there is no {confidence} interval for {successes} of {trials}")
    tail = (1 - confidence) / 2
    failures = trials - successes
    low = beta_quantile(tail, successes, failures + 1) if successes > 0 else 0.0
    high = beta_quantile(1 - tail, successes + 1, failures) if failures > 0 else 1.0
    return low, high


def beta_quantile(share: float, a: float, b: float) -> float:
    """The x in [0, 1] below which a Beta(a, b) variable falls with probability `share`, by bisection.

    The distribution function rises everywhere, so halving cannot miss, however skewed it is.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_distribution(middle, a, b) < share:
            low = middle
        else:
            high = middle
        if high - low <= _CLOSE * high:
            break
    return (low + high) / 2


def beta_distribution(x: float, a: float, b: float) -> float:
    """Probability that a Beta(a, b) variable is at most x: the regularised incomplete beta function.

    By its continued fraction (Abramowitz and Stegun 26.5.8), on the side of the mean where it converges in about
    sqrt(max(a, b)) steps.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    logarithm = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    front = exp(logarithm) if logarithm > -700 else 0.0  # noqa: PLR2004 - exp gives 0 near there
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1 - front * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Modified Lentz's method: two terms a step, until a step changes nothing."""
    c, d = 1.0, _inverse(1 - (a + b) * x / (a + 1))
    value = d
    for step in range(1, 100 + int(20 * sqrt(max(a, b)))):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        change = 1.0
        for term in (even, odd):
            d, c = _inverse(1 + term * d), _not_zero(1 + term / c)
            change = d * c
            value *= change
        if abs(change - 1) < _CLOSE:
            return value
    raise ArithmeticError(f"the incomplete beta function of x={x}, a={a}, b={b} did not converge")


def _inverse(value: float) -> float:
    return 1 / _not_zero(value)


def _not_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST
