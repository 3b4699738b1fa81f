"""How adapters are spread over rows."""

from __future__ import annotations

import unittest
from collections import Counter

from plan import DISTRIBUTIONS, assignment


class Distributions(unittest.TestCase):
    def test_numbers_are_without_gaps(self) -> None:
        for distribution in DISTRIBUTIONS:
            for rows in (1, 4, 64, 256):
                chosen = assignment(distribution, rows, 64)
                self.assertEqual(rows, len(chosen))
                self.assertEqual(set(range(max(chosen) + 1)), set(chosen))
                self.assertLess(max(chosen), 64)
                self.assertEqual(chosen, assignment(distribution, rows, 64))

    def test_their_shapes(self) -> None:
        counts = {d: Counter(assignment(d, 64, 64)) for d in DISTRIBUTIONS}
        self.assertEqual([1] * 64, list(counts["Distinct"].values()))
        self.assertEqual([8] * 8, list(counts["Uniform"].values()))
        self.assertEqual([64], list(counts["Identical"].values()))
        popular = sorted(counts["Zipf"].values(), reverse=True)
        self.assertGreater(popular[0], 64 // 4)
        self.assertEqual(1, popular[-1])
