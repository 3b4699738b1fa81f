"""What a batch-invariant context promises: the same accuracy, and for every row the same bits in any batch."""

from __future__ import annotations

import random
from functools import partial
from typing import Callable, Iterator

import samples
import weights
from abi import DType
from checks import Adapters, Checks, Shape
from reference import LIMITS

# K is deep enough to be cut into slices, M more than a tile.
BATCH = Shape(34, 24, 1280)
LARGE_BATCH = Shape(300, 1024, 4096)


def cases(checks: Checks) -> Iterator[tuple[str, Callable[[], float], float]]:
    """Name, a function that gives the error, and its limit. `checks` are those of a batch-invariant context."""
    for turn, kind in enumerate(weights.KINDS):
        for position, shape in enumerate(checks.shapes):
            if shape.k % kind.multiple:
                continue
            dtype = list(DType)[(turn + position) % len(DType)]
            name, check = (
                ("linear", checks.linear) if position % 2 == 0 else ("matmul", checks.matmul)
            )
            yield (
                f"batch-invariant {name} {kind.name} {dtype.name} {shape}",
                partial(check, kind, shape, dtype),
                LIMITS[dtype],
            )
    batches = [BATCH, LARGE_BATCH] if any(shape.large for shape in checks.shapes) else [BATCH]
    for shape in batches:
        for turn, kind in enumerate(weights.KINDS):
            dtype = list(DType)[turn % len(DType)]
            title = f"rows in any batch {kind.name} {dtype.name} {shape}"
            yield title, partial(changed_rows, checks, kind, shape, dtype), 0.0


def changed_rows(checks: Checks, kind: weights.Kind, shape: Shape, dtype: DType) -> float:
    """How many of the smaller batches have other bits than the whole one. Rows have adapters."""
    rng = random.Random(10)
    context = checks.context
    content = samples.dense(rng, shape.m * shape.k, dtype)
    adapters = Adapters(checks, rng, shape, dtype)
    row_bytes = shape.k * dtype.size
    out_bytes = shape.n * dtype.size

    with context.pack(kind.make(rng, shape.n, shape.k)) as weight:

        def product(first: int, count: int) -> bytes:
            part = content[first * row_bytes : (first + count) * row_bytes]
            x = context.upload(part, count, shape.k, dtype)
            y = context.empty(count, shape.n, dtype)
            adapters.assign_rows(range(first, first + count))
            context.linear(x, weight, adapters.batch, y)
            return context.download(y)

        whole = product(0, shape.m)
        parts = [(0, 1), (shape.m - 1, 1), (0, 8), (1, 9), (1, shape.m - 1)]
        return float(
            sum(
                product(first, count) != whole[first * out_bytes : (first + count) * out_bytes]
                for first, count in parts
            )
        )
