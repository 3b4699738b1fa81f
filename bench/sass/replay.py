"""A replay of a main loop on one quarter of a multiprocessor.

The loop's instructions are issued warp by warp under the control codes that ptxas wrote: stall
counts and scoreboards, as the hardware obeys them. Pipes are busy for as long as machines.py says,
memory answers after its latency, at no more than its bandwidth, and L2 after its own; barriers hold
a block's warps together. Not modelled: L2's bandwidth, bank conflicts and broadcasts of shared
memory (one row of x costs as much as eight), instruction fetch, the work outside the loop, clusters.
It rejects designs and finds regressions; it does not promise the last tenth.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from bounds import tensor_cycles
from instruction import SCOREBOARDS, Instruction
from machines import Machine
from pipes import base
from traffic import Iteration, is_load, is_store

# Long enough for a steady state: so many instructions, but not more or fewer iterations than these.
_INSTRUCTIONS = 6000
_MOST_ITERATIONS = 40
_FEWEST_ITERATIONS = 4
# A ring that starts full settles after some turns.
_RING_TURNS = 5
# Until an instruction's result or operands are done with, in cycles.
_RESULT_LATENCY = 30
_OPERAND_LATENCY = 12
_LSU_LATENCY = 26
_BARRIER_LATENCY = 20
_FREE_LATENCY = 35.0
# So many cycles of work may wait before the load-store unit refuses more.
_LSU_QUEUE = 64
_FLOATING = ("FMA", "HALF", "BF16", "IMAD")
_WAIT_GROUP = re.compile(r"DEPBAR\.LE\s+SB\d,\s*(0x[0-9a-f]+)")


@dataclass(eq=False)
class _Warp:
    """`groups` and `bulk` hold the arrival times of copies that are under way, the oldest first."""

    ready: float
    block: int = 0
    position: int = 0
    iteration: int = 0
    scoreboards: list[list[float]] = field(default_factory=lambda: [[] for _ in range(SCOREBOARDS)])
    groups: list[float] = field(default_factory=list)
    open_group: float = 0.0
    bulk: list[float] = field(default_factory=list)
    open_bulk: float = 0.0
    waited: bool = False
    # When its next instruction has what it waits for; None: not yet worked out.
    operands: float | None = None


class Replay:
    """`warps` of a multiprocessor, in so many `blocks`. With `free_memory`, memory answers at once:
    what the instructions alone allow."""

    def __init__(
        self,
        iteration: Iteration,
        machine: Machine,
        warps: int,
        blocks: int = 1,
        *,
        free_memory: bool = False,
    ):
        self.iteration = iteration
        self.machine = machine
        self.body = iteration.body
        self.latency = (
            _FREE_LATENCY if free_memory else machine.memory_latency_ns * machine.gigahertz
        )
        self.cache_latency = _FREE_LATENCY if free_memory else machine.cache_latency
        scale = 1000.0 if free_memory else 1.0
        self.memory_rate = machine.bytes_per_clock() / 4 * scale
        self.shares = iteration.shares
        self.busy = dict.fromkeys(("ALU", "FMA", "LITE", "HALF", "TENSOR", "XU", "LSU"), 0.0)
        self.channel = 0.0
        self.last: _Warp | None = None
        count = max(1, warps // 4)
        self.warps = [_Warp(ready=3.0 * k, block=k * blocks // count) for k in range(count)]
        self.running = list(self.warps)
        self.at_barrier: dict[int, list[_Warp]] = {}
        wanted = _INSTRUCTIONS // (len(self.body) * len(self.warps))
        fewest = max(
            _FEWEST_ITERATIONS, math.ceil(_RING_TURNS * iteration.stages / iteration.groups)
        )
        self.iterations = min(_MOST_ITERATIONS, max(fewest, wanted))
        self._fill_rings()

    def _fill_rings(self) -> None:
        """Before the loop a kernel requests its ring's first stages."""
        size = self.iteration.memory_bytes / self.iteration.groups
        for _ in range(self.iteration.stages):
            for warp in self.warps:
                self.channel += size / self.memory_rate
                warp.groups.append(self.latency + self.channel)
                warp.bulk.append(self.latency + self.channel)
        for warp in self.warps:
            warp.groups = warp.groups[: max(0, self.iteration.stages - 1)]

    def cycles_per_iteration(self) -> float:
        """Cycles of the quarter for one warp's iteration, in the steady state."""
        issued: list[float] = []
        while self.running:
            start, warp = self._next(issued[-1] + 1 if issued else 0.0)
            self._issue(warp, start)
            issued.append(start)
            warp.operands = None
            warp.position += 1
            if warp.position == len(self.body):
                warp.position = 0
                warp.iteration += 1
                warp.waited = False
                if warp.iteration == self.iterations:
                    self.running.remove(warp)
                if warp.open_bulk:
                    warp.bulk = warp.bulk[1:] + [warp.open_bulk]
                    warp.open_bulk = 0.0
        # The middle of all instructions: by iterations, a few warps that run in turn would be counted
        # in lumps.
        first, last = len(issued) // 4, 3 * len(issued) // 4
        return (issued[last] - issued[first]) / (last - first) * len(self.body)

    def _next(self, now: float) -> tuple[float, _Warp]:
        """The warp that issues next: the first one ready; among several the last issuer, then the
        one behind."""
        best: tuple[tuple[float, bool, int], _Warp] | None = None
        for warp in self.running:
            if best is not None and warp.ready > best[0][0]:
                continue
            start = max(now, self._earliest(warp))
            key = (start, warp is not self.last, warp.iteration * len(self.body) + warp.position)
            if best is None or key < best[0]:
                best = (key, warp)
        assert best is not None
        self.last = best[1]
        return best[0][0], best[1]

    def _earliest(self, warp: _Warp) -> float:
        """When the warp's next instruction may issue: operands there and pipe free."""
        instruction = self.body[warp.position]
        if warp.operands is None:
            start = warp.ready
            for scoreboard in range(SCOREBOARDS):
                if instruction.wait_mask >> scoreboard & 1 and warp.scoreboards[scoreboard]:
                    start = max(start, *warp.scoreboards[scoreboard])
            if self.iteration.stages:
                start = max(start, self._arrival(warp, instruction))
            warp.operands = start
        return max(warp.operands, self._pipe_free(instruction, warp.operands))

    def _arrival(self, warp: _Warp, instruction: Instruction) -> float:
        """When the copies that a wait names are there."""
        if instruction.opcode.startswith("DEPBAR"):
            allowed = _WAIT_GROUP.search(instruction.text)
            left = int(allowed[1], 16) if allowed else 0
            if len(warp.groups) > left:
                return warp.groups[len(warp.groups) - 1 - left]
        if _is_barrier_wait(instruction) and warp.bulk and not warp.waited:
            return warp.bulk[0]
        return 0.0

    def _datapath(self, instruction: Instruction, start: float) -> str:
        """The datapath that an instruction of fp32, halves or integer multiply-add takes."""
        pipe = instruction.pipe
        if pipe == "IMAD":
            return "FMA"
        if not self.machine.dual_fma:
            return "FMA" if pipe == "FMA" else "HALF"
        if self.machine.cycles[pipe] > 1:
            return "LITE"
        free = [name for name in ("LITE", "FMA") if self.busy[name] <= start]
        return free[0] if free else min(("LITE", "FMA"), key=lambda name: self.busy[name])

    def _pipe_free(self, instruction: Instruction, start: float) -> float:
        pipe = instruction.pipe
        if pipe in ("ALU", "XU", "TENSOR"):
            return self.busy[pipe]
        if pipe in _FLOATING:
            return self.busy[self._datapath(instruction, start)]
        if pipe == "LSU":
            return self.busy["LSU"] - _LSU_QUEUE
        return 0.0

    def _issue(self, warp: _Warp, start: float) -> None:
        instruction = self.body[warp.position]
        done, operands = self._occupy(instruction, start)
        if instruction.pipe == "LSU":
            done = self._memory(warp, instruction, start, done)
        if instruction.opcode.startswith("LDGDEPBAR"):
            warp.groups.append(max(warp.open_group, warp.groups[-1] if warp.groups else 0.0))
            warp.open_group = 0.0
        for scoreboard, time in (
            (instruction.write_scoreboard, done),
            (instruction.read_scoreboard, operands),
        ):
            if scoreboard < SCOREBOARDS:
                pending = [other for other in warp.scoreboards[scoreboard] if other > start]
                warp.scoreboards[scoreboard] = pending + [time]
        warp.ready = start + max(1, instruction.stall)
        if instruction.opcode.startswith("BAR.SYNC"):
            self._meet(warp, start)

    def _meet(self, warp: _Warp, start: float) -> None:
        """Holds the warp until the others of its block have arrived."""
        waiting = self.at_barrier.setdefault(warp.block, [])
        waiting.append(warp)
        if len(waiting) < sum(other.block == warp.block for other in self.warps):
            warp.ready = math.inf
            return
        for other in waiting:
            other.ready = start + _BARRIER_LATENCY
            other.operands = None
        waiting.clear()

    def _occupy(self, instruction: Instruction, start: float) -> tuple[float, float]:
        """Takes the instruction's pipe; returns when its result is there and when its operands are
        read."""
        machine = self.machine
        pipe = instruction.pipe
        done = start + _RESULT_LATENCY
        operands = start + _OPERAND_LATENCY
        if pipe in ("ALU", "XU"):
            self.busy[pipe] = start + machine.cycles[pipe]
        elif pipe in _FLOATING:
            cycles = 2 if machine.dual_fma else machine.cycles[pipe]
            self.busy[self._datapath(instruction, start)] = start + cycles
        elif pipe == "TENSOR":
            self.busy["TENSOR"] = start + tensor_cycles(instruction.opcode, machine)
            done = start + max(machine.tensor_latency, tensor_cycles(instruction.opcode, machine))
        elif pipe == "LSU":
            cycles = 4 * max(1.0, instruction.data_bytes / machine.shared_bytes_per_clock)
            self.busy["LSU"] = max(self.busy["LSU"], start) + cycles
            done = self.busy["LSU"] + _LSU_LATENCY
            if not instruction.opcode.startswith("LDG"):
                operands = max(operands, done - 20)
        return done, operands

    def _memory(self, warp: _Warp, instruction: Instruction, start: float, done: float) -> float:
        """Sends a request to memory; returns when the instruction's result is there."""
        name = base(instruction.opcode)
        if _is_barrier_wait(instruction):
            warp.waited = True
        if not is_load(instruction) and not is_store(instruction):
            return done
        size = self.shares[warp.position]
        if size == 0.0:
            arrival = max(done, start + self.cache_latency)
        else:
            self.channel = max(self.channel, start) + size / self.memory_rate
            arrival = max(start + self.latency, self.channel)
        if name == "LDGSTS":
            warp.open_group = max(warp.open_group, arrival)
        elif name in ("UBLKCP", "UTMALDG"):
            warp.open_bulk = max(warp.open_bulk, arrival)
        elif name == "STG":
            # Stores are not waited for, but the queue to memory is finite.
            warp.ready = max(warp.ready, self.channel - self.latency)
        else:
            return arrival
        return done


def bandwidth_fraction(
    iteration: Iteration, machine: Machine, warps: int, *, free_memory: bool = False
) -> float:
    """Fraction of memory bandwidth that the loop reaches with so many warps on a multiprocessor."""
    replay = Replay(iteration, machine, warps, free_memory=free_memory)
    cycles = replay.cycles_per_iteration()
    return iteration.memory_bytes / cycles / (machine.bytes_per_clock() / 4)


def _is_barrier_wait(instruction: Instruction) -> bool:
    return instruction.opcode.startswith("SYNCS") and "TRYWAIT" in instruction.opcode
