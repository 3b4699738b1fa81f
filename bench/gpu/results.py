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
    """Measurements with what they were made on. `real`: timings of a GPU, not of an emulation.
    `bandwidth`, `peak` and `launch` (seconds from one kernel of a graph to the next) were measured in
    the same run."""

    facts: dict[str, str]
    real: bool
    bandwidth: float | None = None
    peak: float | None = None
    launch: float | None = None
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

    def limits(self, measurement: Measurement) -> dict[str, float]:
        """Seconds that the measured copy bandwidth and matmul peak allow at best."""
        if self.bandwidth is None or self.peak is None:
            return {}
        return {
            "bandwidth": measurement.bytes / self.bandwidth,
            "tensor peak": measurement.operations / self.peak,
        }

    def limit(self, measurement: Measurement) -> float | None:
        return max(self.limits(measurement).values(), default=None)

    def limiter(self, measurement: Measurement) -> str | None:
        """Which of the limits is the tighter."""
        limits = self.limits(measurement)
        return max(limits, key=lambda name: limits[name]) if limits else None

    def largest_gaps(self, count: int) -> list[str]:
        """Our cases that are farthest from their limits, one of a plot; what is known of the cause."""
        worst: dict[str, tuple[float, Measurement]] = {}
        for measurement in self.measurements:
            limit = self.limit(measurement)
            if limit is not None and measurement.ours:
                share = limit / measurement.median
                if measurement.group not in worst or share < worst[measurement.group][0]:
                    worst[measurement.group] = (share, measurement)
        chosen = sorted(worst.values(), key=lambda item: item[0])[:count]
        return [self._gap(share, measurement) for share, measurement in chosen]

    def _gap(self, share: float, measurement: Measurement) -> str:
        where = f"{measurement.group}, {measurement.rows} rows, {measurement.subject}"
        times = f"{measurement.median * 1e6:.1f} µs, {share:.0%} of {self.limiter(measurement)}"
        others = [
            m
            for m in self.measurements
            if not m.ours and (m.group, m.rows) == (measurement.group, measurement.rows)
        ]
        best = min(others, key=lambda m: m.median, default=None)
        peer = f"; {best.subject} takes {best.median * 1e6:.1f} µs" if best else ""
        launch = ""
        if self.launch is not None and self.launch > 0.2 * measurement.median:
            launch = f"; a launch alone takes {self.launch * 1e6:.1f} µs"
        return f"{where}: {times}{peer}{launch}"

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
    if report.launch is not None:
        lines.append(f"- from one kernel of a graph to the next: {report.launch * 1e6:.2f} µs")
    lines += [f"- absent: {name}: {reason}" for name, reason in report.absent.items()]
    lines += [f"- left out, no time: {name}" for name in report.left_out]
    gaps = report.largest_gaps(3)
    if gaps:
        lines += ["", "## Largest gaps to the limits", ""]
        lines += [f"{place}. {gap}" for place, gap in enumerate(gaps, start=1)]
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
        "the share that was reached of the tighter: B bandwidth, T tensor peak.",
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
    if limit is None:
        return text
    letter = (report.limiter(measurement) or "")[0].upper()
    return f"{text} [{limit / measurement.median:.0%} {letter}]"
