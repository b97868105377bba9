"""Compare the approximate engine with long NUTS at past origins, and say what was found.

Usage: agreement.py FILE [ORIGINS]

Rows are appended to FILE origin by origin: a run that was stopped goes on where it was. Origins
come in an order that fills the whole period evenly, however early it is stopped; what is known so
far is written between the markers of README after each.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.agreement import agreement, summary
from forecast.backtest import Grid
from indicators.dates import months

README = Path("README.md")
BEGIN, END = "<!-- agreement -->", "<!-- /agreement -->"
QUESTIONS = ("neutrality_text_revision", "neutrality_weakening", "foreign_base", "bloc_accession")


def spread(days: list[pd.Timestamp]) -> tuple[pd.Timestamp, ...]:
    """Order origins so that any first few are spread over all."""
    bits = max((len(days) - 1).bit_length(), 1)
    turns = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)]
    return tuple(days[i] for i in turns if i < len(days))


def write(said: str) -> None:
    """Replace what stands between the markers."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{said}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Go on with the comparison, and say what it shows so far."""
    out, origins = Path(arguments[0]), int(arguments[1]) if arguments[1:] else 24
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = months("2000-07", "2023-07", step=6)
    days = [whole[i] for i in np.linspace(0, len(whole) - 1, origins).round().astype(int)]
    grid = Grid(spread(days), QUESTIONS, (6, 12, 24, 36), ("hazard",), 1)
    for rows in agreement(grid, state="TKM", out=out):
        print(f"{rows['origin'].iloc[0]}: {len(rows)} probabilities", flush=True)
        write(summary(pd.read_csv(out)))
    said = summary(pd.read_csv(out))
    write(said)
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
