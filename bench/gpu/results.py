"""What a benchmark measured: kept as JSON, shown as a Markdown page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

OURS = "LoraKernels"


@dataclass(frozen=True)
class Measurement:
    """One subject in one case: `group` is a plot, `rows` its horizontal axis; seconds a call.

    `bytes` and `operations` are the least that any implementation must move and compute.
    """

    group: str
    rows: int
    subject: str
    median: float
    low: float
    high: float
    bytes: float
    operations: float

    @property
    def ours(self) -> bool:
        return self.subject.startswith(OURS)


@dataclass
class Report:
    """Measurements with what they were made on. `real`: timings of a GPU, not of an emulation."""

    facts: dict[str, str]
    real: bool
    bandwidth: float | None = None
    peak: float | None = None
    measurements: list[Measurement] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Written whole or not at all: a run that is stopped leaves its last complete state."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> "Report":
        content = json.loads(path.read_text(encoding="utf-8"))
        content["measurements"] = [Measurement(**item) for item in content["measurements"]]
        return Report(**content)

    def limit(self, measurement: Measurement) -> float | None:
        """The time that the measured copy bandwidth and matmul peak allow at best."""
        if self.bandwidth is None or self.peak is None:
            return None
        return max(measurement.bytes / self.bandwidth, measurement.operations / self.peak)

    def groups(self) -> dict[str, list[Measurement]]:
        groups: dict[str, list[Measurement]] = {}
        for measurement in self.measurements:
            groups.setdefault(measurement.group, []).append(measurement)
        return groups


def markdown(report: Report, plots: dict[str, str]) -> str:
    """The page. `plots` maps a group to its picture's file name."""
    title = report.facts.get("device", "unknown device")
    lines = [f"# {title}", ""]
    if not report.real:
        lines += ["**Not GPU timings.** This run only shows that every part works.", ""]
    lines += [f"- {name}: {value}" for name, value in report.facts.items()]
    if report.bandwidth is not None:
        lines.append(f"- measured copy bandwidth: {report.bandwidth / 1e12:.2f} TB/s")
    if report.peak is not None:
        lines.append(f"- measured matmul peak: {report.peak / 1e12:.0f} TFLOP/s")
    lines += [f"- absent: {name}: {reason}" for name, reason in report.absent.items()]
    lines += [f"- left out, no time: {name}" for name in report.left_out]
    for group, measurements in report.groups().items():
        lines += ["", f"## {group}", ""]
        if group in plots:
            lines += [f"![{group}]({plots[group]})", ""]
        lines += _table(report, measurements)
    lines += [
        "",
        "Microseconds for one call, median of alternating rounds (least … most). Weights and",
        "adapters rotate through more memory than the L2 cache holds. Limit: what the measured",
        "bandwidth and peak allow for the bytes and operations that the case needs; in brackets",
        "the share that was reached.",
    ]
    return "\n".join(lines) + "\n"


def _table(report: Report, measurements: list[Measurement]) -> list[str]:
    subjects = list(dict.fromkeys(m.subject for m in measurements))
    lines = ["| rows | limit | " + " | ".join(subjects) + " |", "|" + "---:|" * (len(subjects) + 2)]
    for rows in sorted({m.rows for m in measurements}):
        here = {m.subject: m for m in measurements if m.rows == rows}
        # The case's own limit: that of the subject which needs the fewest bytes.
        limits = [limit for m in here.values() if (limit := report.limit(m)) is not None]
        cells = [str(rows), f"{min(limits) * 1e6:.1f}" if limits else "-"]
        for subject in subjects:
            cells.append(_cell(report, here.get(subject)))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(report: Report, measurement: Measurement | None) -> str:
    if measurement is None:
        return "-"
    middle, low, high = (
        f"{seconds * 1e6:.1f}"
        for seconds in (measurement.median, measurement.low, measurement.high)
    )
    text = f"{middle} ({low} … {high})"
    limit = report.limit(measurement)
    return text if limit is None else f"{text} [{limit / measurement.median:.0%}]"
