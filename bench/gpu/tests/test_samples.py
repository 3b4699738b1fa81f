"""Sample data, and the reference that checks are held against."""

from __future__ import annotations

import importlib.util
import random
import struct
import unittest

import samples
from abi import DType
from reference import Plain, Torch


class Numbers(unittest.TestCase):
    def test_rounding_to_bf16_is_to_nearest_even(self) -> None:
        for value, expected in (
            (1.0, 0x3F80),
            (1 + 2**-8, 0x3F80),
            (1 + 3 * 2**-8, 0x3F82),
            (-1.01, 0xBF81),
        ):
            (bits,) = struct.unpack("<H", samples.encode([value], DType.BF16))
            self.assertEqual(expected, bits, value)

    def test_encoding_and_decoding(self) -> None:
        values = [0.5, -1.75, 0.0, 1.0]
        for dtype in DType:
            self.assertEqual(values, samples.decode(samples.encode(values, dtype), dtype))

    def test_dense_numbers_are_spread_over_their_range(self) -> None:
        for dtype in DType:
            for shift in (0, -4):
                numbers = samples.decode(samples.dense(random.Random(1), 4000, dtype, shift), dtype)
                scaled = [number * 2.0**-shift for number in numbers]
                self.assertTrue(all(0.125 <= abs(number) < 2 for number in scaled))
                self.assertLess(abs(sum(scaled)), 300)
                self.assertGreater(len(set(scaled)), 700)


class Weights(unittest.TestCase):
    def test_q4_0_by_hand(self) -> None:
        tensors = samples.q4_0(random.Random(1), 1, 32)
        tensors.parts["codes"][:] = struct.pack("<e", 0.5) + bytes([0x1F] + [0x80] * 15)
        row = Plain().weight(tensors)[0]
        self.assertEqual([3.5, -4.0], row[:2])
        self.assertEqual([-3.5, 0.0], row[16:18])

    def test_nf4_by_hand(self) -> None:
        tensors = samples.nf4(random.Random(1), 1, 2, nested=False)
        tensors.parts["codes"][:] = bytes([0xF0])
        tensors.parts["scales"][:] = struct.pack("<f", 3.0)
        self.assertEqual([[3.0, -3.0]], Plain().weight(tensors))

    def test_nested_absmax_by_hand(self) -> None:
        tensors = samples.nf4(random.Random(1), 1, 2)
        tensors.parts["codes"][:] = bytes([0xF0])
        tensors.parts["scales"][:] = bytes([255])
        tensors.parts["outer_scales"][:] = struct.pack("<f", 0.5)
        self.assertEqual([[1.75, -1.75]], Plain().weight(tensors))

    def test_sizes(self) -> None:
        for n, k in ((1, 1), (3, 65), (40, 64)):
            parts = samples.nf4(random.Random(1), n, k).parts
            self.assertEqual(-(-n * k // 2), len(parts["codes"]))
            self.assertEqual(-(-n * k // 64), len(parts["scales"]))
        self.assertEqual(
            18 * 2048 * 2, len(samples.q4_0(random.Random(1), 2048, 64).parts["codes"])
        )


class Matrices(unittest.TestCase):
    def test_products_and_errors(self) -> None:
        plain = Plain()
        y = plain.product([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 0.0]])
        self.assertEqual([[17.0, 23.0, 9.0], [39.0, 53.0, 27.0]], y)
        self.assertEqual(
            [[17.0, 23.0, 9.0], [41.0, 55.0, 29.0]], plain.add(y, [[1.0] * 3], 2.0, [1])
        )
        self.assertEqual([[18.0, 24.0, 10.0], [40.0, 54.0, 28.0]], plain.add(y, [[1.0] * 3]))
        self.assertEqual(0.5, plain.error([[3.0]], [[2.0]]))
        self.assertEqual(float("inf"), plain.error([[float("nan")]], [[2.0]]))

    @unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
    def test_both_references_agree(self) -> None:
        import torch

        both = (Plain(), Torch(torch))
        for make in (samples.nf4, samples.q4_0):
            tensors = make(random.Random(1), 8, 64)
            plain, other = (reference.weight(tensors) for reference in both)
            self.assertEqual(plain, other.tolist())
