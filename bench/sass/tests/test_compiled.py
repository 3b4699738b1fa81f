"""Real kernels, compiled here: skipped with a message where there is no nvcc."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import cubin
import report
from flow import main_loop
from toolkit import Toolkit, ToolkitError

_SOURCE = """
#include <cstdint>
namespace lk::sample {
template <int Factor> __global__ void __launch_bounds__(256) scale(float4* y, const float4* x, int
n) {
    for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) {
        float4 v = x[i];
        y[i] = make_float4(v.x * Factor, v.y * Factor, v.z * Factor, v.w * Factor);
    }
}
template __global__ void scale<3>(float4*, const float4*, int);

__global__ void spilling(float* y, const int* order, int n) {
    float values[64];
    for (int i = 0; i < 64; ++i) values[i] = y[i * n];
    float sum = 0;
    for (int i = 0; i < n; ++i) sum += values[order[i] & 63];
    y[threadIdx.x] = sum;
}

__global__ void shared(float* y) {
    __shared__ float s[100];
    s[threadIdx.x] = y[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[99 - threadIdx.x];
}

__global__ void multiply(float* y, const uint4* a, const uint2* b, int steps) {
    float d[4] = {};
    for (int i = 0; i < steps; ++i) {
        uint4 x = a[i * 32 + threadIdx.x];
        uint2 w = b[i * 32 + threadIdx.x];
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, "
            "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w), "r"(w.x), "r"(w.y));
    }
    for (int i = 0; i < 4; ++i) y[threadIdx.x * 4 + i] = d[i];
}
}  // namespace lk::sample
"""

_BUDGET = {
    "kernels": [
        {
            "kernel": "lk::sample::scale<3>",
            "loops": [{"weights_each": {"LDG": 4}}],
            "limits": {
                "all": {
                    "registers": 64,
                    "must": ["LDG.E.128", "STG.E.128"],
                    "min_bandwidth": 0.5,
                    "per_weight": {"FMA": 1.0},
                }
            },
        },
        {"kernel": "lk::sample::spilling", "limits": {"all": {"spills": 200, "stack": 256}}},
        {
            "kernel": "lk::sample::shared",
            "launch": {"threads": 100, "dynamic_shared": 1024},
            "limits": {"all": {"static_shared": 400}},
        },
        {
            "kernel": "lk::sample::multiply",
            "launch": {"threads": 32},
            "loops": [{"weights_each": {"HMMA": 8}, "bytes_per_weight": 2.0}],
            "limits": {"all": {"must": ["HMMA.16816"], "min_tensor": 0.001}},
        },
    ]
}


class Compiled(unittest.TestCase):
    folder: tempfile.TemporaryDirectory
    library: Path

    @classmethod
    def setUpClass(cls) -> None:
        try:
            cls.toolkit = Toolkit.find()
        except ToolkitError as error:
            raise unittest.SkipTest(f"no CUDA toolkit: {error}") from error
        nvcc = cls.toolkit.program("nvcc")
        if not nvcc.is_file():
            raise unittest.SkipTest("the CUDA toolkit has no nvcc")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        source = Path(cls.folder.name) / "sample.cu"
        source.write_text(_SOURCE, encoding="utf-8")
        cls.library = source.with_suffix(".fatbin")
        architectures = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in ("80", "90a")]
        done = subprocess.run(
            [
                str(nvcc),
                "-std=c++17",
                *architectures,
                "-fatbin",
                "-o",
                str(cls.library),
                str(source),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.kernels = {(k.name, k.architecture): k for k in cubin.load(cls.library, cls.toolkit)}

    def test_every_kernel_for_every_architecture(self) -> None:
        names = {f"lk::sample::{name}" for name in ("scale<3>", "spilling", "shared", "multiply")}
        self.assertEqual(
            {(name, a) for name in names for a in ("sm_80", "sm_90a")}, set(self.kernels)
        )

    def test_resources(self) -> None:
        for architecture in ("sm_80", "sm_90a"):
            self.assertEqual(
                400, self.kernels["lk::sample::shared", architecture].static_shared_bytes
            )
            self.assertEqual(256, self.kernels["lk::sample::spilling", architecture].stack_bytes)
            self.assertEqual(256, self.kernels["lk::sample::scale<3>", architecture].max_threads)
            self.assertIsNone(self.kernels["lk::sample::shared", architecture].max_threads)

    def test_main_loops(self) -> None:
        for architecture in ("sm_80", "sm_90a"):
            body = main_loop(self.kernels["lk::sample::scale<3>", architecture].instructions)
            loads = sum(i.opcode.startswith("LDG.E.128") for i in body)
            self.assertGreaterEqual(loads, 1)
            self.assertEqual(4 * loads, sum(i.pipe == "FMA" for i in body))
            body = main_loop(self.kernels["lk::sample::multiply", architecture].instructions)
            tensor = sum(i.pipe == "TENSOR" for i in body)
            self.assertGreaterEqual(tensor, 1)
            self.assertEqual(2 * tensor, sum(i.opcode.startswith("LDG") for i in body))

    def run_report(self, budget: dict, *options: str) -> tuple[int, str, str]:
        path = Path(self.folder.name) / "budget.json"
        path.write_text(json.dumps(budget), encoding="utf-8")
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = report.main([str(self.library), "--budget", str(path), *options])
        return code, out.getvalue(), err.getvalue()

    def test_the_command_accepts(self) -> None:
        page = Path(self.folder.name) / "page.md"
        code, out, err = self.run_report(_BUDGET, "--markdown", str(page))
        self.assertEqual((0, "8 kernels, 0 violations\n"), (code, err))
        self.assertIn("lk::sample::multiply", out)
        self.assertIn("HMMA.16816.F32", page.read_text(encoding="utf-8"))

    def test_the_command_refuses(self) -> None:
        tighter = json.loads(json.dumps(_BUDGET))
        del tighter["kernels"][1]["limits"]
        tighter["kernels"][0]["limits"]["all"]["registers"] = 4
        code, _, err = self.run_report(tighter, "--json")
        self.assertEqual(1, code)
        self.assertRegex(err, r"lk::sample::spilling \[sm_80\]: spills: limit 0, actual [1-9]")
        self.assertRegex(err, r"lk::sample::scale<3> \[sm_90a\]: registers: limit 4, actual \d+")

    def test_nothing_to_judge_is_an_error(self) -> None:
        err = io.StringIO()
        with redirect_stderr(err):
            self.assertEqual(2, report.main(["/nowhere/lib.so"]))
        self.assertIn("no such file", err.getvalue())
