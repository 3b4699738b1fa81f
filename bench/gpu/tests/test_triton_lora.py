"""The Triton peer computes what it claims, for rows in any order and tails everywhere."""

from __future__ import annotations

import random
import sys
import unittest
from unittest import mock

from tests import fake_triton


class Grouped(unittest.TestCase):
    def setUp(self) -> None:
        patch = mock.patch.dict(sys.modules, fake_triton.modules())
        patch.start()
        self.addCleanup(patch.stop)
        self.addCleanup(sys.modules.pop, "triton_lora", None)

    def check(self, assignment: list[int], rank: int, n: int, k: int) -> None:
        from triton_lora import Grouped

        rng = random.Random(1)
        rows, adapters = len(assignment), max(assignment) + 1

        def numbers(count: int) -> list[float]:
            return [float(rng.randint(-3, 3)) for _ in range(count)]

        x, y = numbers(rows * k), numbers(rows * n)
        a, b = numbers(adapters * rank * k), numbers(adapters * n * rank)
        expected = list(y)
        for row, adapter in enumerate(assignment):
            s = [
                sum(x[row * k + i] * a[(adapter * rank + r) * k + i] for i in range(k))
                for r in range(rank)
            ]
            for column in range(n):
                factor = b[(adapter * n + column) * rank :][:rank]
                expected[row * n + column] += 0.5 * sum(p * q for p, q in zip(s, factor))
        grouped = Grouped(fake_triton.torch(), assignment, rank, (n, k), "cpu")
        content = fake_triton.Buffer(y)
        buffers = (fake_triton.Buffer(values) for values in (x, a, b))
        grouped.add(content, *buffers, 0.5)
        self.assertEqual(expected, content.values)

    def test_unsorted_rows(self) -> None:
        self.check([2, 0, 2, 1, 0], rank=3, n=5, k=130)

    def test_more_rows_of_an_adapter_than_a_tile_has(self) -> None:
        self.check([0] * 18 + [1], rank=16, n=130, k=7)
