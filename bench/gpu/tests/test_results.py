"""Pages and plots of a benchmark."""

from __future__ import annotations

import io
import tempfile
import unittest
import xml.etree.ElementTree as xml
from contextlib import redirect_stdout
from pathlib import Path

import plots
import publish
from results import Measurement, Report, markdown


def sample(real: bool = True) -> Report:
    report = Report({"device": "Test GPU", "driver": "1.2"}, real=real, bandwidth=1e12, peak=1e14)
    for rows in (1, 8, 64):
        for subject, seconds in (("LoraKernels NF4", 10e-6), ("cuBLAS <fp16>", 20e-6)):
            report.measurements.append(
                Measurement("matmul 4x4", rows, subject, seconds * rows, 9e-6, 3e-3, 5e6, 1e6)
            )
    report.absent["torch int4pack"] = "no such operator"
    report.left_out.append("prefill")
    return report


class Page(unittest.TestCase):
    def test_times_and_share_of_the_limit(self) -> None:
        page = markdown(sample(), {})
        # 5 MB at 1 TB/s are 5 us: half of the 10 us that were measured.
        self.assertIn(
            "| 1 | 5.0 | 10.0 (9.0 … 3000.0) [50% B] | 20.0 (9.0 … 3000.0) [25% B] |", page
        )
        self.assertIn("- absent: torch int4pack: no such operator", page)
        self.assertIn("- left out, no time: prefill", page)
        self.assertNotIn("Not GPU timings", page)

    def test_the_largest_gaps_to_the_limits(self) -> None:
        report = sample()
        report.launch = 3e-6
        times = {"matmul": (40e-6, 5e6, 1e6), "LoRA": (10e-6, 1e6, 1e6), "more": (8e-6, 1, 4e8)}
        for group, (seconds, size, operations) in times.items():
            report.measurements.append(
                Measurement(group, 4, "LoraKernels", seconds, 0, 0, size, operations)
            )
        self.assertEqual(
            [
                "matmul 4x4, 64 rows, LoraKernels NF4: 640.0 µs, 1% of bandwidth; "
                "cuBLAS <fp16> takes 1280.0 µs",
                "LoRA, 4 rows, LoraKernels: 10.0 µs, 10% of bandwidth; a launch alone takes 3.0 µs",
            ],
            report.largest_gaps(2),
        )
        self.assertEqual(4, len(report.largest_gaps(9)))
        self.assertIn("50% of tensor peak; a launch", report.largest_gaps(9)[3])
        self.assertIn("3. matmul, 4 rows, LoraKernels: 40.0 µs, 12%", markdown(report, {}))

    def test_without_measured_limits_there_are_no_gaps(self) -> None:
        report = sample()
        report.bandwidth = None
        self.assertEqual([], report.largest_gaps(3))

    def test_what_is_no_gpu_says_so(self) -> None:
        self.assertIn("**Not GPU timings.**", markdown(sample(real=False), {}))

    def test_a_subject_without_a_measurement(self) -> None:
        report = sample()
        del report.measurements[1]
        self.assertIn("| 1 | 5.0 | 10.0 (9.0 … 3000.0) [50% B] | - |", markdown(report, {}))

    def test_saved_and_loaded(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.json"
            sample().save(path)
            self.assertEqual(sample(), Report.load(path))
            self.assertEqual([path], list(Path(folder).iterdir()))


class Plots(unittest.TestCase):
    def test_svg_is_well_formed_and_complete(self) -> None:
        report = sample()
        lines = plots.lines_of(report, report.measurements)
        self.assertEqual(
            ["LoraKernels NF4", "cuBLAS <fp16>", "limit"], [line.label for line in lines]
        )
        root = xml.fromstring(plots.svg("a & b", lines))
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(3, len(root.findall(f"{name}polyline")))
        self.assertEqual(6, len(root.findall(f"{name}circle")))
        texts = {element.text for element in root.findall(f"{name}text")}
        self.assertLessEqual({"a & b", "cuBLAS <fp16>", "1", "8", "64", "10", "1000"}, texts)

    def test_points_lie_where_their_values_are(self) -> None:
        line = plots.Line("x", [(1, 10), (4, 1000)])
        root = xml.fromstring(plots.svg("", [line]))
        points = root.find("{http://www.w3.org/2000/svg}polyline").get("points").split()
        (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points)
        self.assertEqual((70.0, 410.0, 530.0, 40.0), (x1, y1, x2, y2))

    def test_a_single_point(self) -> None:
        xml.fromstring(plots.svg("", [plots.Line("x", [(1, 10)])]))

    def test_slugs(self) -> None:
        self.assertEqual("nvidia-h200", plots.slug("NVIDIA H200"))
        self.assertEqual("unnamed", plots.slug("…"))

    def test_publishing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            sample().save(out / "results.json")
            output = io.StringIO()
            with redirect_stdout(output):
                self.assertEqual(0, publish.main([folder]))
            self.assertTrue((out / "matmul-4x4.svg").is_file())
            self.assertIn("![matmul 4x4](matmul-4x4.svg)", (out / "README.md").read_text("utf-8"))
            if "needs" not in output.getvalue() and "need" not in output.getvalue():
                self.assertTrue((out / "matmul-4x4.png").is_file())
