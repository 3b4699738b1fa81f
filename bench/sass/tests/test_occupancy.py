"""Occupancy against figures of the CUDA occupancy calculator."""

from __future__ import annotations

import unittest

from machines import MACHINES, machine_of
from occupancy import occupancy


class Blocks(unittest.TestCase):
    def check(
        self,
        architecture: str,
        registers: int,
        shared: int,
        threads: int,
        blocks: int,
        limiter: str,
    ) -> None:
        found = occupancy(MACHINES[architecture], registers, shared, threads)
        self.assertEqual((blocks, limiter), (found.blocks, found.limiter))

    def test_limited_by_warps(self) -> None:
        self.check("sm_80", 32, 0, 256, 8, "warps")
        self.check("sm_86", 32, 0, 256, 6, "warps")

    def test_limited_by_blocks(self) -> None:
        self.check("sm_90", 16, 0, 32, 32, "blocks")
        self.check("sm_86", 16, 0, 32, 16, "blocks")

    def test_limited_by_registers(self) -> None:
        self.check("sm_80", 128, 0, 128, 4, "registers")
        self.check("sm_90", 255, 0, 256, 1, "registers")
        # 65 registers take 72: 28 warps, not 31.
        self.check("sm_80", 65, 0, 128, 7, "registers")

    def test_limited_by_shared_memory(self) -> None:
        self.check("sm_80", 32, 48 * 1024, 128, 3, "shared memory")
        self.check("sm_90", 64, 227 * 1024, 512, 1, "shared memory")
        self.check("sm_89", 32, 99 * 1024, 512, 1, "shared memory")

    def test_a_block_that_does_not_fit(self) -> None:
        self.check("sm_86", 32, 100 * 1024, 128, 0, "shared memory")

    def test_odd_warps(self) -> None:
        self.assertEqual(
            (21, 63),
            (
                occupancy(MACHINES["sm_80"], 16, 0, 96).blocks,
                occupancy(MACHINES["sm_80"], 16, 0, 96).warps,
            ),
        )

    def test_machines_by_architecture(self) -> None:
        self.assertEqual("H200", machine_of("sm_90a").name)
        self.assertIsNone(machine_of("sm_120"))
