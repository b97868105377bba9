"""The page of checks: as HTML with its pictures inside, or as Markdown for a terminal."""

from __future__ import annotations

from markupsafe import Markup

from forecast.checks.main import Check, Checked
from forecast.checks.sections import Section, Table, sections
from forecast.report.laying import environment
from forecast.report.pictures import INK, inline

__all__ = ["html", "markdown"]

STANDFIRST = (
    "Each part says what is checked, how, by which criterion, and what came out. Nothing here says "
    "that a forecast is right: only that the model can have produced what was seen, how much it "
    "leans on its prior and on single events, and whether its intervals would cover if the model "
    "held."
)


def html(found: Check) -> str:
    """Write every check of a forecast as one self-contained page, without scripts.

    Parameters
    ----------
    found : Check

    Returns
    -------
    str
    """
    template = environment().get_template("checks.html.j2")
    return template.render(
        state=found.state,
        origin=f"{found.origin:%Y-%m}",
        seed=found.seed,
        standfirst=STANDFIRST,
        questions=[
            {
                "slug": item.question,
                "title": item.title,
                "lead": _lead(item),
                "sections": [_laid(item, s, i) for i, s in enumerate(sections(item))],
            }
            for item in found.questions
        ],
    )


def _laid(item: Checked, section: Section, number: int) -> dict[str, object]:
    slug = f"{item.question}-{number}"
    svgs: list[Markup] = []
    for i, picture in enumerate(section.pictures):
        figure = picture.draw(INK).figure
        svgs.append(inline(figure, picture.alt, f"{slug}-{i}"))  # type: ignore[arg-type]
    return {**vars(section), "slug": slug, "svgs": svgs}


def _lead(item: Checked) -> str:
    return (
        f"{item.events} events in {item.months / 12:,.0f} unit-years at risk, {item.states} states "
        f"since {item.since}."
    )


def markdown(found: Check) -> str:
    """Write every check of a forecast without its pictures.

    Parameters
    ----------
    found : Check

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        f"# Checks: {found.state}, {found.origin:%Y-%m}",
        "",
        f"Seed {found.seed}. {STANDFIRST}",
    ]
    for item in found.questions:
        lines += ["", f"## {item.question}", "", _lead(item)]
        for s in sections(item):
            verdict = f" ({s.verdict})" if s.verdict else ""
            lines += ["", f"### {s.title}{verdict}", "", f"Checked: {s.asks}", "", f"How: {s.how}"]
            lines += ["", f"Criterion: {s.criterion}", "", f"Result: {s.result}"]
            for table in s.tables:
                lines += ["", *_rows(table)]
    return "\n".join(lines) + "\n"


def _rows(table: Table) -> list[str]:
    head = ["| " + " | ".join(table.columns) + " |", "|---" * len(table.columns) + "|"]
    return head + ["| " + " | ".join(row) + " |" for row in table.rows]
