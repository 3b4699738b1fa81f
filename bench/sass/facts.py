"""Everything that is known about one kernel on one architecture: read from its code, or
predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

import bounds
from budget import Entry, LoopSpec
from coverage import share_of_weights, weights_of
from cubin import Kernel
from flow import main_loop, straight_line
from formula import evaluate
from instruction import Instruction
from machines import Machine, machine_of
from occupancy import Occupancy, occupancy
from pipes import is_local_memory, is_tensor_or_copy
from replay import Replay
from traffic import Iteration, contradictions


@dataclass(frozen=True)
class LoopFacts:
    """The main loop, or the loops that weights pass through in turn, in a launch for one `shape`.

    Fractions are of the machine's memory bandwidth and of its tensor peak. `weights` are those of an
    iteration of the first loop, `memory_bytes` those of a warp for a weight of each lane. `bound` is
    the tightest of the pipes' limits and `limiter` that pipe; `bandwidth` the replay,
    `free_bandwidth` the replay with a memory that costs nothing. `share` is the loops' part of all
    weights (None: the budget says no iterations), `false_claims` what the budget says of the loops
    and the code does not: what, as stated, as found.
    """

    shape: str
    warps: int
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
    tensor_share: float
    share: float | None = None
    false_claims: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Facts:
    """`spills` counts the instructions that access local memory, `dynamic_shared` is the most of all
    shapes; `loops` has one for each shape."""

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
    loops: tuple[LoopFacts, ...] = ()

    def as_json(self) -> dict[str, Any]:
        result = dict(self.__dict__)
        result["occupancy"] = dict(self.occupancy.__dict__) if self.occupancy else None
        result["loops"] = [dict(loop.__dict__) for loop in self.loops]
        return result


def facts_of(kernel: Kernel, entry: Entry | None) -> Facts:
    """The kernel's facts; without a budget entry, those that its code alone gives."""
    machine = machine_of(kernel.architecture)
    entry = entry or Entry("", kernel.name)
    threads = entry.launch.threads or kernel.max_threads
    launches: list[_Launch] = []
    if machine is not None and threads is not None:
        launches = [_Launch.of(kernel, entry, threads, machine, s) for s in entry.launch.shapes]
    worst = min(launches, key=lambda launch: launch.occupancy.fraction, default=None)
    opcodes = kernel.opcode_counts()
    return Facts(
        name=kernel.name,
        architecture=kernel.architecture,
        machine=machine.name if machine else "unknown",
        registers=kernel.registers,
        spills=sum(count for opcode, count in opcodes.items() if is_local_memory(opcode)),
        stack_bytes=kernel.stack_bytes,
        static_shared=kernel.static_shared_bytes,
        dynamic_shared=worst.dynamic_shared if worst else 0,
        threads=threads,
        occupancy=worst.occupancy if worst else None,
        opcodes=opcodes,
        notable={opcode: count for opcode, count in opcodes.items() if is_tensor_or_copy(opcode)},
        loops=(
            _all_loop_facts(kernel, entry.loops_for(kernel.architecture), machine, launches)
            if machine
            else ()
        ),
    )


@dataclass(frozen=True)
class _Launch:
    """A kernel's launch for one shape; `resident` blocks of it are on a multiprocessor."""

    names: Mapping[str, float]
    shape: str
    dynamic_shared: int
    occupancy: Occupancy
    resident: int
    warps: int

    @staticmethod
    def of(
        kernel: Kernel, entry: Entry, threads: int, machine: Machine, shape: Mapping[str, int]
    ) -> "_Launch":
        warps = -(-threads // 32)
        names = {**shape, "threads": threads, "warps": warps, "SMs": machine.multiprocessors}
        blocks = None
        if entry.launch.blocks is not None:
            blocks = evaluate(entry.launch.blocks, names)
            names["blocks"] = blocks
        shared = int(evaluate(entry.launch.dynamic_shared, names))
        most = occupancy(machine, kernel.registers, kernel.static_shared_bytes + shared, threads)
        resident = most.blocks
        if blocks is not None:
            # What every multiprocessor has; some may have one block more.
            resident = min(resident, max(1, int(blocks) // machine.multiprocessors))
        text = " ".join(f"{name}={value}" for name, value in shape.items())
        return _Launch(names, text, shared, most, resident, resident * warps)


@dataclass(frozen=True)
class _Pass:
    """One loop of a kernel, measured: cycles of a quarter for one warp's iteration."""

    iteration: Iteration
    limits: dict[str, float]
    cycles: float
    free_cycles: float


def _iteration(code: tuple[Instruction, ...], spec: LoopSpec) -> Iteration | None:
    body = straight_line(code) if spec.straight_line else main_loop(code, spec.opcode, spec.path)
    weights = weights_of(body, spec)
    if not body or weights <= 0:
        return None
    looped = not spec.straight_line
    if spec.loads:
        return Iteration.of_loads(body, weights, spec.loads, spec.stages, looped)
    moved = None if spec.bytes_per_weight is None else spec.bytes_per_weight * weights * 32
    return Iteration.of_total(body, weights, moved, spec.stages, looped)


def _pass(iteration: Iteration, machine: Machine, warps: int, blocks: int) -> _Pass:
    def cycles(free_memory: bool) -> float:
        replay = Replay(iteration, machine, warps, blocks, free_memory=free_memory)
        return replay.cycles_per_iteration()

    free = cycles(True)
    # A loop that moves nothing is as fast with any memory.
    limited = cycles(False) if iteration.memory_bytes else free
    return _Pass(iteration, bounds.pipe_cycles(iteration.body, machine), limited, free)


def _all_loop_facts(
    kernel: Kernel, specs: tuple[LoopSpec, ...], machine: Machine, launches: list[_Launch]
) -> tuple[LoopFacts, ...]:
    """Of every shape for which the kernel fits; none if a loop is not found."""
    found = [_iteration(kernel.instructions, spec) for spec in specs]
    iterations = [each for each in found if each is not None]
    if not specs or len(iterations) != len(specs) or not any(i.memory_bytes for i in iterations):
        return ()
    # Shapes that put as many warps on a multiprocessor are replayed once.
    passes: dict[tuple[int, int], list[_Pass]] = {}
    result = []
    for launch in launches:
        if launch.resident == 0:
            continue
        key = (launch.warps, launch.resident)
        if key not in passes:
            passes[key] = [_pass(each, machine, *key) for each in iterations]
        result.append(_loop_facts(kernel, specs, machine, launch, passes[key]))
    return tuple(result)


def _loop_facts(
    kernel: Kernel,
    specs: tuple[LoopSpec, ...],
    machine: Machine,
    launch: _Launch,
    passes: list[_Pass],
) -> LoopFacts:
    """The loops that the same weights pass through, one after the other: their costs add up."""
    moved = sum(each.iteration.memory_bytes / each.iteration.weights for each in passes)

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
    claims: list[tuple[str, str, str]] = []
    shares = []
    for spec, each in zip(specs, passes):
        body = each.iteration.body
        for what, stated, actual in contradictions(body, spec.loads, each.iteration.weights):
            claims.append((f"bytes of a lane by {what}", f"{stated:g}", f"{actual:g}"))
        if spec.iterations is not None:
            share, claim = share_of_weights(kernel.instructions, body, spec, launch.names)
            shares.append(share)
            claims += [claim] if claim else []
    return LoopFacts(
        shape=launch.shape,
        warps=launch.warps,
        instructions=sum(len(each.iteration.body) for each in passes),
        weights=main.weights,
        per_weight=per_weight,
        memory_bytes=moved,
        bytes_in_flight=max(each.iteration.in_flight(launch.warps) for each in passes),
        bound=moved / busy[limiter] / full,
        limiter=limiter,
        bandwidth=min(1.0, moved / cycles(lambda p: p.cycles) / full),
        free_bandwidth=moved / cycles(lambda p: p.free_cycles) / full,
        tensor=bounds.tensor_fraction(main.body, machine, passes[0].cycles),
        tensor_share=bounds.counts(main.body).get("TENSOR", 0) / len(main.body),
        share=min(shares, default=None),
        false_claims=tuple(claims),
    )
