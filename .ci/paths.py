"""Score simulated futures on past origins, and write the table into ARCHITECTURE.md.

Usage: paths.py [FOLDER]

Origins are every January from 2005 to 2020, horizons 12, 24 and 36 months, states all that the
package knows; each model sees the snapshot of the origin alone. All rows go to FOLDER/paths.csv.
Takes about four minutes of one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from forecast.checks.futures import MODELS, calibrated, total
from indicators.vintages import snapshot

PAGE = Path(__file__).resolve().parents[1] / "ARCHITECTURE.md"
BEGIN, END = "<!-- paths: begin, made by `make paths` -->", "<!-- paths: end -->"
YEARS, HORIZONS = range(2005, 2021), (12, 24, 36)
HEAD = (
    "| feature | months | figures | 50%: state space | AR(1) | walk | 90%: state space | AR(1) "
    "| walk | CRPS: state space | AR(1) | walk |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def table(found: pd.DataFrame) -> str:
    """Return the table of `total` as the page shows it, with a line that counts."""
    lines, better, nearer, cells = [HEAD], 0, 0, 0
    for (feature, months), rows in found.groupby(level=["feature", "months"]):
        one = rows.droplevel(["feature", "months"]).loc[list(MODELS)]
        shares = [f"{value:.0%}" for name in ("in50", "in90") for value in one[name]]
        marks = [f"{value:.3f}" for value in one["crps"]]
        size = f"{int(one['figures'].iloc[0]):,}"
        lines.append(f"| `{feature}` | {months} | {size} | {' | '.join([*shares, *marks])} |")
        ours, theirs = one.iloc[0], one.iloc[1:]
        better += bool((ours["crps"] < theirs["crps"]).all())
        nearer += abs(ours["in90"] - 0.9) < abs(one.loc["AR(1)", "in90"] - 0.9)
        cells += 1
    span = found.xs("state space", level="model")
    said = (
        f"Of {cells} rows, the state-space models have the smallest CRPS in {better}; their 90% "
        f"intervals hold {span['in90'].min():.0%} to {span['in90'].max():.0%} of what came, nearer "
        f"to 90% than those of the AR(1) in {nearer}; their 50% intervals hold "
        f"{span['in50'].min():.0%} to {span['in50'].max():.0%}."
    )
    return "\n".join([*lines, "", said])


def main() -> None:
    """Score, save, write."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/paths")
    folder.mkdir(parents=True, exist_ok=True)
    later = snapshot(f"{YEARS[-1] + max(HORIZONS) // 12}-02-01")
    known = later.table("states")
    states = sorted(known.loc[known["kind"] == "state", "state"])
    origins = [pd.Timestamp(f"{year}-01-01") for year in YEARS]
    rows = calibrated(later, origins, horizons=HORIZONS, states=states)
    rows.to_csv(folder / "paths.csv", index=False)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    text = f"{before}{BEGIN}\n\n{table(total(rows))}\n\n{END}{rest.split(END)[1]}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
