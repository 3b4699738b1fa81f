"""The replay must agree with results worked out by hand."""

from __future__ import annotations

import unittest
from dataclasses import replace

import bounds
from budget import Load
from instruction import Instruction
from machines import MACHINES
from replay import Replay, bandwidth_fraction
from tests.synthetic import load_and_use, repeat
from traffic import Iteration


def half_byte(body: tuple[Instruction, ...], weights: float = 64, stages: int = 0) -> Iteration:
    """An iteration whose weights take half a byte each."""
    return Iteration.of_total(body, weights, weights * 32 * 0.5, stages)


class Throughput(unittest.TestCase):
    """Independent instructions: each pipe reaches its bound and does not pass it."""

    def test_one_pipe_at_a_time(self) -> None:
        for architecture, machine in MACHINES.items():
            for pipe in ("ALU", "FMA", "IMAD", "HALF", "TENSOR", "LSU", "XU"):
                for warps in (4, 16):
                    with self.subTest(architecture=architecture, pipe=pipe, warps=warps):
                        iteration = half_byte(repeat(pipe, 64))
                        bound = min(bounds.bandwidth_bounds(iteration, machine).values())
                        reached = bandwidth_fraction(iteration, machine, warps, free_memory=True)
                        self.assertAlmostEqual(reached / bound, 1, delta=0.05)

    def test_few_iterations_are_enough(self) -> None:
        # The first answer of memory is long in coming, and is no part of the steady state.
        body = (*load_and_use(), *repeat("ALU", 300))
        cycles = []
        for iterations in (4, 40):
            replay = Replay(half_byte(body), MACHINES["sm_90"], 16)
            replay.iterations = iterations
            cycles.append(replay.cycles_per_iteration())
        self.assertAlmostEqual(1, cycles[0] / cycles[1], delta=0.03)

    def test_bounds_by_hand(self) -> None:
        machine = MACHINES["sm_90"]
        cycles = bounds.pipe_cycles(
            (*repeat("ALU", 8), *repeat("TENSOR", 2), *repeat("LSU", 1)), machine
        )
        self.assertEqual({"ISSUE": 11, "ALU": 16, "TENSOR": 16, "LSU": 16}, cycles)

    def test_two_pipes_overlap(self) -> None:
        body = tuple(i for pair in zip(repeat("ALU", 32), repeat("FMA", 32)) for i in pair)
        cycles = Replay(
            half_byte(body), MACHINES["sm_90"], 16, free_memory=True
        ).cycles_per_iteration()
        self.assertAlmostEqual(64, cycles, delta=3)

    def test_wide_tensor_instructions(self) -> None:
        machine = MACHINES["sm_90"]
        # 64 x 128 x 16 multiply-adds by four quarters at 512 a clock.
        self.assertEqual(64, bounds.tensor_cycles("HGMMA.64x128x16.F32", machine))
        self.assertEqual(8, bounds.tensor_cycles("HMMA.16816.F32", machine))
        self.assertEqual(4, bounds.tensor_cycles("HMMA.1688.F32", machine))


class ControlCodes(unittest.TestCase):
    """Stall counts and scoreboards hold a warp back; other warps fill in."""

    def test_stalls(self) -> None:
        for architecture, machine in MACHINES.items():
            for warps, cycles in ((4, 6 * 64), (8, 3 * 64), (16, 2 * 64)):
                with self.subTest(architecture=architecture, warps=warps):
                    replay = Replay(
                        half_byte(repeat("ALU", 64, stall=6)), machine, warps, free_memory=True
                    )
                    self.assertAlmostEqual(1, replay.cycles_per_iteration() / cycles, delta=0.05)

    def test_a_wait_without_a_producer_costs_nothing(self) -> None:
        replay = Replay(
            half_byte(repeat("ALU", 64, wait_mask=1)), MACHINES["sm_80"], 4, free_memory=True
        )
        self.assertAlmostEqual(128, replay.cycles_per_iteration(), delta=4)


class Memory(unittest.TestCase):
    """Little's law: bytes in flight = latency x bandwidth."""

    def test_latency_bound_loads(self) -> None:
        for architecture, machine in MACHINES.items():
            for warps in (4, 8, 16, 32, 64):
                with self.subTest(architecture=architecture, warps=warps):
                    iteration = half_byte(load_and_use(), weights=32)
                    in_flight = warps * 512 * machine.multiprocessors
                    expected = min(
                        1.0, in_flight / (machine.memory_latency_ns * 1e-9) / machine.bandwidth
                    )
                    self.assertAlmostEqual(
                        1, bandwidth_fraction(iteration, machine, warps) / expected, delta=0.1
                    )

    def test_never_faster_than_memory(self) -> None:
        iteration = half_byte(load_and_use(), weights=32)
        self.assertLessEqual(bandwidth_fraction(iteration, MACHINES["sm_90"], 64), 1.02)

    def test_a_ring_hides_latency(self) -> None:
        wait = Instruction(0, "DEPBAR.LE SB0, 0x2", "DEPBAR.LE")
        copy = Instruction(16, "LDGSTS.E.128", "LDGSTS.E.BYPASS.128")
        commit = Instruction(32, "LDGDEPBAR", "LDGDEPBAR")
        body = (wait, copy, commit, *repeat("ALU", 4))
        machine = MACHINES["sm_90"]
        # With three of four stages under way, three times a single load's throughput.
        expected = 3 * 16 * 512 * machine.multiprocessors / (machine.memory_latency_ns * 1e-9)
        reached = (
            bandwidth_fraction(Iteration.of_total(body, 32, 512), machine, 16) * machine.bandwidth
        )
        self.assertAlmostEqual(1, reached / expected, delta=0.1)

    def test_a_bulk_ring_hides_latency(self) -> None:
        wait = Instruction(0, "SYNCS TRYWAIT", "SYNCS.PHASECHK.TRANS64.TRYWAIT")
        copies = tuple(Instruction(16 * k, "UBLKCP", "UBLKCP.S.G") for k in (1, 2))
        machine = MACHINES["sm_90"]
        expected = 4 * 16 * 512 * machine.multiprocessors / (machine.memory_latency_ns * 1e-9)
        iteration = Iteration.of_total((wait, *repeat("ALU", 4), *copies), 32, 512, stages=4)
        reached = bandwidth_fraction(iteration, machine, 16) * machine.bandwidth
        self.assertAlmostEqual(1, reached / min(expected, machine.bandwidth), delta=0.1)


class Cache(unittest.TestCase):
    """What comes from L2 takes its latency and none of memory's bandwidth."""

    def test_latency(self) -> None:
        machine = MACHINES["sm_80"]
        iteration = Iteration.of_loads(load_and_use(), 32, {"x": Load(0.5, cached=True)})
        self.assertEqual(0, iteration.memory_bytes)
        cycles = Replay(iteration, machine, 4).cycles_per_iteration()
        self.assertAlmostEqual(machine.cache_latency, cycles, delta=10)


class Barriers(unittest.TestCase):
    """A block's warps wait for each other, those of other blocks do not."""

    def test_the_slowest_warp_leads(self) -> None:
        # One warp at a time has the pipe for 512 cycles: together they take four turns.
        body = (*repeat("XU", 64), Instruction(0, "BAR.SYNC 0x0", "BAR.SYNC.DEFER_BLOCKING"))
        machine = MACHINES["sm_80"]
        for blocks in (1, 4):
            replay = Replay(half_byte(body), machine, 16, blocks, free_memory=True)
            self.assertAlmostEqual(512, replay.cycles_per_iteration(), delta=10)
        # Latency that other warps hide, unless all wait at once.
        body = (*load_and_use(), *repeat("ALU", 200), body[-1])
        together, apart = (
            Replay(half_byte(body), machine, 16, blocks).cycles_per_iteration() for blocks in (1, 4)
        )
        self.assertGreater(together, 1.2 * apart)


class BytesInFlight(unittest.TestCase):
    """What a multiprocessor has requested ahead of its use and not yet waited for."""

    load = Instruction(0, "LDG.E.128", "LDG.E.128", write_scoreboard=0)
    use = replace(repeat("FMA", 1)[0], wait_mask=1)
    work = repeat("FMA", 1)

    def ahead(self, *body: Instruction, looped: bool = True) -> float:
        loads = sum(i.opcode.startswith("LDG") for i in body)
        return Iteration.of_total(body, 64, 512 * loads, looped=looped).in_flight(1)

    def test_awaited_in_the_next_iteration(self) -> None:
        self.assertEqual(512, self.ahead(self.use, self.load))
        other = replace(self.load, write_scoreboard=1)
        both = replace(self.use, wait_mask=3)
        self.assertEqual(1024, self.ahead(both, self.load, other))

    def test_awaited_behind_work(self) -> None:
        self.assertEqual(512, self.ahead(self.load, *self.work, self.use))

    def test_awaited_at_once(self) -> None:
        self.assertEqual(0, self.ahead(self.load, self.use, *self.work))
        address = repeat("IMAD", 1)
        self.assertEqual(0, self.ahead(self.load, *address, self.use, *self.work))
        # Nothing else can be done meanwhile where there is no loop.
        self.assertEqual(512, self.ahead(self.load, self.use, *self.work, looped=False))

    def test_a_shared_scoreboard_ends_both(self) -> None:
        # The wait for the first load is one for the second.
        self.assertEqual(0, self.ahead(self.load, self.load, self.use, self.use, *self.work))
        apart = replace(self.load, write_scoreboard=1)
        later = replace(self.use, wait_mask=2)
        self.assertEqual(512, self.ahead(self.load, apart, self.use, later))

    def test_rings(self) -> None:
        copy = Instruction(0, "LDGSTS.E.128", "LDGSTS.E.BYPASS.128")
        wait = Instruction(0, "DEPBAR.LE SB0, 0x2", "DEPBAR.LE")
        commit = Instruction(0, "LDGDEPBAR", "LDGDEPBAR")
        ring = Iteration.of_total((wait, copy, commit), 32, 512)
        self.assertEqual(4, ring.stages)
        self.assertEqual(16 * 3 * 512, ring.in_flight(16))
        unrolled = Iteration.of_total((wait, copy, commit) * 2, 64, 1024)
        self.assertEqual(16 * 3 * 512, unrolled.in_flight(16))
        bulk = Instruction(0, "UBLKCP", "UBLKCP.S.G")
        filled = Iteration.of_total((bulk,), 32, 512, stages=4)
        self.assertEqual(16 * 4 * 512, filled.in_flight(16))

    def test_stores_are_not_awaited(self) -> None:
        store = Instruction(16, "STG.E", "STG.E.128")
        body = (self.use, self.load, store)
        self.assertEqual(4 * 512, Iteration.of_total(body, 1, 1024).in_flight(4))
