"""Everything that is known about one kernel on one architecture: read from its code, or
predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bounds
from budget import Entry, LoopSpec
from cubin import Kernel
from flow import main_loop, straight_line
from instruction import Instruction
from machines import Machine, machine_of
from occupancy import Occupancy, occupancy
from pipes import is_local_memory, is_tensor_or_copy
from replay import Replay
from traffic import Iteration, counted_bytes


@dataclass(frozen=True)
class LoopFacts:
    """The main loop. Fractions are of the machine's memory bandwidth and of its tensor peak.

    `bound` is the tightest of the pipes' limits and `limiter` that pipe; `bandwidth` the replay,
    `free_bandwidth` the replay with a memory that costs nothing.
    """

    instructions: int
    weights: float
    per_weight: dict[str, float]
    memory_bytes: float
    bytes_in_flight: float
    bound: float
    limiter: str
    bandwidth: float
    free_bandwidth: float
    tensor: float


@dataclass(frozen=True)
class Facts:
    """`spills` counts the instructions that access local memory."""

    name: str
    architecture: str
    machine: str
    registers: int
    spills: int
    stack_bytes: int
    static_shared: int
    dynamic_shared: int
    threads: int | None
    occupancy: Occupancy | None
    opcodes: dict[str, int] = field(default_factory=dict)
    notable: dict[str, int] = field(default_factory=dict)
    loop: LoopFacts | None = None

    def as_json(self) -> dict[str, Any]:
        result = dict(self.__dict__)
        result["occupancy"] = dict(self.occupancy.__dict__) if self.occupancy else None
        result["loop"] = dict(self.loop.__dict__) if self.loop else None
        return result


def facts_of(kernel: Kernel, entry: Entry | None) -> Facts:
    """The kernel's facts; without a budget entry, those that its code alone gives."""
    machine = machine_of(kernel.architecture)
    threads = entry.threads if entry and entry.threads else kernel.max_threads
    dynamic = entry.dynamic_shared if entry else 0
    resident = None
    if machine is not None and threads is not None:
        resident = occupancy(
            machine, kernel.registers, kernel.static_shared_bytes + dynamic, threads
        )
    opcodes = kernel.opcode_counts()
    loop = None
    if (
        entry is not None
        and entry.loop is not None
        and machine is not None
        and resident is not None
    ):
        loop = _loop_facts(kernel, entry.loop, machine, resident)
    return Facts(
        name=kernel.name,
        architecture=kernel.architecture,
        machine=machine.name if machine else "unknown",
        registers=kernel.registers,
        spills=sum(count for opcode, count in opcodes.items() if is_local_memory(opcode)),
        stack_bytes=kernel.stack_bytes,
        static_shared=kernel.static_shared_bytes,
        dynamic_shared=dynamic,
        threads=threads,
        occupancy=resident,
        opcodes=opcodes,
        notable={opcode: count for opcode, count in opcodes.items() if is_tensor_or_copy(opcode)},
        loop=loop,
    )


def weights_of(body: tuple[Instruction, ...], spec: LoopSpec) -> float:
    """Weights that one lane handles in one iteration."""
    if spec.weights is not None:
        return spec.weights
    return sum(
        each * sum(i.opcode.startswith(opcode) for i in body if not i.never)
        for opcode, each in spec.weights_each.items()
    )


def _loop_facts(
    kernel: Kernel, spec: LoopSpec, machine: Machine, resident: Occupancy
) -> LoopFacts | None:
    code = kernel.instructions
    body = straight_line(code) if spec.straight_line else main_loop(code, spec.opcode)
    weights = weights_of(body, spec)
    if not body or weights <= 0 or resident.warps == 0:
        return None
    moved = spec.bytes_per_weight * weights * 32 if spec.bytes_per_weight else counted_bytes(body)
    if moved <= 0:
        return None
    iteration = Iteration(body, weights, moved, spec.stages)
    limits = bounds.bandwidth_bounds(iteration, machine)
    limiter = min(limits, key=lambda name: limits[name])
    per_weight = {pipe: count / weights for pipe, count in sorted(bounds.counts(body).items())}
    per_weight["TOTAL"] = len(body) / weights
    full = machine.bytes_per_clock() / 4
    cycles = Replay(iteration, machine, resident.warps).cycles_per_iteration()
    free = Replay(iteration, machine, resident.warps, free_memory=True).cycles_per_iteration()
    return LoopFacts(
        instructions=len(body),
        weights=weights,
        per_weight=per_weight,
        memory_bytes=moved,
        bytes_in_flight=iteration.in_flight(resident.warps),
        bound=limits[limiter],
        limiter=limiter,
        bandwidth=moved / cycles / full,
        free_bandwidth=moved / free / full,
        tensor=bounds.tensor_fraction(body, machine, cycles),
    )
