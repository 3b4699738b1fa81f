"""The library's operations as subjects of a benchmark."""

from __future__ import annotations

import random
from typing import Callable, Sequence

import samples
from abi import DeviceKind, DType
from lorakernels import Batch, Context, HostTensors, Table, Tensor
from results import OURS
from timing import Work


def _all(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()


class Ours:
    """`copies` weights of one shape and format, and adapters for each of them, on one context."""

    def __init__(
        self,
        context: Context,
        name: str,
        make: Callable[[random.Random, int, int], HostTensors],
        shape: tuple[int, int],
        copies: int,
    ):
        self.context = context
        self.subject = f"{OURS} {name}"
        self.n, self.k = shape
        self.rng = random.Random(1)
        tensors = make(self.rng, self.n, self.k)
        self.weights = [context.pack(tensors) for _ in range(copies)]
        self.packed_bytes = self.weights[0].packed_bytes
        self.rank = 0
        self.table: Table | None = None
        self.ids: list[int] = []

    def record(
        self, calls: Sequence[Callable[[], None]], rows: int, batch: Batch | None = None
    ) -> Work:
        """The calls as one graph; on the CPU, which has none, one after the other."""
        workspace = self.context.reserve_workspace(rows, (self.n, self.k), batch)
        calls[0]()
        self.context.synchronize()
        if self.context.kind == DeviceKind.CPU:
            return Work(self.subject, len(calls), lambda: _all(calls), calls)
        self.context.begin_capture()
        for call in calls:
            call()
        graph = self.context.end_capture()
        return Work(
            self.subject, len(calls), lambda: self.context.launch(graph), (calls, workspace)
        )

    def tensor(self, rows: int, columns: int, dtype: DType = DType.F16) -> Tensor:
        """A matrix of random numbers."""
        content = samples.dense(self.rng, rows * columns, dtype, -2)
        return self.context.upload(content, rows, columns, dtype)

    def activation_bytes(self, rows: int) -> float:
        return 2.0 * rows * (self.k + self.n)

    # Products with the weight.

    def matmul(self, rows: int, calls: int) -> Work:
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        chosen = self.weights[:calls]
        return self.record([lambda w=w: self.context.matmul(x, w, y) for w in chosen], rows)

    def dequantize(self) -> Work:
        y = self.context.empty(self.n, self.k, DType.F16)
        return self.record([lambda w=w: self.context.dequantize(w, y) for w in self.weights], 1)

    def dequantize_into(self, copy: int, address: int) -> None:
        """Enqueues the dequantization of one copy into fp16 memory of somebody else."""
        y = Tensor(None, address, self.n, self.k, DType.F16)
        self.context.dequantize(self.weights[copy], y)

    def quantize(self) -> Work:
        """Not recorded: it is complete when it returns."""
        w = self.context.empty(self.n, self.k, DType.F16)
        self.context.dequantize(self.weights[0], w)
        return Work(self.subject, 1, lambda: self.context.quantize(w, 64, 256).close())

    # Adapters.

    def adapters(self, count: int, rank: int) -> list[int]:
        """Ids of so many adapters, each with its own memory for every copy of the weight."""
        shape = (self.n, self.k)
        if self.table is None or self.rank != rank:
            self.rank = rank
            self.table = self.context.lora_table([shape] * len(self.weights))
            self.ids = []
        a = samples.dense(self.rng, rank * self.k, DType.F16, -4)
        b = samples.dense(self.rng, self.n * rank, DType.F16, -4)
        while len(self.ids) < count:
            modules = len(self.weights)
            adapter = self.context.add_adapter(
                self.table, rank, a, b, shape, 0.5, DType.F16, modules
            )
            self.ids.append(adapter)
        return self.ids[:count]

    def batch(self, ids: Sequence[int], assignment: Sequence[int]) -> Batch:
        assert self.table is not None
        batch = self.context.lora_batch(self.table, len(assignment), len(ids), self.rank)
        self.context.set_batch(batch, [ids[adapter] for adapter in assignment])
        return batch

    def apply(self, ids: Sequence[int], assignment: Sequence[int]) -> Work:
        rows = len(assignment)
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        batch = self.batch(ids, assignment)
        calls = [
            lambda module=module: self.context.apply(x, batch, y, module)
            for module in range(len(self.weights))
        ]
        return self.record(calls, rows, batch)

    def linear(self, ids: Sequence[int], assignment: Sequence[int]) -> Work:
        rows = len(assignment)
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        batch = self.batch(ids, assignment)
        calls = [
            lambda module=module, w=w: self.context.linear(x, w, batch, y, module=module)
            for module, w in enumerate(self.weights)
        ]
        return self.record(calls, rows, batch)
