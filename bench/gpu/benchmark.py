"""Our operations beside what others offer, in one run, alternating.

Writes results.json into the output folder after every case, so that a run that is stopped keeps
what it has.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Iterator

import facts
import weights
from abi import DeviceKind
from lorakernels import Context, Library
from ours import Ours
from peers import Peers, copy_bandwidth, launch_time, matmul_peak
from phases import EXIT_SKIPPED
from plan import DISTRIBUTIONS, GPU, REDUCED, assignment
from results import OURS, Measurement, Report
from timing import Clock, EventClock, HostClock, Work, alternate

# A subject: its name should it be absent, how it is made, and the bytes and operations that
# it needs at least.
Subject = tuple[str, Callable[[], Work], float, float]


class Benchmark:
    """`invariant` is a batch-invariant context on the stream of the other one. `torch` and `stream`
    are None where there is no GPU: then our operations run alone."""

    def __init__(
        self,
        context: Context,
        invariant: Context,
        report: Report,
        out: Path,
        deadline: float,
        torch: Any,
        stream: Any,
    ):
        self.context = context
        self.invariant = invariant
        self.report = report
        self.out = out
        self.deadline = deadline
        self.torch = torch
        self.stream = stream
        self.sizes = GPU if report.real else REDUCED
        self.clock: Clock = EventClock(torch, stream) if torch else HostClock(context, invariant)

    def run(self) -> None:
        if self.torch:
            self.report.bandwidth = copy_bandwidth(self.torch, self.clock)
            self.report.peak = matmul_peak(self.torch, self.clock)
            self.report.launch = launch_time(self.torch, self.stream, self.clock)
            print(
                f"copy {self.report.bandwidth / 1e12:.2f} TB/s, "
                f"matmul {self.report.peak / 1e12:.0f} TFLOP/s, "
                f"launch in a graph {self.report.launch * 1e6:.2f} µs"
            )
        else:
            self.report.absent["all peers"] = "torch with a CUDA GPU is not here"
        # What matters most comes first, should time run out.
        first = self.sizes.shapes[0]
        main, others = weights.KINDS[: self.sizes.main], weights.KINDS[self.sizes.main :]
        for shape in self.sizes.shapes:
            self._products(f"matmul {_label(shape)}", shape, main)
        self._invariance(first, main)
        self._adapters(first, main[0])
        self._products(f"matmul {_label(first)}, other formats", first, others)
        self._conversions(first)
        self.save()

    def save(self) -> None:
        self.report.save(self.out / "results.json")

    def _products(
        self, group: str, shape: tuple[int, int], kinds: tuple[weights.Kind, ...]
    ) -> None:
        if self._late(group):
            return
        ours = [self._ours(shape, kind) for kind in kinds]
        peers = self._peers(shape)
        for rows in self.sizes.rows:
            self._case(group, rows, self._matmul(ours, peers, rows))

    def _invariance(self, shape: tuple[int, int], kinds: tuple[weights.Kind, ...]) -> None:
        """What it costs that rows have the same bits in every batch."""
        group = f"matmul {_label(shape)}, batch-invariant"
        if self._late(group):
            return
        ours = [self._ours(shape, kind) for kind in kinds]
        copies = self._copies(shape)
        ours += [Ours(self.invariant, kind, shape, copies, ", invariant") for kind in kinds]
        for rows in self.sizes.rows:
            self._case(group, rows, self._matmul(ours, None, rows))

    def _adapters(self, shape: tuple[int, int], kind: weights.Kind) -> None:
        if self._late(f"adapters at {_label(shape)}"):
            return
        ours, peers = self._ours(shape, kind), self._peers(shape)
        for rank in self.sizes.ranks:
            for distribution in DISTRIBUTIONS:
                where = f"{_label(shape)} rank {rank}, {distribution}"
                for rows in self.sizes.lora_rows:
                    of_row = assignment(distribution, rows, self.sizes.most_adapters)
                    self._case(f"LoRA {where}", rows, self._lora(ours, peers, of_row, rank))
                    linear = self._linear(ours, peers, of_row, rank)
                    self._case(f"linear with LoRA {where}", rows, linear)

    def _conversions(self, shape: tuple[int, int]) -> None:
        if self._late("dequantize and quantize"):
            return
        ours = [self._ours(shape, kind) for kind in weights.KINDS]
        columns = f"fp16, {shape[1]} columns"
        self._case(f"dequantize to {columns}", shape[0], self._dequantize(ours))
        nested = next(each for each in ours if each.quantizes)
        self._case(f"quantize from {columns}", shape[0], self._quantize(nested))

    def _ours(self, shape: tuple[int, int], kind: weights.Kind) -> Ours:
        return Ours(self.context, kind, shape, self._copies(shape))

    def _peers(self, shape: tuple[int, int]) -> Peers | None:
        return Peers(self.torch, self.stream, shape, self._copies(shape)) if self.torch else None

    def _matmul(self, ours: list[Ours], peers: Peers | None, rows: int) -> Iterator[Subject]:
        n, k = ours[0].n, ours[0].k
        most = self._copies((n, k))
        calls = most if rows <= self.sizes.few else min(most, self.sizes.calls_many)
        operations = 2.0 * rows * n * k
        moved = ours[0].activation_bytes(rows)
        for each in ours:
            need = (each.packed_bytes + moved, operations)
            yield each.subject, lambda e=each: e.matmul(rows, calls), *need
        if peers is None:
            return
        fp16 = 2.0 * n * k + moved
        yield "cuBLAS fp16", lambda: peers.cublas(rows, calls), fp16, operations
        yield (
            "dequantize + cuBLAS fp16",
            lambda: peers.dequantize_and_cublas(
                rows, calls, lambda copy, w: ours[0].dequantize_into(copy, w.data_ptr())
            ),
            ours[0].packed_bytes + moved,
            operations,
        )
        int4 = n * k * (0.5 + 4 / 128) + moved
        yield "torch int4pack bf16", lambda: peers.int4_pack(rows, calls), int4, operations

    @staticmethod
    def _adapter_need(ours: Ours, of_row: list[int], rank: int) -> tuple[float, float]:
        rows = len(of_row)
        factors = 2.0 * len(set(of_row)) * rank * (ours.n + ours.k)
        return factors + ours.activation_bytes(rows), 2.0 * rows * rank * (ours.n + ours.k)

    def _lora(
        self, ours: Ours, peers: Peers | None, of_row: list[int], rank: int
    ) -> Iterator[Subject]:
        need = self._adapter_need(ours, of_row, rank)
        distinct = len(set(of_row))
        yield OURS, lambda: ours.apply(of_row, rank), *need
        if peers is None:
            return
        yield "Triton grouped", lambda: peers.triton(of_row, distinct, rank), *need
        yield "PEFT mixed batch", lambda: peers.peft(of_row, distinct, rank), *need
        yield "loop of matmuls", lambda: peers.loop(of_row, distinct, rank), *need
        yield "torch grouped mm bf16", lambda: peers.grouped(of_row, distinct, rank), *need

    def _linear(
        self, ours: Ours, peers: Peers | None, of_row: list[int], rank: int
    ) -> Iterator[Subject]:
        rows, distinct = len(of_row), len(set(of_row))
        moved, operations = self._adapter_need(ours, of_row, rank)
        operations += 2.0 * rows * ours.n * ours.k
        need = (moved + ours.packed_bytes, operations)
        yield ours.subject, lambda: ours.linear(of_row, rank), *need
        # What the adapters cost beside it.
        alone = (ours.activation_bytes(rows) + ours.packed_bytes, 2.0 * rows * ours.n * ours.k)
        base = f"{ours.subject}, base alone"
        yield base, lambda: ours.matmul(rows, ours.copies, base), *alone
        if peers is None:
            return
        fp16 = moved + 2.0 * ours.n * ours.k
        peft = "cuBLAS fp16 + PEFT"
        yield peft, lambda: peers.cublas_and_peft(of_row, distinct, rank), fp16, operations

    @staticmethod
    def _dequantize(ours: list[Ours]) -> Iterator[Subject]:
        for each in ours:
            yield each.subject, each.dequantize, each.packed_bytes + 2.0 * each.n * each.k, 0.0

    @staticmethod
    def _quantize(ours: Ours) -> Iterator[Subject]:
        yield ours.subject, ours.quantize, ours.packed_bytes + 2.0 * ours.n * ours.k, 0.0

    def _copies(self, shape: tuple[int, int]) -> int:
        """So many weights that they take four times the L2 cache."""
        if not self.torch:
            return 2
        cache = getattr(self.torch.cuda.get_device_properties(0), "L2_cache_size", 64 << 20)
        return max(2, math.ceil(4 * cache / (shape[0] * shape[1] / 2)))

    def _case(self, group: str, rows: int, subjects: Iterator[Subject]) -> None:
        if self._late(f"{group}, {rows} rows"):
            return
        works: list[Work] = []
        needs: list[tuple[float, float]] = []
        for name, make, moved, operations in subjects:
            try:
                works.append(make())
                needs.append((moved, operations))
            except Exception as failure:  # absent or broken: told in the report, the rest goes on
                reason = "".join(traceback.format_exception_only(failure)).strip().splitlines()[0]
                self.report.absent[f"{name}, {group}, {rows} rows"] = reason
                print(f"ABSENT {name}: {reason}")
        timings = alternate(self.clock, works, self.sizes.rounds)
        for work, timing, need in zip(works, timings, needs, strict=True):
            self.report.measurements.append(
                Measurement(
                    group, rows, work.subject, timing.median, timing.low, timing.high, *need
                )
            )
            print(f"{group}, {rows} rows: {work.subject}: {timing.median * 1e6:.1f} µs")
        self.save()

    def _late(self, what: str) -> bool:
        if time.monotonic() < self.deadline:
            return False
        self.report.left_out.append(what)
        self.save()
        return True


def _label(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _torch_with_gpu() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument(
        "--device", choices=[kind.name.lower() for kind in DeviceKind], required=True
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for results.json")
    parser.add_argument("--seconds", type=float, default=120, help="no case starts later than this")
    options = parser.parse_args(arguments)
    deadline = time.monotonic() + options.seconds
    kind = DeviceKind[options.device.upper()]
    torch = _torch_with_gpu() if kind == DeviceKind.CUDA else None
    if kind == DeviceKind.CUDA and torch is None:
        print("benchmarks on a GPU need torch with CUDA: its events and its peers")
        return EXIT_SKIPPED
    options.out.mkdir(parents=True, exist_ok=True)
    library = Library(options.library)
    stream = torch.cuda.Stream() if torch else None
    handle = stream.cuda_stream if stream else None
    with Context(library, kind, stream=handle) as context, Context(
        library, kind, stream=handle, batch_invariant=True
    ) as invariant:
        report = Report(facts.collect(library, context, torch), real=kind == DeviceKind.CUDA)
        Benchmark(context, invariant, report, options.out, deadline, torch, stream).run()
    for line in report.largest_gaps(3):
        print(line)
    note = "" if report.real else f"; {options.device} device: not GPU timings"
    print(
        f"{len(report.measurements)} measurements, {len(report.absent)} absent, "
        f"{len(report.left_out)} left out for time{note}"
    )
    ours = any(measurement.ours for measurement in report.measurements)
    broken = [name for name in report.absent if name.startswith("LoraKernels")]
    return 0 if ours and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
