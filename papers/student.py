"""Student's t by itself: its tails and quantiles, without scipy."""

from math import exp, isinf, lgamma, log, log1p

SMALLEST = 1e-300
PRECISION = 1e-14
MOST_TERMS = 500


def upper_tail(t: float, freedom: float) -> float:
    """P(T > t) with so many degrees of freedom."""
    if isinf(t):
        return 0.0 if t > 0 else 1.0
    half = 0.5 * _beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)
    return half if t >= 0 else 1 - half


def quantile(above: float, freedom: float) -> float:
    """The t > 0 beyond which lies the share `above` < 1/2, by bisection."""
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > above:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if upper_tail(middle, freedom) > above else (low, middle)
    return (low + high) / 2


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - _beta_share(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        previous = value
        for term in (even, odd):
            d = 1 / _away_from_0(1 + term * d)
            c = _away_from_0(1 + term / c)
            value *= c * d
        if abs(value - previous) < PRECISION * abs(value):
            break
    return value


def _away_from_0(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST
