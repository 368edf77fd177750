"""
The upper control limit of a share, such as that of bad ratings: what chance alone does not exceed.

Of `counted` visits, each of them bad with the share p of the baseline, the number of bad ones has a binomial
distribution. The p-chart draws its limit three standard deviations above p, for samples of whatever size:
p + 3 sqrt(p (1 - p) / n) (D. C. Montgomery, Introduction to Statistical Quality Control, 7.2, "variable sample size").
For small samples that is too low, since the distribution is skew: there the limit is the number that is exceeded with
no more than the probability of the normal distribution beyond three standard deviations, 0.00135 ("probability
limits"; SAS/QC User's Guide, SHEWHART procedure, PCHART statement, "methods for computing control limits").
"""

from __future__ import annotations

from math import isqrt
from typing import Final

SAMPLES: Final = 20
"""A baseline is of at least so many samples of the least size; textbooks ask for 20 to 25."""
EXPECTED: Final = 100
"""With more bad ones expected than this, both limits say the same to within one or two, and the first one is quick."""
BEYOND: Final = (135, 100_000)
"""The probability that a figure in control is above the limit by chance."""


def most_by_chance(counted: int, bad: int, of: int) -> int:
    """
    The greatest number of bad ones among `of` visits that is in control, by a baseline of `counted` visits.

    Of these `bad` were bad, at least one and not all. All is in whole numbers, so it is exact.
    """
    good = counted - bad
    if of * bad > EXPECTED * counted:
        return (of * bad + isqrt(9 * of * bad * good)) // counted
    # Probabilities times counted ** of: that of none, of one, … are taken away until what is left is rare enough.
    whole, found = counted**of, 0
    exactly = good**of
    rest = whole - exactly
    while BEYOND[1] * rest > BEYOND[0] * whole:
        exactly = exactly * (of - found) * bad // ((found + 1) * good)
        found += 1
        rest -= exactly
    return found
