"""Turns cpu-peers.json into a table and a plot.

Usage: report.py RESULTS.json OUTPUT.txt PEERS COMMIT STEM
OUTPUT.txt is what the measuring program printed: it has the machine's limits. Writes STEM.md and STEM.svg.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

_WIDTH, _ROW, _LEFT, _TOP = 900, 18, 330, 40
_COLOURS = {"int8": "#2a6fbb", "precise": "#c06030"}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def _name(row: dict) -> str:
    temperature = "hot" if row["hot"] else "cold"
    return f"{row['format']} {row['mode']} {row['k']}x{row['n']} M={row['m']} {row['threads']}t {temperature}"


def table(rows: list[dict], limits: list[str], peers: str, commit: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [
        "# CPU kernels beside their peers",
        "",
        f"{today}, commit {commit}, {_processor()}, {os.cpu_count()} processors. Peers: {peers}.",
        "",
        "Median times of one matmul in µs, both sides in turn in one run; of one thread the processor's",
        "time, of more the time that passes. Cold: the weights are rotated over 384 MiB (48 MiB from M = 17",
        "on); hot: one weight. x and y are fp32. Errors are of the norm, against float64.",
        "ratio = peer / ours.",
        "",
        *[f"- {limit}" for limit in limits],
        "",
        "| peer | weight | mode | K | N | M | threads | | ours | peer | ratio | our error | peer's |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['peer']} | {row['format']} | {row['mode']} | {row['k']} | {row['n']} | {row['m']} "
            f"| {row['threads']} | {'hot' if row['hot'] else 'cold'} | {row['ours_us']:.0f} | {row['peer_us']:.0f} "
            f"| {row['ratio']:.2f} | {row['ours_error']:.1e} | {row['peer_error']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: list[dict]) -> str:
    """Bars of the ratios; the line is 1: as fast as the peer."""
    most = max(row["ratio"] for row in rows)
    scale = (_WIDTH - _LEFT - 60) / max(most, 1)
    height = _TOP + _ROW * len(rows) + 20
    one = _LEFT + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-size="14">Time of the peer over ours</text>',
    ]
    for i, row in enumerate(rows):
        y = _TOP + i * _ROW
        label = f"{row['peer']} {_name(row)}"
        length = row["ratio"] * scale
        colour = _COLOURS[row["mode"]]
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 11}" text-anchor="end">{label}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="13" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + length + 5:.1f}" y="{y + 11}">{row["ratio"]:.2f}</text>')
    parts.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{_TOP - 6}" y2="{height - 14}" stroke="black"/>')
    return "\n".join(parts) + "\n</svg>\n"


def main() -> None:
    results, output, peers, commit, stem = sys.argv[1:]
    rows = json.loads(Path(results).read_text())
    limits = [line for line in Path(output).read_text().splitlines() if line.startswith("limits")]
    Path(stem + ".md").write_text(table(rows, limits, peers, commit))
    Path(stem + ".svg").write_text(plot(rows))


if __name__ == "__main__":
    main()
