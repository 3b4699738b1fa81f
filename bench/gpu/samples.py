"""Random activations and adapters, as bytes; the same for the same seed."""

from __future__ import annotations

import array
import random
import struct
import sys

from abi import DType

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
