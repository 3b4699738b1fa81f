"""What the operations must give, in float64. `Plain` is Python alone, for small shapes on any
machine; `Torch` computes the same with torch, for large ones."""

from __future__ import annotations

import math
from typing import Any, Protocol, Sequence

from abi import DType
from samples import decode, encode

# Relative errors that the numeric contract allows.
LIMITS = {DType.F32: 1e-5, DType.F16: 1e-3, DType.BF16: 8e-3}


class Reference(Protocol):
    """Matrices are opaque: rows of Python floats, or torch tensors in float64."""

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> Any:
        ...

    def exact(self, rows: list[list[float]]) -> Any:
        ...

    def product(self, x: Any, w: Any) -> Any:
        """x * w^T."""

    def gather(self, x: Any, rows: Sequence[int]) -> Any:
        ...

    def add(self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None) -> Any:
        """y with scale * other added to the given rows; one row of `other` goes to all of them."""

    def error(self, actual: Any, expected: Any) -> float:
        """|actual - expected| / |expected|, Frobenius norms."""


class Plain:
    """Rows of Python floats."""

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> list[list[float]]:
        flat = decode(content, dtype)
        return [flat[r * columns : (r + 1) * columns] for r in range(rows)]

    def exact(self, rows: list[list[float]]) -> list[list[float]]:
        return rows

    def product(self, x: list[list[float]], w: list[list[float]]) -> list[list[float]]:
        return [[sum(a * b for a, b in zip(row, other)) for other in w] for row in x]

    def columns(self, x: list[list[float]], count: int) -> list[list[float]]:
        return [row[:count] for row in x]

    def rounded(self, x: list[list[float]], dtype: DType) -> list[list[float]]:
        return [decode(encode(row, dtype), dtype) for row in x]

    def gather(self, x: list[list[float]], rows: Sequence[int]) -> list[list[float]]:
        return [x[row] for row in rows]

    def add(
        self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None
    ) -> list[list[float]]:
        result = [list(row) for row in y]
        for k, row in enumerate(range(len(y)) if rows is None else rows):
            update = other[k if len(other) > 1 else 0]
            result[row] = [a + scale * b for a, b in zip(result[row], update, strict=True)]
        return result

    def error(self, actual: Any, expected: Any) -> float:
        pairs = [
            (a, b)
            for row, other in zip(actual, expected, strict=True)
            for a, b in zip(row, other, strict=True)
        ]
        return _ratio(sum((a - b) ** 2 for a, b in pairs), sum(b * b for _, b in pairs))


class Torch:
    """torch tensors in float64, on the GPU if there is one."""

    def __init__(self, torch: Any):
        self.torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.types = {
            DType.F32: torch.float32,
            DType.F16: torch.float16,
            DType.BF16: torch.bfloat16,
        }

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> Any:
        flat = self.torch.frombuffer(bytearray(content), dtype=self.types[dtype])
        return flat.to(self.device).reshape(rows, columns).double()

    def exact(self, rows: list[list[float]]) -> Any:
        return self.torch.tensor(rows, dtype=self.torch.float64, device=self.device)

    def product(self, x: Any, w: Any) -> Any:
        return x @ w.T

    def gather(self, x: Any, rows: Sequence[int]) -> Any:
        return x[list(rows)]

    def columns(self, x: Any, count: int) -> Any:
        return x[:, :count]

    def rounded(self, x: Any, dtype: DType) -> Any:
        return x.to(self.types[dtype]).double()

    def add(self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None) -> Any:
        result = y.clone()
        if rows is None:
            return result + scale * other
        result[list(rows)] += scale * other
        return result

    def error(self, actual: Any, expected: Any) -> float:
        return _ratio(float(((actual - expected) ** 2).sum()), float((expected**2).sum()))


def _ratio(difference: float, size: float) -> float:
    if math.isnan(difference):
        return math.inf
    return math.sqrt(difference / size) if size > 0 else math.sqrt(difference)


def best() -> tuple[Reference, bool]:
    """The reference for large shapes if torch is here, else the plain one; and which it is."""
    try:
        import torch
    except ImportError:
        return Plain(), False
    return Torch(torch), True
