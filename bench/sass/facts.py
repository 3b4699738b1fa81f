"""Everything that is known about one kernel on one architecture: read from its code, or
predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

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
    """The main loop, or the loops that weights pass through in turn.

    Fractions are of the machine's memory bandwidth and of its tensor peak. `weights` are those of an
    iteration of the first loop, `memory_bytes` those of a warp for a weight of each lane. `bound` is
    the tightest of the pipes' limits and `limiter` that pipe; `bandwidth` the replay,
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
    if entry is not None and entry.loops and machine is not None and resident is not None:
        loop = _loop_facts(kernel, entry.loops, machine, resident)
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


@dataclass(frozen=True)
class _Pass:
    """One loop of a kernel, measured: cycles of a quarter for one warp's iteration."""

    iteration: Iteration
    limits: dict[str, float]
    cycles: float
    free_cycles: float


def _pass(
    code: tuple[Instruction, ...], spec: LoopSpec, machine: Machine, warps: int
) -> _Pass | None:
    body = straight_line(code) if spec.straight_line else main_loop(code, spec.opcode)
    weights = weights_of(body, spec)
    if not body or weights <= 0:
        return None
    if spec.bytes_per_weight is None:
        moved = counted_bytes(body)
    else:
        moved = spec.bytes_per_weight * weights * 32
    iteration = Iteration(body, weights, moved, spec.stages)
    free = Replay(iteration, machine, warps, free_memory=True).cycles_per_iteration()
    # A loop that moves nothing is as fast with any memory.
    cycles = Replay(iteration, machine, warps).cycles_per_iteration() if moved else free
    return _Pass(iteration, bounds.pipe_cycles(body, machine), cycles, free)


def _loop_facts(
    kernel: Kernel, specs: tuple[LoopSpec, ...], machine: Machine, resident: Occupancy
) -> LoopFacts | None:
    """The loops that the same weights pass through, one after the other: their costs add up."""
    if resident.warps == 0:
        return None
    found = [_pass(kernel.instructions, spec, machine, resident.warps) for spec in specs]
    passes = [each for each in found if each is not None]
    moved = sum(each.iteration.memory_bytes / each.iteration.weights for each in passes)
    if len(passes) != len(specs) or moved <= 0:
        return None

    def cycles(of: Callable[[_Pass], float]) -> float:
        """For a warp's weight of each lane."""
        return sum(of(each) / each.iteration.weights for each in passes)

    resources = {name for each in passes for name in each.limits}
    busy = {name: cycles(lambda p, name=name: p.limits.get(name, 0.0)) for name in resources}
    limiter = max(sorted(busy), key=lambda name: busy[name])
    per_weight: dict[str, float] = {}
    for each in passes:
        for pipe, count in sorted(bounds.counts(each.iteration.body).items()):
            per_weight[pipe] = per_weight.get(pipe, 0.0) + count / each.iteration.weights
    per_weight["TOTAL"] = sum(per_weight.values())
    full = machine.bytes_per_clock() / 4
    main = passes[0].iteration
    return LoopFacts(
        instructions=sum(len(each.iteration.body) for each in passes),
        weights=main.weights,
        per_weight=per_weight,
        memory_bytes=moved,
        bytes_in_flight=max(each.iteration.in_flight(resident.warps) for each in passes),
        bound=moved / busy[limiter] / full,
        limiter=limiter,
        bandwidth=min(1.0, moved / cycles(lambda p: p.cycles) / full),
        free_bandwidth=moved / cycles(lambda p: p.free_cycles) / full,
        tensor=bounds.tensor_fraction(main.body, machine, passes[0].cycles),
    )
