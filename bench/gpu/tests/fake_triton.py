"""As much of Triton, and of torch, as triton_lora.py uses, in Python: its kernels' indices can be
checked on a machine without either."""

from __future__ import annotations

import itertools
import operator
import types
from typing import Any, Callable, Sequence


class Array:
    """A block of numbers with 0, 1 or 2 dimensions."""

    dtype = None

    def __init__(self, shape: tuple[int, ...], values: list[Any]):
        self.shape = shape
        self.values = values

    def __getitem__(self, key: tuple[slice | None, ...]) -> "Array":
        (length,) = self.shape
        return Array(tuple(1 if each is None else length for each in key), self.values)

    def to(self, _: Any) -> "Array":
        return self

    def at(self, index: tuple[int, ...]) -> Any:
        place = 0
        for position, size in zip(index[len(index) - len(self.shape) :], self.shape):
            place = place * size + (position if size > 1 else 0)
        return self.values[place]

    def combined(self, other: Any, function: Callable[[Any, Any], Any]) -> "Array":
        if not isinstance(other, Array):
            other = Array((), [other])
        shape = broadcast(self.shape, other.shape)
        return Array(shape, [function(self.at(i), other.at(i)) for i in indices(shape)])

    def __add__(self, other: Any) -> "Array":
        return self.combined(other, _moved)

    __radd__ = __add__

    def __mul__(self, other: Any) -> "Array":
        return self.combined(other, operator.mul)

    __rmul__ = __mul__

    def __lt__(self, other: Any) -> "Array":
        return self.combined(other, operator.lt)

    def __and__(self, other: Any) -> "Array":
        return self.combined(other, operator.and_)


def _moved(value: Any, more: int) -> Any:
    """A sum; a pointer, which is (buffer, offset), moves on."""
    return (value[0], value[1] + more) if isinstance(value, tuple) else value + more


def broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    if len(first) < len(second):
        first, second = second, first
    if second and len(first) != len(second):
        raise ValueError(f"{first} and {second}")
    pairs = list(zip(first, second)) if second else [(size, 1) for size in first]
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise ValueError(f"{first} and {second}")
    return tuple(max(pair) for pair in pairs)


def indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(size) for size in shape)))


class Buffer:
    """Memory; plus offsets it is a block of places in it."""

    def __init__(self, values: list[float]):
        self.values = values

    def __add__(self, offsets: Any) -> Array:
        if not isinstance(offsets, Array):
            offsets = Array((), [offsets])
        return Array(offsets.shape, [(self, offset) for offset in offsets.values])

    def zero_(self) -> None:
        self.values[:] = [0.0] * len(self.values)


def _masked(pointers: Array, mask: Array | None) -> list[tuple[int, Any, bool]]:
    inside = [True if mask is None else mask.at(i) for i in indices(pointers.shape)]
    return [(k, place, ok) for k, (place, ok) in enumerate(zip(pointers.values, inside))]


def _load(pointers: Array, mask: Array | None = None, other: float = 0) -> Array:
    values = [
        place[0].values[place[1]] if ok else other for _, place, ok in _masked(pointers, mask)
    ]
    return Array(pointers.shape, values)


def _store(pointers: Array, value: Array, mask: Array | None = None) -> None:
    for k, (buffer, offset), ok in _masked(pointers, mask):
        if ok:
            buffer.values[offset] = value.values[k]


def _atomic_add(pointers: Array, value: Array, mask: Array | None = None) -> None:
    _store(pointers, _load(pointers, mask) + value, mask)


def _dot(a: Array, b: Array) -> Array:
    (rows, inner), (again, columns) = a.shape, b.shape
    assert inner == again
    return Array(
        (rows, columns),
        [
            sum(a.at((i, k)) * b.at((k, j)) for k in range(inner))
            for i, j in indices((rows, columns))
        ],
    )


_program: tuple[int, ...] = ()


class _Kernel:
    def __init__(self, function: Callable[..., None]):
        self.function = function

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*arguments: Any, **constants: Any) -> None:
            global _program
            for _program in itertools.product(*(range(size) for size in grid)):
                self.function(*arguments, **constants)

        return launch


def modules() -> dict[str, types.ModuleType]:
    """For sys.modules."""
    language = types.ModuleType("triton.language")
    vars(language).update(
        load=_load,
        store=_store,
        atomic_add=_atomic_add,
        dot=_dot,
        arange=lambda start, end: Array((end - start,), list(range(start, end))),
        zeros=lambda shape, dtype: Array(shape, [0.0] * (shape[0] * shape[1])),
        program_id=lambda axis: _program[axis],
        float32=None,
        int64=None,
        constexpr=None,
    )
    triton = types.ModuleType("triton")
    vars(triton).update(
        jit=_Kernel,
        language=language,
        cdiv=lambda a, b: -(-a // b),
        next_power_of_2=lambda n: 1 << (n - 1).bit_length(),
    )
    return {"triton": triton, "triton.language": language}


def torch() -> types.SimpleNamespace:
    def tensor(content: Sequence[Any], **_: Any) -> Buffer:
        flat = [list(item) if isinstance(item, tuple) else [item] for item in content]
        return Buffer([value for item in flat for value in item])

    return types.SimpleNamespace(
        tensor=tensor,
        zeros=lambda rows, columns, **_: Buffer([0.0] * (rows * columns)),
        int32=None,
        float32=None,
    )
