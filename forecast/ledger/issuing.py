"""From a run to records: one a question and horizon, with the hash of its draws."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import forecast
import indicators
from forecast.asking import as_registered
from forecast.ledger.entries import ForecastRecord
from indicators.dates import as_date

if TYPE_CHECKING:
    from forecast.ledger.main import Ledger
    from forecast.run import RunResult

__all__ = ["code_hash", "records_of"]


@cache
def code_hash() -> str:
    """SHA-256 of the source of both packages, file by file."""
    found = hashlib.sha256()
    for package in (forecast, indicators):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            found.update(f"{package.__name__}/{path.relative_to(root).as_posix()}\n".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def records_of(result: RunResult, ledger: Ledger) -> list[ForecastRecord]:
    """Return the records of a run, its draws kept beside the ledger.

    Parameters
    ----------
    result : RunResult
        What `forecast.run` returned.
    ledger : Ledger
        Where the draws are kept; nothing is issued yet.

    Raises
    ------
    AskError
        The run left contested events out, or its priors or seed are not the usual ones.
    LedgerError
        The draws cannot be written.
    """
    payload = result.payload
    as_registered(
        [entry["name"] for entry in payload.get("exclude", ())],
        priors=payload.get("priors_are", "neutral"),
        seed=int(payload["provenance"]["seed"]),
        origin=as_date(payload["origin"]),
    )
    drawn = {}
    for found in result.forecasts:
        arrays = {"horizons": np.array(found.horizons), "p": found.p}
        marks = {f"p_{name}": values for name, values in found.marks.items()}
        drawn[found.question] = ledger.keep(arrays | marks)
    shared = _shared(payload)
    return [
        ForecastRecord(**_entry(entry), **shared, draws=drawn.get(entry["question"], ""))
        for entry in payload["forecasts"]
    ]


_TEXTS = ("question", "state", "origin", "closes", "model")
_NUMBERS = ("p", "lo90", "hi90", "base_rate", "base_rate_lo90", "base_rate_hi90")


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    share = entry["prior_share"]
    return {
        **{name: str(entry[name]) for name in _TEXTS},
        **{name: float(entry[name]) for name in _NUMBERS},
        "horizon": int(entry["horizon"]),
        "base_rate_events": int(entry["base_rate_events"]),
        "prior_share": None if share is None else float(share),
        "detail": json.dumps(entry, sort_keys=True, ensure_ascii=False),
    }


def _shared(payload: dict[str, Any]) -> dict[str, Any]:
    told = payload["provenance"]
    versions = {"python": told["python"], **told["packages"]}
    return {
        **{
            name: str(told[name]) for name in ("data_hash", "config_hash", "code_version", "engine")
        },
        "seed": int(told["seed"]),
        "poor_fit": bool(told["poor_fit"]),
        "strict_vintages": bool(payload["strict_vintages"]),
        "code_hash": code_hash(),
        "versions": json.dumps(versions, sort_keys=True),
    }
