"""What cuobjdump prints, as this package reads it."""

from __future__ import annotations

import struct
import unittest

import pipes
from cubin import launch_bounds, parse_usage, split_functions
from instruction import parse_listing
from toolkit import shorten

_LISTING = """\
	code for sm_90a
		Function : _Z1fPf
        /*0000*/      LDG.E.128 R4, desc[UR4][R2.64] ;         /* 0x0000000402047981 */
                                                               /* 0x002ee8000c1e1d00 */
        /*0010*/ @!P0 BRA 0x40 ;                               /* 0x0000000402047947 */
                                                               /* 0x000fea0003800000 */
        /*0020*/ @!PT HMMA.16816.F32 R4, R4, R8, R4 ;          /* 0x000000080404723c */
                                                               /* 0x008fe20000001804 */
"""


class Listing(unittest.TestCase):
    def setUp(self) -> None:
        self.code = parse_listing(split_functions(_LISTING)["_Z1fPf"])

    def test_control_codes(self) -> None:
        load = self.code[0]
        self.assertEqual(("LDG.E.128", None, 4), (load.opcode, load.predicate, load.stall))
        self.assertEqual(
            (3, 7, 0b000010), (load.write_scoreboard, load.read_scoreboard, load.wait_mask)
        )

    def test_branches(self) -> None:
        self.assertEqual(
            (0x40, "@!P0", True),
            (self.code[1].target, self.code[1].predicate, self.code[1].falls_through),
        )

    def test_padding_is_not_executed(self) -> None:
        self.assertTrue(self.code[2].never)
        self.assertEqual("CTRL", self.code[2].pipe)


class Usage(unittest.TestCase):
    def test_resources(self) -> None:
        text = " Function _Z1fPf:\n  REG:26 STACK:8 SHARED:1424 LOCAL:0 CONSTANT[0]:552 TEXTURE:0\n"
        self.assertEqual(
            {"_Z1fPf": {"REG": 26, "STACK": 8, "SHARED": 1424, "LOCAL": 0, "TEXTURE": 0}},
            parse_usage(text),
        )

    def test_launch_bounds(self) -> None:
        # Another attribute without a value, then 128 x 2 x 1 threads.
        info = struct.pack("<BBH", 1, 0x2A, 0) + struct.pack("<BBH3I", 4, 5, 12, 128, 2, 1)
        names = b"\0.shstrtab\0.nv.info._Z1fPf\0.nv.info\0"
        other = struct.pack("<BBH3I", 4, 5, 12, 7, 7, 7)
        content = names + info + other
        places = ((1, 0, len(names)), (11, len(names), len(info)), (27, len(names + info), 16))
        headers = b"".join(
            struct.pack("<IIQQQQ24x", name, 1, 0, 0, 64 + offset, size)
            for name, offset, size in places
        )
        start = struct.pack("<40xQ10xHHH", 64 + len(content), 64, 3, 0)
        self.assertEqual({"_Z1fPf": 256}, launch_bounds(start + content + headers))


class Names(unittest.TestCase):
    def test_shortened(self) -> None:
        self.assertEqual(
            "lk::scale<float, 3>", shorten("void lk::scale<float, (int)3>(T1 *, const T1 *, long)")
        )
        self.assertEqual("lk::plain", shorten("lk::plain(float *, int)"))
        for inner in ("<unnamed>", "(anonymous namespace)"):
            self.assertEqual("lk::k<int>", shorten(f"void lk::{inner}::k<int>(T1)"))
        self.assertEqual("lk::k<lk::A<2>, 1>", shorten("void lk::k<lk::A<(int)2>, (bool)1>(int)"))


class Pipes(unittest.TestCase):
    def test_pipes(self) -> None:
        for opcode, pipe in (
            ("HMMA.16816.F32", "TENSOR"),
            ("HGMMA.64x64x16.F32", "TENSOR"),
            ("FFMA", "FMA"),
            ("HFMA2.BF16_V2", "BF16"),
            ("HFMA2", "HALF"),
            ("IMAD.MOV.U32", "IMAD"),
            ("LDGSTS.E.BYPASS.LTC128B.128", "LSU"),
            ("PRMT", "ALU"),
            ("I2F.U8", "XU"),
            ("UIADD3", "UNIFORM"),
            ("BAR.SYNC.DEFER_BLOCKING", "CTRL"),
            ("UBLKCP", "LSU"),
        ):
            self.assertEqual(pipe, pipes.pipe_of(opcode), opcode)

    def test_bytes(self) -> None:
        for opcode, size in (
            ("LDG.E.128", 512),
            ("LDS.64", 256),
            ("LDS.U16", 64),
            ("LDG.E.U8", 32),
            ("LDSM.16.M88.4", 512),
            ("LDSM.16.MT88.2", 256),
            ("SHFL.BFLY", 128),
            ("FFMA", 0),
        ):
            self.assertEqual(size, pipes.data_bytes_of(opcode), opcode)

    def test_named_in_reports(self) -> None:
        for opcode in ("HMMA.16816.F32", "LDGSTS.E", "UTMALDG.2D", "UBLKCP.S.G", "LDSM.16.M88.4"):
            self.assertTrue(pipes.is_tensor_or_copy(opcode), opcode)
        for opcode in ("FFMA", "UTMACMDFLUSH", "LDG.E"):
            self.assertFalse(pipes.is_tensor_or_copy(opcode), opcode)
