"""How many blocks of a launch a multiprocessor holds at once, as the CUDA occupancy calculator
counts."""

from __future__ import annotations

from dataclasses import dataclass

from machines import Machine

_REGISTER_UNIT = 256
_SHARED_UNIT = 128


@dataclass(frozen=True)
class Occupancy:
    """`limiter` names what allows no further block."""

    blocks: int
    warps: int
    fraction: float
    limiter: str


def occupancy(machine: Machine, registers: int, shared_bytes: int, threads: int) -> Occupancy:
    """`shared_bytes` is a block's static and dynamic shared memory, without what the system
    reserves."""
    warps = -(-threads // 32)
    if shared_bytes > machine.shared_bytes_per_block:
        return Occupancy(0, 0, 0.0, "shared memory")
    registers_per_warp = _round_up(max(registers, 1) * 32, _REGISTER_UNIT)
    # A quarter has its own register file.
    warps_by_registers = machine.registers // 4 // registers_per_warp * 4
    shared = _round_up(shared_bytes + machine.reserved_shared_bytes, _SHARED_UNIT)
    limits = {
        "blocks": machine.max_blocks,
        "warps": machine.max_warps // warps,
        "registers": warps_by_registers // warps,
        "shared memory": machine.shared_bytes // shared,
    }
    limiter = min(limits, key=lambda name: limits[name])
    blocks = limits[limiter]
    return Occupancy(blocks, blocks * warps, blocks * warps / machine.max_warps, limiter)


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
