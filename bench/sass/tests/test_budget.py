"""Budgets: what is read, and what exceeds them."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import budget
import table
from cubin import Kernel
from instruction import Instruction
from judge import judge
from tests.synthetic import assemble


def kernel(
    *lines: str, name: str = "lk::decode<4>", architecture: str = "sm_90a", registers: int = 64
) -> Kernel:
    code = assemble(*(lines or _LOOP))
    return Kernel(name, name, architecture, registers, 0, 0, 0, 128, code)


_LOOP = ("MOV", "LDG.E.128", "LOP3.LUT", "HMMA.16816.F32", "@P0 BRA 0x10", "EXIT")


class Budget(unittest.TestCase):
    def read(self, *entries: dict[str, Any]) -> list[budget.Entry]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "budget.json"
            path.write_text(json.dumps({"kernels": list(entries)}), encoding="utf-8")
            return budget.read(path)

    def violations(self, limits: dict[str, Any], *kernels: Kernel, **entry: Any) -> list[str]:
        content = {
            "kernel": "lk::decode<.*>",
            "loops": [{"weights_each": {"HMMA": 8}}],
            "limits": {"all": limits},
            **entry,
        }
        found = judge(kernels or (kernel(),), self.read(content))[1]
        return [f"{v.what}: {v.limit}, {v.actual}" for v in found]

    def test_within_the_budget(self) -> None:
        self.assertEqual(
            [],
            self.violations(
                {
                    "registers": 64,
                    "must": ["HMMA.16816"],
                    "must_not": ["HGMMA"],
                    "per_weight": {"TOTAL": 0.5, "ALU": 0.125},
                    "min_occupancy": 0.5,
                    "min_bandwidth": 0.1,
                }
            ),
        )

    def test_registers(self) -> None:
        self.assertEqual(["registers: 63, 64"], self.violations({"registers": 63}))

    def test_spills_are_forbidden_unless_allowed(self) -> None:
        spilling = kernel(
            "MOV", "LDG.E.128", "STL", "LDL", "HMMA.16816.F32", "@P0 BRA 0x10", "EXIT"
        )
        self.assertEqual(["spills: 0, 2"], self.violations({}, spilling))
        self.assertEqual([], self.violations({"spills": 2}, spilling))

    def test_opcodes(self) -> None:
        self.assertEqual(
            ["opcode LDGSTS: present, absent", "opcode LOP3: absent, LOP3.LUT"],
            self.violations({"must": ["LDGSTS"], "must_not": ["LOP3"]}),
        )

    def test_instructions_per_weight(self) -> None:
        self.assertEqual(
            ["TOTAL instructions per weight: 0.450, 0.500"],
            self.violations({"per_weight": {"TOTAL": 0.45, "ALU": 0.125}}),
        )

    def test_least_values(self) -> None:
        found = self.violations(
            {"min_occupancy": 0.99, "min_bytes_in_flight": 10**6, "min_tensor": 0.99}
        )
        self.assertEqual(
            ["min_occupancy", "min_bytes_in_flight", "min_tensor"],
            [line.split(":")[0] for line in found],
        )

    def test_unknown_is_not_enough(self) -> None:
        unknown = kernel(architecture="sm_120")
        self.assertIn(
            "min_occupancy: 0.1, unknown", self.violations({"min_occupancy": 0.1}, unknown)
        )

    def test_loops_in_turn_add_up(self) -> None:
        first = ("LDG.E.128", "LOP3.LUT", "@P0 BRA 0x0")
        second = ("LDS.128", "FFMA", "FFMA", "@P0 BRA 0x30", "EXIT")
        loops = [
            {"weights_each": {"FFMA": 1}, "opcode": "FFMA"},
            {"weights_each": {"LDG": 4}, "opcode": "LDG"},
        ]
        entry = self.read({"kernel": "lk::decode<.*>", "loops": loops})
        facts, violations = judge([kernel(*first, *second)], entry)
        self.assertEqual([], violations)
        # Four instructions for two weights, and three for four.
        self.assertEqual(4 / 2 + 3 / 4, facts[0].loops[0].per_weight["TOTAL"])
        # A 16-byte load for four weights.
        self.assertEqual(32 * 4, facts[0].loops[0].memory_bytes)
        alone = judge([kernel(*first, "EXIT")], self.read({"kernel": ".*", "loops": loops[1:]}))[0][
            0
        ]
        self.assertLess(facts[0].loops[0].free_bandwidth, alone.loops[0].free_bandwidth)

    def test_a_loop_that_is_not_found(self) -> None:
        self.assertEqual(
            ["main loop with weights, launched: 1 times, 0"],
            self.violations({}, kernel("MOV", "FFMA", "EXIT")),
        )
        self.assertEqual(
            ["main loop with weights, launched: 1 times, 0"],
            self.violations({}, loops=[{"weights_each": {"IMMA": 8}}]),
        )

    def limited(self, limits: dict[str, Any], architecture: str) -> list[str]:
        entries = self.read({"kernel": "lk::decode<.*>", "limits": limits})
        found = judge([kernel(architecture=architecture)], entries)[1]
        return [f"{v.what}: {v.limit}, {v.actual}" for v in found]

    def test_an_architecture_replaces_single_limits(self) -> None:
        limits = {"all": {"registers": 32, "must": ["HMMA"]}, "sm_90": {"registers": 64}}
        self.assertEqual([], self.limited(limits, "sm_90a"))
        self.assertEqual(["registers: 32, 64"], self.limited(limits, "sm_80"))

    def test_an_architecture_has_loops_of_its_own(self) -> None:
        loops = {"all": [{"weights_each": {"HMMA": 8}}], "sm_80": [{"weights_each": {"HMMA": 4}}]}
        entries = self.read({"kernel": "lk::decode<.*>", "loops": loops})
        facts = judge([kernel(), kernel(architecture="sm_80")], entries)[0]
        per_weight = {f.architecture: f.loops[0].per_weight["TOTAL"] for f in facts}
        self.assertEqual(2 * per_weight[kernel().architecture], per_weight["sm_80"])

    def test_kernels_and_budgets_must_meet(self) -> None:
        self.assertEqual(
            ["budget entries: 1, none"], self.violations({}, kernel(), kernel(name="lk::other"))
        )
        found = judge(
            [kernel(name="lk::other")], self.read({"kernel": "lk::gone"}, {"kernel": "lk::other"})
        )[1]
        self.assertEqual(["lk::gone"], [violation.kernel for violation in found])
        twice = judge(
            [kernel()], self.read({"kernel": "lk::decode<4>"}, {"kernel": "lk::decode<.*>"})
        )[1]
        self.assertEqual(["budget entries"], [violation.what for violation in twice])

    def test_files_that_cannot_be_meant(self) -> None:
        for entry in (
            {"kernel": "a", "limit": {}},
            {"kernel": "("},
            {"limits": {}},
            {"kernel": "a", "limits": {"sm_90a": {}}},
            {"kernel": "a", "loops": [{"wieghts": 1}]},
            {"kernel": "a", "loops": {"sm_90a": [{"weights": 1}]}},
            {"kernel": "a", "limits": {"all": {"register": 1}}},
            {"kernel": "a", "limits": {"all": {"registers": "64"}}},
            {"kernel": "a", "limits": {"all": {"per_weight": {"ALUS": 1}}}},
        ):
            with self.subTest(entry=entry), self.assertRaises(budget.BudgetError):
                self.read(entry)


class Tables(unittest.TestCase):
    def test_every_form_has_the_kernel(self) -> None:
        loops = (budget.LoopSpec(weights_each={"HMMA": 8}),)
        entry = budget.Entry("", "lk::decode<.*>", budget.Launch(threads=128), {"all": loops})
        facts, violations = judge([kernel()], [entry])
        self.assertEqual([], violations)
        for text in (table.text(facts), table.markdown(facts, "12.4")):
            self.assertIn("lk::decode<4>", text)
            self.assertIn("HMMA.16816.F32 x1", text)
        content = json.loads(table.as_json(facts, violations, "12.4"))
        self.assertEqual(0.5, content["kernels"][0]["loops"][0]["per_weight"]["TOTAL"])

    def test_instructions_that_never_execute_are_not_counted(self) -> None:
        code = (Instruction(0, "@!PT HMMA", "HMMA.16816.F32", "@!PT"), *assemble("EXIT"))
        self.assertEqual(
            {"EXIT": 1}, Kernel("k", "k", "sm_80", 1, 0, 0, 0, None, code).opcode_counts()
        )
