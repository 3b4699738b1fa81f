"""Sample data, and the reference that checks are held against."""

from __future__ import annotations

import random
import struct
import unittest

import samples
from abi import DType
from reference import Plain


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
