"""The library's operations as subjects of a benchmark."""

from __future__ import annotations

import random
from typing import Callable, Sequence

import samples
from abi import DeviceKind, DType
from lorakernels import Batch, Buffer, Context, Table, Tensor
from results import OURS
from timing import Work
from weights import Kind


# Random numbers that Python makes in no time.
_DISTINCT = 1 << 18


class Ours:
    """`copies` weights of one shape and format, and adapters for each of them, on one context."""

    def __init__(
        self, context: Context, kind: Kind, shape: tuple[int, int], copies: int, note: str = ""
    ):
        self.context = context
        self.subject = f"{OURS} {kind.name}{note}"
        self.n, self.k = shape
        self.copies = copies
        self.rng = random.Random(1)
        tensors = kind.make(self.rng, self.n, self.k)
        self.quantizes = bool(tensors.view.outer_group_size)
        self.weights = [context.pack(tensors) for _ in range(copies)]
        self.packed_bytes = self.weights[0].packed_bytes
        self.rank = 0
        self.table: Table | None = None
        self.ids: list[int] = []

    def record(
        self,
        calls: Sequence[Callable[[], None]],
        rows: int,
        batch: Batch | None = None,
        subject: str | None = None,
    ) -> Work:
        """The calls as one graph; on the CPU, which has none, one after the other."""
        subject = subject or self.subject
        workspace = self.context.reserve_workspace(rows, (self.n, self.k), batch)
        calls[0]()
        self.context.synchronize()
        if self.context.kind == DeviceKind.CPU:
            kept = (calls, workspace)
            return Work(subject, len(calls), lambda: self._repeat(*kept), kept)
        self.context.begin_capture()
        for call in calls:
            call()
        graph = self.context.end_capture()
        return Work(subject, len(calls), lambda: self.context.launch(graph), (calls, workspace))

    def _repeat(self, calls: Sequence[Callable[[], None]], workspace: Buffer) -> None:
        self.context.use_workspace(workspace)
        for call in calls:
            call()

    def tensor(self, rows: int, columns: int, dtype: DType = DType.F16) -> Tensor:
        """A matrix of random numbers; in large ones they repeat."""
        count = rows * columns
        unit = samples.dense(self.rng, min(count, _DISTINCT), dtype, -2)
        content = (unit * -(-count // _DISTINCT))[: count * dtype.size]
        return self.context.upload(content, rows, columns, dtype)

    def activation_bytes(self, rows: int) -> float:
        return 2.0 * rows * (self.k + self.n)

    # Products with the weight.

    def matmul(self, rows: int, calls: int, subject: str | None = None) -> Work:
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        chosen = self.weights[:calls]
        return self.record(
            [lambda w=w: self.context.matmul(x, w, y) for w in chosen], rows, None, subject
        )

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

    def batch(self, of_row: Sequence[int], rank: int) -> Batch:
        """Row r has adapter of_row[r]; each adapter has its own memory for every copy."""
        if self.table is None or self.rank != rank:
            self.rank = rank
            self.table = self.context.lora_table([(self.n, self.k)] * self.copies)
            self.ids = []
        a = samples.dense(self.rng, rank * self.k, DType.F16, -4)
        b = samples.dense(self.rng, self.n * rank, DType.F16, -4)
        while len(self.ids) <= max(of_row):
            adapter = self.context.add_adapter(
                self.table, rank, a, b, (self.n, self.k), 0.5, DType.F16, self.copies
            )
            self.ids.append(adapter)
        batch = self.context.lora_batch(self.table, len(of_row), len(set(of_row)), rank)
        self.context.set_batch(batch, [self.ids[adapter] for adapter in of_row])
        return batch

    def apply(self, of_row: Sequence[int], rank: int) -> Work:
        rows = len(of_row)
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        batch = self.batch(of_row, rank)
        calls = [
            lambda module=module: self.context.apply(x, batch, y, module)
            for module in range(self.copies)
        ]
        return self.record(calls, rows, batch, OURS)

    def linear(self, of_row: Sequence[int], rank: int) -> Work:
        rows = len(of_row)
        x, y = self.tensor(rows, self.k), self.tensor(rows, self.n)
        batch = self.batch(of_row, rank)
        calls = [
            lambda module=module, w=w: self.context.linear(x, w, batch, y, module=module)
            for module, w in enumerate(self.weights)
        ]
        return self.record(calls, rows, batch)
