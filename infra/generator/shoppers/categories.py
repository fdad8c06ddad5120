"""The departments of the generated shop: what they sell, for how much, when, and what goes with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Category(NamedTuple):
    """`log_price` is the natural log of the usual price; after `repeat_days` it is bought again, 0 = never.

    `evening` and `weekend` multiply how much it is looked for at those times. `goes_with` names another category.
    """

    name: str
    nouns: tuple[str, ...]
    weight: float
    log_price: float
    repeat_days: float
    evening: float
    weekend: float
    goes_with: str


CATEGORIES = (
    Category("phones", ("Phone", "Smartphone", "Handset"), 3.0, 5.6, 0, 1.2, 1.0, "accessories"),
    Category("accessories", ("Case", "Cable", "Charger", "Headset"), 5.0, 2.8, 0, 1.1, 1.0, "phones"),
    Category("computers", ("Laptop", "Monitor", "Keyboard", "Mouse"), 2.5, 5.2, 0, 0.8, 0.8, "accessories"),
    Category("games", ("Game", "Controller", "Puzzle"), 3.5, 3.6, 0, 2.0, 1.6, "films"),
    Category("films", ("Film", "Series Box"), 2.0, 2.6, 0, 2.2, 1.4, "snacks"),
    Category("books", ("Novel", "Guide", "Atlas", "Biography"), 6.0, 2.5, 0, 1.5, 1.2, "snacks"),
    Category("kitchen", ("Pan", "Knife", "Kettle", "Mug"), 4.0, 3.2, 0, 0.9, 1.3, "groceries"),
    Category("groceries", ("Coffee", "Tea", "Pasta", "Oil"), 5.0, 1.8, 12, 0.8, 1.5, "kitchen"),
    Category("snacks", ("Chocolate", "Nuts", "Biscuits"), 3.0, 1.4, 8, 1.8, 1.3, "groceries"),
    Category("women", ("Dress", "Blouse", "Skirt", "Coat"), 5.5, 3.7, 0, 1.2, 1.3, "shoes"),
    Category("men", ("Shirt", "Jacket", "Trousers"), 4.5, 3.7, 0, 1.1, 1.2, "shoes"),
    Category("shoes", ("Trainers", "Boots", "Sandals"), 4.0, 4.0, 0, 1.0, 1.2, "men"),
    Category("beauty", ("Cream", "Perfume", "Shampoo", "Soap"), 4.0, 2.7, 25, 1.2, 1.0, "women"),
    Category("sports", ("Ball", "Mat", "Racket", "Bottle"), 3.0, 3.4, 0, 0.9, 1.6, "shoes"),
    Category("garden", ("Spade", "Pot", "Seeds", "Hose"), 2.0, 3.0, 0, 0.5, 2.2, "tools"),
    Category("tools", ("Drill", "Hammer", "Saw"), 2.0, 3.8, 0, 0.6, 1.8, "garden"),
    Category("pets", ("Food", "Toy", "Lead"), 2.5, 2.4, 18, 0.9, 1.1, "garden"),
    Category("children", ("Doll", "Blocks", "Nappies", "Book"), 3.5, 2.9, 14, 0.7, 1.2, "games"),
)
ADJECTIVES = ("Blue", "Red", "Green", "Classic", "Light", "Soft", "Large", "Small", "Fine", "Bright", "Plain", "Royal")

_NUMBER = {category.name: number for number, category in enumerate(CATEGORIES)}
GOES_WITH = np.array([_NUMBER[category.goes_with] for category in CATEGORIES])
REPEAT_DAYS = np.array([category.repeat_days for category in CATEGORIES])
WEIGHTS = np.array([category.weight for category in CATEGORIES])
EVENING_HOURS = range(18, 24)


def season(hour: int, weekday: int) -> NDArray[np.float64]:
    """How much each category is looked for at that hour of that day (0 = Monday), as a factor."""
    evening = np.array([category.evening for category in CATEGORIES]) if hour in EVENING_HOURS else 1.0
    weekend = np.array([category.weekend for category in CATEGORIES]) if weekday >= 5 else 1.0
    factors: NDArray[np.float64] = np.ones(len(CATEGORIES)) * evening * weekend
    return factors
