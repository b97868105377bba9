"""Predictions of one family of questions: the model, its variants, and its rivals."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forecast import cache
from forecast.engine import Fitted
from forecast.evidence import drivers
from forecast.hindsight import Carried, carried
from forecast.material import Material
from forecast.models.design import Array, Design
from forecast.models.hazard import prior_draws, sizes
from forecast.predict import Prediction, Target, predict, thin
from forecast.rivals import RIVALS

KINDS = ("default", "face", "no_process", "strict", "prior")
DRAWS = 1000
"""Posterior draws carried through the chain."""
PRIOR_DRAWS = 1000
PRIOR_PATHS = 40
VARIANT_DRAWS = 500


@dataclass(frozen=True)
class Answer:
    """Predictions of one root question for one state.

    Attributes
    ----------
    default, no_process, strict, prior : Prediction or None
        None where the state is not at risk, or the model was not asked for.
    face : Prediction or None
        The forecast with the process tables taken at face value: ``default`` itself, unless
        hindsight was carried into that. Of a pool, that of its hazard member.
    hindsight : Carried or None
        None where there is no process to look back on.
    rivals : dict of Prediction
        ``glm`` and ``process_table``.
    raw, padded : dict and Design, or None
        The thinned draws behind ``face``, and the design they belong to.
    chains : int
        Markov chains behind ``face``, in the order of its draws.
    drivers : dict
        By mark ('' for the event itself): log-odds by input, (draws, horizon).
    """

    default: Prediction | None
    no_process: Prediction | None
    strict: Prediction | None
    prior: Prediction | None
    rivals: Mapping[str, Prediction]
    raw: Mapping[str, Array] | None
    padded: Design | None
    drivers: Mapping[str, Mapping[str, Array]]
    chains: int = 1
    face: Prediction | None = None
    hindsight: Carried | None = None

    @property
    def own(self) -> Prediction | None:
        """Prediction that prior, drivers and variants belong to: of a pool its hazard member's."""
        return self.rivals.get("hazard", self.default)


def recall(
    home: Path | None,
    name: str,
    parts: Mapping[str, Material],
    fitted: Mapping[str, Fitted],
    *,
    horizon: int,
    seed: int,
    model: str,
) -> Answer:
    """:func:`answer`, from the cache where it holds the same content.

    Parameters
    ----------
    home : Path or None
        Where the cache is; None for none.
    name, parts, fitted, horizon, seed, model
        As for :func:`answer`.
    """
    ask: dict[str, Any] = {"horizon": horizon, "seed": seed, "model": model}
    if home is None or model != "hazard" or parts["default"].target is None:
        return answer(name, parts, fitted, **ask)
    keys = [fitted[f"{name} ({variant})"].key for variant in parts]
    designs = [part.design.digest() for part in parts.values()]
    targets = [part.target.digest() for part in parts.values() if part.target]
    sizes_ = (DRAWS, PRIOR_DRAWS, PRIOR_PATHS, VARIANT_DRAWS)
    # which months led to nothing, that a design does not tell
    told = parts["default"].risk.rows[["stage", "event"]].to_numpy().tobytes()
    known = hashlib.sha256(told).hexdigest()
    key = cache.digest(
        "answer", keys, designs, targets, known, repr(parts["default"].question), ask, sizes_,
        cache.code(*cache.reach("forecast.answers")), cache.versions(),
    )  # fmt: skip
    stored = cache.load(home, key)
    fit = fitted[f"{name} (default)"]
    if stored is not None:
        return _unpacked(stored, thin(fit.fit.flat(), DRAWS), fit.design, _chains(fit))
    found = answer(name, parts, fitted, **ask)
    cache.save(home, key, _packed(found))
    return found


def _packed(found: Answer) -> dict[str, Array]:
    """Arrays of an answer under path-like names."""
    predictions = {k: getattr(found, k) for k in KINDS} | {
        f"rivals/{k}": v for k, v in found.rivals.items()
    }
    out: dict[str, Array] = {}
    for kind, prediction in predictions.items():
        if prediction is not None:
            out[f"{kind}|p|"] = prediction.p
            out |= {f"{kind}|mark|{m}": v for m, v in prediction.marks.items()}
    if found.default is not None and found.default.futures is not None:
        out["default|futures|"] = found.default.futures
    if found.hindsight is not None:
        told = found.hindsight
        out |= {f"hindsight|curve|{m}": v for m, v in told.curves.items()}
        out["hindsight|is|omegas"] = told.omegas
        out["hindsight|is|k_hat"] = np.array([told.k_hat, told.poor])
        out["hindsight|is|source"] = told.source
        out["hindsight|is|posterior"] = np.array(told.posterior)
        out["hindsight|p|"] = told.prediction.p
        out |= {f"hindsight|mark|{m}": v for m, v in told.prediction.marks.items()}
    for mark, inputs in found.drivers.items():
        out |= {f"drivers/{mark}|input|{name}": v for name, v in inputs.items()}
    return out


def _unpacked(
    stored: Mapping[str, Array], raw: Mapping[str, Array], padded: Design, chains: int
) -> Answer:
    predictions: dict[str, Prediction] = {}
    found: dict[str, dict[str, Array]] = {}
    told: dict[str, dict[str, Array]] = {"curve": {}, "is": {}}
    for path, value in stored.items():
        kind, what, label = path.split("|")
        if what in told:
            told[what][label] = value
        elif what == "input":
            found.setdefault(kind.removeprefix("drivers/"), {})[label] = value
        elif what == "p":
            predictions[kind] = Prediction(value, {}, stored.get(f"{kind}|futures|"))
        elif what == "futures":
            continue
        else:
            predictions[kind].marks[label] = value
    rivals = {
        k.removeprefix("rivals/"): v for k, v in predictions.items() if k.startswith("rivals/")
    }
    main = {k: predictions.get(k) for k in KINDS}
    seen = None
    if told["is"]:
        k_hat, poor = (float(v) for v in told["is"]["k_hat"])
        omegas, source, posterior = (told["is"][k] for k in ("omegas", "source", "posterior"))
        seen = Carried(
            predictions["hindsight"], k_hat, poor, omegas, told["curve"], source, int(posterior)
        )
    return Answer(
        **main, rivals=rivals, raw=raw, padded=padded, drivers=found, chains=chains, hindsight=seen
    )


def answer(
    name: str,
    parts: Mapping[str, Material],
    fitted: Mapping[str, Fitted],
    *,
    horizon: int,
    seed: int,
    model: str,
) -> Answer:
    """Predict with every variant and rival of one root question.

    Parameters
    ----------
    name : str
        Root question.
    parts : mapping of str to Material
        By variant.
    fitted : mapping of str to Fitted
        By job name; empty when the hazard model was not asked for.
    horizon : int
        Months.
    seed : int
    model : str
        Whose prediction is ``default``.
    """
    main = parts["default"]
    if main.target is None:
        return Answer(None, None, None, None, {}, None, None, {})
    target = main.target
    rivals = {
        name: rival.of(main, seed=seed).predict(target, horizon=horizon)
        for name, rival in RIVALS.items()
    }
    if model != "hazard":
        plain = rivals.get(model)
        return Answer(plain, None, None, None, rivals, None, None, {}, face=plain)
    predictions = {
        variant: _predict(fitted[f"{name} ({variant})"], part.target, size, seed)
        for (variant, part), size in zip(parts.items(), (DRAWS, DRAWS, VARIANT_DRAWS), strict=True)
        if part.target is not None
    }
    main_fit = fitted[f"{name} (default)"]
    unseen = prior_draws(sizes(main_fit.design), PRIOR_DRAWS, seed)
    prior = predict(main.model, unseen, main_fit.design, target.thinned(PRIOR_PATHS), seed=seed)
    raw = thin(main_fit.fit.flat(), DRAWS)
    told = carried(main, main_fit, target, draws=DRAWS, seed=seed)
    strict, dated = predictions.get("strict"), parts.get("strict")
    if told is not None and told.trusted and dated is not None:
        strict = _also_carried(dated, fitted.get(f"{name} (strict)"), strict, seed)
    return Answer(
        told.prediction if told is not None and told.trusted else predictions["default"],
        predictions.get("no_process"),
        strict,
        prior,
        rivals,
        raw,
        main_fit.design,
        drivers(main.model, raw, main_fit.design, target, seed=seed),
        _chains(main_fit),
        predictions["default"],
        told,
    )


def _also_carried(
    part: Material, fitted: Fitted | None, face: Prediction | None, seed: int
) -> Prediction | None:
    """Hindsight carried as in the headline beside it; None where that does not hold.

    The face value would look as if the publication dates had made the difference, unless there is
    no process to look back on.
    """
    if part.target is None or fitted is None:
        return None
    also = carried(part, fitted, part.target, draws=VARIANT_DRAWS, seed=seed, curve=False)
    if also is None:
        return face
    return also.prediction if also.trusted else None


def _chains(fitted: Fitted) -> int:
    return len(fitted.fit.raw["alpha_raw"])


def _predict(fitted: Fitted, target: Target, draws: int, seed: int) -> Prediction:
    raw = thin(fitted.fit.flat(), draws)
    return predict(fitted.model, raw, fitted.design, target, seed=seed)


def at_face(answers: Mapping[str, Answer]) -> dict[str, bool]:
    """Whether each headline takes process tables at face value: hindsight was not to be trusted.

    Parameters
    ----------
    answers : mapping of str to Answer
    """
    return {k: a.hindsight is not None and not a.hindsight.trusted for k, a in answers.items()}
