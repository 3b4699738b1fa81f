"""Safetensors and GGUF files, and fp32 arithmetic, for the scripts beside this file. Standard library only."""

import json
import random
import struct
from pathlib import Path

SIZES = {"I64": 8, "I32": 4, "F32": 4, "F16": 2, "BF16": 2, "U8": 1, "F8_E4M3": 1}


def f32(x):
    """Rounds to fp32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def f16(x):
    """Rounds to fp16."""
    return struct.unpack("<e", struct.pack("<e", x))[0]


def bf16(x):
    """Rounds to bfloat16, to nearest even."""
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def pack(dtype, values):
    """Numbers as a tensor's bytes."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    letter = {"I64": "q", "I32": "i", "F32": "f", "F16": "e", "U8": "B", "F8_E4M3": "B"}[dtype]
    return struct.pack(f"<{len(values)}{letter}", *values)


def words(nibbles):
    """Eight nibbles a 32-bit word, the first one lowest, as signed integers."""
    result = []
    for i in range(0, len(nibbles), 8):
        word = sum(q << 4 * j for j, q in enumerate(nibbles[i : i + 8]))
        result.append(word - (1 << 32) if word >> 31 else word)
    return result


def weights(name, rows, columns):
    """A layer's weights before quantization: a bell, and a few that stand out."""
    source = random.Random(name)
    return [[f32(source.gauss(0, 0.02) * (8 if source.random() < 0.01 else 1)) for _ in range(columns)] for _ in range(rows)]


def write_safetensors(folder, config, tensors, values):
    """config: name of a JSON file -> object. tensors: (name, dtype, shape, numbers). values: layer -> rows of floats."""
    path = Path(__file__).parent / folder
    path.mkdir(exist_ok=True)
    for name, content in config.items():
        (path / name).write_text(json.dumps(content, indent=1) + "\n")
    header, data = {}, b""
    for name, dtype, shape, numbers in sorted(tensors, key=lambda t: -SIZES[t[1]]):
        raw = pack(dtype, numbers)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    write_values(path, values)


def write_gguf(folder, tensors, values):
    """tensors: (name, ggml's number of the type, dimensions fastest first, bytes)."""
    path = Path(__file__).parent / folder
    path.mkdir(exist_ok=True)

    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    data = b""
    for name, kind, dimensions, raw in tensors:
        header += text(name) + struct.pack("<I", len(dimensions)) + b"".join(struct.pack("<Q", d) for d in dimensions)
        header += struct.pack("<IQ", kind, len(data))
        data += raw + bytes(-len(raw) % 32)
    (path / "model.gguf").write_bytes(header + bytes(-len(header) % 32) + data)
    write_values(path, values)


def write_values(path, values):
    """NAME.f32: a layer's weights as the format defines them, fp32, row by row."""
    for name, rows in values.items():
        (path / f"{name}.f32").write_bytes(b"".join(struct.pack("<f", v) for row in rows for v in row))
