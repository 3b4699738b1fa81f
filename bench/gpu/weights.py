"""Random weights of every format and variant, in the layouts of their checkpoints."""

from __future__ import annotations

import array
import random
import struct
from dataclasses import dataclass
from typing import Callable

import samples
from abi import DType, Format, WeightTensors
from lorakernels import HostTensors

# Millions of blocks take Python too long to make: large weights repeat some.
_DISTINCT = 1009


@dataclass(frozen=True)
class Kind:
    """A format with its options. `multiple`: in_features must be one of it."""

    name: str
    make: Callable[[random.Random, int, int], HostTensors]
    multiple: int = 1


def _bitsandbytes(form: Format, nested: bool, group: int = 64) -> Callable[..., HostTensors]:
    def make(rng: random.Random, n: int, k: int) -> HostTensors:
        groups = -(-n * k // group)
        parts = {"codes": rng.randbytes(-(-n * k // 2))}
        if nested:
            outer = -(-groups // 256)
            table = [(code - 127.5) / 127.5 for code in range(256)]
            parts["scales"] = rng.randbytes(groups)
            parts["outer_table"] = samples.encode(table, DType.F32)
            scales = [rng.uniform(0.5, 1.0) for _ in range(outer)]
            parts["outer_scales"] = samples.encode(scales, DType.F32)
        else:
            parts["scales"] = samples.dense(rng, groups, DType.F32, signed=False)
        view = WeightTensors(
            format=form,
            out_features=n,
            in_features=k,
            group_size=group,
            outer_group_size=256 if nested else 0,
            outer_offset=1.25 if nested else 0.0,
        )
        return HostTensors(view, parts)

    return make


def _blocks(form: Format, weights: int, block: Callable[[random.Random], bytes]) -> Kind:
    """GGUF: blocks of so many weights, each with its scales."""

    def make(rng: random.Random, n: int, k: int) -> HostTensors:
        count = n * k // weights
        unit = b"".join(block(rng) for _ in range(min(count, _DISTINCT)))
        codes = unit * -(-count // _DISTINCT)
        view = WeightTensors(format=form, out_features=n, in_features=k, group_size=32)
        size = len(unit) // min(count, _DISTINCT)
        return HostTensors(view, {"codes": codes[: count * size]})

    return Kind(form.name.removeprefix("GGUF_"), make, weights)


def _half(rng: random.Random, low: float, high: float) -> bytes:
    return struct.pack("<e", rng.uniform(low, high))


def _int4(
    dtype: DType, group: int = 0, zero_points: bool = False, act_order: bool = False
) -> Callable[..., HostTensors]:
    """compressed-tensors; `group` 0: one scale a row."""

    def make(rng: random.Random, n: int, k: int) -> HostTensors:
        size = group or k
        groups = -(-k // size)
        parts = {
            "codes": rng.randbytes(4 * n * -(-k // 8)),
            "scales": samples.dense(rng, n * groups, dtype, -4, signed=False),
        }
        if zero_points:
            parts["zero_points"] = rng.randbytes(4 * -(-n // 8) * groups)
        if act_order:
            index = [position // size for position in range(k)]
            rng.shuffle(index)
            parts["group_index"] = array.array("i", index).tobytes()
        view = WeightTensors(
            format=Format.INT4_PACKED,
            out_features=n,
            in_features=k,
            group_size=size,
            scale_dtype=dtype,
        )
        return HostTensors(view, parts)

    return make


def _e2m1(form: Format, group: int, lowest: int, count: int, **fields: float) -> Kind:
    """Scales of one byte, `count` different ones from `lowest` up."""
    scale = bytes(lowest + byte % count for byte in range(256))

    def make(rng: random.Random, n: int, k: int) -> HostTensors:
        parts = {
            "codes": rng.randbytes(n * k // 2),
            "scales": rng.randbytes(n * k // group).translate(scale),
        }
        view = WeightTensors(format=form, out_features=n, in_features=k, group_size=group, **fields)
        return HostTensors(view, parts)

    return Kind(form.name, make, group)


plain_nf4 = _bitsandbytes(Format.BNB_NF4, nested=False)

KINDS: tuple[Kind, ...] = (
    Kind("int4 g128", _int4(DType.F16, 128)),
    Kind("NF4 nested", _bitsandbytes(Format.BNB_NF4, nested=True)),
    # E8M0 around 1; E4M3 from 2^-2 to 2^4.
    _e2m1(Format.MXFP4, 32, 122, 8),
    _e2m1(Format.NVFP4, 16, 0x28, 48, tensor_scale=0.05),
    _blocks(
        Format.GGUF_Q4_K,
        256,
        lambda rng: _half(rng, 0.001, 0.01) + _half(rng, 0.001, 0.01) + rng.randbytes(140),
    ),
    _blocks(Format.GGUF_Q4_0, 32, lambda rng: _half(rng, -0.25, 0.25) + rng.randbytes(16)),
    Kind("int4 g128 zero points", _int4(DType.F16, 128, zero_points=True)),
    Kind("int4 g32 bf16", _int4(DType.BF16, 32)),
    Kind("int4 act-order", _int4(DType.F16, 128, zero_points=True, act_order=True)),
    Kind("int4 per row f32", _int4(DType.F32)),
    Kind("NF4", plain_nf4),
    Kind("FP4", _bitsandbytes(Format.BNB_FP4, nested=False)),
    _blocks(
        Format.GGUF_Q4_1,
        32,
        lambda rng: _half(rng, 0.01, 0.1) + _half(rng, -1.0, 0.0) + rng.randbytes(16),
    ),
    _blocks(Format.GGUF_IQ4_NL, 32, lambda rng: _half(rng, -0.01, 0.01) + rng.randbytes(16)),
)


def kind(name: str) -> Kind:
    return next(each for each in KINDS if each.name == name)
