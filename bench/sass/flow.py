"""Basic blocks and loops of a kernel, and the loop in which it spends its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from instruction import Instruction
from pipes import ARITHMETIC, base

_COPIES = ("LDGSTS", "UBLKCP", "UTMALDG")
_MEMORY = ("LDG", "LD", "LDGSTS", "UBLKCP", "UTMALDG", "LDS", "LDSM", "STG")


@dataclass(frozen=True)
class Block:
    """Instructions that are entered at the first and left after the last; successors are block
    numbers."""

    instructions: tuple[Instruction, ...]
    successors: tuple[int, ...]


@dataclass(frozen=True)
class Loop:
    """`header` is where the backward branch of block `latch` goes; `blocks` are those of the
    body."""

    header: int
    latch: int
    blocks: frozenset[int]


def basic_blocks(instructions: Sequence[Instruction]) -> list[Block]:
    """The reachable blocks, in the order of their addresses.

    The slow path of a converged __syncwarp (BRA.CONV) is never branched to; it is left out, and
    with it the loops that it would seem to close.
    """
    index = {instruction.address: k for k, instruction in enumerate(instructions)}
    leaders = {0}
    for k, instruction in enumerate(instructions):
        if instruction.target in index:
            leaders.add(index[instruction.target])
        if instruction.ends_block and k + 1 < len(instructions):
            leaders.add(k + 1)
    starts = sorted(leaders)
    successors: dict[int, list[int]] = {}
    bodies: dict[int, tuple[Instruction, ...]] = {}
    for start, end in zip(starts, starts[1:] + [len(instructions)]):
        last = instructions[end - 1]
        following = [index[last.target]] if last.target in index else []
        if last.falls_through and end < len(instructions):
            following.append(end)
        successors[start] = following
        bodies[start] = tuple(instructions[start:end])
    reachable = sorted(_reach(0, successors)) if instructions else []
    number = {start: k for k, start in enumerate(reachable)}
    return [
        Block(bodies[start], tuple(number[s] for s in successors[start])) for start in reachable
    ]


def loops(blocks: Sequence[Block]) -> list[Loop]:
    """One loop for each backward branch.

    ptxas turns mbarrier loops into ones with two entries, which have no dominating header. So a
    body is what reaches the latch without passing the header, as far as the header reaches it: for
    ordinary loops that is the natural loop.
    """
    successors = {k: list(block.successors) for k, block in enumerate(blocks)}
    predecessors: dict[int, list[int]] = {k: [] for k in successors}
    for k, following in successors.items():
        for successor in following:
            predecessors[successor].append(k)
    found = []
    for latch, following in successors.items():
        for header in following:
            if header > latch:
                continue
            forward = _reach(header, successors)
            if latch not in forward:
                continue
            body = {header}
            pending = [latch]
            while pending:
                block = pending.pop()
                if block not in body and block in forward:
                    body.add(block)
                    pending += predecessors[block]
            found.append(Loop(header, latch, frozenset(body)))
    return found


def main_loop(
    instructions: Sequence[Instruction], opcode: str | None = None, path: str | None = None
) -> tuple[Instruction, ...]:
    """The instructions of one steady iteration of the loop that matters; empty if there is none.

    It is the innermost loop with the most tensor instructions, then the most arithmetic, then the
    most instructions. With `opcode`: the innermost loop with the most instructions of this kind.
    Loops inside it count once. Blocks that lie after the backward branch are retry paths and are left
    out. Where it branches, both sides are taken; with `path`, "longest" or "shortest", one of them: the
    way with the most tensor instructions and copies, then with the most or fewest instructions.
    """
    blocks = basic_blocks(instructions)
    candidates = [(loop, _steady(loop, blocks)) for loop in loops(blocks)]
    chosen = _loop_of_opcode(candidates, opcode) if opcode is not None else _busiest(candidates)
    if chosen is None:
        return ()
    return chosen[1] if path is None else _path(chosen[0], blocks, path == "longest")


_Candidate = tuple[Loop, tuple[Instruction, ...]]


def _busiest(candidates: Sequence[_Candidate]) -> _Candidate | None:
    best: tuple[tuple[int, int, int], _Candidate] | None = None
    for loop, body in candidates:
        inner = [steady for other, steady in candidates if other.blocks < loop.blocks]
        if any(_is_core(steady, body) for steady in inner):
            continue
        tensor, arithmetic = _tensor(body), _arithmetic(body)
        # A retry path that branches back closes a second loop around the same work: the earlier is
        # meant.
        size = -loop.latch if arithmetic else len(body)
        touches_memory = any(base(instruction.opcode) in _MEMORY for instruction in body)
        rank = (tensor, arithmetic, size) if touches_memory else (tensor, 0, 0)
        if best is None or rank > best[0]:
            best = (rank, (loop, body))
    return best[1] if best is not None else None


def _loop_of_opcode(candidates: Sequence[_Candidate], opcode: str) -> _Candidate | None:
    having = [
        (loop, body, sum(i.opcode.startswith(opcode) for i in body)) for loop, body in candidates
    ]
    having = [each for each in having if each[2]]
    innermost = [
        (count, -loop.latch, (loop, body))
        for loop, body, count in having
        if not any(other.blocks < loop.blocks for other, _, _ in having)
    ]
    return max(innermost, key=lambda each: each[:2])[2] if innermost else None


def _path(loop: Loop, blocks: Sequence[Block], longest: bool) -> tuple[Instruction, ...]:
    """One way from the header to the latch, by the blocks' addresses onwards."""

    def worth(k: int) -> tuple[int, int]:
        body = blocks[k].instructions
        meant = sum(i.pipe == "TENSOR" or base(i.opcode) in _COPIES for i in body)
        return meant, len(body) if longest else -len(body)

    # For each block the best way on to the latch: its worth, and the next block.
    best: dict[int, tuple[tuple[int, int], int]] = {loop.latch: (worth(loop.latch), loop.latch)}
    for k in sorted(loop.blocks, reverse=True):
        onward = [(best[s][0], s) for s in blocks[k].successors if s > k and s in best]
        if k < loop.latch and onward:
            (meant, length), following = max(onward)
            own = worth(k)
            best[k] = ((own[0] + meant, own[1] + length), following)
    way: list[Instruction] = []
    k = loop.header
    while k in best:
        way += blocks[k].instructions
        if k == loop.latch:
            return tuple(way)
        k = best[k][1]
    return ()


def straight_line(instructions: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """What a kernel without a loop executes: everything up to its last exit."""
    exits = [k for k, instruction in enumerate(instructions) if instruction.opcode == "EXIT"]
    return tuple(instructions[: exits[-1] + 1]) if exits else tuple(instructions)


def unavoidable(
    instructions: Sequence[Instruction], loop: Sequence[Instruction]
) -> tuple[Instruction, ...]:
    """What lies outside the loop and on every way through it from the kernel's start to an exit, such
    as the last stages of a pipeline."""
    blocks = basic_blocks(instructions)
    successors = {k: list(block.successors) for k, block in enumerate(blocks)}
    exits = [
        k
        for k, block in enumerate(blocks)
        if not block.successors or block.instructions[-1].opcode == "EXIT"
    ]
    inside = {instruction.address for instruction in loop}
    within = [k for k, b in enumerate(blocks) if b.instructions[0].address in inside]
    if not within:
        return ()
    header = within[0]

    def passable(avoided: int) -> bool:
        others = {
            k: [] if k == avoided else [s for s in following if s != avoided]
            for k, following in successors.items()
        }
        return header in _reach(0, others) and any(
            k != avoided and k in _reach(header, others) for k in exits
        )

    return tuple(
        instruction
        for k, block in enumerate(blocks)
        if k not in within and (k == 0 or not passable(k))
        for instruction in block.instructions
    )


def _is_core(inner: Sequence[Instruction], outer: Sequence[Instruction]) -> bool:
    """Whether an inner loop does most of what the loop around it does."""
    for measure in (_tensor, _arithmetic):
        if measure(outer):
            return measure(inner) * 2 >= measure(outer)
    return len(inner) * 2 >= len(outer) and any(base(i.opcode) in _MEMORY for i in inner)


def _steady(loop: Loop, blocks: Sequence[Block]) -> tuple[Instruction, ...]:
    return tuple(
        instruction
        for k in sorted(loop.blocks)
        if k <= loop.latch
        for instruction in blocks[k].instructions
    )


def _tensor(body: Sequence[Instruction]) -> int:
    return sum(instruction.pipe == "TENSOR" for instruction in body)


def _arithmetic(body: Sequence[Instruction]) -> int:
    return sum(instruction.pipe in ARITHMETIC for instruction in body)


def _reach(start: int, successors: dict[int, list[int]]) -> set[int]:
    seen: set[int] = set()
    pending = [start]
    while pending:
        block = pending.pop()
        if block not in seen:
            seen.add(block)
            pending += successors[block]
    return seen
