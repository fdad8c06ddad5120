"""How people spend: kinds of customers with their hours and categories, and what a category costs."""

from __future__ import annotations

from typing import NamedTuple


class Category(NamedTuple):
    """A kind of merchant: the log of its usual price, the spread of prices and how risky it is by nature."""

    name: str
    log_price: float
    spread: float
    risk: float


class Habit(NamedTuple):
    """A kind of customer: weight in the population, hours of waking and sleeping in own time, and level of spending."""

    name: str
    weight: float
    wakes: int
    sleeps: int
    peak: int
    level: float
    favours: tuple[str, ...]


CATEGORIES = (
    Category("grocery", 3.3, 0.6, 0.10),
    Category("restaurant", 3.2, 0.5, 0.15),
    Category("fuel", 3.7, 0.3, 0.20),
    Category("pharmacy", 2.9, 0.6, 0.10),
    Category("fashion", 4.0, 0.6, 0.30),
    Category("electronics", 5.0, 0.8, 0.70),
    Category("travel", 5.4, 0.7, 0.50),
    Category("games", 2.7, 0.7, 0.80),
    Category("jewellery", 5.3, 0.8, 0.90),
    Category("cash", 4.4, 0.5, 0.60),
)

HABITS = (
    Habit("family", 3.0, 7, 22, 17, 0.2, ("grocery", "pharmacy", "fashion")),
    Habit("commuter", 3.0, 6, 22, 8, 0.0, ("fuel", "restaurant", "grocery")),
    Habit("student", 2.0, 9, 25, 20, -0.5, ("restaurant", "games", "fashion")),
    Habit("retired", 1.5, 7, 20, 11, -0.1, ("grocery", "pharmacy", "travel")),
    Habit("business", 1.0, 6, 23, 13, 0.7, ("travel", "restaurant", "electronics")),
    Habit("night", 0.7, 14, 29, 23, -0.2, ("games", "cash", "restaurant")),
)


def hour_weights(habit: Habit) -> list[float]:
    """The share of a day's payments in each hour of own time; sums to 1 and is never zero."""
    weights = []
    for hour in range(24):
        awake = habit.wakes <= hour < habit.sleeps or habit.wakes <= hour + 24 < habit.sleeps
        away = min((hour - habit.peak) % 24, (habit.peak - hour) % 24)
        weights.append((1.0 if awake else 0.03) * (1.0 + 2.0 / (1.0 + away)))
    total = sum(weights)
    return [weight / total for weight in weights]
