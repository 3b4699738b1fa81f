"""Which part of all weights passes through the judged loop: what the budget says, held against the
code."""

from __future__ import annotations

from typing import Mapping, Sequence

from budget import LoopSpec
from flow import unavoidable
from formula import evaluate
from instruction import Instruction

_ROUNDING = 1e-6


def weights_of(body: Sequence[Instruction], spec: LoopSpec) -> float:
    """Weights that one lane handles in one iteration."""
    if spec.weights is not None:
        return spec.weights
    return sum(
        each * sum(i.opcode.startswith(opcode) for i in body if not i.never)
        for opcode, each in spec.weights_each.items()
    )


def share_of_weights(
    code: Sequence[Instruction],
    body: Sequence[Instruction],
    spec: LoopSpec,
    names: Mapping[str, float],
) -> tuple[float, tuple[str, str, str] | None]:
    """The loop's share of N * K, and what is false about the iterations that lead to it: what, as
    stated, as found."""
    assert spec.iterations is not None
    iterations = evaluate(spec.iterations, names)
    lanes = names["blocks"] * names["warps"] * 32
    everything = names["N"] * names["K"]
    share = lanes * weights_of(body, spec) * iterations / everything
    besides = lanes * weights_of(unavoidable(code, body), spec) / everything
    if share + besides > 1 + _ROUNDING:
        what = "share of the weights" + (" with those outside the loop" if besides else "")
        return share, (what, "at most 1", f"{share + besides:.3f}")
    whole = iterations * names["warps"] if spec.uneven else iterations
    has_tail = weights_of(code, spec) > weights_of(body, spec)
    if has_tail and abs(whole - round(whole)) > _ROUNDING:
        return share, ("iterations of a loop with a tail", "whole", f"{iterations:g}")
    return share, None
