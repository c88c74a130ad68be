"""What comes of the figures: the table, its goals, the plots."""
import statistics
import subprocess

from rows import GOALS, PEERS, SWEEPS

COLUMNS = ("cofre", *PEERS, "pgbench")


def median(results, figure):
    values = [r[figure] for r in results if figure in r]
    return statistics.median(values) if values else None


def largest_step(found, mix):
    """largest_step: by how much CPU µs an operation grows at most from one point of a sweep to the next."""
    costs = [p["total_us"] for p in found.get(f"cofre {mix}", ())]
    steps = [b / a for a, b in zip(costs, costs[1:]) if a > 0]
    return [max(steps)] if steps else []


def ratios(goal, found):
    """ratios returns what is judged, for each round."""
    if goal.figure.startswith("step "):
        return largest_step(found, goal.figure.split()[1])
    ours = [r[goal.figure] for r in found.get(goal.ours, ())]
    if not goal.against:
        return ours
    best = min if goal.bound == "most" else max
    out = []
    for number, value in enumerate(ours):
        theirs = [found[p][number][goal.figure] for p in goal.against if number < len(found.get(p, ()))]
        if theirs and best(theirs) > 0:
            out.append(value / best(theirs))
    return out


def judge(results):
    """judge returns one dict for each goal whose row was run."""
    out = []
    for goal in GOALS:
        found = results.get(goal.row)
        if not found:
            continue
        each = ratios(goal, found)
        ratio = statistics.median(each) if each else None
        met = ratio is not None and (ratio <= goal.goal if goal.bound == "most" else ratio >= goal.goal)
        shown = {c: median(found[goal.ours if c == "cofre" else c], goal.figure) for c in COLUMNS
                 if found.get(goal.ours if c == "cofre" else c)}
        if goal.against and goal.against[0] not in COLUMNS:
            shown["redis"] = None
        out.append({"row": goal.row, "what": goal.what, "against": list(goal.against), "figures": shown, "ratio": ratio, "rounds": each,
                    "bound": goal.bound, "goal": goal.goal, "met": met})
    return out


def short(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(judged, tell):
    """table returns the lines to print: ours, each peer, ratio, goal; and met or not, when told to tell."""
    heads = ("row", "what", *COLUMNS, "ratio", "goal", "")
    lines = [heads]
    for j in judged:
        sign = "≤" if j["bound"] == "most" else "≥"
        versus = f" × {'/'.join(j['against'])}" if j["against"] else ""
        lines.append((j["row"], j["what"], *(short(j["figures"].get(c)) for c in COLUMNS), short(j["ratio"]) if j["against"] or
                      not j["figures"] else "", f"{sign} {short(j['goal'])}{versus}", ("met" if j["met"] else "NOT MET") if tell else ""))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    left = (0, 1, len(heads) - 2, len(heads) - 1)
    return ["  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip() for line in lines]


def costs(results):
    """costs returns lines: CPU µs an operation by process, for every row of requests."""
    lines = []
    for row, found in results.items():
        for name, rounds in found.items():
            if row in SWEEPS or "cpu_us" not in rounds[0]:
                continue
            parts = {role: statistics.median(r["cpu_us"][role] for r in rounds) for role in rounds[0]["cpu_us"]}
            text = " + ".join(f"{v:.1f} {role}" for role, v in parts.items())
            lines.append(f"{row:10} {name:8} {median(rounds, 'rate'):12,.0f}/s  {text} = {sum(parts.values()):.1f}")
    return lines


# ---- plots ----

PLOT = """
set terminal pngcairo size 900,400 font "sans,9"
set output "{output}"
set multiplot layout 1,2 title "{title}"
set logscale x
set format x "{format}"
set xlabel "{axis}"
set yrange [0:*]
set grid ytics
set bmargin 6
set key outside below center horizontal
set ylabel "requests/s"
plot {rates}
{logarithmic}
set ylabel "CPU µs an operation, all processes"
plot {costs}
unset multiplot
"""
# Columns: title, axis, format of its numbers, whether cost is drawn on a logarithmic scale.
PLOTS = {
    "keys": ("64-byte values, 50 connections", "keys", "10^{%L}", False),
    "connections": ("64-byte values, 100,000 keys", "connections", "%.0f", False),
    "values": ("50 connections", "bytes of a value", "%.0s%cB", True),
}


COLOURS = {"cofre": "#0a6e5c", "redis": "#c0392b"}


def curves(data, figure):
    """curves: a colour for each candidate, GET drawn through and SET dashed."""
    lines = []
    for name, path in data.items():
        candidate, mix = name.split()
        style = f"lc rgb '{COLOURS[candidate]}' dt {1 if mix == 'get' else 2} lw 2 pt {7 if mix == 'get' else 6} ps 0.7"
        lines.append(f"'{path}' using 1:{figure} with linespoints {style} title '{candidate} {mix.upper()}'")
    return ", ".join(lines)


def plot(row, found, scratch, folder):
    """plot draws one sweep as folder/row.png, rates beside cost, and returns its path."""
    title, axis, fmt, logarithmic = PLOTS[row]
    data = {}
    for name, points in found.items():
        data[name] = scratch / f"{row}-{name.replace(' ', '-')}.dat"
        data[name].write_text("".join(f"{p['x']} {p['rate']} {p['total_us']}\n" for p in points))
    folder.mkdir(parents=True, exist_ok=True)
    script = PLOT.format(output=folder / f"{row}.png", title=title, axis=axis, format=fmt, rates=curves(data, 2),
                         costs=curves(data, 3), logarithmic="set logscale y; set yrange [5:*]" if logarithmic else "")
    subprocess.run(["gnuplot"], input=script, text=True, check=True, timeout=60)
    return folder / f"{row}.png"
