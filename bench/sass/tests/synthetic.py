"""Loops written by hand, whose speed can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from instruction import Instruction

OPCODES = {
    "ALU": "LOP3.LUT",
    "FMA": "FFMA",
    "IMAD": "IMAD",
    "HALF": "HFMA2",
    "TENSOR": "HMMA.16816.F32",
    "LSU": "LDS.128",
    "CTRL": "NOP",
    "XU": "I2F",
}


def repeat(pipe: str, count: int, **changes: int) -> tuple[Instruction, ...]:
    """`count` instructions of a pipe, independent of each other."""
    opcode = OPCODES[pipe]
    return tuple(Instruction(16 * k, opcode, opcode, **changes) for k in range(count))


def assemble(*lines: str) -> tuple[Instruction, ...]:
    """Instructions from text like "@P0 BRA 0x20", 16 bytes each."""
    result = []
    for k, line in enumerate(lines):
        words = line.split()
        predicate = words[0] if words[0].startswith("@") else None
        opcode = words[1] if predicate else words[0]
        target = int(words[-1], 16) if opcode.startswith("BRA") else None
        result.append(Instruction(16 * k, line, opcode, predicate, target))
    return tuple(result)


def load_and_use(scoreboard: int = 0) -> tuple[Instruction, ...]:
    """A 16-byte load, and an instruction that needs it at once."""
    load = Instruction(0, "LDG.E.128 R4, [R2]", "LDG.E.128", write_scoreboard=scoreboard)
    use = replace(repeat("ALU", 1)[0], address=16, wait_mask=1 << scoreboard)
    return (load, use, *repeat("ALU", 2))
