"""What the operations must give: float64 products of the exactly dequantized weights.

Written from the formulas of the formats. `Plain` is Python alone, for small shapes
on any machine; `Torch` computes the same with torch, for large ones.
"""

from __future__ import annotations

import ctypes
import math
import struct
from typing import Any, Protocol, Sequence

from abi import DType, Format
from lorakernels import HostTensors
from samples import NF4_BITS, decode, encode

NF4_VALUES = [struct.unpack("<f", struct.pack("<I", bits))[0] for bits in NF4_BITS]

# Relative errors that the numeric contract allows.
LIMITS = {DType.F32: 1e-5, DType.F16: 1e-3, DType.BF16: 8e-3}


class Reference(Protocol):
    """Matrices are opaque: rows of Python floats, or torch tensors in float64."""

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> Any:
        ...

    def weight(self, tensors: HostTensors) -> Any:
        ...

    def product(self, x: Any, w: Any) -> Any:
        """x * w^T."""

    def gather(self, x: Any, rows: Sequence[int]) -> Any:
        ...

    def add(self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None) -> Any:
        """y with scale * other added to the given rows; one row of `other` goes to all of them."""

    def error(self, actual: Any, expected: Any) -> float:
        """|actual - expected| / |expected|, Frobenius norms."""


def single(value: float) -> float:
    """Rounded to fp32."""
    return ctypes.c_float(value).value


class Plain:
    """Rows of Python floats."""

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> list[list[float]]:
        flat = decode(content, dtype)
        return [flat[r * columns : (r + 1) * columns] for r in range(rows)]

    def weight(self, tensors: HostTensors) -> list[list[float]]:
        view = tensors.view
        count = view.out_features * view.in_features
        read = self._q4_0 if view.format == Format.GGUF_Q4_0 else self._nf4
        flat = read(tensors, count)
        k = view.in_features
        return [flat[n * k : (n + 1) * k] for n in range(view.out_features)]

    @staticmethod
    def _q4_0(tensors: HostTensors, count: int) -> list[float]:
        codes = bytes(tensors.parts["codes"])
        flat: list[float] = []
        for start in range(0, count // 32 * 18, 18):
            (scale,) = struct.unpack_from("<e", codes, start)
            nibbles = codes[start + 2 : start + 18]
            flat += [scale * ((byte & 15) - 8) for byte in nibbles]
            flat += [scale * ((byte >> 4) - 8) for byte in nibbles]
        return flat

    @staticmethod
    def _nf4(tensors: HostTensors, count: int) -> list[float]:
        view, parts = tensors.view, tensors.parts
        if view.outer_group_size:
            table = decode(bytes(parts["outer_table"]), DType.F32)
            outer = decode(bytes(parts["outer_scales"]), DType.F32)
            absmax = [
                single(single(table[code] * outer[b // view.outer_group_size]) + view.outer_offset)
                for b, code in enumerate(parts["scales"])
            ]
        else:
            absmax = decode(bytes(parts["scales"]), DType.F32)
        flat: list[float] = []
        for i in range(count):
            byte = parts["codes"][i // 2]
            code = byte & 15 if i % 2 else byte >> 4
            flat.append(single(NF4_VALUES[code] * absmax[i // view.group_size]))
        return flat

    def product(self, x: list[list[float]], w: list[list[float]]) -> list[list[float]]:
        return [[sum(a * b for a, b in zip(row, other)) for other in w] for row in x]

    def columns(self, x: list[list[float]], count: int) -> list[list[float]]:
        return [row[:count] for row in x]

    def rounded(self, x: list[list[float]], dtype: DType) -> list[list[float]]:
        return [decode(encode(row, dtype), dtype) for row in x]

    def gather(self, x: list[list[float]], rows: Sequence[int]) -> list[list[float]]:
        return [x[row] for row in rows]

    def add(
        self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None
    ) -> list[list[float]]:
        result = [list(row) for row in y]
        for k, row in enumerate(range(len(y)) if rows is None else rows):
            update = other[k if len(other) > 1 else 0]
            result[row] = [a + scale * b for a, b in zip(result[row], update, strict=True)]
        return result

    def error(self, actual: Any, expected: Any) -> float:
        pairs = [
            (a, b)
            for row, other in zip(actual, expected, strict=True)
            for a, b in zip(row, other, strict=True)
        ]
        return _ratio(sum((a - b) ** 2 for a, b in pairs), sum(b * b for _, b in pairs))


class Torch:
    """torch tensors in float64, on the GPU if there is one."""

    def __init__(self, torch: Any):
        self.torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.types = {
            DType.F32: torch.float32,
            DType.F16: torch.float16,
            DType.BF16: torch.bfloat16,
        }

    def _from(self, content: bytes | bytearray, dtype: Any) -> Any:
        return self.torch.frombuffer(bytearray(content), dtype=dtype).to(self.device)

    def matrix(self, content: bytes, rows: int, columns: int, dtype: DType) -> Any:
        return self._from(content, self.types[dtype]).reshape(rows, columns).double()

    def weight(self, tensors: HostTensors) -> Any:
        view = tensors.view
        read = self._q4_0 if view.format == Format.GGUF_Q4_0 else self._nf4
        return read(tensors).reshape(view.out_features, view.in_features).double()

    def _q4_0(self, tensors: HostTensors) -> Any:
        torch = self.torch
        blocks = self._from(tensors.parts["codes"], torch.uint8).reshape(-1, 18)
        scale = blocks[:, :2].contiguous().view(torch.float16).float()
        nibbles = blocks[:, 2:]
        codes = torch.cat((nibbles & 15, nibbles >> 4), dim=1).float()
        return scale * (codes - 8)

    def _nf4(self, tensors: HostTensors) -> Any:
        torch, view, parts = self.torch, tensors.view, tensors.parts
        count = view.out_features * view.in_features
        if view.outer_group_size:
            table = self._from(parts["outer_table"], torch.float32)
            outer = self._from(parts["outer_scales"], torch.float32)
            codes = self._from(parts["scales"], torch.uint8).long()
            block = torch.arange(len(codes), device=self.device) // view.outer_group_size
            # Two kernels, so that nothing is contracted to a fused multiply-add.
            absmax = table[codes] * outer[block]
            absmax = absmax + view.outer_offset
        else:
            absmax = self._from(parts["scales"], torch.float32)
        bytes_ = self._from(parts["codes"], torch.uint8)
        codes = torch.stack((bytes_ >> 4, bytes_ & 15), dim=1).reshape(-1)[:count].long()
        values = torch.tensor(NF4_VALUES, dtype=torch.float32, device=self.device)
        group = torch.arange(count, device=self.device) // view.group_size
        return values[codes] * absmax[group]

    def product(self, x: Any, w: Any) -> Any:
        return x @ w.T

    def gather(self, x: Any, rows: Sequence[int]) -> Any:
        return x[list(rows)]

    def columns(self, x: Any, count: int) -> Any:
        return x[:, :count]

    def rounded(self, x: Any, dtype: DType) -> Any:
        return x.to(self.types[dtype]).double()

    def add(self, y: Any, other: Any, scale: float = 1.0, rows: Sequence[int] | None = None) -> Any:
        result = y.clone()
        if rows is None:
            return result + scale * other
        result[list(rows)] += scale * other
        return result

    def error(self, actual: Any, expected: Any) -> float:
        return _ratio(float(((actual - expected) ** 2).sum()), float((expected**2).sum()))


def _ratio(difference: float, size: float) -> float:
    if math.isnan(difference):
        return math.inf
    return math.sqrt(difference / size) if size > 0 else math.sqrt(difference)


def best() -> tuple[Reference, bool]:
    """The reference for large shapes if torch is here, else the plain one; and which it is."""
    try:
        import torch
    except ImportError:
        return Plain(), False
    return Torch(torch), True
