"""The processors that predictions are made for: one well-known card for each architecture that is
compiled.

Throughputs are from the CUDA C++ programming guide's table of arithmetic instructions, given here
as the cycles for which one warp's instruction occupies its pipe in a quarter of a multiprocessor
(32 lanes / lanes a clock of a quarter).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """`bandwidth` is what a long copy can reach, `tensor_rate` the multiply-adds a clock of a
    quarter's tensor core, `cache_latency` clocks until L2 answers."""

    name: str
    multiprocessors: int
    gigahertz: float
    bandwidth: float
    memory_latency_ns: float
    cycles: dict[str, int]
    # mma.sync and wgmma: Hopper reaches its peak through wgmma only.
    tensor_rate: int
    wide_tensor_rate: int
    # Two fp32 datapaths in a quarter, two cycles for a warp each: FFMA takes either, integer
    # multiply-add the first; packed halves take either where they run at full rate, else the
    # second.
    dual_fma: bool
    # Limits of occupancy.
    max_warps: int
    max_blocks: int
    shared_bytes: int
    shared_bytes_per_block: int
    tensor_latency: int = 33
    cache_latency: int = 250
    shared_bytes_per_clock: int = 128
    registers: int = 65536
    reserved_shared_bytes: int = 1024

    @property
    def clock(self) -> float:
        return self.gigahertz * 1e9

    def bytes_per_clock(self) -> float:
        """Of one multiprocessor, at full bandwidth."""
        return self.bandwidth / (self.multiprocessors * self.clock)


_KIB = 1024

MACHINES = {
    "sm_80": Machine(
        "A100 80GB",
        108,
        1.41,
        2.0e12,
        600,
        dict(ALU=2, FMA=2, IMAD=2, HALF=1, BF16=2, XU=8),
        256,
        256,
        False,
        64,
        32,
        164 * _KIB,
        163 * _KIB,
    ),
    "sm_86": Machine(
        "A10",
        72,
        1.695,
        0.6e12,
        550,
        dict(ALU=2, FMA=1, IMAD=2, HALF=2, BF16=2, XU=8),
        128,
        128,
        True,
        48,
        16,
        100 * _KIB,
        99 * _KIB,
    ),
    "sm_89": Machine(
        "L40S",
        142,
        2.52,
        0.864e12,
        550,
        dict(ALU=2, FMA=1, IMAD=2, HALF=2, BF16=2, XU=8),
        128,
        128,
        True,
        48,
        24,
        100 * _KIB,
        99 * _KIB,
    ),
    "sm_90": Machine(
        "H200",
        132,
        1.75,
        4.3e12,
        700,
        dict(ALU=2, FMA=1, IMAD=2, HALF=1, BF16=1, XU=8),
        256,
        512,
        True,
        64,
        32,
        228 * _KIB,
        227 * _KIB,
    ),
}


def machine_of(architecture: str) -> Machine | None:
    """The machine of "sm_90a"; None for an architecture that this table does not know."""
    return MACHINES.get(architecture.rstrip("af"))
