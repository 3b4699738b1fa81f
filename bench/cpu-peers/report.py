"""Puts measured cells among those of before, and writes them as a list, tables and a plot.

Usage: report.py CELLS.jsonl PEERS COMMIT STEM
Reads STEM.json and STEM.limits.json where they exist; writes these, STEM.md and STEM.svg.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

_KEY = ("peer", "format", "mode", "isa", "k", "n", "m", "threads", "hot")
_SERIES = ("isa", "k", "n", "threads", "peer", "format", "mode")
_CELL, _ROW, _LEFT, _TOP = 46, 18, 330, 60


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def _load(path: str) -> list[dict]:
    file = Path(path)
    return json.loads(file.read_text()) if file.exists() else []


def merge(old: list[dict], new: list[dict], key: tuple[str, ...]) -> list[dict]:
    """New entries replace old ones of the same key."""
    entries = {tuple(entry[name] for name in key): entry for entry in old + new}
    return [entries[name] for name in sorted(entries)]


def _columns(cells: list[dict]) -> list[tuple[int, bool]]:
    return sorted({(cell["m"], cell["hot"]) for cell in cells})


def _title(m: int, hot: bool) -> str:
    return f"{m} hot" if hot else str(m)


def _grouped(cells: list[dict], names: tuple[str, ...]) -> dict[tuple, list[dict]]:
    groups: dict[tuple, list[dict]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell[name] for name in names), []).append(cell)
    return groups


def _share(cell: dict, limits: dict[int, dict]) -> str:
    """What our side reaches: of the rate of memory or cache, and of the integer dot products' or FMA's."""
    limit = limits.get(cell["threads"])
    if limit is None or cell["isa"] != "best":
        return ""
    seconds = cell["ours_us"] * 1e-6
    rate = cell["weight_bytes"] / seconds * 1e-9 / limit["cache" if cell["hot"] else "memory"]
    products = 2e-9 * cell["m"] * cell["k"] * cell["n"] / seconds
    arithmetic = products / limit["vnni"] if cell["mode"] == "int8" and limit["vnni"] else products / limit["fma"]
    return f"{100 * rate:.0f} / {100 * arithmetic:.0f}"


def tables(cells: list[dict], limits: list[dict], peers: str, commit: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [
        "# CPU kernels beside their peers",
        "",
        f"Last measured {today}, commit {commit}, {_processor()}, {os.cpu_count()} processors. Peers: {peers}.",
        "",
        "Every number is the peer's time over ours, both sides in turn in one run, medians; of one thread the",
        "processor's time, of more the time that passes. Columns are rows of x (M). Cold: weights of different",
        "contents are rotated over 384 MiB; hot: one weight, and so above M = 16, where reading it hardly counts.",
        "x and y are fp32; the allocator gives the peers huge pages where it gives them to us. Errors are of the norm,",
        "against float64, at the largest M.",
        "ggml is repacked unless it says plain (it has no repacking for q4_1). With avx2, ggml is its Haswell build and",
        "ours is LORAKERNELS_CPU=avx2; ONNX Runtime has no such switch.",
        "",
        "| threads | memory | 8 MiB of cache | vpdpbusd | FMA | vdpbf16ps |",
        "|---|---|---|---|---|---|",
    ]
    for limit in limits:
        lines.append(
            f"| {limit['threads']} | {limit['memory']:.1f} GB/s | {limit['cache']:.1f} GB/s | {limit['vnni']:.0f} GOP/s "
            f"| {limit['fma']:.0f} GFLOP/s | {limit['bf16']:.0f} GFLOP/s |"
        )
    by_threads = {limit["threads"]: limit for limit in limits}
    for (isa, k, n, threads), group in _grouped(cells, ("isa", "k", "n", "threads")).items():
        columns = _columns(group)
        path = "" if isa == "best" else f", {isa}"
        lines += ["", f"## K × N = {k} × {n}, {threads} thread{'s' if threads > 1 else ''}{path}", ""]
        titles = [_title(*column) for column in columns]
        for heading, show in (
            ("times as fast", lambda cell: f"{cell['ratio']:.2f}"),
            ("ours, µs", lambda cell: f"{cell['ours_us']:.0f}"),
            ("share of reading / arithmetic limit, %", lambda cell: _share(cell, by_threads)),
        ):
            if isa != "best" and heading.startswith("share"):
                continue
            lines += [f"| {heading} | " + " | ".join(titles) + " | error, peer's |", "|---" * (len(titles) + 2) + "|"]
            for (peer, form, mode), row in _grouped(group, ("peer", "format", "mode")).items():
                found = {(cell["m"], cell["hot"]): cell for cell in row}
                last = max(row, key=lambda cell: cell["m"])
                shown = [show(found[column]) if column in found else "" for column in columns]
                errors = f"{last['ours_error']:.1e}, {last['peer_error']:.1e}"
                lines.append(f"| {peer} {form} {mode} | " + " | ".join(shown) + f" | {errors} |")
            lines.append("")
        lines.pop()
    return "\n".join(lines) + "\n"


def _colour(ratio: float) -> str:
    if ratio < 1:
        return "#e8a0a0"
    return "#dfe9f5" if ratio < 1.5 else "#a9cbe8" if ratio < 2 else "#6fa8d6" if ratio < 3 else "#3f86c0"


def plot(cells: list[dict]) -> str:
    """A cell of the grid each: the darker, the faster; red where the peer is faster."""
    columns = _columns(cells)
    rows = _grouped(cells, _SERIES)
    width = _LEFT + _CELL * len(columns) + 20
    height = _TOP + _ROW * len(rows) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-size="14">Time of the peer over ours, by rows of x</text>',
    ]
    for i, column in enumerate(columns):
        x = _LEFT + i * _CELL + _CELL // 2
        parts.append(f'<text x="{x}" y="{_TOP - 8}" text-anchor="middle">{_title(*column)}</text>')
    for r, (name, row) in enumerate(rows.items()):
        isa, k, n, threads, peer, form, mode = name
        y = _TOP + r * _ROW
        path = "" if isa == "best" else f" {isa}"
        label = f"{peer} {form} {mode}, {k}x{n}, {threads}t{path}"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{label}</text>')
        for cell in row:
            x = _LEFT + columns.index((cell["m"], cell["hot"])) * _CELL
            parts.append(
                f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_ROW - 2}" fill="{_colour(cell["ratio"])}"/>'
            )
            parts.append(f'<text x="{x + _CELL // 2}" y="{y + 12}" text-anchor="middle">{cell["ratio"]:.2f}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def main() -> None:
    measured, peers, commit, stem = sys.argv[1:]
    entries = [json.loads(line) for line in Path(measured).read_text().splitlines()]
    cells = merge(_load(stem + ".json"), [entry for entry in entries if "peer" in entry], _KEY)
    limits = merge(_load(stem + ".limits.json"), [entry for entry in entries if "peer" not in entry], ("threads",))
    for path, found in ((stem + ".json", cells), (stem + ".limits.json", limits)):
        Path(path).write_text("[\n" + ",\n".join(json.dumps(entry) for entry in found) + "\n]\n")
    Path(stem + ".md").write_text(tables(cells, limits, peers, commit))
    Path(stem + ".svg").write_text(plot(cells))


if __name__ == "__main__":
    main()
