"""Upper bounds of a main loop's speed: what each pipe alone would allow."""

from __future__ import annotations

from machines import Machine
from pipes import fused_multiply_adds
from instruction import Instruction
from traffic import Iteration

# Pipes whose throughput is a plain number of cycles for each instruction.
_SIMPLE = ("ALU", "FMA", "IMAD", "HALF", "BF16", "XU")


def tensor_cycles(opcode: str, machine: Machine) -> float:
    """Cycles for which a tensor instruction occupies a quarter's tensor core."""
    rate = machine.wide_tensor_rate if opcode.startswith("HGMMA") else machine.tensor_rate
    return fused_multiply_adds(opcode) / rate


def counts(body: tuple[Instruction, ...]) -> dict[str, int]:
    """Pipe → instructions."""
    result: dict[str, int] = {}
    for instruction in body:
        result[instruction.pipe] = result.get(instruction.pipe, 0) + 1
    return result


def pipe_cycles(body: tuple[Instruction, ...], machine: Machine) -> dict[str, float]:
    """Resource → cycles of a quarter that one warp's pass through the body keeps it busy."""
    number = counts(body)
    cycles = {"ISSUE": float(len(body))}
    for pipe in _SIMPLE:
        if number.get(pipe):
            cycles[pipe] = number[pipe] * machine.cycles[pipe]
    if machine.dual_fma:
        # Two datapaths of two cycles each.
        cycles["FMA+HALF+IMAD"] = float(
            sum(number.get(p, 0) for p in ("FMA", "HALF", "BF16", "IMAD"))
        )
    else:
        cycles["FMA+IMAD"] = float(2 * (number.get("FMA", 0) + number.get("IMAD", 0)))
    tensor = sum(tensor_cycles(i.opcode, machine) for i in body if i.pipe == "TENSOR")
    if tensor:
        cycles["TENSOR"] = tensor
    data = sum(instruction.data_bytes for instruction in body)
    if data:
        # One data path serves the four quarters.
        cycles["LSU"] = 4 * data / machine.shared_bytes_per_clock
    return {resource: busy for resource, busy in cycles.items() if busy > 0}


def bandwidth_bounds(iteration: Iteration, machine: Machine) -> dict[str, float]:
    """Resource → the fraction of memory bandwidth that it allows; above 1, memory limits."""
    needed = iteration.memory_bytes / (machine.bytes_per_clock() / 4)
    return {name: needed / cycles for name, cycles in pipe_cycles(iteration.body, machine).items()}


def tensor_fraction(body: tuple[Instruction, ...], machine: Machine, cycles: float) -> float:
    """Fraction of the machine's tensor peak, if a pass through the body takes a quarter this many
    cycles."""
    work = sum(fused_multiply_adds(i.opcode) for i in body if i.pipe == "TENSOR")
    return work / (cycles * machine.wide_tensor_rate) if cycles > 0 else 0.0
