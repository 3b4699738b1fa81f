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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator

import facts
import samples
from abi import DeviceKind
from lorakernels import Context, Library
from ours import Ours
from peers import Peers, copy_bandwidth, matmul_peak
from phases import EXIT_SKIPPED
from results import Measurement, Report
from timing import Clock, EventClock, HostClock, Work, alternate

_FORMATS = {"NF4": samples.nf4, "Q4_0": samples.q4_0}


@dataclass(frozen=True)
class Sizes:
    """`calls` weights rotate for up to `few` rows; more rows take long enough with `calls_many`."""

    shapes: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    lora_rows: tuple[int, ...]
    adapters: tuple[int, ...]
    rank: int
    rounds: int
    few: int = 64
    calls_many: int = 8


GPU = Sizes(
    shapes=((4096, 4096), (14336, 4096), (4096, 14336)),
    rows=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096),
    lora_rows=(1, 4, 16, 64, 256),
    adapters=(4, 64),
    rank=16,
    rounds=7,
)
REDUCED = Sizes(
    shapes=((128, 128),), rows=(1, 8), lora_rows=(1, 8), adapters=(4,), rank=8, rounds=2
)

# A subject: its name should it be absent, how it is made, and the bytes and operations that
# it needs at least.
Subject = tuple[str, Callable[[], Work], float, float]


class Benchmark:
    """`torch` and `stream` are None where there is no GPU: then our operations run alone."""

    def __init__(
        self, context: Context, report: Report, out: Path, deadline: float, torch: Any, stream: Any
    ):
        self.context = context
        self.report = report
        self.out = out
        self.deadline = deadline
        self.torch = torch
        self.stream = stream
        self.sizes = GPU if report.real else REDUCED
        self.clock: Clock = EventClock(torch, stream) if torch else HostClock(context)

    def run(self) -> None:
        if self.torch:
            self.report.bandwidth = copy_bandwidth(self.torch, self.clock)
            self.report.peak = matmul_peak(self.torch, self.clock)
            print(
                f"copy {self.report.bandwidth / 1e12:.2f} TB/s, "
                f"matmul {self.report.peak / 1e12:.0f} TFLOP/s"
            )
        else:
            self.report.absent["all peers"] = "torch with a CUDA GPU is not here"
        for position, shape in enumerate(self.sizes.shapes):
            self._shape(shape, with_adapters=position == 0)
        self.save()

    def save(self) -> None:
        self.report.save(self.out / "results.json")

    def _shape(self, shape: tuple[int, int], with_adapters: bool) -> None:
        label = f"{shape[0]}x{shape[1]}"
        if self._late(f"everything at {label}"):
            return
        copies = self._copies(shape)
        ours = [Ours(self.context, name, make, shape, copies) for name, make in _FORMATS.items()]
        peers = Peers(self.torch, self.stream, shape, copies) if self.torch else None
        for rows in self.sizes.rows:
            self._case(f"matmul {label}", rows, self._matmul(ours, peers, rows, copies))
        for adapters in self.sizes.adapters if with_adapters else ():
            kind = f"rank {self.sizes.rank}, up to {adapters} adapters, {label}"
            for rows in self.sizes.lora_rows:
                distinct = min(rows, adapters)
                self._case(f"LoRA {kind}", rows, self._lora(ours[0], peers, rows, distinct))
                linear = self._linear(ours[0], peers, rows, distinct)
                self._case(f"linear with LoRA {kind}", rows, linear)
        self._case(f"dequantize to fp16, {shape[1]} columns", shape[0], self._dequantize(ours))
        self._case(f"quantize from fp16, {shape[1]} columns", shape[0], self._quantize(ours[0]))

    def _matmul(
        self, ours: list[Ours], peers: Peers | None, rows: int, copies: int
    ) -> Iterator[Subject]:
        calls = copies if rows <= self.sizes.few else min(copies, self.sizes.calls_many)
        operations = 2.0 * rows * ours[0].n * ours[0].k
        moved = ours[0].activation_bytes(rows)
        for each in ours:
            yield each.subject, lambda e=each: e.matmul(
                rows, calls
            ), each.packed_bytes + moved, operations
        if peers is None:
            return
        fp16 = 2.0 * ours[0].n * ours[0].k
        yield "cuBLAS fp16", lambda: peers.cublas(rows, calls), fp16 + moved, operations
        yield (
            "dequantize + cuBLAS fp16",
            lambda: peers.dequantize_and_cublas(
                rows, calls, lambda copy, w: ours[0].dequantize_into(copy, w.data_ptr())
            ),
            ours[0].packed_bytes + moved,
            operations,
        )
        int4 = ours[0].n * ours[0].k * (0.5 + 4 / 128)
        yield "torch int4pack bf16", lambda: peers.int4_pack(rows, calls), int4 + moved, operations

    def _adapter_need(self, ours: Ours, rows: int, distinct: int) -> tuple[float, float]:
        rank = self.sizes.rank
        moved = 2.0 * distinct * rank * (ours.n + ours.k) + ours.activation_bytes(rows)
        return moved, 2.0 * rows * rank * (ours.n + ours.k)

    def _lora(self, ours: Ours, peers: Peers | None, rows: int, distinct: int) -> Iterator[Subject]:
        rank = self.sizes.rank
        need = self._adapter_need(ours, rows, distinct)
        assignment = [row % distinct for row in range(rows)]
        ids = ours.adapters(distinct, rank)
        yield ours.subject, lambda: ours.apply(ids, assignment), *need
        if peers is None:
            return
        yield "PEFT mixed batch", lambda: peers.peft(assignment, distinct, rank), *need
        yield "loop of matmuls", lambda: peers.loop(assignment, distinct, rank), *need
        yield "torch grouped mm bf16", lambda: peers.grouped(assignment, distinct, rank), *need

    def _linear(
        self, ours: Ours, peers: Peers | None, rows: int, distinct: int
    ) -> Iterator[Subject]:
        rank = self.sizes.rank
        moved, operations = self._adapter_need(ours, rows, distinct)
        operations += 2.0 * rows * ours.n * ours.k
        assignment = [row % distinct for row in range(rows)]
        ids = ours.adapters(distinct, rank)
        yield ours.subject, lambda: ours.linear(
            ids, assignment
        ), moved + ours.packed_bytes, operations
        if peers is None:
            return
        fp16 = 2.0 * ours.n * ours.k
        yield (
            "cuBLAS fp16 + PEFT",
            lambda: peers.cublas_and_peft(assignment, distinct, rank),
            moved + fp16,
            operations,
        )

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
        for work, timing, (moved, operations) in zip(
            works, alternate(self.clock, works, self.sizes.rounds), needs, strict=True
        ):
            self.report.measurements.append(
                Measurement(
                    group,
                    rows,
                    work.subject,
                    timing.median,
                    timing.low,
                    timing.high,
                    moved,
                    operations,
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
    with Context(library, kind, stream=stream.cuda_stream if stream else None) as context:
        report = Report(facts.collect(library, context, torch), real=kind == DeviceKind.CUDA)
        Benchmark(context, report, options.out, deadline, torch, stream).run()
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
