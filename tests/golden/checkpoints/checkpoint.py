"""Safetensors, GGUF and ONNX files, and fp32 arithmetic, for the scripts beside this file. Standard library only."""

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


def protobuf(*fields):
    """A protobuf message of (number, int | bytes | str | float) fields."""

    def varint(n):
        n &= (1 << 64) - 1
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])

    message = b""
    for number, value in fields:
        if isinstance(value, int):
            message += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            message += varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            message += varint(number << 3 | 2) + varint(len(raw)) + raw
    return message


ONNX_TYPES = {"F32": 1, "U8": 2, "I32": 6, "I64": 7, "F16": 10, "BF16": 16}


def onnx_tensor(name, dtype, shape, numbers, external=None):
    """A TensorProto. external: (file name, bytearray that gets the data, aligned to 64)."""
    fields = [(1, protobuf_packed(shape)), (2, ONNX_TYPES[dtype]), (8, name)]
    raw = pack(dtype, numbers)
    if external is None:
        return protobuf(*fields, (9, raw))
    file, data = external
    data.extend(bytes(-len(data) % 64))
    entries = {"location": file, "offset": str(len(data)), "length": str(len(raw))}
    data.extend(raw)
    return protobuf(*fields, *((13, protobuf((1, key), (2, text))) for key, text in entries.items()), (14, 1))


def protobuf_packed(numbers):
    """Whole numbers of a repeated field, packed; each below 128 or of two bytes."""
    return b"".join(bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in numbers)


def onnx_node(name, operator, inputs, domain="", integers=(), graphs=()):
    """A NodeProto with attributes: (name, int) and (name, GraphProto)."""
    attributes = [(5, protobuf((1, key), (3, number), (20, 2))) for key, number in integers]
    attributes += [(5, protobuf((1, key), (6, graph), (20, 5))) for key, graph in graphs]
    return protobuf(*((1, i) for i in inputs), (2, name + "/output_0"), (3, name), (4, operator), *attributes, (7, domain))


def write_onnx(folder, nodes, tensors, external, values):
    """nodes: NodeProtos. tensors: TensorProtos. external: (file name, bytes)."""
    path = Path(__file__).parent / folder
    path.mkdir(exist_ok=True)
    graph = protobuf(*((1, n) for n in nodes), (2, "main_graph"), *((5, t) for t in tensors))
    opsets = [(8, protobuf((1, ""), (2, 21))), (8, protobuf((1, "com.microsoft"), (2, 1)))]
    (path / "model.onnx").write_bytes(protobuf((1, 10), (2, "golden"), (7, graph), *opsets))
    (path / external[0]).write_bytes(external[1])
    write_values(path, values)


def write_values(path, values):
    """NAME.f32: a layer's weights as the format defines them, fp32, row by row."""
    for name, rows in values.items():
        (path / f"{name}.f32").write_bytes(b"".join(struct.pack("<f", v) for row in rows for v in row))
