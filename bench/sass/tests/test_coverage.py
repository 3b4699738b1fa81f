"""What a budget says of a loop, held against its code."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import budget
from cubin import Kernel
from formula import FormulaError, evaluate
from judge import judge
from tests.synthetic import assemble

# One record of 32 rows x 128 k a warp: codes in four loads, scales in one of 8 bytes.
_RECORD = ("LDG.E.NA.128.CONSTANT",) * 4 + ("LDG.E.NA.64.CONSTANT",) + ("HMMA.16816.F32",) * 16
_LOADS = {"codes": {"bytes": 0.5}, "scales": {"bytes": 1 / 64, "lanes": 4}}


def kernel(*lines: str) -> Kernel:
    return Kernel("lk::decode", "", "sm_90a", 64, 0, 0, 0, 512, assemble(*lines))


def looped(*body: str, tail: tuple[str, ...] = ()) -> Kernel:
    """The tail may be left out."""
    end = 16 * (len(body) + len(tail) + 3)
    return kernel("MOV", *body, "@P0 BRA 0x10", f"@P1 BRA {end:#x}", *tail, "EXIT")


class Claims(unittest.TestCase):
    def found(
        self,
        subject: Kernel,
        iterations: Any = "K // 128 // warps",
        loads: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        uneven: bool = False,
        **launch: Any,
    ) -> list[str]:
        loop = {
            "weights_each": {"HMMA": 8},
            "iterations": iterations,
            "uneven": uneven,
            "loads": loads or _LOADS,
        }
        shapes = [{"M": 1, "N": 4096, "K": 8192}]
        entry = {
            "kernel": "lk::decode",
            "launch": {"blocks": "N // 32", "shapes": shapes, **launch},
            "loops": [loop],
            "limits": {"all": limits or {}},
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "budget.json"
            path.write_text(json.dumps({"kernels": [entry]}), encoding="utf-8")
            self.facts, violations = judge([subject], budget.read(path))
        return [f"{v.what}: {v.limit}, {v.actual}" for v in violations]

    def test_all_weights_in_the_loop(self) -> None:
        self.assertEqual([], self.found(looped(*_RECORD)))
        loop = self.facts[0].loops[0]
        self.assertEqual((1.0, "M=1 N=4096 K=8192"), (loop.share, loop.shape))
        self.assertEqual(32 * (0.5 + 1 / 64), loop.memory_bytes)

    def test_a_tail_takes_too_much(self) -> None:
        # 64 records for 16 warps, three an iteration: the fourth goes to the tail.
        unrolled = looped(*_RECORD * 3, tail=_RECORD)
        self.assertEqual(
            ["min_share at M=1 N=4096 K=8192: 0.95, 0.750"],
            self.found(unrolled, "K // 128 // warps // 3"),
        )
        self.assertEqual(
            [], self.found(unrolled, "K // 128 // warps // 3", limits={"min_share": 0.7})
        )

    def test_a_tail_forbids_parts_of_iterations(self) -> None:
        formula = "K / 128 / warps / 3"
        where = "iterations of a loop with a tail at M=1 N=4096 K=8192"
        self.assertEqual(
            [f"{where}: whole, 1.33333"],
            self.found(looped(*_RECORD * 3, tail=_RECORD), formula),
        )
        self.assertEqual([], self.found(looped(*_RECORD * 3), formula))

    def test_warps_with_different_iterations(self) -> None:
        # 64 records for 24 warps: 16 of them have three, 8 two.
        subject = looped(*_RECORD, tail=_RECORD)
        formula = "K / 128 / warps"
        where = "iterations of a loop with a tail at M=1 N=4096 K=8192"
        self.assertEqual(
            [f"{where}: whole, 2.66667"], self.found(subject, formula, threads=768)
        )
        self.assertEqual([], self.found(subject, formula, uneven=True, threads=768))
        self.assertEqual(
            [f"{where}: whole, 2.64062"],
            self.found(subject, "(K / 128 - 5 / 8) / warps", uneven=True, threads=768),
        )

    def test_stages_that_are_always_left_over(self) -> None:
        # A pipeline: every warp's last record is outside the loop, so that three are in it, not four.
        drained = kernel("MOV", *_RECORD, "@P0 BRA 0x10", *_RECORD, "EXIT")
        where = "share of the weights with those outside the loop at M=1 N=4096 K=8192"
        self.assertEqual([f"{where}: at most 1, 1.250"], self.found(drained))
        self.assertEqual(
            ["min_share at M=1 N=4096 K=8192: 0.95, 0.750"],
            self.found(drained, "K // 128 // warps - 1"),
        )

    def test_more_weights_than_there_are(self) -> None:
        # The compiler unrolled what the budget takes for one record.
        where = "share of the weights at M=1 N=4096 K=8192"
        self.assertEqual([f"{where}: at most 1, 2.000"], self.found(looped(*_RECORD * 2)))

    def test_loads_that_do_not_fit_the_weights(self) -> None:
        where = "bytes of a lane by the other loads at M=1 N=4096 K=8192"
        self.assertEqual([f"{where}: 72, 56"], self.found(looped(*_RECORD[1:])))
        self.assertEqual(
            [f"{where}: 64, 72"], self.found(looped(*_RECORD), loads={"codes": {"bytes": 0.5}})
        )

    def test_loads_told_apart_by_opcode(self) -> None:
        subject = looped("LDG.E.128", *_RECORD)
        x = {"bytes": 1 / 64, "lanes": 8, "opcode": "LDG.E.128", "cached": True}
        self.assertEqual([], self.found(subject, loads={**_LOADS, "x": x}))
        self.assertEqual(32 * (0.5 + 1 / 64), self.facts[0].loops[0].memory_bytes)
        self.assertEqual(
            ["bytes of a lane by LDG.E.128 at M=1 N=4096 K=8192: 32, 16"],
            self.found(subject, loads={**_LOADS, "x": {**x, "lanes": 16}}),
        )

    def test_stores_are_counted_as_they_are(self) -> None:
        self.found(looped(*_RECORD, "STG.E"))
        self.assertEqual(32 * (0.5 + 1 / 64 + 4 / 128), self.facts[0].loops[0].memory_bytes)

    def test_every_shape_is_judged(self) -> None:
        shapes = [{"M": m, "N": 8192, "K": 8192} for m in (1, 8)]
        found = self.found(looped(*_RECORD), shapes=shapes, limits={"per_weight": {"TOTAL": 0.01}})
        self.assertEqual(["M=1", "M=8"], [line.split()[5] for line in found])

    def test_shared_memory_that_does_not_fit(self) -> None:
        self.assertEqual(
            ["main loop with weights, launched: 1 times, 0"],
            self.found(looped(*_RECORD), dynamic_shared="M * K * 32"),
        )

    def test_no_more_blocks_than_are_launched(self) -> None:
        self.found(looped(*_RECORD))
        self.assertEqual(16, self.facts[0].loops[0].warps)
        self.found(looped(*_RECORD), shapes=[{"N": 132 * 64, "K": 8192}])
        self.assertEqual(32, self.facts[0].loops[0].warps)

    def test_budgets_that_cannot_be_meant(self) -> None:
        for launch in (
            {"blocks": None},
            {"blocks": "N // 0"},
            {"dynamic_shared": "rows * 2"},
            {"shapes": [{"M": 1, "N": 4096}]},
        ):
            with self.subTest(launch=launch), self.assertRaises(budget.BudgetError):
                self.found(looped(*_RECORD), **launch)
        for iterations in ("K // tiles", "__import__('os')", "K.real"):
            with self.subTest(iterations=iterations), self.assertRaises(budget.BudgetError):
                self.found(looped(*_RECORD), iterations)


class Formulas(unittest.TestCase):
    def test_values(self) -> None:
        for formula, value in (
            (3, 3),
            ("ceil_div(N, 32) * 2 - 1", 5),
            ("max(N, 80) / 16", 5),
            ("min(N, 40) // 16 + N % 32", 3),
        ):
            self.assertEqual(value, evaluate(formula, {"N": 65}))

    def test_refused(self) -> None:
        for formula in ("N +", "M", "N ** 2", "N if N else 1", "[N]", "round(N)", "'N'", "N // 0"):
            with self.subTest(formula=formula), self.assertRaises(FormulaError):
                evaluate(formula, {"N": 65})
