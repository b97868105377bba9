"""Gas: Turkmen tables by edition, exporters' main partners, prices, rents, single citations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from common import Observation, Row, day, interval_end, month_span, read, year_span
from places import by_name
from rules import edition_day, stamped, units
from scope import panel

REVIEW = "statistical_review"
FIRST_FULL = 2010  # earlier editions leave out trade within the former Soviet Union
SMALL = 3.0  # bcm a year
FORMER_SOVIET = {"AZE", "KAZ", "RUS", "TKM", "UZB"}
BASES = {
    "bcm_15C_1013mbar_derived_from_toe": "toe_derived",
    "bcm_15C_1013mbar_standardised_40MJ_per_m3_GCV": "standardised_40MJ",
}
NAMES = {
    "US": "USA",
    "Russian Federation": "RUS",
    "East Timor": "TLS",
}
PRICES = {
    "brent_price": "crude_brent_usd_bbl",
    "gas_price_europe": "gas_europe_usd_mmbtu",
    "lng_price_japan": "lng_japan_usd_mmbtu",
}


def code(name: str) -> str:
    """ISO code of a name in the Review; the name itself where it has none here."""
    return NAMES.get(name) or by_name().get(name, name)


def printed(row: Row, indicator: str, year: int, value: float, **more: str) -> Row:
    """One figure as an edition of the Review printed it."""
    start, end = year_span(year)
    return Observation(
        indicator=indicator,
        state=more.get("state", "TKM"),
        counterpart=more.get("counterpart", ""),
        start=start,
        end=end,
        frequency="A",
        basis=more["basis"],
        value=value,
        unit=units()[indicator],
        published=edition_day(int(row["edition"])),
        rule="edition",
        source=REVIEW,
        note=more.get("note", f"edition {row['edition']}"),
    ).row()


def volumes(source: Path) -> list[Row]:
    """Production and consumption as printed in each edition."""
    return [
        printed(
            row,
            f"gas_{row['series']}",
            int(row["year"]),
            float(row["value_bcm"]),
            basis=BASES[row["basis"]],
        )
        for row in read(source / "gas" / "turkmenistan_gas_production_consumption_vintages.csv")
    ]


def exports(source: Path) -> list[Row]:
    """Exports by named partner and in total; groups of partners are left out."""
    rows = []
    for row in read(source / "gas" / "turkmenistan_gas_exports_by_partner_annual.csv"):
        total = row["partner"] == "Total exports"
        partner = "" if total else code(row["partner"])
        if row["status"] not in {"reported", "zero_reported"} or (not total and len(partner) != 3):
            continue
        basis = BASES[row["basis"]]
        if int(row["edition"]) < FIRST_FULL:
            basis += "_without_former_soviet_trade"
        note = f"edition {row['edition']}"
        if partner == "RUS" and row["edition"] in {"2023", "2024"}:
            note += "; same figure two years running, an estimate carried forward"
        rows.append(
            printed(
                row,
                "gas_exports",
                int(row["year"]),
                float(row["value_bcm"] or 0),
                basis=basis,
                counterpart=partner,
                note=note,
            )
        )
    return rows


def main_share(flows: Iterable[Row]) -> float | None:
    """Share of the largest named importer; None where what is not split could be larger.

    Small exports count as none: a share of next to nothing is no dependence.
    """
    named: list[float] = []
    total = 0.0
    for flow in flows:
        value = float(flow["value_bcm"] or 0)
        if flow["importer"] == "Total exports":
            total = value
        elif flow["importer_is_aggregate"] == "0":
            named.append(value)
    total = total or sum(named)
    rest = total - sum(named)
    if total < SMALL:
        return 0.0
    if not named or rest > max(named):
        return None
    return min(1.0, round(max(named) / total, 4))


def flows_by_edition(source: Path) -> dict[str, dict[str, list[Row]]]:
    """Rows of the pipeline matrix by year of the flow and exporter."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in read(source / "gas" / "bp_ei_pipeline_gas_bilateral.csv"):
        year = found.setdefault(row["flow_year"], {})
        inner = row["importer"] == "China Hong Kong SAR"
        if row["exporter_is_aggregate"] == "0" and not inner:
            year.setdefault(code(row["exporter"]), []).append(row)
    return found


def shares(source: Path) -> list[Row]:
    """Share of the main partner in pipeline exports of each panel state.

    A state an edition does not list is a zero, except that former Soviet exporters are often
    merged with others there, and their mutual trade was left out before edition 2010.
    """
    rows = []
    for year, flows in sorted(flows_by_edition(source).items()):
        printing = next(iter(flows.values()))[0]
        for state in sorted(panel(source)):
            listed = flows.get(state, [])
            early = int(printing["edition"]) < FIRST_FULL
            if state in FORMER_SOVIET and (early or not listed):
                continue
            value = main_share(listed)
            if value is None:
                continue
            kind = "" if value else "; exports below 3 bcm" if listed else "; not listed"
            rows.append(
                printed(
                    printing,
                    "gas_export_partner_share",
                    int(year),
                    value,
                    state=state,
                    basis="share_of_pipeline_exports",
                    note=f"edition {printing['edition']}{kind}",
                )
            )
    return rows


def prices(source: Path) -> list[Row]:
    """World prices by month since 1990."""
    rows: list[Row] = []
    for row in read(source / "gas" / "worldbank_pinksheet_energy_monthly.csv"):
        for indicator, column in PRICES.items():
            if row["month"] >= "1990" and row[column]:
                rows += price(indicator, row["month"], row[column], "worldbank_pinksheet")
    for row in read(source / "gas" / "eia_henry_hub_monthly.csv"):
        rows += price("henry_hub_price", row["month"], row["henry_hub_usd_mmbtu"], "eia_henry_hub")
    return rows


def price(indicator: str, month: str, value: str, source: str) -> list[Row]:
    """One monthly price."""
    span = month_span(month)
    if not value:
        return []
    return stamped(
        indicator, "WLD", span, float(value), source, frequency="M", basis="nominal_average"
    )


def rents(source: Path) -> list[Row]:
    """Oil and gas rents of Turkmenistan."""
    rows: list[Row] = []
    for row in read(source / "gas" / "turkmenistan_worldbank_gdp_rents_annual.csv"):
        for kind in ("gas", "oil"):
            value = row[f"{kind}_rents_pct_gdp"]
            if value:
                span = year_span(int(row["year"]))
                rows += stamped(
                    f"{kind}_rents",
                    "TKM",
                    span,
                    float(value),
                    "worldbank_rents",
                    basis="official_rate",
                )
    return rows


CITED = {
    ("production", "bcm"): ("cited_gas_production", "TKM"),
    ("exports_total", "bcm"): ("cited_gas_exports", "TKM"),
    ("gazprom_purchases", "bcm"): ("cited_gas_exports", "TKM"),
    ("pipeline_gas_exports", "bcm"): ("cited_gas_exports", "TKM"),
    ("pipeline_gas_imports", "bcm"): ("cited_gas_exports", "TKM"),
    ("pipeline_gas_imports", "bcm/yr"): ("cited_gas_exports", "TKM"),
    ("swap_imports", "bcm"): ("cited_gas_exports", "TKM"),
    ("pipeline_gas_imports", "Mt"): ("cited_gas_imports_mass", "TKM"),
    ("xinjiang_gas_imports_all", "Mt"): ("cited_gas_imports_mass", "CHN"),
    ("import_value", "USD bn"): ("cited_gas_import_value", "TKM"),
    ("border_price", "USD/MMBtu"): ("cited_gas_price_mmbtu", "TKM"),
    ("border_price", "USD/1000m3"): ("cited_gas_price_volume", "TKM"),
    ("contract_price", "USD/1000m3"): ("cited_gas_price_volume", "TKM"),
    ("central_asia_china_pipeline_total", "bcm"): ("cited_gas_transit_china", "CHN"),
}
PARTNERS = {
    "China": "CHN",
    "Russia (Gazprom)": "RUS",
    "Iran": "IRN",
    "Azerbaijan (swap via Iran)": "AZE",
}
QUALIFIED = {"more than": "_lower_bound", "range": "_range", "about": "_about", "around": "_about"}
GRAINS = {"year": "A", "month": "M", "quarter": "Q"}
ENDS = {4: "year", 7: "month", 10: "day"}


def cited(source: Path) -> list[Row]:
    """Single figures from the press, each with its address in the note."""
    rows = []
    for row in read(source / "gas" / "cited_observations.csv"):
        indicator, state = CITED[row["series"], row["unit"]]
        partner = PARTNERS.get(row["to"], "") if state == "TKM" else ""
        basis = f"{row['statement_type']}_{row['series']}"
        if row["to"] == "Ukraine and Russia":
            basis += "_ukraine_and_russia"
        published = closing(row["published"])
        end = closing(row["end"])
        ends = [float(part) for part in row["value"].split("-")]
        basis += QUALIFIED.get(row["precision"], "")
        if row["period_type"] in {"cumulative", "ytd", "ytd_partial", "partial", "stop"}:
            basis += f"_{row['period_type']}"
        rows.append(
            Observation(
                indicator=indicator,
                state=state,
                counterpart=partner,
                start=day((row["start"] + "-01-01")[:10]),
                end=end,
                frequency=GRAINS.get(row["period_type"], "other"),
                basis=f"{basis}_by_{slug(row['source_org'])}",
                value=sum(ends) / len(ends),
                low=ends[0] if len(ends) > 1 or row["precision"] == "more than" else None,
                high=ends[-1] if len(ends) > 1 else None,
                unit=units()[indicator],
                published=published if row["statement_type"] == "plan" else max(published, end),
                rule="dated",
                source="tocsin_cited",
                note=f"{row['reported_by']}: {row['url']}",
            ).row()
        )
    return rows


def closing(text: str) -> date:
    """Last day of a date written with four, seven or ten characters."""
    return interval_end((text + "-01-01")[:10], ENDS[len(text)])


def slug(text: str) -> str:
    """Words of a name joined by underscores, lower case."""
    kept = "".join(c if c.isalnum() else " " for c in text.lower())
    return "_".join(kept.split())


def observations(source: Path) -> list[Row]:
    """All figures on gas."""
    recipes = (volumes, exports, shares, prices, rents, cited)
    return [row for recipe in recipes for row in recipe(source)]
