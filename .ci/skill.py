"""Backtest everything there is, and write what it shows between the markers of README.

Usage: skill.py FOLDER [all | main | monthly | bounds | variants | waves | none]...

Each stage is a ``tocsin backtest`` that goes on where it was stopped, and README is written after
each: a run that is cut short leaves the tables of the stages that were done. ``none`` only writes.
``waves`` takes four times as long as another hazard: it is no part of ``all``.
All rows, every horizon and model, go to FOLDER/skill.csv.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.bounds import BOUNDS
from forecast.joint import joint_table
from forecast.outcomes import read_outcomes
from forecast.selection import selection
from forecast.skill import rps_table, skill_table
from forecast.variants import VARIANTS

README = Path("README.md")
BEGIN, END = "<!-- skill -->", "<!-- /skill -->"
PLAIN = ("base_rate", "climatology", "process_table", "glm")
LATER = ("hazard_waves",)
ROOTS = ("bloc_accession", "foreign_base", "neutrality_text_revision")
SPLIT = pd.Timestamp("2012-01-01")
SHOWN = {6: ("climatology", "process_table", "glm", "hazard", "pool"), 36: ("hazard",)}
HEAD = (
    "| question | months | model | windows | events | log gain, nats [90%] | detectable "
    "| Brier skill [90%] | observed / expected [90%] | prior share | could tell |\n"
    "|---|---:|---|---:|---:|---|---:|---|---|---:|---:|"
)


def backtest(out: Path, *options: str) -> None:
    """Run one stage, or go on with it."""
    subprocess.run(["tocsin", "backtest", "--out", str(out), *options], check=True)


def main_stage(folder: Path) -> None:
    """Every model of the forecast and the pool, and what naive refitting would have taken."""
    models = ",".join((*PLAIN, "hazard", "pool"))
    backtest(folder / "main", "--models", models, "--naive", "1")


def monthly_stage(folder: Path) -> None:
    """Models in closed form from every month, one month ahead: the prequential score."""
    backtest(
        folder / "monthly", "--models", ",".join(PLAIN), "--every", "1", "--horizon", "1"
    )  # fmt: skip


def bounds_stage(folder: Path) -> None:
    """Models that know the processes, under each reading of the coded rows; the hazard for bases.

    Bases are where the skill seems to be, and fits take minutes a reading.
    """
    for name in BOUNDS:
        how = ("--bound", name, "--horizon", "6")
        backtest(folder / f"bound-{name}", "--models", "base_rate,process_table,glm", *how)
        models = ("--models", "base_rate,hazard", "--question", "foreign_base")
        backtest(folder / f"bound-{name}-hazard", *models, *how)


def variants_stage(folder: Path) -> None:
    """Each further hazard, some minutes; questions linked beside the hazard they start from."""
    for name, variant in VARIANTS.items():
        if variant.sampled and name not in ("hazard", "linked", *LATER):
            variant_stage(folder, name)
    models = ("--models", "base_rate,hazard,linked")
    backtest(folder / "variant-linked", *models, "--horizon", "6,36")


def waves_stage(folder: Path) -> None:
    """The hazards that take longer."""
    for name in LATER:
        variant_stage(folder, name)


def variant_stage(folder: Path, name: str) -> None:
    """One further hazard, at the horizon whose windows do not overlap."""
    backtest(folder / f"variant-{name}", "--models", f"base_rate,{name}", "--horizon", "6")


STAGES: dict[str, Callable[[Path], None]] = {
    "main": main_stage,
    "monthly": monthly_stage,
    "bounds": bounds_stage,
    "variants": variants_stage,
    "waves": waves_stage,
}


def scored(folder: Path) -> pd.DataFrame | None:
    """Return the skill table of a stage that is done."""
    path = folder / "forecasts.parquet"
    return skill_table(read_outcomes(path), seed=1) if path.exists() else None


def gain(row: pd.Series) -> str:
    """Return a log gain with its interval."""
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(
        *(row[f"log_gain{end}"] for end in ("", "_lo90", "_hi90"))
    )


def line(row: pd.Series) -> str:
    """Return one row of the main table."""
    brier = (row["brier_skill"], row["brier_skill_lo90"], row["brier_skill_hi90"])
    cells = [
        f"`{row['question']}`",
        row["horizon"],
        f"`{row['model']}`",
        f"{row['n']:,}",
        row["campaigns"],
        gain(row),
        f"{row['detectable']:.1f}" if isfinite(row["detectable"]) else "none",
        "{:+.3f} [{:+.2f}, {:+.2f}]".format(*brier),
        expected(row),
        f"{row['prior_share']:.0%}",
        row["tells"],
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main_table(folder: Path, table: pd.DataFrame) -> Iterator[str]:
    """Yield the table of models, and what stands below it."""
    order = {model: i for i, model in enumerate(SHOWN[6])}
    table = table.assign(order=table["model"].map(order))
    table = table.sort_values(["question", "horizon", "order"])
    yield HEAD
    yield from (
        line(row) for _, row in table.iterrows() if row["model"] in SHOWN.get(row["horizon"], ())
    )
    yield ""
    yield verdict(table)
    ranked = rps_table(read_outcomes(folder / "main" / "forecasts.parquet"), seed=1)
    own = ranked[ranked["model"] == "hazard"]
    told = (
        f"`{r['question']}` {r['rps_skill']:+.3f} "
        f"[{r['rps_skill_lo90']:+.2f}, {r['rps_skill_hi90']:+.2f}] from {r['events']} events"
        for _, r in own.iterrows()
    )
    if len(own):
        yield f"\nSkill of `hazard` over all horizons together (ranked score): {'; '.join(told)}."
    naive = folder / "main" / "naive.txt"
    if naive.exists():
        yield f"\n{naive.read_text(encoding='utf-8').strip()}"


def verdict(table: pd.DataFrame) -> str:
    """Say how many rows show skill, of how many, counted from the table itself."""
    own = table[~table["model"].isin(("climatology", "process_table"))]
    shown, worse = own[own["log_gain_lo90"] > 0], own[own["log_gain_hi90"] < 0]
    hopeless = int(np.isinf(own["detectable"]).sum())
    said = ", ".join(f"`{r.model}` at {r.horizon} for `{r.question}`" for r in shown.itertuples())
    return (
        f"Of {len(own)} rows of fitted models and pools over all horizons, {len(shown)} have a log "
        f"gain whose interval leaves out zero{': ' + said if said else ''}; in {len(worse)} the "
        f"interval lies below zero. In {hopeless} of them no gain would have been told from none "
        f"with 80% power."
    )


def short(row: pd.Series) -> str:
    """Return a log gain and the campaigns behind it, or that there is none."""
    return f"{gain(row)} {row['campaigns']}" if row["campaigns"] else "no event"


def counted(rows: list[tuple[str, pd.DataFrame]]) -> str:
    """Say how many cells of compact tables show anything, counted from the cells themselves."""
    every = pd.concat([table for _, table in rows])
    every = every[every["campaigns"] > 0]
    shown = every[(every["log_gain_lo90"] > 0) | (every["log_gain_hi90"] < 0)]
    blind = int(np.isinf(every["detectable"]).sum())
    return (
        f"After each interval stand the campaigns behind it. Of {len(every)} cells with one, "
        f"{len(shown)} have an interval that leaves out zero ({(shown['log_gain'] > 0).sum()} "
        f"above it); in {blind} no gain would have been told from none with 80% power."
    )


def expected(row: pd.Series) -> str:
    """Return observed over expected events, with its interval."""
    return f"{row['observed_expected']:.2f} [{row['oe_lo90']:.2f}, {row['oe_hi90']:.2f}]"


def compact(
    rows: list[tuple[str, pd.DataFrame]], first: str, cell: Callable[[Any], str] = short
) -> Iterator[str]:
    """Yield a table, a column a question: log gains unless another cell is asked for."""
    questions = sorted({name for _, table in rows for name in table["question"]})
    yield f"| {first} | " + " | ".join(f"`{name}`" for name in questions) + " |"
    yield "|---|" + "---|" * len(questions)
    for said, table in rows:
        by = {row["question"]: cell(row) for _, row in table.iterrows()}
        yield f"| {said} | " + " | ".join(by.get(name, "–") for name in questions) + " |"


def together(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return resolved 6-month forecasts of the hazard and its variants, and the variants' names."""
    path = folder / "main" / "forecasts.parquet"
    frames = []
    if path.exists():
        frames = [read_outcomes(path).query("model in ('base_rate', 'hazard')")]
    names = []
    for name in VARIANTS:
        other = folder / f"variant-{name}" / "forecasts.parquet"
        if frames and other.exists():
            frames.append(read_outcomes(other).query(f"model == {name!r}"))
            names.append(name)
    every = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return (every.query("horizon == 6") if names else pd.DataFrame()), names


def family_lines(folder: Path) -> Iterator[str]:
    """Yield what other hazards gained over the default one, and what choosing among them would."""
    every, names = together(folder)
    if not names:
        return
    table = skill_table(every.query("model != 'base_rate'"), seed=1, against="hazard")
    yield ""
    yield (
        "The same hazards against `hazard` itself, whose covariates are a ridge of learned scale "
        "and whose posterior is averaged over. `hazard_map` is the ridge as one value, plugged in: "
        "all scales at the medians of their priors, the rest at its penalised maximum, which is "
        "lower than the average over the posterior. Log gain in nats [90%], 6 months:"
    )
    yield ""
    rows = [(f"`{name}`", at(table, name, 6)) for name in names]
    yield from compact(rows, "model")
    yield ""
    yield counted(rows)
    yield ""
    yield "Events observed over those that each expected [90%], 6 months:"
    yield ""
    plain = skill_table(every, seed=1)
    own = [(f"`{name}`", at(plain, name, 6)) for name in ("hazard", *names)]
    yield from compact(own, "model", expected)
    ask: Any = {"default": "hazard", "questions": ROOTS, "horizon": 6, "split": SPLIT, "seed": 1}
    found = selection(every.query("model != 'base_rate'"), models=names, **ask)
    said = "; ".join(
        f"`{row.question}` {'before' if row.era == 0 else 'from'} {SPLIT:%Y}: `{row.chosen}`, "
        f"chosen on {row.behind}, "
        + (f"{row.gain:+.1f} from {row.events}" if row.events else "no event")
        for row in found.cells.itertuples()
    )
    stays = "which pays" if found.pays else "so that the default stays"
    ends = f"{found.gain:+.1f} nats [{found.lo90:+.1f}, {found.hi90:+.1f}] given the choices"
    if set(found.cells["chosen"]) == {"hazard"}:
        stays, ends = "as it does", "the default was chosen everywhere, nothing"
    yield ""
    yield (
        f"Selected: for each question and era, the hazard that did best on the other questions in "
        f"the other era, scored where it was not chosen (with the campaigns behind both: {said}): "
        f"{ends} over `hazard`, {stays}. Best over all cells "
        f"together: `{found.chosen}`."
    )


def joint_lines(folder: Path) -> Iterator[str]:
    """Yield what forecasting two questions together gained over the product of two hazards."""
    path = folder / "variant-linked" / "joint.parquet"
    if not path.exists():
        return
    table = joint_table(pd.read_parquet(path), seed=1)
    yield ""
    yield (
        "Joint log score of two linked questions by state and origin, against the product of two "
        "forecasts by `hazard`; windows in which each came, and both:"
    )
    yield ""
    yield "| pair | months | windows | first | second | both | log gain, nats [90%] |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for row in table.itertuples():
        gained = f"{row.gain:+.2f} [{row.lo90:+.2f}, {row.hi90:+.2f}]"
        yield (
            f"| `{row.pair}` | {row.horizon} | {row.n:,} | {row.first} | {row.second} | {row.both} "
            f"| {gained} |"
        )


def at(table: pd.DataFrame, model: str, horizon: int) -> pd.DataFrame:
    """Return the rows of a model at a horizon."""
    return table[(table["model"] == model) & (table["horizon"] == horizon)]


def under_bounds(
    folder: Path,
) -> Iterator[tuple[str, list[tuple[str, pd.DataFrame]], pd.DataFrame]]:
    """Yield each stage of a bound: its name, its named rows of a table, and all its scores."""
    usual = ""
    for name, bound in BOUNDS.items():
        for stage, models in ((f"bound-{name}", ("process_table", "glm")),
                              (f"bound-{name}-hazard", ("hazard",))):  # fmt: skip
            found = scored(folder / stage)
            if found is None:
                continue
            rows = []
            for model in models:
                own = at(found, model, 6)
                told = own[["question", "log_gain"]].to_csv(index=False)
                if model != "glm" or told != usual:  # most bounds are of processes alone
                    rows.append((f"`{model}`, 6 months: {bound.words}", own))
                if model == "glm" and name == "all":
                    usual = told
            yield stage, rows, found


def expected_stages() -> list[str]:
    """Name every stage there can be, in the order in which they are run."""
    variants = [name for name, v in VARIANTS.items() if v.sampled and name != "hazard"]
    bounds = [f"bound-{name}{end}" for name in BOUNDS for end in ("", "-hazard")]
    return ["main", "monthly", *(f"variant-{name}" for name in variants), *bounds]


def missing_lines(folder: Path) -> Iterator[str]:
    """Yield which stages were not run: a table that leaves something out says so."""
    left = [s for s in expected_stages() if not (folder / s / "forecasts.parquet").exists()]
    if left:
        yield ""
        yield f"Not run: {', '.join(f'`{name}`' for name in left)}."


def page(folder: Path) -> tuple[str, pd.DataFrame]:
    """Return what README shows, and all rows behind it."""
    parts: list[str] = []
    kept: list[pd.DataFrame] = []
    main = scored(folder / "main")
    if main is not None:
        kept.append(main.assign(stage="main"))
        parts += main_table(folder, main)
    rows = []
    monthly = scored(folder / "monthly")
    if monthly is not None:
        kept.append(monthly.assign(stage="monthly"))
        rows += [(f"`{m}`, month by month", at(monthly, m, 1)) for m in PLAIN[1:]]
    for name in VARIANTS:
        found = scored(folder / f"variant-{name}")
        if found is not None:
            kept.append(found.assign(stage=f"variant-{name}"))
            rows.append((f"`{name}`, 6 months", at(found, name, 6)))
    for stage, named, found in under_bounds(folder):
        kept.append(found.assign(stage=stage))
        rows += named
    if rows:
        told = "Log gain in nats [90%] of other models and other readings of the coded processes:"
        parts += ["", told, "", *compact(rows, "model"), "", counted(rows)]
        parts += ["", "`glm` stands only where a reading changes it: it knows no processes."]
    parts += family_lines(folder)
    parts += joint_lines(folder)
    parts += missing_lines(folder)
    return "\n".join(parts), pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def write(folder: Path) -> None:
    """Replace what stands between the markers, where there is anything to say."""
    made, kept = page(folder)
    if kept.empty:
        return
    kept.to_csv(folder / "skill.csv", index=False)
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
    print(f"{README}: {len(kept)} scores in {folder / 'skill.csv'}")


def main(arguments: list[str]) -> int:
    """Run the stages asked for, writing after each."""
    folder, asked = Path(arguments[0]), arguments[1:] or ["all"]
    everything = [name for name in STAGES if name != "waves"]
    wanted: Any = everything if "all" in asked else [name for name in asked if name != "none"]
    for name in wanted:
        STAGES[name](folder)
        write(folder)
    if not wanted:
        write(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
