#!/usr/bin/env python3
"""Writes the golden GGUF file with ggml's own quantizers and dequantizers: make_gguf.py PATH/libggml-base.so

The library is in the npm package @node-llama-cpp/linux-x64, or in any build of llama.cpp.
"""

import ctypes
import struct
import sys

from checkpoint import bf16, f16, f32, pack, weights, write_gguf

# Name, ggml's number, weights and bytes of a block.
TYPES = [("q4_0", 2, 32, 18), ("q4_1", 3, 32, 20), ("q4_K", 12, 256, 144), ("iq4_nl", 20, 32, 18), ("mxfp4", 39, 32, 17),
         ("nvfp4", 40, 64, 36), ("q5_0", 6, 32, 22), ("q5_1", 7, 32, 24), ("q8_0", 8, 32, 34), ("q2_K", 10, 256, 84),
         ("q3_K", 11, 256, 110), ("q5_K", 13, 256, 176), ("q6_K", 14, 256, 210), ("iq4_xs", 23, 256, 136)]
N, K = 3, 512

ggml = ctypes.CDLL(sys.argv[1])
tensors, values = [], {}
for name, number, block, block_bytes in TYPES:
    numbers = [w for row in weights(name, N, K) for w in row]
    source = (ctypes.c_float * len(numbers))(*numbers)
    blocks = ctypes.create_string_buffer(N * K // block * block_bytes)
    quantize = getattr(ggml, f"quantize_{name}")
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    assert quantize(source, blocks, N, K, None) == len(blocks)
    decoded = (ctypes.c_float * len(numbers))()
    dequantize = getattr(ggml, f"dequantize_row_{name}")
    dequantize.restype = None
    dequantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    dequantize(blocks, decoded, len(numbers))
    tensors.append((f"blk.0.{name}.weight", number, [K, N], blocks.raw))
    values[f"blk.0.{name}"] = [list(decoded[i : i + K]) for i in range(0, len(numbers), K)]
# Numbers: K of any size.
for name, number, dtype, round_to in [("f32", 0, "F32", f32), ("f16", 1, "F16", f16), ("bf16", 30, "BF16", bf16)]:
    rows = [[round_to(w) for w in row] for row in weights(name, N, 37)]
    tensors.append((f"blk.0.{name}.weight", number, [37, N], pack(dtype, [w for row in rows for w in row])))
    values[f"blk.0.{name}"] = rows
write_gguf("gguf", tensors, values)
