"""Forecast: draws and a tidy table for one question of one state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.models.design import Array

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("question", "state", "origin", "horizon", "closes", "model")
ESTIMATE = ("p", "lo90", "hi90")
BESIDE = (
    "base_rate", "base_rate_lo90", "base_rate_hi90", "base_rate_events", "ratio", "prior_share",
)  # fmt: skip
TABLE = (*COLUMNS, *ESTIMATE, *BESIDE)


@dataclass(frozen=True)
class Forecast:
    """Forecast of one question at several horizons.

    Attributes
    ----------
    question, state : str
    origin : Timestamp
        First day of the window.
    horizons : tuple of int
        Months.
    p : (draws, horizon) array
        Probability of the event by each horizon, futures integrated out, draw by draw.
    marks : dict of (draws, horizon) arrays
    entries : tuple of dict
        One JSON entry a horizon, base rate and prior share included.
    """

    question: str
    state: str
    origin: pd.Timestamp
    horizons: tuple[int, ...]
    p: Array = field(repr=False)
    marks: dict[str, Array] = field(repr=False)
    entries: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def draws(self) -> Any:
        """Posterior of the probabilities as an xarray ``DataTree``.

        Variables ``p`` and ``p_<mark>``, dimensions ``draw`` and ``horizon``.
        """
        import xarray as xr

        dims = ("draw", "horizon")
        variables = {"p": (dims, self.p)} | {f"p_{k}": (dims, v) for k, v in self.marks.items()}
        data = xr.Dataset(
            variables,
            coords={"horizon": list(self.horizons)},
            attrs={"question": self.question, "state": self.state, "origin": str(self.origin)},
        )
        return xr.DataTree.from_dict({"/posterior": data})

    @property
    def table(self) -> pd.DataFrame:
        """One row a horizon: probability, base rate, ratio, prior share."""
        return tidy(self.entries)

    def __rich__(self) -> "Table":
        """Table for a terminal."""
        return rich_table(self.entries)

    def _repr_html_(self) -> str:
        """Table and picture for a notebook."""
        return html(self.entries)


def tidy(entries: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row an entry; a number that nobody has is NaN."""
    table = pd.DataFrame(list(entries), columns=list(TABLE))
    return table.astype(dict.fromkeys((*ESTIMATE, "ratio", "prior_share"), float))


def html(entries: Sequence[dict[str, Any]], reasons: Sequence[str] = ()) -> str:
    """Title, picture and table of each question; the reasons where there is no forecast."""
    parts = []
    for question, group in groupby(entries, key=lambda entry: str(entry["question"])):
        rows = list(group)
        table = tidy(rows).to_html(index=False, float_format="{:.4f}".format, na_rep="")
        parts += [f"<h4>{escape(rows[0]['title'])}</h4>", _picture(rows, question), table]
    if not parts:
        parts = ["<p>No forecast.</p>", *(f"<p>{escape(reason)}</p>" for reason in reasons)]
    return "\n".join(parts)


def _picture(rows: Sequence[dict[str, Any]], question: str) -> str:
    from io import StringIO

    from matplotlib.figure import Figure

    from forecast import plots

    figure = Figure(figsize=(6, 3), layout="constrained")
    plots.horizons(rows, question, ax=figure.subplots())
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def rich_table(entries: Sequence[dict[str, Any]]) -> "Table":
    """Probabilities beside their base rates, one row an entry."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("question", "months", "p", "90%", "base rate", "90%", "ratio", "prior share"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for e in entries:
        table.add_row(
            e["question"],
            str(e["horizon"]),
            _number(e["p"]),
            f"{_number(e['lo90'])}-{_number(e['hi90'])}",
            _number(e["base_rate"]),
            f"{_number(e['base_rate_lo90'])}-{_number(e['base_rate_hi90'])}",
            _number(e["ratio"], 1),
            _number(e["prior_share"], 2),
        )
    return table


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"
