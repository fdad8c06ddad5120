"""What the examples of each class weigh: the way from the odds of a sample to those of what the sample stands for."""

from __future__ import annotations

from typing import Final

# The newest so many examples of a class count most: a share of sampling may change.
NEWEST: Final = 5_000


class ClassWeights:
    """The fading mean weight of the negatives and of the positives that were learned.

    An estimator that takes no weights learns the odds of the examples as they come. Within a class all are taken to
    stand for as many answers as their mean; then the odds of the answers are those, times `odds`.
    """

    def __init__(self) -> None:
        self._means = [1.0, 1.0]
        self._seen = [0, 0]

    def take(self, positive: bool, weight: float) -> None:
        """Count an example that is learned."""
        self._seen[positive] += 1
        self._means[positive] += (weight - self._means[positive]) / min(self._seen[positive], NEWEST)

    @property
    def odds(self) -> float:
        """What the odds of a prediction are multiplied by; 1 where all weigh the same."""
        return self._means[True] / self._means[False]

    @property
    def prior(self) -> float:
        """The share of positives among what the newest examples stand for; a half before there was one of each."""
        if not all(self._seen):
            return 0.5
        negative, positive = (mean * seen for mean, seen in zip(self._means, self._seen, strict=True))
        return positive / (negative + positive)


def corrected(probability: float, odds: float) -> float:
    """The probability whose odds are `odds` times as high."""
    if odds == 1.0:
        return probability
    positive = probability * odds
    return positive / (positive + (1.0 - probability))
