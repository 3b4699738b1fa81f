"""The peers compute what they claim: on the CPU, without graphs; skipped where torch is missing."""

from __future__ import annotations

import importlib.util
import unittest
from typing import Any, Sequence

from peers import Call, Peers
from timing import Work


class Recorded(Peers):
    """Runs calls instead of capturing them, and keeps every matrix that was made."""

    device = "cpu"

    def __init__(self, torch: Any, shape: tuple[int, int], copies: int):
        super().__init__(torch, None, shape, copies)
        self.made: list[Any] = []
        self.before: Any = None

    def random(self, *size: int, dtype: Any = None) -> Any:
        # A CPU's torch has few products in 16 bits.
        matrix = self.torch.randn(*size, dtype=self.torch.float64)
        self.made.append(matrix)
        return matrix

    def capture(self, subject: str, calls: Sequence[Call]) -> Work:
        self.before = self.made[1].clone()
        calls[0]()
        return Work(subject, len(calls), lambda: None)


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class Products(unittest.TestCase):
    def setUp(self) -> None:
        import torch

        self.torch = torch
        self.peers = Recorded(torch, (6, 4), 2)
        self.assignment = [0, 0, 1, 2, 2]

    def test_cublas(self) -> None:
        work = self.peers.cublas(3, 2)
        x, y, w = self.peers.made[:3]
        self.assertEqual(2, work.calls)
        self.torch.testing.assert_close(y, x @ w.T)

    def test_dequantize_and_cublas(self) -> None:
        copies: list[int] = []
        self.peers.dequantize_and_cublas(3, 2, lambda copy, w: copies.append(copy))
        x, y, w = self.peers.made[:3]
        self.assertEqual([0], copies)
        self.torch.testing.assert_close(y, x @ w.T)

    def expected_update(self, a: Any, b: Any) -> Any:
        x = self.peers.made[0]
        rows = [0.5 * (x[r] @ a[k].T) @ b[k].T for r, k in enumerate(self.assignment)]
        return self.torch.stack(rows)

    def test_adapters(self) -> None:
        for name in ("peft", "loop"):
            with self.subTest(peer=name):
                self.setUp()
                getattr(self.peers, name)(self.assignment, 3, 2)
                _, y, a, b = self.peers.made[:4]
                self.torch.testing.assert_close(y, self.peers.before + self.expected_update(a, b))

    def test_cublas_and_peft(self) -> None:
        self.peers.cublas_and_peft(self.assignment, 3, 2)
        x, y, w, _, a, b = self.peers.made[:6]
        self.torch.testing.assert_close(y, x @ w.T + self.expected_update(a, b))
