"""The table, the summary and the picture of perf/racks. Pure but for printing."""
import html

OWN = ("unirack", "unirack_flat")
COLOURS = {"unirack": "#1b6ac9", "unirack_flat": "#8db8ec", "openmpi": "#d9822b",
           "openmpi_han": "#efb97f", "mpich": "#6a9a3b", "gloo": "#a66cbf"}
NAMES = tuple(COLOURS)


def ms(row):
    return f"{row['median_s'] * 1e3:.1f}" if row and "median_s" in row else "-"


def peers(result):
    """{name: seconds} of those who are not us and took part."""
    return {name: row["median_s"] for name, row in result["contestants"].items()
            if name not in OWN and "median_s" in row}


def part_of_attainable(result, name="unirack"):
    row = result["contestants"].get(name, {})
    return result["attainable_s"] / row["median_s"] if "median_s" in row else None


def part_of_predicted(result, name="unirack"):
    """Measured over predicted."""
    row = result["contestants"].get(name, {})
    return row["median_s"] / row["predicted_s"] if {"median_s", "predicted_s"} <= set(row) else None


def lead(result):
    """How many times as fast as the best peer."""
    others, own = peers(result), result["contestants"].get("unirack", {})
    return min(others.values()) / own["median_s"] if others and "median_s" in own else None


def size_text(size):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def fraction(value, pattern):
    return "-" if value is None else pattern.format(value)


def print_header():
    print(f"# {'collective':<15}{'size':>8}{'bound':>8}{'predicted':>10}" +
          "".join(f"{name:>13}" for name in NAMES) +
          f"{'of bound':>9}{'of pred.':>9}{'lead':>6}  plan; times in ms", flush=True)


def print_row(result):
    rows = result["contestants"]
    own = rows.get("unirack", {})
    print(f"  {result['collective']:<15}{size_text(result['size']):>8}"
          f"{result['attainable_s'] * 1e3:>8.1f}"
          f"{own['predicted_s'] * 1e3 if 'predicted_s' in own else float('nan'):>10.1f}" +
          "".join(f"{ms(rows.get(name)):>13}" for name in NAMES) +
          f"{fraction(part_of_attainable(result), '{:.0%}'):>9}"
          f"{fraction(part_of_predicted(result), '{:.0%}'):>9}"
          f"{fraction(lead(result), '{:.2f}'):>6}  {own.get('plan', '')}", flush=True)
    for name, row in rows.items():
        if "failed" in row:
            print(f"    {name} failed: {row['failed']}", flush=True)
        elif row["wrong"]:
            print(f"    {name} has {row['wrong']} wrong values", flush=True)


def wrong(runs):
    return sum(row.get("wrong", 0) for run in runs for result in run["results"]
               for row in result["contestants"].values())


def describe(run):
    rails = f"{run['rails']} rail" + ("s" if run["rails"] > 1 else "")
    return f"{run['racks']} racks x {run['ranks']} ranks, {rails} of {run['rate']}"


def print_summary(runs):
    """What a bare socket carried, who was absent, and how far from the bound we stay."""
    print("\n# rail payload as a bare socket carries it, in Mbit/s; who could not take part")
    for run in runs:
        rates = ", ".join(f"{rate * 8 / 1e6:.1f}" for rate in run["rail_bytes_per_s"])
        print(f"  {describe(run)}: {rates}" +
              "".join(f"\n    {name} is absent: {why}" for name, why in run["absent"].items()))


def markdown(runs):
    """The same as tables, for docs/racks.md."""
    lines = []
    for run in runs:
        rates = " and ".join(f"{rate * 8 / 1e6:.1f}" for rate in run["rail_bytes_per_s"])
        lines += [f"### {describe(run)}", "", f"A bare socket carries {rates} Mbit/s.", "",
                  "| collective | size | bound | predicted | **Unirack** | of predicted | of bound "
                  "| flat | Open MPI | Open MPI, HAN | MPICH | Gloo | lead |",
                  "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for result in run["results"]:
            rows = result["contestants"]
            own = rows.get("unirack", {})
            cells = [result["collective"], size_text(result["size"]),
                     f"{result['attainable_s'] * 1e3:.1f}",
                     f"{own['predicted_s'] * 1e3:.1f}" if "predicted_s" in own else "-",
                     f"**{ms(own)}**", fraction(part_of_predicted(result), "{:.0%}"),
                     fraction(part_of_attainable(result), "{:.0%}"),
                     *(ms(rows.get(name)) for name in NAMES[1:]),
                     fraction(lead(result), "{:.2f}")]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


# ---- the picture -----------------------------------------------------------------------------

BAR, GAP, LEFT, HEIGHT, HEAD = 16, 26, 60, 130, 56


def plot(runs):
    """Bars of attainable time over time, so the line at 100 % is what the rails can carry."""
    panels, top = [], 20 + 18
    legend = "".join(
        f'<rect x="{LEFT + 120 * i}" y="8" width="12" height="12" fill="{COLOURS[name]}"/>'
        f'<text x="{LEFT + 16 + 120 * i}" y="18">{name}</text>' for i, name in enumerate(NAMES))
    width = LEFT
    for run in runs:
        panel, right = panel_of(run, top)
        panels.append(panel)
        width = max(width, right)
        top += HEIGHT + HEAD + 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, 820)}" height="{top}" '
            'font-family="sans-serif" font-size="11">'
            f'<rect width="100%" height="100%" fill="white"/>{legend}{"".join(panels)}</svg>\n')


def panel_of(run, top):
    base = top + HEAD / 2 + HEIGHT
    parts = [f'<text x="{LEFT}" y="{top + 14}" font-weight="bold">{html.escape(describe(run))}'
             "</text>"]
    x = LEFT + 10
    for result in run["results"]:
        start = x
        for name in NAMES:
            part = part_of_attainable(result, name)
            if part is not None:
                height = min(1.1, part) * HEIGHT
                parts.append(f'<rect x="{x}" y="{base - height:.1f}" width="{BAR}" '
                             f'height="{height:.1f}" fill="{COLOURS[name]}"><title>{name}: '
                             f'{part:.0%} of attainable</title></rect>')
            x += BAR + 2
        label = f"{result['collective']} {size_text(result['size'])}"
        parts.append(f'<text x="{(start + x) / 2:.0f}" y="{base + 14}" text-anchor="middle">'
                     f"{html.escape(label)}</text>")
        x += GAP
    for part in (0, 0.5, 1):
        y = base - part * HEIGHT
        parts.append(f'<line x1="{LEFT}" x2="{x}" y1="{y}" y2="{y}" stroke="#888" '
                     f'stroke-dasharray="{"" if part == 0 else "3 3"}"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{part:.0%}</text>')
    return "".join(parts), x
