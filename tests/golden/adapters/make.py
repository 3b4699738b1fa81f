#!/usr/bin/env python3
"""Writes the golden adapters beside it: tiny files in the layouts that their writers publish, and what they compute.

Everything is spelled out here from the formats' definitions (safetensors, GGUF, PEFT's key names and formulas) with
the standard library alone; nothing of LoraKernels takes part. `expected.json` of each folder has, for two rows of x,
the exact output in float64 of the linear with the adapter, from the numbers as the file rounds them.

    tests/golden/adapters/make.py
"""

import json
import math
import pathlib
import random
import struct

HERE = pathlib.Path(__file__).parent
IN, OUT, RANK, CLASSES, VOCABULARY = 32, 6, 2, 3, 5
Q, V = "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"


def f16(value):
    return struct.unpack("<e", struct.pack("<e", value))[0]


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def bf16(value):
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return struct.unpack("<f", struct.pack("<I", bits))[0]


ROUND = {"F32": f32, "F16": f16, "BF16": bf16}


def encode(dtype, values):
    if dtype == "F32":
        return b"".join(struct.pack("<f", v) for v in values)
    if dtype == "F16":
        return b"".join(struct.pack("<e", v) for v in values)
    return b"".join(struct.pack("<f", v)[2:] for v in values)


class Tensor:
    def __init__(self, shape, rng, dtype="F32", offset=0.0):
        self.shape, self.dtype = list(shape), dtype
        count = math.prod(shape)
        self.values = [ROUND[dtype](offset + rng.uniform(-1, 1)) for _ in range(count)]

    @classmethod
    def of(cls, shape, values):
        tensor = cls([], random.Random(0))
        tensor.shape, tensor.values = shape, values
        return tensor

    def at(self, row, column):
        return self.values[row * self.shape[1] + column]

    def data(self):
        return encode(self.dtype, self.values)


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        begin = len(data)
        data += tensor.data()
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_gguf(path, metadata, tensors):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += text(key)
        out += struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<I", 8) + text(value)
    data = b""
    types = {"F32": 0, "F16": 1, "BF16": 30}
    for name, tensor in tensors.items():
        dimensions = tensor.shape[::-1]
        out += text(name) + struct.pack("<I", len(dimensions)) + b"".join(struct.pack("<Q", d) for d in dimensions)
        out += struct.pack("<IQ", types[tensor.dtype], len(data))
        data += tensor.data()
        data += bytes(-len(data) % 32)
    path.write_bytes(out + bytes(-len(out) % 32) + data)


def base_weight(rng):
    """GGUF Q4_0: a block of 32 is an f16 scale d and nibbles, low = element j, high = element j + 16; W = d * (q - 8)."""
    blocks, rows = b"", []
    for _ in range(OUT):
        d = f16(rng.uniform(0.02, 0.2))
        q = [rng.randrange(16) for _ in range(IN)]
        blocks += struct.pack("<e", d) + bytes(q[j] | q[j + 16] << 4 for j in range(16))
        rows.append([d * (code - 8) for code in q])
    return blocks, rows


def product(a, b, x):
    shrunk = [math.fsum(a.at(r, k) * x[k] for k in range(a.shape[1])) for r in range(a.shape[0])]
    return [math.fsum(b.at(n, r) * shrunk[r] for r in range(a.shape[0])) for n in range(b.shape[0])]


def outputs(weight, x, a, b, scale, bias=None, magnitude=None):
    """y = W x + s (B A x + bias); DoRA: m / |W + s B A| (W x + s B A x), row by row of W."""
    y = []
    for row in x:
        update = product(a, b, row)
        totals = []
        for n in range(OUT):
            total = math.fsum(w * v for w, v in zip(weight[n], row))
            total += scale * (update[n] + (bias.values[n] if bias else 0))
            if magnitude:
                merged = [
                    weight[n][k] + scale * math.fsum(b.at(n, r) * a.at(r, k) for r in range(a.shape[0]))
                    for k in range(IN)
                ]
                total *= magnitude.values[n] / math.sqrt(math.fsum(v * v for v in merged))
            totals.append(total)
        y.append(totals)
    return y


def config(**changes):
    fields = {
        "alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "example/tiny", "bias": "none",
        "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True, "layer_replication": None,
        "layers_pattern": None, "layers_to_transform": None, "loftq_config": {}, "lora_alpha": 4, "lora_bias": False,
        "lora_dropout": 0.05, "megatron_config": None, "megatron_core": "megatron.core", "modules_to_save": None,
        "peft_type": "LORA", "r": RANK, "rank_pattern": {}, "revision": None, "target_modules": ["q_proj", "v_proj"],
        "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": False,
    }  # fmt: skip
    return {**fields, **changes}


class Case:
    """One folder: two linears of one weight, and whatever else the writer stores."""

    def __init__(self, name, seed, dtype="F32", ranks=(RANK, RANK)):
        self.folder, self.dtype, self.rng = HERE / name, dtype, random.Random(seed)
        self.folder.mkdir(exist_ok=True)
        self.factors = {
            module: (Tensor([rank, IN], self.rng, dtype), Tensor([OUT, rank], self.rng, dtype))
            for module, rank in zip((Q, V), ranks)
        }
        self.extra = {}

    def keys(self, prefix, a=".lora_A.weight", b=".lora_B.weight"):
        tensors = {}
        for module, (factor_a, factor_b) in self.factors.items():
            tensors[prefix + module + a], tensors[prefix + module + b] = factor_a, factor_b
        return tensors

    def expect(self, scales, vectors=None, names=None, **others):
        blocks, weight = base_weight(self.rng)
        x = [[f32(self.rng.uniform(-1, 1)) for _ in range(IN)] for _ in range(2)]
        modules = {}
        for module, scale in scales.items():
            a, b = self.factors[module]
            y = outputs(weight, x, a, b, scale, **(vectors or {}).get(module, {}))
            modules[names[module] if names else module] = {"rank": a.shape[0], "scale": scale, "y": y}
        expected = {"weight_q4_0": blocks.hex(), "x": x, "modules": modules, **others}
        (self.folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")

    def peft(self, tensors, **changes):
        (self.folder / "adapter_config.json").write_text(json.dumps(config(**changes), indent=2) + "\n")
        write_safetensors(self.folder / "adapter_model.safetensors", tensors)


def main():
    both = {Q: 2.0, V: 2.0}

    case = Case("peft", 1)
    case.peft(case.keys("base_model.model."))
    case.expect(both)

    case = Case("peft-patterns-rslora", 2, ranks=(RANK, 4))
    case.peft(case.keys("base_model.model."), rank_pattern={"v_proj": 4}, alpha_pattern={"v_proj": 6}, use_rslora=True)
    case.expect({Q: 4 / math.sqrt(RANK), V: 6 / math.sqrt(4)})

    case = Case("peft-dora", 3)
    magnitudes = {m: Tensor([OUT], case.rng, offset=3.0) for m in (Q, V)}
    extra = {f"base_model.model.{m}.lora_magnitude_vector": t for m, t in magnitudes.items()}
    case.peft({**case.keys("base_model.model."), **extra}, use_dora=True)
    case.expect(both, {m: {"magnitude": t} for m, t in magnitudes.items()})

    case = Case("peft-lora-bias", 4)
    biases = {m: Tensor([OUT], case.rng) for m in (Q, V)}
    extra = {f"base_model.model.{m}.lora_B.bias": t for m, t in biases.items()}
    case.peft({**case.keys("base_model.model."), **extra}, lora_bias=True)
    case.expect(both, {m: {"bias": t} for m, t in biases.items()})

    case = Case("peft-saved-modules", 5)
    extra = {
        "base_model.model.score.weight": Tensor([CLASSES, IN], case.rng),
        "base_model.model.model.embed_tokens.lora_embedding_A": Tensor([RANK, VOCABULARY], case.rng),
        "base_model.model.model.embed_tokens.lora_embedding_B": Tensor([IN, RANK], case.rng),
    }
    case.peft({**case.keys("base_model.model."), **extra}, modules_to_save=["score"], task_type="SEQ_CLS")
    case.expect(both, saved=["score"], embeddings=["model.embed_tokens"])

    # target_parameters: the stacked weights of experts, [experts, in, out]. With A [experts * rank, in] as [e, r, i] and
    # B [out, rank * experts] as [o, r, e] PEFT's update is einsum("o r e, e r i -> e i o").
    case = Case("peft-target-parameters", 12)
    experts, module = 3, "model.layers.0.mlp.experts"
    a, b = Tensor([experts * RANK, IN], case.rng), Tensor([OUT, RANK * experts], case.rng)
    names = [f"{module}.down_proj.{e}" for e in range(experts)]
    for e, name in enumerate(names):
        rows = [a.at(e * RANK + r, i) for r in range(RANK) for i in range(IN)]
        columns = [b.at(o, r * experts + e) for o in range(OUT) for r in range(RANK)]
        case.factors[name] = (Tensor.of([RANK, IN], rows), Tensor.of([OUT, RANK], columns))
    prefix = "base_model.model." + module
    case.peft(
        {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}, target_modules=[],
        target_parameters=["mlp.experts.down_proj"], alpha_pattern={"mlp.experts.down_proj": 3}, lora_dropout=0.0,
    )  # fmt: skip
    case.expect({name: 1.5 for name in names})

    # A state dictionary as accelerate saves it from FSDP: wrappers in the names, the adapter's name in the keys.
    case = Case("fsdp-state-dict", 6)
    wrapped = {
        name.replace("model.layers.0.", "model.layers.0._fsdp_wrapped_module."): tensor
        for name, tensor in case.keys("base_model.model.", ".lora_A.default.weight", ".lora_B.default.weight").items()
    }
    case.peft(wrapped)
    case.expect(both)

    # torch.compile, as axolotl trains: the compiled model is one module further down.
    case = Case("axolotl-compiled", 7, "BF16")
    case.peft(case.keys("_orig_mod.base_model.model."), base_model_name_or_path="./models/tiny/")
    case.expect(both)

    case = Case("unsloth", 8, "BF16")
    case.peft(
        case.keys("base_model.model."), auto_mapping={"base_model_class": "LlamaForCausalLM", "unsloth_fixed": True},
        base_model_name_or_path="unsloth/tiny", eva_config=None, exclude_modules=None, lora_dropout=0,
        peft_version="0.17.1", qalora_group_size=16, target_parameters=None, trainable_token_indices=None,
        use_qalora=False, corda_config=None,
    )  # fmt: skip
    case.expect(both)

    case = Case("llama-factory", 9, "F16")
    case.peft(case.keys("base_model.model."), base_model_name_or_path="models/tiny", target_modules=["v_proj", "q_proj"])
    case.expect(both)

    case = Case("without-prefix", 10)
    case.peft(case.keys(""))
    case.expect(both)

    # llama.cpp's convert_lora_to_gguf.py: dimensions fastest first, alpha in the metadata.
    case = Case("llama-cpp", 11, "F16")
    gguf = {Q: "blk.0.attn_q", V: "blk.0.attn_v"}
    tensors = {}
    for module, name in gguf.items():
        tensors[f"{name}.weight.lora_a"], tensors[f"{name}.weight.lora_b"] = case.factors[module]
    metadata = {
        "general.type": "adapter", "general.architecture": "llama", "general.name": "Tiny",
        "general.base_model.0.repo_url": "https://huggingface.co/example/tiny", "adapter.type": "lora",
        "adapter.lora.alpha": 4.0,
    }  # fmt: skip
    write_gguf(case.folder / "adapter.gguf", metadata, tensors)
    case.expect(both, names=gguf)


if __name__ == "__main__":
    main()
