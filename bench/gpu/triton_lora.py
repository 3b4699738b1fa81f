"""The LoRA kernels that others write: grouped shrink and expand in Triton, as in Punica and vLLM.

Rows are sorted by adapter; a program takes up to 16 rows of one adapter. The shrink splits K and sums
with atomic additions; the expand adds into y.
"""

from __future__ import annotations

from typing import Any, Sequence

import triton
import triton.language as tl

_ROWS = 16
_SPLITS = 16


@triton.jit
def _shrink(
    x, a, s, rows, tiles, k, rank,
    ROWS: tl.constexpr, RANK: tl.constexpr, K: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """s[row] += x[row] A^T over one of SPLITS parts of k; tiles: adapter, first place, count."""
    tile = tl.program_id(0)
    adapter = tl.load(tiles + 3 * tile).to(tl.int64)
    place = tl.load(tiles + 3 * tile + 1) + tl.arange(0, ROWS)
    inside = tl.arange(0, ROWS) < tl.load(tiles + 3 * tile + 2)
    row = tl.load(rows + place, mask=inside, other=0).to(tl.int64)
    r = tl.arange(0, RANK)
    total = tl.zeros((ROWS, RANK), dtype=tl.float32)
    for start in range(tl.program_id(1) * K, k, SPLITS * K):
        column = start + tl.arange(0, K)
        in_k = column < k
        part = tl.load(
            x + row[:, None] * k + column[None, :], mask=inside[:, None] & in_k[None, :], other=0.0
        )
        factor = tl.load(
            a + adapter * rank * k + r[None, :] * k + column[:, None],
            mask=(r < rank)[None, :] & in_k[:, None],
            other=0.0,
        )
        total += tl.dot(part, factor)
    tl.atomic_add(
        s + row[:, None] * rank + r[None, :], total, mask=inside[:, None] & (r < rank)[None, :]
    )


@triton.jit
def _expand(
    s, b, y, rows, tiles, n, rank, scale,
    ROWS: tl.constexpr, RANK: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """y[row] += scale * s[row] B^T for N columns."""
    tile = tl.program_id(0)
    adapter = tl.load(tiles + 3 * tile).to(tl.int64)
    place = tl.load(tiles + 3 * tile + 1) + tl.arange(0, ROWS)
    inside = tl.arange(0, ROWS) < tl.load(tiles + 3 * tile + 2)
    row = tl.load(rows + place, mask=inside, other=0).to(tl.int64)
    r = tl.arange(0, RANK)
    column = tl.program_id(1) * N + tl.arange(0, N)
    in_n = column < n
    part = tl.load(
        s + row[:, None] * rank + r[None, :], mask=inside[:, None] & (r < rank)[None, :], other=0.0
    )
    factor = tl.load(
        b + adapter * n * rank + column[None, :] * rank + r[:, None],
        mask=in_n[None, :] & (r < rank)[:, None],
        other=0.0,
    )
    update = tl.dot(part.to(factor.dtype), factor) * scale
    target = y + row[:, None] * n + column[None, :]
    mask = inside[:, None] & in_n[None, :]
    old = tl.load(target, mask=mask, other=0.0)
    tl.store(target, (old.to(tl.float32) + update).to(old.dtype), mask=mask)


class Grouped:
    """The plan of a batch in which row r has adapter assignment[r], and its two launches."""

    def __init__(
        self, torch: Any, assignment: Sequence[int], rank: int, shape: tuple[int, int], device: str
    ):
        self.n, self.k = shape
        self.rank = rank
        # The least that tl.dot takes is 16.
        self.padded = max(16, triton.next_power_of_2(rank))
        order = sorted(range(len(assignment)), key=lambda row: assignment[row])
        tiles: list[tuple[int, int, int]] = []
        for place, row in enumerate(order):
            adapter = assignment[row]
            if not tiles or tiles[-1][0] != adapter or tiles[-1][2] == _ROWS:
                tiles.append((adapter, place, 0))
            tiles[-1] = (*tiles[-1][:2], tiles[-1][2] + 1)
        self.count = len(tiles)
        self.rows = torch.tensor(order, device=device, dtype=torch.int32)
        self.tiles = torch.tensor(tiles, device=device, dtype=torch.int32)
        self.s = torch.zeros(len(assignment), rank, device=device, dtype=torch.float32)

    def add(self, y: Any, x: Any, a: Any, b: Any, scale: float) -> None:
        """y += scale * (x A^T) B^T with A [adapters, rank, K] and B [adapters, N, rank]."""
        self.s.zero_()
        _shrink[(self.count, _SPLITS)](
            x, a, self.s, self.rows, self.tiles, self.k, self.rank,
            ROWS=_ROWS, RANK=self.padded, K=128, SPLITS=_SPLITS,
        )  # fmt: skip
        _expand[(self.count, triton.cdiv(self.n, 128))](
            self.s, b, y, self.rows, self.tiles, self.n, self.rank, scale,
            ROWS=_ROWS, RANK=self.padded, N=128,
        )  # fmt: skip
