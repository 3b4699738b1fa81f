"""Every operation on one context against float64: the cases of correctness.py."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator

import samples
import weights
from abi import DeviceKind, DType
from decoding import weight_values
from lorakernels import Batch, Context, HostTensors, Tensor
from reference import LIMITS, Reference

_GUARD = 3
# Weights that Python decodes in no time.
_DECODED_HERE = 1 << 14


@dataclass(frozen=True)
class Shape:
    """x is [m, k], W [n, k]."""

    m: int
    n: int
    k: int

    @property
    def large(self) -> bool:
        return self.n * self.k > _DECODED_HERE

    def __str__(self) -> str:
        return f"{self.m}x{self.n}x{self.k}"


# Small enough for Python alone, and awkward: tails in every dimension.
SMALL = (
    Shape(1, 40, 64),
    Shape(5, 72, 96),
    Shape(9, 33, 70),
    Shape(17, 64, 128),
    Shape(3, 24, 260),
    Shape(2, 34, 256),
)
# Where torch computes the reference: real layers, and more awkward ones.
LARGE = (
    Shape(1, 4096, 4096), Shape(8, 2880, 3420), Shape(16, 3424, 7392), Shape(64, 1024, 4096),
    Shape(65, 512, 2048), Shape(300, 1000, 1024),
)  # fmt: skip
RANKS = (8, 3, 16, 64)


class Checks:
    """The cases for one device. A case yields (what was compared, error, limit)."""

    def __init__(self, context: Context, reference: Reference, shapes: tuple[Shape, ...]):
        self.context = context
        self.reference = reference
        self.shapes = shapes

    def cases(self) -> Iterator[tuple[str, Callable[[], float], float]]:
        """Name, a function that gives the error, and its limit."""
        position = 0
        for shape in self.shapes:
            for kind in weights.KINDS:
                if shape.k % kind.multiple:
                    continue
                yield f"pack and unpack {kind.name} {shape}", _bind(self.unpack, kind, shape), 0.0
                cases = [
                    (
                        f"{name} {kind.name} {dtype.name} {shape}",
                        _bind(check, kind, shape, dtype),
                        limit,
                    )
                    for dtype in DType
                    for name, check, limit in (
                        ("dequantize", self.dequantize, 0.0),
                        ("matmul", self.matmul, LIMITS[dtype]),
                        ("linear", self.linear, LIMITS[dtype]),
                    )
                ]
                # Large shapes take turns: over all of them, every kind meets every operation.
                position += 4
                yield from [cases[position % len(cases)]] if shape.large else cases
            for dtype in DType:
                for nested in (False, True):
                    title = f"{'nested' if nested else 'plain'} {dtype.name} {shape}"
                    # The second quantization of absmax costs up to half a step of its 256 levels.
                    yield f"quantize NF4 {title}", _bind(self.quantize, shape, dtype, nested), (
                        2e-2 if nested else LIMITS[dtype]
                    )
                title = f"{dtype.name} {shape}"
                yield f"shrink {title}", _bind(self.shrink, shape, dtype), LIMITS[DType.F32]
                yield f"expand {title}", _bind(self.expand, shape, dtype), LIMITS[dtype]
                yield f"apply {title}", _bind(self.apply, shape, dtype), LIMITS[dtype]
        if self.context.kind != DeviceKind.CPU:
            for shape in self.shapes[:2]:
                yield f"graph replay F16 {shape}", _bind(self.replay, shape), LIMITS[DType.F16]

    # Weights.

    def unpack(self, kind: weights.Kind, shape: Shape) -> float:
        tensors = kind.make(random.Random(1), shape.n, shape.k)
        with self.context.pack(tensors) as weight:
            back = self.context.unpack(weight)
        expected = dict(tensors.parts)
        # The library names the standard NF4 map when it was left out.
        expected["table"] = back.parts["table"]
        return 0.0 if expected == back.parts else 1.0

    def dequantize(self, kind: weights.Kind, shape: Shape, dtype: DType) -> float:
        tensors = kind.make(random.Random(2), shape.n, shape.k)
        with self.context.pack(tensors) as weight:
            y = self.context.empty(shape.n, shape.k, dtype, shape.k + _GUARD)
            self.context.dequantize(weight, y)
            actual = self.read(y)
        expected = self.reference.rounded(self.weight(tensors), dtype)
        return self.reference.error(actual, expected)

    def quantize(self, shape: Shape, dtype: DType, nested: bool) -> float:
        """Quantizing what NF4 can express gives it back, as far as the dtype can express it."""
        tensors = weights.plain_nf4(random.Random(3), shape.n, shape.k)
        groups = -(-shape.n * shape.k // 64)
        for group in range(groups):
            # Each group reaches its absmax, so that it is found again.
            position = group * 32
            tensors.parts["codes"][position] = 0xF0 | tensors.parts["codes"][position] & 15
        with self.context.pack(tensors) as weight:
            w = self.context.empty(shape.n, shape.k, dtype)
            self.context.dequantize(weight, w)
        with self.context.quantize(w, 64, 256 if nested else 0) as quantized:
            back = self.weight(self.context.unpack(quantized))
        return self.reference.error(back, self.read(w))

    # Products.

    def matmul(self, kind: weights.Kind, shape: Shape, dtype: DType) -> float:
        rng = random.Random(4)
        tensors = kind.make(rng, shape.n, shape.k)
        x, exact_x = self.input(rng, shape.m, shape.k, dtype)
        bias, exact_bias = self.input(rng, 1, shape.n, DType.F32)
        y = self.context.empty(shape.m, shape.n, dtype, shape.n + _GUARD)
        with self.context.pack(tensors) as weight:
            self.context.matmul(x, weight, y, bias)
            actual = self.read(y)
        product = self.reference.product(exact_x, self.weight(tensors))
        return self.reference.error(actual, self.reference.add(product, exact_bias))

    def linear(self, kind: weights.Kind, shape: Shape, dtype: DType) -> float:
        rng = random.Random(5)
        tensors = kind.make(rng, shape.n, shape.k)
        x, exact_x = self.input(rng, shape.m, shape.k, dtype)
        y = self.context.empty(shape.m, shape.n, dtype)
        adapters = Adapters(self, rng, shape, dtype)
        with self.context.pack(tensors) as weight:
            self.context.linear(x, weight, adapters.batch, y)
            actual = self.read(y)
        product = self.reference.product(exact_x, self.weight(tensors))
        return self.reference.error(actual, adapters.update(product, exact_x))

    # LoRA.

    def shrink(self, shape: Shape, dtype: DType) -> float:
        rng = random.Random(6)
        x, exact_x = self.input(rng, shape.m, shape.k, dtype)
        adapters = Adapters(self, rng, shape, dtype)
        columns = self.context.shrink_columns(adapters.batch)
        s = self.context.empty(shape.m, columns, DType.F32)
        self.context.write(s, bytes(shape.m * columns * 4))
        self.context.shrink(x, adapters.batch, s)
        actual = self.read(s)
        worst = 0.0
        for row, adapter in enumerate(adapters.rows):
            if adapter is None:
                continue
            rank, a, _, _ = adapters.factors[adapter]
            expected = self.reference.product(self.reference.gather(exact_x, [row]), a)
            part = self.reference.columns(self.reference.gather(actual, [row]), rank)
            worst = max(worst, self.reference.error(part, expected))
        return worst

    def expand(self, shape: Shape, dtype: DType) -> float:
        rng = random.Random(7)
        adapters = Adapters(self, rng, shape, dtype)
        columns = self.context.shrink_columns(adapters.batch)
        s, exact_s = self.input(rng, shape.m, columns, DType.F32)
        y, exact_y = self.input(rng, shape.m, shape.n, dtype)
        self.context.expand(s, adapters.batch, y)
        expected = exact_y
        for row, adapter in enumerate(adapters.rows):
            if adapter is None:
                continue
            rank, _, b, scale = adapters.factors[adapter]
            part = self.reference.columns(self.reference.gather(exact_s, [row]), rank)
            expected = self.reference.add(expected, self.reference.product(part, b), scale, [row])
        return self.reference.error(self.read(y), expected)

    def apply(self, shape: Shape, dtype: DType) -> float:
        rng = random.Random(8)
        adapters = Adapters(self, rng, shape, dtype)
        x, exact_x = self.input(rng, shape.m, shape.k, dtype)
        y, exact_y = self.input(rng, shape.m, shape.n, dtype)
        self.context.apply(x, adapters.batch, y)
        return self.reference.error(self.read(y), adapters.update(exact_y, exact_x))

    # Graphs.

    def replay(self, shape: Shape) -> float:
        """A captured linear, launched with other activations and adapters than when captured."""
        rng = random.Random(9)
        dtype = DType.F16
        tensors = weights.plain_nf4(rng, shape.n, shape.k)
        x, _ = self.input(rng, shape.m, shape.k, dtype)
        y = self.context.empty(shape.m, shape.n, dtype)
        adapters = Adapters(self, rng, shape, dtype)
        worst = 0.0
        with self.context.pack(tensors) as weight:
            self.context.reserve_workspace(shape.m, (shape.n, shape.k), adapters.batch)
            self.context.begin_capture()
            self.context.linear(x, weight, adapters.batch, y)
            with self.context.end_capture() as graph:
                for turn in range(3):
                    content = samples.dense(rng, shape.m * shape.k, dtype)
                    self.context.write(x, content)
                    adapters.assign(turn)
                    self.context.launch(graph)
                    exact_x = self.reference.matrix(content, shape.m, shape.k, dtype)
                    product = self.reference.product(exact_x, self.weight(tensors))
                    expected = adapters.update(product, exact_x)
                    worst = max(worst, self.reference.error(self.read(y), expected))
            self.context.release_workspace()
        return worst

    # Helpers.

    def weight(self, tensors: HostTensors) -> Any:
        """W exactly. Large ones are decoded by the library on the CPU, which the small ones check."""
        view = tensors.view
        if view.out_features * view.in_features <= _DECODED_HERE:
            return self.reference.exact(weight_values(tensors))
        with Context(self.context.library, DeviceKind.CPU) as cpu, cpu.pack(tensors) as weight:
            w = cpu.empty(view.out_features, view.in_features, DType.F32)
            cpu.dequantize(weight, w)
            return self.reference.matrix(cpu.download(w), w.rows, w.columns, w.dtype)

    def input(
        self, rng: random.Random, rows: int, columns: int, dtype: DType
    ) -> tuple[Tensor, Any]:
        """A matrix on the device, in rows with gaps between them, and its exact contents."""
        content = samples.dense(rng, rows * columns, dtype)
        stride = columns + _GUARD if rows > 1 else columns
        tensor = self.context.upload(content, rows, columns, dtype, stride)
        return tensor, self.reference.matrix(content, rows, columns, dtype)

    def read(self, tensor: Tensor) -> Any:
        content = self.context.download(tensor)
        return self.reference.matrix(content, tensor.rows, tensor.columns, tensor.dtype)


class Adapters:
    """Four adapters of mixed ranks on the rows of a batch; every fifth row has none."""

    def __init__(self, checks: Checks, rng: random.Random, shape: Shape, dtype: DType):
        self.checks = checks
        context, reference = checks.context, checks.reference
        self.table = context.lora_table([(shape.n, shape.k)])
        self.factors: list[tuple[int, Any, Any, float]] = []
        self.ids: list[int] = []
        for position, rank in enumerate(RANKS):
            a = samples.dense(rng, rank * shape.k, dtype, -2)
            b = samples.dense(rng, shape.n * rank, dtype, -2)
            scale = 0.5 + 0.25 * position
            adapter = context.add_adapter(self.table, rank, a, b, (shape.n, shape.k), scale, dtype)
            self.ids.append(adapter)
            exact_a = reference.matrix(a, rank, shape.k, dtype)
            self.factors.append((rank, exact_a, reference.matrix(b, shape.n, rank, dtype), scale))
        self.batch: Batch = context.lora_batch(self.table, shape.m, len(RANKS), max(RANKS))
        self.count = shape.m
        self.rows: list[int | None] = []
        self.assign(0)

    def assign(self, turn: int) -> None:
        """Which adapter each row has; another turn gives other ones."""
        self.rows = [
            None if (row + turn) % 5 == 4 else (row * 7 + turn) % len(RANKS)
            for row in range(self.count)
        ]
        self.assign_rows(range(self.count))

    def assign_rows(self, rows: Iterable[int]) -> None:
        """Rows of a batch, with the adapters that they have now."""
        of_row = [self.rows[row] for row in rows]
        ids = [0 if adapter is None else self.ids[adapter] for adapter in of_row]
        self.checks.context.set_batch(self.batch, ids)

    def update(self, y: Any, x: Any) -> Any:
        """y with the adapters' updates of x."""
        reference = self.checks.reference
        for position, (_, a, b, scale) in enumerate(self.factors):
            rows = [row for row, adapter in enumerate(self.rows) if adapter == position]
            if rows:
                s = reference.product(reference.gather(x, rows), a)
                y = reference.add(y, reference.product(s, b), scale, rows)
        return y


def _bind(function: Callable[..., float], *arguments: Any) -> Callable[[], float]:
    return lambda: function(*arguments)
