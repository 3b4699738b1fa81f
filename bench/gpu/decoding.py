"""The exact values of every format's weights, from the formats' formulas in Python alone."""

from __future__ import annotations

import ctypes
import math
import operator
import struct
from typing import Callable, Iterator

from abi import DType, Format
from lorakernels import HostTensors
from samples import decode

# fp32 bits of bitsandbytes' maps; FP4's second half are the negatives.
_NF4_BITS = (
    0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0x00000000,
    0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000,
)  # fmt: skip
_FP4_BITS = (
    0x00000000, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000,
)  # fmt: skip


def _floats(*bits: int) -> list[float]:
    return list(struct.unpack(f"<{len(bits)}f", struct.pack(f"<{len(bits)}I", *bits)))


_NF4 = _floats(*_NF4_BITS)
_FP4 = _floats(*_FP4_BITS, *(bits | 0x80000000 for bits in _FP4_BITS))
_IQ4_NL = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
_E2M1_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_E2M1 = _E2M1_MAGNITUDES + tuple(-value for value in _E2M1_MAGNITUDES)


def weight_values(tensors: HostTensors) -> list[list[float]]:
    """W, row by row, every element exactly as the format defines it."""
    view = tensors.view
    k = view.in_features
    flat = _DECODERS[Format(view.format)](tensors)
    return [flat[n * k : (n + 1) * k] for n in range(view.out_features)]


def single(value: float) -> float:
    """Rounded to fp32."""
    return ctypes.c_float(value).value


def _bitsandbytes(table: list[float]) -> Callable[[HostTensors], list[float]]:
    def read(tensors: HostTensors) -> list[float]:
        view, parts = tensors.view, tensors.parts
        if view.outer_group_size:
            outer_table = decode(bytes(parts["outer_table"]), DType.F32)
            outer = decode(bytes(parts["outer_scales"]), DType.F32)
            absmax = [
                single(
                    single(outer_table[code] * outer[b // view.outer_group_size])
                    + view.outer_offset
                )
                for b, code in enumerate(parts["scales"])
            ]
        else:
            absmax = decode(bytes(parts["scales"]), DType.F32)
        values = decode(bytes(parts["table"]), DType.F32) if parts["table"] else table
        flat = []
        for i in range(view.out_features * view.in_features):
            byte = parts["codes"][i // 2]
            code = byte & 15 if i % 2 else byte >> 4
            flat.append(single(values[code] * absmax[i // view.group_size]))
        return flat

    return read


def _of_blocks(
    size: int, block: Callable[[bytes], list[float]]
) -> Callable[[HostTensors], list[float]]:
    def read(tensors: HostTensors) -> list[float]:
        codes = bytes(tensors.parts["codes"])
        return [w for at in range(0, len(codes), size) for w in block(codes[at : at + size])]

    return read


def _low_then_high(codes: bytes) -> list[int]:
    return [byte & 15 for byte in codes] + [byte >> 4 for byte in codes]


def _q4_0(block: bytes) -> list[float]:
    (d,) = struct.unpack_from("<e", block)
    return [single(d * (q - 8)) for q in _low_then_high(block[2:])]


def _q4_1(block: bytes) -> list[float]:
    d, m = struct.unpack_from("<2e", block)
    return [single(single(d * q) + m) for q in _low_then_high(block[4:])]


def _iq4_nl(block: bytes) -> list[float]:
    (d,) = struct.unpack_from("<e", block)
    return [single(d * _IQ4_NL[q]) for q in _low_then_high(block[2:])]


def _q4_k(block: bytes) -> list[float]:
    d, dmin = struct.unpack_from("<2e", block)
    packed, quants = block[4:16], block[16:]
    values: list[float] = []
    for j in range(8):
        if j < 4:
            scale, minimum = packed[j] & 63, packed[j + 4] & 63
        else:
            scale = packed[j + 4] & 15 | packed[j - 4] >> 6 << 4
            minimum = packed[j + 4] >> 4 | packed[j] >> 6 << 4
        codes = _low_then_high(quants[32 * (j // 2) : 32 * (j // 2 + 1)])[32 * (j % 2) :][:32]
        s, m = single(d * scale), single(dmin * minimum)
        values += [single(single(s * q) - m) for q in codes]
    return values


def _int4(tensors: HostTensors) -> list[float]:
    view, parts = tensors.view, tensors.parts
    k = view.in_features
    words, groups = -(-k // 8), -(-k // view.group_size)
    codes = struct.unpack(f"<{view.out_features * words}I", parts["codes"])
    scales = decode(bytes(parts["scales"]), DType(view.scale_dtype))
    zeros = struct.unpack(f"<{len(parts['zero_points']) // 4}I", parts["zero_points"])
    if parts["group_index"]:
        group_of = struct.unpack(f"<{k}i", parts["group_index"])
    else:
        group_of = tuple(position // view.group_size for position in range(k))
    flat = []
    for n in range(view.out_features):
        for position, g in enumerate(group_of):
            q = codes[n * words + position // 8] >> 4 * (position % 8) & 15
            z = zeros[n // 8 * groups + g] >> 4 * (n % 8) & 15 if zeros else 8
            flat.append(single((q - z) * scales[n * groups + g]))
    return flat


def _e2m1_codes(tensors: HostTensors) -> Iterator[float]:
    for byte in tensors.parts["codes"]:
        yield _E2M1[byte & 15]
        yield _E2M1[byte >> 4]


def _mxfp4(tensors: HostTensors) -> list[float]:
    scales = [2.0 ** (code - 127) for code in tensors.parts["scales"]]
    return [single(v * scales[i // 32]) for i, v in enumerate(_e2m1_codes(tensors))]


def _nvfp4(tensors: HostTensors) -> list[float]:
    view = tensors.view
    combine = operator.truediv if view.tensor_scale_divides else operator.mul
    codes = tensors.parts["scales"]
    scales = [single(combine(_e4m3(code), view.tensor_scale)) for code in codes]
    return [single(v * scales[i // 16]) for i, v in enumerate(_e2m1_codes(tensors))]


def _e4m3(code: int) -> float:
    exponent, mantissa = code >> 3 & 15, code & 7
    if exponent == 0:
        return math.ldexp(mantissa, -9)
    return math.ldexp(8 + mantissa, exponent - 10)


_DECODERS: dict[Format, Callable[[HostTensors], list[float]]] = {
    Format.BNB_NF4: _bitsandbytes(_NF4),
    Format.BNB_FP4: _bitsandbytes(_FP4),
    Format.GGUF_Q4_0: _of_blocks(18, _q4_0),
    Format.GGUF_Q4_1: _of_blocks(20, _q4_1),
    Format.GGUF_IQ4_NL: _of_blocks(18, _iq4_nl),
    Format.GGUF_Q4_K: _of_blocks(144, _q4_k),
    Format.INT4_PACKED: _int4,
    Format.MXFP4: _mxfp4,
    Format.NVFP4: _nvfp4,
}
