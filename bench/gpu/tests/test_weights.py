"""Samples of every format, and their decoding, by hand."""

from __future__ import annotations

import random
import struct
import unittest

import weights
from abi import Format
from decoding import weight_values
from lorakernels import HostTensors


def sample(name: str, n: int, k: int, **parts: bytes) -> HostTensors:
    """A weight of this kind with some of its tensors replaced."""
    kind = next(each for each in weights.KINDS if each.name == name)
    tensors = kind.make(random.Random(1), n, k)
    for part, content in parts.items():
        assert len(content) == len(tensors.parts[part]), (part, len(tensors.parts[part]))
        tensors.parts[part][:] = content
    return tensors


class ByHand(unittest.TestCase):
    def test_bitsandbytes(self) -> None:
        three = struct.pack("<f", 3.0)
        plain = sample("NF4", 1, 2, codes=bytes([0xF0]), scales=three)
        self.assertEqual([[3.0, -3.0]], weight_values(plain))
        fp4 = sample("FP4", 1, 2, codes=bytes([0x3D]), scales=three)
        self.assertEqual([[3.0, -1.5]], weight_values(fp4))

    def test_nested_absmax(self) -> None:
        half = struct.pack("<f", 0.5)
        tensors = sample("NF4 nested", 1, 2, codes=b"\xf0", scales=b"\xff", outer_scales=half)
        self.assertEqual([[1.75, -1.75]], weight_values(tensors))

    def row(self, name: str, block: bytes) -> list[float]:
        (row,) = weight_values(sample(name, 1, 256 if name == "Q4_K" else 32, codes=block))
        return row

    def test_blocks_of_32(self) -> None:
        codes = bytes([0x1F] + [0x80] * 15)
        row = self.row("Q4_0", struct.pack("<e", 0.5) + codes)
        self.assertEqual([3.5, -4.0, -3.5, 0.0], row[:2] + row[16:18])
        row = self.row("Q4_1", struct.pack("<2e", 0.5, -1.0) + codes)
        self.assertEqual([6.5, -1.0, -0.5, 3.0], row[:2] + row[16:18])
        row = self.row("IQ4_NL", struct.pack("<e", 0.5) + codes)
        self.assertEqual([56.5, -63.5, -52.0, 0.5], row[:2] + row[16:18])

    def test_q4_k(self) -> None:
        # Scales of groups 0 and 4: 1 and 2 + 16; minimums 3 and 1 + 32.
        packed = bytes([0x41, 0, 0, 0, 0x83, 0, 0, 0, 0x12, 0, 0, 0])
        row = self.row("Q4_K", struct.pack("<2e", 0.5, 0.25) + packed + bytes([0x75] * 128))
        self.assertEqual(0.5 * 1 * 5 - 0.25 * 3, row[0])
        self.assertEqual(0.0, row[32])
        self.assertEqual(0.5 * (2 + 16) * 5 - 0.25 * (1 + 32), row[128])

    def test_int4(self) -> None:
        codes = struct.pack("<2I", 0xF0000001, 0x8)
        half = struct.pack("<f", 0.5)
        (row,) = weight_values(sample("int4 per row f32", 1, 9, codes=codes, scales=half))
        self.assertEqual([-3.5, -4.0, 3.5, 0.0], [row[0], row[1], row[7], row[8]])

    def test_zero_points_and_act_order(self) -> None:
        index = [k % 2 for k in range(256)]
        tensors = sample(
            "int4 act-order",
            2,
            256,
            codes=bytes([0x55]) * 256,
            scales=struct.pack("<4e", 1, 2, 4, 8),
            # Row 0: 3 and 5, row 1: 4 and 6.
            zero_points=struct.pack("<2I", 0x43, 0x65),
            group_index=struct.pack("<256i", *index),
        )
        first, second = weight_values(tensors)
        self.assertEqual([2.0, 0.0, 2.0], first[:3])
        self.assertEqual([4.0, -8.0, 4.0], second[:3])

    def test_e2m1(self) -> None:
        codes = bytes([0xA1] + [0] * 15)
        (row,) = weight_values(sample("MXFP4", 1, 32, codes=codes, scales=bytes([129])))
        self.assertEqual([2.0, -4.0, 0.0], row[:3])
        # E4M3: 1.5, and the subnormal 2^-8.
        scales = bytes([0x3C, 0x02])
        tensors = sample("NVFP4", 1, 32, codes=codes * 1, scales=scales)
        tensors.parts["codes"][8] = 0x07
        tensors.view.tensor_scale = 2.0
        (row,) = weight_values(tensors)
        self.assertEqual([1.5, -3.0, 6 * 2.0**-7], [row[0], row[1], row[16]])
        tensors.view.tensor_scale_divides = 1
        self.assertEqual([0.375, -0.75], weight_values(tensors)[0][:2])


class Kinds(unittest.TestCase):
    def test_every_format_is_there(self) -> None:
        made = {kind.make(random.Random(1), 2, 256).view.format for kind in weights.KINDS}
        self.assertEqual({int(form) for form in Format}, made)

    def test_sizes(self) -> None:
        for kind in weights.KINDS:
            with self.subTest(kind=kind.name):
                k = 96 if kind.multiple <= 32 else kind.multiple
                rows = weight_values(kind.make(random.Random(1), 40, k))
                self.assertEqual((40, {k}), (len(rows), {len(row) for row in rows}))
                spread = {value for row in rows for value in row}
                self.assertGreater(len(spread), 14)
                self.assertLess(max(abs(value) for value in spread), 200)

    def test_large_weights_repeat_blocks(self) -> None:
        kind = next(each for each in weights.KINDS if each.name == "Q4_0")
        codes = kind.make(random.Random(1), 2048, 64).parts["codes"]
        self.assertEqual(18 * 2048 * 2, len(codes))
        self.assertEqual(codes[:18], codes[18 * 1009 : 18 * 1010])
