"""One SASS instruction, with the control codes that ptxas wrote beside it.

cuobjdump prints an instruction's 128 bits as two 64-bit words. The upper word holds the control
codes, as found by experiment by several authors (Jia et al., "Dissecting the NVIDIA Volta GPU
architecture via microbenchmarking"):

    bits 41-44  stall      cycles before the same warp may issue its next instruction
    bits 46-48  write      scoreboard that is released when the result is there; 7: none
    bits 49-51  read       scoreboard that is released when the operands have been read; 7: none
    bits 52-57  wait mask  scoreboards that must be free before this instruction issues
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import pipes

NO_SCOREBOARD = 7
SCOREBOARDS = 6


@dataclass(frozen=True)
class Instruction:
    """`text` is what cuobjdump prints, the predicate included; `target` the address that a branch
    may go to."""

    address: int
    text: str
    opcode: str
    predicate: str | None = None
    target: int | None = None
    stall: int = 1
    write_scoreboard: int = NO_SCOREBOARD
    read_scoreboard: int = NO_SCOREBOARD
    wait_mask: int = 0

    @property
    def never(self) -> bool:
        """Padding that ptxas inserts around hardware errata: issued, but never executed."""
        return self.predicate == "@!PT"

    @cached_property
    def pipe(self) -> str:
        return "CTRL" if self.never else pipes.pipe_of(self.opcode)

    @cached_property
    def data_bytes(self) -> int:
        """Bytes that a warp's instruction moves through the data path of L1 and shared memory."""
        return 0 if self.never else pipes.data_bytes_of(self.opcode)

    @property
    def falls_through(self) -> bool:
        """Whether the following instruction may be next."""
        if not self.opcode.startswith(("BRA", "EXIT", "RET", "BRX", "JMP")):
            return True
        return self.predicate is not None or _CONDITION.search(self.text) is not None

    @property
    def ends_block(self) -> bool:
        return self.target is not None or self.opcode.startswith(("EXIT", "RET", "BRX", "JMP"))


# A branch can also take its condition as an operand: "BRA.DIV UR4, …", "BRA !UP0, …".
_CONDITION = re.compile(r"\bBRA\S*\s+!?(?:U?P\d|UR\d|~URZ|UMOV)")
_LINE = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;\s*/\* 0x([0-9a-f]{16}) \*/")
_SECOND_WORD = re.compile(r"\s*/\* 0x([0-9a-f]{16}) \*/")
_PREDICATED = re.compile(r"(@!?U?P\w+)\s+(.*)")
_TARGET = re.compile(r"(?:BRA|JMP|CALL\.REL)\S*\s+(?:[^,]*,\s*)*(?:`\()?\s*(0x[0-9a-f]+)")


def parse_listing(lines: list[str]) -> list[Instruction]:
    """The instructions of one function of `cuobjdump -sass`."""
    result: list[Instruction] = []
    first: tuple[int, str] | None = None
    for line in lines:
        found = _LINE.match(line)
        if found is not None:
            first = (int(found[1], 16), found[2])
            continue
        found = _SECOND_WORD.match(line)
        if found is not None and first is not None:
            result.append(_instruction(first[0], first[1], int(found[1], 16)))
            first = None
    return result


def _instruction(address: int, text: str, control: int) -> Instruction:
    predicated = _PREDICATED.match(text)
    predicate, body = (predicated[1], predicated[2]) if predicated else (None, text)
    target = _TARGET.match(body) if not body.startswith("CALL") else None
    return Instruction(
        address=address,
        text=text,
        opcode=body.split()[0],
        predicate=predicate,
        target=int(target[1], 16) if target else None,
        stall=control >> 41 & 15,
        write_scoreboard=control >> 46 & 7,
        read_scoreboard=control >> 49 & 7,
        wait_mask=control >> 52 & 63,
    )
