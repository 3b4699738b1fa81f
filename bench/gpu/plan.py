"""What a benchmark measures: sizes, and how adapters are spread over a batch's rows."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """`calls` weights rotate for up to `few` rows; more rows take long enough with `calls_many`.

    Every kind of weight at the first of the shapes, the first `main` at the others.
    """

    shapes: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    lora_rows: tuple[int, ...]
    ranks: tuple[int, ...]
    most_adapters: int
    rounds: int
    main: int = 4
    few: int = 64
    calls_many: int = 8


GPU = Sizes(
    shapes=((4096, 4096), (14336, 4096), (4096, 14336)),
    rows=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
    lora_rows=(1, 4, 16, 64, 256),
    ranks=(16, 64, 8),
    most_adapters=64,
    rounds=7,
)
REDUCED = Sizes(
    shapes=((64, 256),), rows=(1, 9), lora_rows=(1, 8), ranks=(8,), most_adapters=4, rounds=1
)

# As in Punica: every row another adapter; some adapters equally popular; popularity by Zipf's law with
# exponent 1.5; one adapter for all.
DISTRIBUTIONS = ("Distinct", "Uniform", "Zipf", "Identical")
_ZIPF = 1.5


def assignment(distribution: str, rows: int, most: int) -> list[int]:
    """The adapter of each row: numbers from 0 without gaps, fewer than `most`."""
    rng = random.Random(rows)
    if distribution == "Distinct":
        chosen = list(range(rows))
    elif distribution == "Uniform":
        chosen = [row % math.ceil(math.sqrt(rows)) for row in range(rows)]
        rng.shuffle(chosen)
    elif distribution == "Zipf":
        popularity = [1 / (k + 1) ** _ZIPF for k in range(rows)]
        chosen = rng.choices(range(rows), popularity, k=rows)
    else:
        chosen = [0] * rows
    number: dict[int, int] = {}
    return [number.setdefault(adapter % most, len(number)) for adapter in chosen]
