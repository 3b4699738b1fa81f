"""Which execution pipe an opcode goes to, and how much it moves.

    TENSOR  tensor cores                    HALF, BF16  packed 16-bit arithmetic
    FMA     fp32 arithmetic                 IMAD        integer multiply-add, on the fp32 datapath
    ALU     integers, logic, byte permute   XU          conversions and special functions
    LSU     loads, stores, shuffles         UNIFORM     the warp's uniform datapath
    CTRL    branches, barriers, waits: an issue slot and nothing more
"""

from __future__ import annotations

import re
from functools import lru_cache

PIPES = ("TENSOR", "FMA", "HALF", "BF16", "IMAD", "ALU", "XU", "LSU", "UNIFORM", "CTRL")
# What a kernel's main loop is recognised by.
ARITHMETIC = ("TENSOR", "FMA", "HALF", "BF16", "IMAD")

_TENSOR = {"HMMA", "IMMA", "QMMA", "BMMA", "DMMA", "HGMMA", "IGMMA", "QGMMA", "BGMMA"}
_FMA = {"FFMA", "FMUL", "FADD", "FFMA32I", "FADD32I", "FMUL32I"}
_HALF = {"HFMA2", "HADD2", "HMUL2", "HMNMX2", "HSETP2", "HSET2"}
_LSU = {
    "LDS",
    "STS",
    "LDSM",
    "STSM",
    "SHFL",
    "LDG",
    "STG",
    "LDGSTS",
    "LD",
    "ST",
    "LDL",
    "STL",
    "LDC",
    "ULDC",
    "ATOMS",
    "ATOM",
    "ATOMG",
    "RED",
    "REDG",
    "MATCH",
    "SYNCS",
    "UBLKCP",
    "UBLKPF",
    "UTMALDG",
    "UTMASTG",
    "UTMAPF",
    "UTMACCTL",
    "UTMACMDFLUSH",
}
_XU = {"MUFU", "I2F", "F2I", "F2F", "I2I", "POPC", "FLO", "BREV", "REDUX", "I2FP", "F2IP"}
_CTRL = {
    "BRA",
    "BRX",
    "JMP",
    "BSYNC",
    "BSSY",
    "BREAK",
    "BMOV",
    "NOP",
    "WARPSYNC",
    "EXIT",
    "RET",
    "CALL",
    "YIELD",
    "DEPBAR",
    "LDGDEPBAR",
    "BAR",
    "ELECT",
    "VOTE",
    "VOTEU",
    "MEMBAR",
    "ERRBAR",
    "CCTL",
    "ARRIVES",
    "NANOSLEEP",
    "WARPGROUP",
    "FENCE",
    "ACQBULK",
    "PREEXIT",
    "USETMAXREG",
    "UTMACMDFLUSH",
    "CGAERRBAR",
}
_UNIFORM_HELPERS = {"R2UR", "S2UR", "S2R", "CS2R"}


@lru_cache(maxsize=None)
def base(opcode: str) -> str:
    """ "LDG.E.128" → "LDG"."""
    return opcode.split(".", 1)[0]


def pipe_of(opcode: str) -> str:
    name = base(opcode)
    if name in _TENSOR:
        return "TENSOR"
    if name in _FMA:
        return "FMA"
    if name == "IMAD":
        return "IMAD"
    if name in _HALF:
        return "BF16" if "BF16" in opcode else "HALF"
    if name in _LSU:
        return "LSU"
    # I2FP and F2IP run at the rate of the ALU since sm_86; the slower figure is the safe one for
    # all.
    if name in _XU:
        return "XU"
    if name in _CTRL:
        return "CTRL"
    if name.startswith("U") or name in _UNIFORM_HELPERS:
        return "UNIFORM"
    return "ALU"


def access_bytes(opcode: str) -> int:
    """Bytes of one lane's access."""
    parts = opcode.split(".")
    for width, name in ((16, "128"), (8, "64"), (2, "U16"), (2, "S16"), (1, "U8"), (1, "S8")):
        if name in parts[1:]:
            return width
    return 4


def data_bytes_of(opcode: str) -> int:
    """Bytes that a warp's instruction moves through the 128 bytes a clock of L1 and shared
    memory."""
    name = base(opcode)
    if name in ("LDS", "STS", "LDG", "STG", "LDGSTS", "LD", "ST", "LDL", "STL", "ATOMS"):
        return 32 * access_bytes(opcode)
    if name in ("LDSM", "STSM"):
        parts = opcode.split(".")
        return 128 * (4 if "4" in parts else 2 if "2" in parts else 1)
    return 128 if name == "SHFL" else 0


def is_local_memory(opcode: str) -> bool:
    """Registers spilled to, or arrays kept in, memory."""
    return base(opcode) in ("LDL", "STL")


def is_tensor_or_copy(opcode: str) -> bool:
    """The opcodes that a report names: tensor cores, matrix loads and asynchronous copies."""
    name = base(opcode)
    return (
        name in _TENSOR
        or name in ("LDSM", "STSM", "LDGSTS", "UBLKCP", "UBLKPF")
        or name.startswith("UTMA")
        and name != "UTMACMDFLUSH"
    )


_MMA_SHAPE = re.compile(r"\bHMMA\.(\d+)")
_WGMMA_SHAPE = re.compile(r"\bHGMMA\.64x(\d+)x16")


@lru_cache(maxsize=None)
def fused_multiply_adds(opcode: str) -> int:
    """Multiply-adds that one warp does in one fp16 or bf16 tensor instruction (16 x 8 x 16 for
    HMMA.16816)."""
    wide = _WGMMA_SHAPE.search(opcode)
    if wide is not None:
        return 16 * int(wide[1]) * 16
    narrow = _MMA_SHAPE.search(opcode)
    if narrow is not None and narrow[1] == "1688":
        return 16 * 8 * 8
    return 16 * 8 * 16
