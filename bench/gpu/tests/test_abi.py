"""The binding against the header itself: a C program prints what the compiler thinks."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
import unittest
from enum import IntEnum
from pathlib import Path

import abi

_HEADER = Path(__file__).resolve().parents[3] / "native" / "include" / "lorakernels.h"

_STRUCTS = {
    "lk_device_info": abi.DeviceInfo,
    "lk_allocator": abi.Allocator,
    "lk_context_options": abi.ContextOptions,
    "lk_matrix": abi.Matrix,
    "lk_bytes": abi.Bytes,
    "lk_weight_tensors": abi.WeightTensors,
    "lk_quantize_options": abi.QuantizeOptions,
    "lk_output_slice": abi.OutputSlice,
    "lk_lora_module": abi.LoraModule,
    "lk_lora_factors": abi.LoraFactors,
    "lk_lora_batch_options": abi.LoraBatchOptions,
    "lk_lora_assignment": abi.LoraAssignment,
    "lk_workspace_query": abi.WorkspaceQuery,
}

_ENUMS: dict[str, type[IntEnum]] = {
    "LK_": abi.Status,
    "LK_DEVICE_": abi.DeviceKind,
    "LK_DTYPE_": abi.DType,
    "LK_COPY_": abi.CopyKind,
    "LK_FORMAT_": abi.Format,
}


@unittest.skipIf(shutil.which("cc") is None, "no C compiler (cc)")
class Header(unittest.TestCase):
    def measure(self, *expressions: str) -> list[int]:
        """The values of C expressions."""
        lines = "".join(f'printf("%lld\\n", (long long)({e}));' for e in expressions)
        source = (
            "#include <stdio.h>\n#include <stddef.h>\n#include <lorakernels.h>\n"
            f"int main(void) {{ {lines} }}"
        )
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "measure"
            command = ["cc", "-I", str(_HEADER.parent), "-x", "c", "-", "-o", str(program)]
            subprocess.run(command, input=source, text=True, check=True)
            done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
        return [int(line) for line in done.stdout.split()]

    def test_sizes_and_offsets(self) -> None:
        for name, struct in _STRUCTS.items():
            with self.subTest(struct=name):
                fields = [field[0] for field in struct._fields_]
                measured = self.measure(
                    f"sizeof({name})", *(f"offsetof({name}, {f})" for f in fields)
                )
                offsets = [getattr(struct, field).offset for field in fields]
                self.assertEqual(measured, [ctypes.sizeof(struct), *offsets])

    def test_enumerators(self) -> None:
        for prefix, enum in _ENUMS.items():
            with self.subTest(enum=enum.__name__):
                self.assertEqual(
                    self.measure(*(prefix + m.name for m in enum)), [int(m) for m in enum]
                )

    def test_version(self) -> None:
        self.assertEqual([abi.ABI_VERSION], self.measure("LK_ABI_VERSION"))

    def test_nothing_is_missing(self) -> None:
        text = _HEADER.read_text(encoding="utf-8")
        structs = set(re.findall(r"^\} (lk_\w+);", text, re.MULTILINE))
        enums = set(re.findall(r"^typedef enum (lk_\w+)", text, re.MULTILINE))
        self.assertEqual(structs - enums, set(_STRUCTS))
        functions = re.findall(r"^LK_API [\w\s*]*?\b(lk_\w+)\(", text, re.MULTILINE)
        self.assertEqual(sorted(functions), abi.FUNCTIONS)
