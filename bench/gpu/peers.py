"""What others offer for the same work, with torch: each subject captured as a CUDA graph.

A peer is a function that builds its calls for a case; it raises if this torch or this GPU does not
have it, and is then reported as absent.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from timing import Work

Call = Callable[[], Any]


class Peers:
    """`copies` weights of one shape, and adapters for each of them, on one stream."""

    device = "cuda"

    def __init__(self, torch: Any, stream: Any, shape: tuple[int, int], copies: int):
        self.torch = torch
        self.stream = stream
        self.n, self.k = shape
        self.copies = copies
        self._kept: dict[str, tuple[Any, Any]] = {}

    def _once(self, name: str, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, from the last time if that was for the same key: large matrices serve
        many cases."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept.pop(name, None)
            self._kept[name] = (key, make())
        return self._kept[name][1]

    def _weights(self) -> list[Any]:
        return self._once(
            "weights", None, lambda: [self.random(self.n, self.k) for _ in range(self.copies)]
        )

    def random(self, *size: int, dtype: Any = None) -> Any:
        dtype = dtype or self.torch.float16
        return self.torch.randn(*size, device=self.device, dtype=dtype) * 0.05

    def capture(self, subject: str, calls: Sequence[Call]) -> Work:
        """All calls as one graph. Warmed up before: libraries allocate and choose at first."""
        torch = self.torch
        # The matrices were filled on another stream.
        torch.cuda.synchronize()
        with torch.cuda.stream(self.stream):
            calls[0]()
        self.stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            for call in calls:
                call()
        return Work(subject, len(calls), graph.replay, calls)

    # Products with the weight.

    def cublas(self, rows: int, calls: int) -> Work:
        x, y = self.random(rows, self.k), self.random(rows, self.n)
        weights = self._weights()[:calls]
        return self.capture(
            "cuBLAS fp16", [lambda w=w: self.torch.matmul(x, w.T, out=y) for w in weights]
        )

    def dequantize_and_cublas(
        self, rows: int, calls: int, dequantize: Callable[[int, Any], None]
    ) -> Work:
        """`dequantize` enqueues our dequantization of one copy into a tensor."""
        x, y = self.random(rows, self.k), self.random(rows, self.n)
        w = self.random(self.n, self.k)

        def call(copy: int) -> None:
            dequantize(copy, w)
            self.torch.matmul(x, w.T, out=y)

        each = [lambda copy=copy: call(copy) for copy in range(calls)]
        return self.capture("dequantize + cuBLAS fp16", each)

    def int4_pack(self, rows: int, calls: int, group: int = 128) -> Work:
        """torch's own int4 product: bf16, symmetric groups of 128 with zero points."""
        torch = self.torch
        x = self.random(rows, self.k, dtype=torch.bfloat16)
        operators = torch.ops.aten

        def make() -> list[Any]:
            size = (self.n, self.k // 2)
            codes = torch.randint(0, 256, size, device=self.device, dtype=torch.uint8)
            return [operators._convert_weight_to_int4pack(codes, 8) for _ in range(self.copies)]

        weights = self._once("int4", None, make)[:calls]
        scales = self.random(self.k // group, self.n, 2, dtype=torch.bfloat16)
        return self.capture(
            "torch int4pack bf16",
            [lambda w=w: operators._weight_int4pack_mm(x, w, group, scales) for w in weights],
        )

    # Adapters: row r has adapter assignment[r].

    def _factors(self, adapters: int, rank: int, dtype: Any) -> list[tuple[Any, Any]]:
        """For each copy A [adapters, rank, K] and B [adapters, N, rank]."""

        def make() -> list[tuple[Any, Any]]:
            return [
                (
                    self.random(adapters, rank, self.k, dtype=dtype),
                    self.random(adapters, self.n, rank, dtype=dtype),
                )
                for _ in range(self.copies)
            ]

        return self._once(f"factors {dtype}", (adapters, rank), make)

    def peft(self, assignment: Sequence[int], adapters: int, rank: int) -> Work:
        """PEFT's mixed batch: for each adapter gather its rows, two products, scatter."""
        torch = self.torch
        x, y = self.random(len(assignment), self.k), self.random(len(assignment), self.n)
        indices = self._rows_of(assignment, adapters)

        def call(a: Any, b: Any) -> None:
            for adapter, rows in indices:
                y[rows] += (x[rows] @ a[adapter].T) @ b[adapter].T * 0.5

        factors = self._factors(adapters, rank, torch.float16)
        return self.capture("PEFT mixed batch", [lambda a=a, b=b: call(a, b) for a, b in factors])

    def loop(self, assignment: Sequence[int], adapters: int, rank: int) -> Work:
        """Rows sorted by adapter beforehand, so that each adapter's are a slice: two products."""
        torch = self.torch
        counts = [list(assignment).count(adapter) for adapter in range(adapters)]
        x, y = self.random(len(assignment), self.k), self.random(len(assignment), self.n)

        def call(a: Any, b: Any) -> None:
            first = 0
            for adapter, count in enumerate(counts):
                part = slice(first, first + count)
                y[part].addmm_(x[part] @ a[adapter].T, b[adapter].T, alpha=0.5)
                first += count

        factors = self._factors(adapters, rank, torch.float16)
        return self.capture("loop of matmuls", [lambda a=a, b=b: call(a, b) for a, b in factors])

    def grouped(self, assignment: Sequence[int], adapters: int, rank: int) -> Work:
        """torch._grouped_mm over rows sorted by adapter beforehand; bf16 only."""
        torch = self.torch
        x = self.random(len(assignment), self.k, dtype=torch.bfloat16)
        y = self.random(len(assignment), self.n, dtype=torch.bfloat16)
        counts = [list(assignment).count(adapter) for adapter in range(adapters)]
        ends = torch.tensor(counts, device=self.device).cumsum(0).to(torch.int32)

        def call(a: Any, b: Any) -> None:
            s = torch._grouped_mm(x, a.transpose(1, 2), offs=ends)
            y.add_(torch._grouped_mm(s, b.transpose(1, 2), offs=ends), alpha=0.5)

        factors = self._factors(adapters, rank, torch.bfloat16)
        return self.capture(
            "torch grouped mm bf16", [lambda a=a, b=b: call(a, b) for a, b in factors]
        )

    def triton(self, assignment: Sequence[int], adapters: int, rank: int) -> Work:
        """Punica's grouped shrink and expand, written in Triton."""
        from triton_lora import Grouped

        x, y = self.random(len(assignment), self.k), self.random(len(assignment), self.n)
        grouped = Grouped(self.torch, assignment, rank, (self.n, self.k), self.device)
        factors = self._factors(adapters, rank, self.torch.float16)
        return self.capture(
            "Triton grouped", [lambda a=a, b=b: grouped.add(y, x, a, b, 0.5) for a, b in factors]
        )

    def cublas_and_peft(self, assignment: Sequence[int], adapters: int, rank: int) -> Work:
        """A PEFT layer on an fp16 base."""
        torch = self.torch
        x, y = self.random(len(assignment), self.k), self.random(len(assignment), self.n)
        weights = self._weights()
        indices = self._rows_of(assignment, adapters)

        def call(w: Any, a: Any, b: Any) -> None:
            torch.matmul(x, w.T, out=y)
            for adapter, rows in indices:
                y[rows] += (x[rows] @ a[adapter].T) @ b[adapter].T * 0.5

        both = zip(weights, self._factors(adapters, rank, torch.float16), strict=True)
        return self.capture("cuBLAS fp16 + PEFT", [lambda w=w, f=f: call(w, *f) for w, f in both])

    def _rows_of(self, assignment: Sequence[int], adapters: int) -> list[tuple[int, Any]]:
        rows: list[list[int]] = [[] for _ in range(adapters)]
        for row, adapter in enumerate(assignment):
            rows[adapter].append(row)
        return [
            (adapter, self.torch.tensor(each, device=self.device))
            for adapter, each in enumerate(rows)
            if each
        ]


def copy_bandwidth(torch: Any, clock: Any, size: int = 2 << 30) -> float:
    """Bytes read and written a second by a long copy on the device."""
    source = torch.empty(size, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    times = [clock.time(lambda: target.copy_(source)) for _ in range(6)]
    return 2 * size / min(times[1:])


def matmul_peak(torch: Any, clock: Any, size: int = 8192) -> float:
    """Operations a second of a large fp16 product of random numbers."""
    x = torch.randn(size, size, device="cuda", dtype=torch.float16)
    w = torch.randn(size, size, device="cuda", dtype=torch.float16)
    y = torch.empty_like(x)
    times = [clock.time(lambda: torch.matmul(x, w.T, out=y)) for _ in range(8)]
    return 2 * size**3 / min(times[2:])


def launch_time(torch: Any, stream: Any, clock: Any, launches: int = 400) -> float:
    """Seconds from one kernel of a graph to the next if they do next to nothing."""
    x = torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(launches):
            x.add_(1)
    times = [clock.time(graph.replay) for _ in range(5)]
    return min(times[1:]) / launches
