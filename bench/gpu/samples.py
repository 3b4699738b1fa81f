"""Random weights, activations and adapters, as bytes; the same for the same seed."""

from __future__ import annotations

import array
import random
import struct
import sys

import abi
from abi import DType, Format
from lorakernels import HostTensors

# bitsandbytes' NF4 map, as fp32 bits.
NF4_BITS = (
    0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0x00000000,
    0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000,
)  # fmt: skip

assert sys.byteorder == "little", "checkpoints are little-endian"


def encode(values: list[float], dtype: DType) -> bytes:
    """The values rounded to the dtype, to nearest even."""
    if dtype is DType.F16:
        return struct.pack(f"<{len(values)}e", *values)
    single = array.array("f", values)
    if dtype is DType.F32:
        return single.tobytes()
    words = array.array("I", single.tobytes())
    return array.array("H", (round_to_bf16(word) for word in words)).tobytes()


def decode(content: bytes, dtype: DType) -> list[float]:
    if dtype is DType.F16:
        return list(struct.unpack(f"<{len(content) // 2}e", content))
    if dtype is DType.F32:
        return list(array.array("f", content))
    words = array.array("I", (half << 16 for half in array.array("H", content)))
    return list(array.array("f", words.tobytes()))


def round_to_bf16(word: int) -> int:
    """The upper half of a finite fp32 number's bits, rounded to nearest even."""
    return (word + 0x7FFF + (word >> 16 & 1)) >> 16


# Bits of numbers in [1/8, 2): what all share, what is random, and where the exponent starts.
_DENSE = {
    DType.F32: (0x3E000000, 0x81FFFFFF, 23),
    DType.F16: (0x3000, 0x8FFF, 10),
    DType.BF16: (0x3E00, 0x81FF, 7),
}


def dense(
    rng: random.Random, count: int, dtype: DType, shift: int = 0, signed: bool = True
) -> bytes:
    """Numbers with magnitudes in [1/8, 2) * 2^shift and the dtype's full precision."""
    common, chosen, exponent = _DENSE[dtype]
    common += shift << exponent
    size = dtype.size
    if not signed:
        chosen &= (1 << (8 * size - 1)) - 1

    def repeat(word: int) -> int:
        return int.from_bytes(word.to_bytes(size, "little") * count, "little")

    # All numbers at once, as one long integer.
    bits = int.from_bytes(rng.randbytes(size * count), "little")
    return (bits & repeat(chosen) | repeat(common)).to_bytes(size * count, "little")


def nf4(rng: random.Random, n: int, k: int, group: int = 64, nested: bool = True) -> HostTensors:
    """A bitsandbytes NF4 weight; nested: its absmax is quantized again, in groups of 256."""
    groups = -(-n * k // group)
    outer = -(-groups // 256) if nested else 0
    parts = {"codes": rng.randbytes(-(-n * k // 2))}
    if nested:
        table = [(code - 127.5) / 127.5 for code in range(256)]
        parts["scales"] = rng.randbytes(groups)
        parts["outer_table"] = encode(table, DType.F32)
        parts["outer_scales"] = encode([rng.uniform(0.5, 1.0) for _ in range(outer)], DType.F32)
    else:
        parts["scales"] = dense(rng, groups, DType.F32, signed=False)
    view = abi.WeightTensors(
        format=Format.BNB_NF4,
        out_features=n,
        in_features=k,
        group_size=group,
        outer_group_size=256 if nested else 0,
        outer_offset=1.25 if nested else 0.0,
    )
    return HostTensors(view, parts)


def q4_0(rng: random.Random, n: int, k: int) -> HostTensors:
    """A GGUF Q4_0 weight; k is a multiple of 32."""
    blocks = n * k // 32
    # Large weights repeat some blocks: making millions of them takes Python too long.
    distinct = min(blocks, 1009)
    unit = b"".join(
        struct.pack("<e", rng.uniform(-0.25, 0.25)) + rng.randbytes(16) for _ in range(distinct)
    )
    codes = (unit * -(-blocks // distinct))[: 18 * blocks]
    view = abi.WeightTensors(format=Format.GGUF_Q4_0, out_features=n, in_features=k, group_size=32)
    return HostTensors(view, {"codes": codes})
