#!/usr/bin/env python3
"""Writes a small model of numbers, and what quantizing it must give: the checkpoints of bitsandbytes and
compressed-tensors by their published rules, from plain numbers. Nothing of the library is used, and nothing is read back.

Python's doubles hold the sum, product and quotient of two fp32 numbers closely enough that rounding them to fp32 once more
changes nothing.
"""

import bisect
import json
import math
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "checkpoints"))
from checkpoint import bf16, f16, f32, pack, weights, words  # noqa: E402

HERE = Path(__file__).resolve().parent
ROUND = {"BF16": bf16, "F16": f16, "F32": f32}
TORCH = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}

# Linears, and what is kept. K of one is no multiple of the group; rows of one are no multiple of 8.
LINEARS = [
    ("model.layers.0.self_attn.q_proj", "BF16", 24, 96, 1),
    ("model.layers.0.mlp.down_proj", "F16", 9, 160, 2),
    ("model.layers.1.mlp.down_proj", "F32", 16, 64, 2),
    ("model.layers.1.mlp.odd_proj", "BF16", 5, 41, 1),
]
KEPT = [
    ("model.embed_tokens.weight", "BF16", [11, 32], 1),
    ("model.layers.0.input_layernorm.weight", "BF16", [32], 1),
    ("model.layers.0.self_attn.q_proj.bias", "BF16", [24], 1),
    ("lm_head.weight", "BF16", [11, 32], 2),
]
GROUP = 32


def source(name, dtype, rows, columns):
    """A weight as it is stored. One group is of zeros."""
    matrix = [[ROUND[dtype](w) for w in row] for row in weights(name, rows, columns)]
    matrix[1][:32] = [0.0] * 32
    return matrix


def write(path, tensors):
    header, data = {}, b""
    for name, dtype, shape, raw in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def dynamic_map():
    """bitsandbytes' create_dynamic_map(signed=True), in fp32 as torch computes it."""
    result = [0.0, 1.0]
    for i in range(7):
        count = 2**i + 1
        step = f32(f32(1.0 - f32(0.1)) / (count - 1))
        bounds = [
            f32(f32(0.1) + f32(step * b)) if b < count // 2 else f32(1.0 - f32(step * (count - 1 - b)))
            for b in range(count)
        ]
        for low, high in zip(bounds, bounds[1:]):
            value = f32(f32(10.0 ** (i - 6)) * f32(f32(low + high) / 2))
            result += [value, -value]
    return sorted(result)


def from_bits(*bits):
    return [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]


NF4 = from_bits(
    0xBF800000,
    0xBF3239B1,
    0xBF066B30,
    0xBECA32A0,
    0xBE91A24D,
    0xBE3D353F,
    0xBDBA7871,
    0,
    0x3DA2FAFF,
    0x3E24CAE3,
    0x3E7C04DD,
    0x3EAD033A,
    0x3EE1A4B8,
    0x3F1007AB,
    0x3F3913B3,
    0x3F800000,
)
FP4 = from_bits(0, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000)
# Between the magnitudes in ascending order, as bitsandbytes writes them: not always the nearest float to their middle.
FP4_BORDERS = [f32(x) for x in (0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333)]


def nearest_code(kind, x):
    if kind == "nf4":
        return min(range(16), key=lambda q: (abs(x - NF4[q]), q))
    rank = bisect.bisect_left(FP4_BORDERS, abs(x))  # on a border the smaller magnitude
    return (0, 1, 6, 7, 4, 5, 2, 3)[rank] | (8 if x < 0 else 0)


def level(kind, code):
    return NF4[code] if kind == "nf4" else (-FP4[code & 7] if code & 8 else FP4[code])


def bitsandbytes(kind, nested):
    def quantize(name, dtype, matrix):
        numbers = [w for row in matrix for w in row]
        block = 64
        absmax = [max(map(abs, numbers[b : b + block])) for b in range(0, len(numbers), block)]
        codes = [
            nearest_code(kind, f32(w * f32(1 / absmax[i // block])) if absmax[i // block] else 0.0)
            for i, w in enumerate(numbers)
        ]
        state = {"quant_type": kind, "blocksize": block, "dtype": TORCH[dtype], "shape": [len(matrix), len(matrix[0])]}
        tensors = []
        if nested:
            table = dynamic_map()
            offset = f32(math.fsum(absmax) / len(absmax))
            centred = [f32(a - offset) for a in absmax]
            outer = [max(map(abs, centred[b : b + 256])) for b in range(0, len(centred), 256)]
            scale_codes = []
            for i, c in enumerate(centred):
                x = f32(c * f32(1 / outer[i // 256])) if outer[i // 256] else 0.0
                at = bisect.bisect_left(table, x)
                near = [q for q in (at - 1, at) if 0 <= q < 256]
                scale_codes.append(min(near, key=lambda q: (f32(abs(f32(table[q] - x))), q)))
            absmax = [f32(f32(table[c] * outer[i // 256]) + offset) for i, c in enumerate(scale_codes)]
            state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset}
            tensors += [
                (f"{name}.weight.absmax", "U8", [len(scale_codes)], bytes(scale_codes)),
                (f"{name}.weight.nested_absmax", "F32", [len(outer)], pack("F32", outer)),
                (f"{name}.weight.nested_quant_map", "F32", [256], pack("F32", table)),
            ]
        else:
            tensors.append((f"{name}.weight.absmax", "F32", [len(absmax)], pack("F32", absmax)))
        decoded = [f32(level(kind, q) * absmax[i // block]) for i, q in enumerate(codes)]
        padded = codes + ([7 if kind == "nf4" else 0] if len(codes) % 2 else [])
        levels = NF4 if kind == "nf4" else FP4 + [-v for v in FP4]
        tensors += [
            (
                f"{name}.weight",
                "U8",
                [len(padded) // 2, 1],
                bytes(h << 4 | l for h, l in zip(padded[::2], padded[1::2])),
            ),
            (f"{name}.weight.quant_map", "F32", [16], pack("F32", levels)),
            (f"{name}.weight.quant_state.bitsandbytes__{kind}", "U8", None, json.dumps(state).encode()),
        ]
        return tensors, decoded

    config = {
        "quant_method": "bitsandbytes",
        "load_in_4bit": True,
        "bnb_4bit_quant_type": kind,
        "bnb_4bit_use_double_quant": nested,
    }
    return quantize, lambda _: True, config


def int4(symmetric):
    def quantize(name, dtype, matrix):
        n, k = len(matrix), len(matrix[0])
        codes, scales, zeros, decoded = [], [], [], []
        for row in matrix:
            codes.append([]), scales.append([]), zeros.append([])
            for begin in range(0, k, GROUP):
                part = row[begin : begin + GROUP]
                low, high = min(part + [0.0]), max(part + [0.0])
                scale = ROUND[dtype](f32(max(-low, high) / 7.5) if symmetric else f32(f32(high - low) / 15))
                scale = scale or {"BF16": 2.0**-7, "F16": 2.0**-10, "F32": 2.0**-23}[dtype]
                zero = 0 if symmetric else round(min(7, max(-8, f32(-8 - f32(low / scale)))))
                part_codes = [round(min(7, max(-8, f32(f32(w / scale) + zero)))) for w in part]
                codes[-1] += [q + 8 for q in part_codes]
                scales[-1].append(scale), zeros[-1].append(zero + 8)
                decoded += [f32(scale * (q - zero)) for q in part_codes]
        flat = [s for row in scales for s in row]
        tensors = [
            (f"{name}.weight_packed", "I32", [n, k // 8], pack("I32", [w for row in codes for w in words(row)])),
            (f"{name}.weight_scale", dtype, [n, k // GROUP], pack(dtype, flat)),
            (f"{name}.weight_shape", "I64", [2], pack("I64", [n, k])),
        ]
        if not symmetric:
            columns = [words([zeros[r][g] for r in range(n)] + [0] * (-n % 8)) for g in range(k // GROUP)]
            by_word = [column[i] for i in range(len(columns[0])) for column in columns]
            tensors.append((f"{name}.weight_zero_point", "I32", [(n + 7) // 8, k // GROUP], pack("I32", by_word)))
        return tensors, decoded

    scheme = {"num_bits": 4, "type": "int", "symmetric": symmetric, "strategy": "group", "group_size": GROUP}
    config = {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": scheme}},
    }
    return quantize, lambda k: k % GROUP == 0, config


def main():
    kept = [
        (name, dtype, shape, shard, pack(dtype, [ROUND[dtype](w) for w in weights(name, 1, math.prod(shape))[0]]))
        for name, dtype, shape, shard in KEPT
    ]
    matrices = {name: source(name, dtype, n, k) for name, dtype, n, k, _ in LINEARS}
    model = HERE / "source"
    model.mkdir(exist_ok=True)
    places = {}
    for shard in (1, 2):
        file = f"model-{shard:05}-of-00002.safetensors"
        tensors = [(name, dtype, shape, raw) for name, dtype, shape, at, raw in kept if at == shard]
        tensors += [
            (f"{name}.weight", dtype, [n, k], pack(dtype, [w for row in matrices[name] for w in row]))
            for name, dtype, n, k, at in LINEARS
            if at == shard
        ]
        tensors.sort(key=lambda t: -{"F32": 4}.get(t[1], 2))
        write(model / file, tensors)
        places |= {name: file for name, *_ in tensors}
    (model / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": places}, indent=1) + "\n"
    )
    config = {
        "_name_or_path": "lorakernels/tiny",
        "model_type": "llama",
        "rope_scaling": None,
        "torch_dtype": "bfloat16",
    }
    (model / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (model / "tokenizer.json").write_text('{"version": "1.0"}\n')

    for folder, (quantize, fits, quantization) in {
        "nf4": bitsandbytes("nf4", False),
        "nf4-nested": bitsandbytes("nf4", True),
        "fp4-nested": bitsandbytes("fp4", True),
        "int4": int4(True),
        "int4-zero-points": int4(False),
    }.items():
        path = HERE / folder
        path.mkdir(exist_ok=True)
        tensors = [(name, dtype, shape, raw) for name, dtype, shape, _, raw in kept]
        for name, dtype, n, k, _ in LINEARS:
            if not fits(k):
                tensors.append(
                    (f"{name}.weight", dtype, [n, k], pack(dtype, [w for row in matrices[name] for w in row]))
                )
                continue
            made, decoded = quantize(name, dtype, matrices[name])
            tensors += [(t, d, shape if shape is not None else [len(raw)], raw) for t, d, shape, raw in made]
            (path / f"{name}.f32").write_bytes(pack("F32", decoded))
        tensors.sort(key=lambda t: -{"I64": 8, "I32": 4, "F32": 4, "U8": 1}.get(t[1], 2))
        write(path / "model.safetensors", tensors)
        (path / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}, indent=1) + "\n")


if __name__ == "__main__":
    main()
