"""Blocks, loops and the choice of the main loop."""

from __future__ import annotations

import unittest

from flow import basic_blocks, loops, main_loop, unavoidable, straight_line
from tests.synthetic import assemble


def opcodes(body) -> list[str]:
    return [instruction.opcode for instruction in body]


class Flow(unittest.TestCase):
    def test_straight_code_has_one_block(self) -> None:
        code = assemble("MOV", "FFMA", "EXIT", "BRA 0x30")
        self.assertEqual(1, len(basic_blocks(code)))
        self.assertEqual((), main_loop(code))
        self.assertEqual(["MOV", "FFMA", "EXIT"], opcodes(straight_line(code)))

    def test_a_loop(self) -> None:
        code = assemble("MOV", "LDG.E", "FFMA", "@P0 BRA 0x10", "EXIT")
        self.assertEqual(1, len(loops(basic_blocks(code))))
        self.assertEqual(["LDG.E", "FFMA", "BRA"], opcodes(main_loop(code)))

    def test_the_innermost_loop_with_tensor_instructions(self) -> None:
        code = assemble(
            "MOV", "LDG.E", "HMMA.16816.F32", "@P0 BRA 0x10", "FFMA", "FFMA", "@P1 BRA 0x0", "EXIT"
        )
        self.assertEqual(["LDG.E", "HMMA.16816.F32", "BRA"], opcodes(main_loop(code)))

    def test_a_spin_inside_counts_once(self) -> None:
        code = assemble(
            "MOV",
            "SYNCS.TRYWAIT",
            "@!P0 BRA 0x10",
            "LDS.128",
            "HMMA.16816.F32",
            "@P1 BRA 0x10",
            "EXIT",
        )
        self.assertEqual(
            ["SYNCS.TRYWAIT", "BRA", "LDS.128", "HMMA.16816.F32", "BRA"], opcodes(main_loop(code))
        )

    def test_retry_paths_behind_the_latch_are_left_out(self) -> None:
        code = assemble(
            "SYNCS.TRYWAIT",
            "@!P0 BRA 0x60",
            "LDS.128",
            "HMMA.16816.F32",
            "@P1 BRA 0x0",
            "EXIT",
            "SYNCS.TRYWAIT",
            "@!P0 BRA 0x60",
            "BRA 0x20",
        )
        self.assertEqual(
            ["SYNCS.TRYWAIT", "BRA", "LDS.128", "HMMA.16816.F32", "BRA"], opcodes(main_loop(code))
        )

    def test_unreachable_code_closes_no_loop(self) -> None:
        code = assemble("LDG.E", "FFMA", "EXIT", "FFMA", "BRA 0x0")
        self.assertEqual([], loops(basic_blocks(code)))

    def test_a_conditional_branch_operand_falls_through(self) -> None:
        code = assemble("LDG.E", "BRA !UP0, 0x0", "FFMA", "EXIT")
        self.assertEqual(["LDG.E", "BRA"], opcodes(main_loop(code)))
        self.assertEqual(2, len(basic_blocks(code)))

    def test_a_loop_without_arithmetic(self) -> None:
        code = assemble("MOV", "LDG.E.128", "LOP3.LUT", "STG.E.128", "@P0 BRA 0x10", "EXIT")
        self.assertEqual(["LDG.E.128", "LOP3.LUT", "STG.E.128", "BRA"], opcodes(main_loop(code)))

    def test_chosen_by_an_opcode(self) -> None:
        code = assemble(
            *("LDG.E", "FFMA", "FFMA", "@P0 BRA 0x0"),
            *("LDG.E", "I2F.U8", "@P0 BRA 0x40", "@P1 BRA 0x0", "EXIT"),
        )
        self.assertEqual(["LDG.E", "I2F.U8", "BRA"], opcodes(main_loop(code, "I2F")))
        self.assertEqual(["LDG.E", "FFMA", "FFMA", "BRA"], opcodes(main_loop(code, "FFMA")))
        self.assertEqual((), main_loop(code, "HMMA"))

    def test_what_every_way_through_the_loop_passes(self) -> None:
        code = assemble(
            *("MOV", "@P0 BRA 0x30", "IADD3", "LDG.E", "FFMA", "@P0 BRA 0x30"),
            *("FMUL", "@P1 BRA 0x90", "FADD", "STG.E", "@P2 EXIT", "FADD", "EXIT"),
        )
        body = main_loop(code)
        self.assertEqual(["LDG.E", "FFMA", "BRA"], opcodes(body))
        self.assertEqual(
            ["MOV", "BRA", "FMUL", "BRA", "STG.E", "EXIT"], opcodes(unavoidable(code, body))
        )

    def test_one_way_where_it_branches(self) -> None:
        code = assemble(
            *("LDG.E", "@P0 BRA 0x50"),
            *("IADD3", "IADD3", "BRA 0xb0"),
            *("LOP3.LUT", "@P1 BRA 0xb0", "SHF", "SHF", "SHF", "SHF"),
            *("HMMA.16816.F32", "@P2 BRA 0x0", "EXIT"),
        )
        ends = ["HMMA.16816.F32", "BRA"]
        self.assertEqual(
            ["LDG.E", "BRA", "LOP3.LUT", "BRA", *["SHF"] * 4, *ends],
            opcodes(main_loop(code, path="longest")),
        )
        self.assertEqual(
            ["LDG.E", "BRA", "LOP3.LUT", "BRA", *ends], opcodes(main_loop(code, path="shortest"))
        )

    def test_a_way_through_the_tensor_instructions(self) -> None:
        code = assemble(
            *("LDG.E", "@P0 BRA 0x40", "HMMA.16816.F32", "BRA 0x70"),
            *("IADD3", "IADD3", "IADD3", "@P2 BRA 0x0", "EXIT"),
        )
        expected = ["LDG.E", "BRA", "HMMA.16816.F32", "BRA", "BRA"]
        self.assertEqual(expected, opcodes(main_loop(code, path="longest")))
