#!/usr/bin/env python3
"""Writes the golden checkpoints whose producers need Python packages: their layouts, as published, from plain numbers.

Each weight is quantized here by rounding to nearest, packed as its quantizer packs it, and its values are computed from
codes, scales and zeros before they are packed: nothing is ever read back.
"""

import bisect
import struct

from checkpoint import (bf16, f16, f32, onnx_node, onnx_tensor, protobuf, weights, words, write_onnx,
                        write_safetensors)

LAYER = "model.layers.0.self_attn.q_proj"


def integers(rows, group, symmetric, round_scale=f16):
    """Codes [N][K], scales and zeros [N][G] of integers of 4 bits."""
    codes, scales, zeros = [], [], []
    for row in rows:
        codes.append([]), scales.append([]), zeros.append([])
        for begin in range(0, len(row), group):
            part = row[begin : begin + group]
            low, high = (min(part), max(part)) if not symmetric else (-max(map(abs, part)), max(map(abs, part)))
            scale = round_scale((high - low) / 15)
            zero = 8 if symmetric else min(15, max(1, round(-low / scale)))
            codes[-1] += [min(15, max(0, round(w / scale) + zero)) for w in part]
            scales[-1].append(scale), zeros[-1].append(zero)
    return codes, scales, zeros


def values(codes, scales, zeros, groups):
    """(q - z) * scale in fp32; groups[k] is the group of k."""
    return [[f32(f32(q - z[groups[k]]) * s[groups[k]]) for k, q in enumerate(row)] for row, s, z in zip(codes, scales, zeros)]


def transpose(matrix):
    return [list(column) for column in zip(*matrix)]


def flat(matrix):
    return [x for row in matrix for x in row]


def gptq(folder, version, act_order, group, symmetric):
    n, k = 24, 96
    codes, scales, zeros = integers(weights(folder, n, k), group or k, symmetric)
    groups = [i // (group or k) for i in range(k)]
    g = len(scales[0])
    if act_order:  # column i of the sorted weight is column order[i] of the stored one
        order = sorted(range(k), key=lambda i: (i * 37) % k)
        stored, owner = [[0] * k for _ in range(n)], [0] * k
        for i, place in enumerate(order):
            owner[place] = groups[i]
            for row in range(n):
                stored[row][place] = codes[row][i]
        codes, groups = stored, owner
    # qweight [K / 8, N]: eight k of a column to a word.
    columns = [words(row) for row in codes]
    stored_zeros = [[z - (1 if version == 1 else 0) for z in row] for row in zeros]
    tensors = [
        (f"{LAYER}.qweight", "I32", [k // 8, n], flat(transpose(columns))),
        (f"{LAYER}.qzeros", "I32", [g, n // 8], flat([words(row) for row in transpose(stored_zeros)])),
        (f"{LAYER}.scales", "F16", [g, n], flat(transpose(scales))),
        (f"{LAYER}.g_idx", "I32", [k], groups),
    ]
    config = {"bits": 4, "group_size": group or -1, "desc_act": act_order, "sym": symmetric, "quant_method": "gptq",
              "checkpoint_format": "gptq" if version == 1 else "gptq_v2"}
    write_safetensors(folder, {"config.json": {"model_type": "llama", "quantization_config": config}}, tensors,
                      {LAYER: values(codes, scales, zeros, groups)})


def awq():
    n, k, group = 16, 96, 32
    codes, scales, zeros = integers(weights("awq", n, k), group, False)

    def interleaved(row):
        return words([row[8 * j + c] for j in range(len(row) // 8) for c in (0, 2, 4, 6, 1, 3, 5, 7)])

    tensors = [
        (f"{LAYER}.qweight", "I32", [k, n // 8], flat([interleaved(row) for row in transpose(codes)])),
        (f"{LAYER}.qzeros", "I32", [k // group, n // 8], flat([interleaved(row) for row in transpose(zeros)])),
        (f"{LAYER}.scales", "F16", [k // group, n], flat(transpose(scales))),
    ]
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}
    write_safetensors("awq", {"config.json": {"quantization_config": config}}, tensors,
                      {LAYER: values(codes, scales, zeros, [i // group for i in range(k)])})


def compressed_tensors():
    n, k, group = 12, 128, 64
    codes, scales, zeros = integers(weights("pack-quantized", n, k), group, False, bf16)
    padded = transpose([row + [0] * (-n % 8) for row in transpose(zeros)])
    tensors = [
        (f"{LAYER}.weight_packed", "I32", [n, k // 8], flat([words(row) for row in codes])),
        (f"{LAYER}.weight_scale", "BF16", [n, k // group], flat(scales)),
        (f"{LAYER}.weight_zero_point", "I32", [(n + 7) // 8, k // group],
         flat(transpose([words(row) for row in transpose(padded)]))),
        (f"{LAYER}.weight_shape", "I64", [2], [n, k]),
    ]
    scheme = {"num_bits": 4, "type": "int", "symmetric": False, "strategy": "group", "group_size": group}
    config = {"quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed",
              "config_groups": {"group_0": {"targets": ["Linear"], "weights": scheme}}, "ignore": ["lm_head"]}
    write_safetensors("compressed-tensors", {"config.json": {"quantization_config": config}}, tensors,
                      {LAYER: values(codes, scales, zeros, [i // group for i in range(k)])})


def hqq():
    n, k, group = 10, 128, 64
    rows = weights("hqq", n, k)
    codes, scales, _ = integers(rows, group, False)
    # Zeros are numbers: what is left when the codes have been rounded.
    zeros = [[f16(-min(row[b : b + group]) / s) for b, s in zip(range(0, k, group), row_scales)]
             for row, row_scales in zip(rows, scales)]
    codes = [[min(15, max(0, round(w / s[i // group] + z[i // group]))) for i, w in enumerate(row)]
             for row, s, z in zip(rows, scales, zeros)]
    grouped = [row[b : b + group] for row in codes for b in range(0, k, group)]
    half = len(grouped) // 2
    packed = [[high << 4 | low for high, low in zip(grouped[i], grouped[i + half])] for i in range(half)]
    tensors = [
        (f"{LAYER}.W_q", "U8", [half, group], flat(packed)),
        (f"{LAYER}.scale", "F16", [2 * half, 1], flat(scales)), (f"{LAYER}.zero", "F16", [2 * half, 1], flat(zeros)),
        (f"{LAYER}.shape", "I64", [2], [n, k]), (f"{LAYER}.group_size", "I32", [], [group]),
        (f"{LAYER}.nbits", "I32", [], [4]), (f"{LAYER}.axis", "I32", [], [1]),
        (f"{LAYER}.packing", "U8", [7], list(b"4bit_u8")), (f"{LAYER}.view_as_float", "U8", [], [0]),
    ]
    parameters = {"nbits": 4, "group_size": group, "axis": 1, "view_as_float": False}
    config = {"quant_method": "hqq", "quant_config": {"weight_quant_params": parameters}, "skip_modules": ["lm_head"]}
    write_safetensors("hqq", {"config.json": {"quantization_config": config}}, tensors,
                      {LAYER: values(codes, scales, zeros, [i // group for i in range(k)])})


def from_bits(*bits):
    return [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]


MAPS = {
    "nf4": from_bits(0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0,
                     0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000),
    "fp4": from_bits(0, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000,
                     0x80000000, 0xBBAAAAAB, 0xBF2AAAAB, 0xBF800000, 0xBEAAAAAB, 0xBF000000, 0xBE2AAAAB, 0xBE800000),
}


def bitsandbytes(folder, kind, nested):
    n, k, block = 9, 104, 64  # blocks run across rows
    table = MAPS[kind]
    numbers = flat(weights(folder, n, k))
    blocks = [numbers[b : b + block] for b in range(0, len(numbers), block)]
    absmax = [max(map(abs, b)) for b in blocks]
    tensors = []
    state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": [n, k]}
    if nested:
        offset = f32(sum(absmax) / len(absmax))
        dynamic = [f32((i - 127.5) / 127.5) for i in range(256)]  # a map of its own: it is read from the file
        outer = 4
        centred = [f32(a - offset) for a in absmax]
        scales = [max(map(abs, centred[b : b + outer])) or 1.0 for b in range(0, len(centred), outer)]
        codes8 = [min(255, bisect.bisect_left(dynamic, c / scales[i // outer])) for i, c in enumerate(centred)]
        absmax = [f32(f32(dynamic[c] * scales[i // outer]) + offset) for i, c in enumerate(codes8)]
        state |= {"nested_blocksize": outer, "nested_dtype": "float32", "nested_offset": offset}
        tensors += [(f"{LAYER}.weight.absmax", "U8", [len(codes8)], codes8),
                    (f"{LAYER}.weight.nested_absmax", "F32", [len(scales)], scales),
                    (f"{LAYER}.weight.nested_quant_map", "F32", [256], dynamic)]
    else:
        tensors.append((f"{LAYER}.weight.absmax", "F32", [len(absmax)], absmax))
    codes = [min(range(16), key=lambda q: abs(w / absmax[i // block] - table[q])) for i, w in enumerate(numbers)]
    text = list(__import__("json").dumps(state).encode())
    tensors += [
        (f"{LAYER}.weight", "U8", [len(codes) // 2, 1], [high << 4 | low for high, low in zip(codes[::2], codes[1::2])]),
        (f"{LAYER}.weight.quant_map", "F32", [16], table),
        (f"{LAYER}.weight.quant_state.bitsandbytes__{kind}", "U8", [len(text)], text),
    ]
    decoded = [f32(table[q] * absmax[i // block]) for i, q in enumerate(codes)]
    config = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind,
              "bnb_4bit_use_double_quant": nested}
    write_safetensors(folder, {"config.json": {"quantization_config": config}}, tensors,
                      {LAYER: [decoded[i : i + k] for i in range(0, len(decoded), k)]})


E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]


def e2m1(x):
    """The code of the nearest value."""
    code = min(range(8), key=lambda q: abs(abs(x) - E2M1[q]))
    return code | (8 if x < 0 and code else 0)


def e2m1_value(code):
    return -E2M1[code & 7] if code & 8 else E2M1[code]


def e4m3_value(bits):
    return (bits & 7) * 2.0**-9 if bits < 8 else (8 + (bits & 7)) * 2.0 ** ((bits >> 3) - 10)


def nvfp4(folder, divides):
    n, k, group = 8, 96, 16
    rows = weights(folder, n, k)
    largest = max(abs(w) for row in rows for w in row)
    # compressed-tensors stores what scales are divided by, ModelOpt what they are multiplied with.
    tensor_scale = f32(448 * 6 / largest if divides else largest / (448 * 6))
    codes, scales, decoded = [], [], []
    for row in rows:
        codes.append([]), scales.append([]), decoded.append([])
        for b in range(0, k, group):
            part = row[b : b + group]
            wanted = max(map(abs, part)) / 6 * (tensor_scale if divides else 1 / tensor_scale)
            bits = min(range(127), key=lambda s: abs(e4m3_value(s) - wanted))
            scale = f32(e4m3_value(bits) / tensor_scale if divides else e4m3_value(bits) * tensor_scale)
            scales[-1].append(bits)
            codes[-1] += [e2m1(w / scale) if scale else 0 for w in part]
            decoded[-1] += [f32(e2m1_value(q) * scale) for q in codes[-1][b:]]
    packed = [low | high << 4 for row in codes for low, high in zip(row[::2], row[1::2])]
    if divides:
        scheme = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": group}
        config = {"config.json": {"quantization_config": {
            "quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": scheme}}}}}
        names = ("weight_packed", "weight_scale", "weight_global_scale", [1])
    else:
        config = {"hf_quant_config.json": {"producer": {"name": "modelopt"},
                                           "quantization": {"quant_algo": "NVFP4", "group_size": group}}}
        names = ("weight", "weight_scale", "weight_scale_2", [])
    tensors = [
        (f"{LAYER}.{names[0]}", "U8", [n, k // 2], packed), (f"{LAYER}.{names[1]}", "F8_E4M3", [n, k // group], flat(scales)),
        (f"{LAYER}.{names[2]}", "F32", names[3], [tensor_scale]),
    ]
    write_safetensors(folder, config, tensors, {LAYER: decoded})


def gpt_oss():
    experts, n, k = 2, 6, 64
    name = "model.layers.0.mlp.experts.gate_up_proj"
    blocks, scales, decoded = [], [], {}
    for expert in range(experts):
        rows = []
        for row in weights(f"gpt-oss {expert}", n, k):
            rows.append([])
            for b in range(0, k, 32):
                part = row[b : b + 32]
                exponent = 127
                while max(map(abs, part)) < 4 * 2.0 ** (exponent - 127):
                    exponent -= 1
                codes = [e2m1(w / 2.0 ** (exponent - 127)) for w in part]
                blocks += [low | high << 4 for low, high in zip(codes[::2], codes[1::2])]
                scales.append(exponent)
                rows[-1] += [e2m1_value(q) * 2.0 ** (exponent - 127) for q in codes]
        decoded[f"{name}.{expert}"] = rows
    tensors = [(f"{name}_blocks", "U8", [experts, n, k // 32, 16], blocks),
               (f"{name}_scales", "U8", [experts, n, k // 32], scales)]
    config = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}
    write_safetensors("gpt-oss", {"config.json": {"model_type": "gpt_oss", "quantization_config": config}}, tensors, decoded)


def onnx():
    """MatMulNBits: without zero points, with packed ones, with numbers and act-order; the last one in a branch of an If."""
    file, data = "model.onnx.data", bytearray()
    nodes, tensors, decoded = [], [], {}

    def nibbles(row):
        return [low | high << 4 for low, high in zip(row[::2], row[1::2])]

    def layer(name, n, k, block, dtype, kind, inside):
        path = f"model.layers.0.attn.{name}"
        round_scale = {"F16": f16, "BF16": bf16, "F32": f32}[dtype]
        codes, scales, zeros = integers(weights(path, n, k), block, kind == "none", round_scale)
        if kind == "numbers":
            zeros = [[round_scale(z - 0.375) for z in row] for row in zeros]
        groups = [i // block for i in range(k)]
        g = len(scales[0])
        if kind == "numbers":
            groups = [(i * 5) % k // block for i in range(k)]
        padded = [row + [15] * (g * block - k) for row in codes]  # the tail means nothing
        external = None if inside else (file, data)
        stem = path + ".MatMul"
        # The scales of two dimensions, as today's writers have them, and of one.
        shape = [n, g] if kind == "packed" else [n * g]
        inputs = ["x", stem + ".weight_Q4", stem + ".weight_scales"]
        tensors.append(onnx_tensor(inputs[1], "U8", [n, g, block // 2], flat(nibbles(row) for row in padded), external))
        tensors.append(onnx_tensor(inputs[2], dtype, shape, flat(scales), external))
        if kind == "packed":
            inputs.append(stem + ".weight_zero_points")
            packed = flat(nibbles(row + [0] * (g % 2)) for row in zeros)
            tensors.append(onnx_tensor(inputs[3], "U8", [n, (g + 1) // 2], packed, external))
        if kind == "numbers":
            inputs += [stem + ".weight_zero_points", stem + ".weight_g_idx", path + ".bias"]
            tensors.append(onnx_tensor(inputs[3], dtype, shape, flat(zeros), external))
            tensors.append(onnx_tensor(inputs[4], "I32", [k], groups, external))
            tensors.append(onnx_tensor(inputs[5], dtype, [n], [round_scale(i / 8) for i in range(n)], external))
        decoded[path] = values(codes, scales, zeros, groups)
        return onnx_node(f"/model/layers.0/attn/{name}/MatMul_Q4", "MatMulNBits", inputs, "com.microsoft",
                         [("K", k), ("N", n), ("accuracy_level", 4), ("bits", 4), ("block_size", block)])

    nodes.append(layer("q_proj", 10, 80, 32, "F16", "none", inside=False))
    nodes.append(layer("k_proj", 6, 72, 16, "F32", "packed", inside=True))
    branch = protobuf((1, layer("v_proj", 6, 96, 32, "BF16", "numbers", inside=False)), (2, "cached"))
    nodes.append(onnx_node("/If", "If", ["use_cache"], graphs=[("then_branch", branch), ("else_branch", branch)]))
    tensors.append(onnx_tensor("model.layers.0.input_layernorm.weight", "F16", [80], [1.0] * 80))
    write_onnx("onnx", nodes, tensors, (file, data), decoded)


gptq("gptq", version=1, act_order=False, group=32, symmetric=True)
gptq("gptq-act-order", version=1, act_order=True, group=32, symmetric=False)
gptq("gptq-row", version=1, act_order=False, group=0, symmetric=False)
gptq("gptq-v2", version=2, act_order=False, group=32, symmetric=False)
awq()
compressed_tensors()
hqq()
bitsandbytes("bitsandbytes-nf4", "nf4", nested=False)
bitsandbytes("bitsandbytes-nf4-nested", "nf4", nested=True)
bitsandbytes("bitsandbytes-fp4", "fp4", nested=False)
nvfp4("nvfp4-compressed-tensors", divides=True)
nvfp4("nvfp4-modelopt", divides=False)
gpt_oss()
onnx()
