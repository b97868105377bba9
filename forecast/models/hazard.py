r"""Hierarchical discrete-time hazard with process stages, in its first complete form.

For unit u (a state, or a state and a power) and month t at risk,

.. math::

    h_{ut} = 1 - \exp(-\exp(\eta_{ut})), \qquad
    \eta_{ut} = \alpha + \text{slot} + r_{region} + s_{state}
              + u_{region, period} + \delta_{stage} + \rho_{gap} + x_{it}'\beta ,

with partial pooling of slots, regions and states (non-centred) and effects
:math:`\beta` shrunk as :mod:`forecast.models.shrinkage` says. Public signs of a process (see
:mod:`forecast.models.chain`) have hazards of the same form, and the direction of a
revision is a Bernoulli mark pooled over the aims stated beforehand.

Everything that is not data or a standard normal is a constant that enters as data, so
questions, configurations and origins share one compiled program.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.models.design import AIMS, GAP_MIDS, SIGNS, STAGES, Array, Design
from forecast.models.limits import outside
from forecast.models.shrinkage import FAMILIES, Family, betas, table
from forecast.models.waves import NONE, student
from forecast.priors import Normal, multiplier, yearly_rate
from indicators.errors import TocsinError

if TYPE_CHECKING:
    import pymc as pm

CONSTANTS = (
    "alpha_mu", "alpha_sigma", "slot_scale", "region_scale", "state_scale", "learn_ridge",
    *FAMILIES, "global_scale", "slab_scale", "explained", "live_mu", "live_sigma", "late_mu",
    "late_sigma", "before_sigma", "gap_sigma", "mark_mu", "mark_sigma", "aim_shift",
    "aim_scale", "birth_scale", "wave_scale",
    *(f"sign_mu_{i}" for i in range(len(SIGNS))), *(f"sign_sigma_{i}" for i in range(len(SIGNS))),
)  # fmt: skip
LOG_GAP = tuple(float(np.log(m / 60.0)) for m in GAP_MIDS)
AIM_SIGN = (0.0, 1.0, -1.0, 0.0)
"""Expected effect of the aim none, weaken, strengthen, open on the odds of weakening."""


class HazardError(TocsinError, ValueError):
    """A hazard model that is none: a family, covariate or value that cannot be."""

    exit_code = 2


@dataclass(frozen=True)
class Hazard:
    """Structure and priors of the hazard model; ``build`` returns a plain PyMC model.

    Attributes
    ----------
    rate : Normal
        Log monthly hazard of an average unit without a process.
    live, late : Normal
        Log of the factor by which a live process, and one with a public draft or a
        signed agreement, multiplies that hazard.
    signs : tuple of Normal
        Log monthly hazard of each kind of public sign, see ``design.SIGNS``.
    slot_scale, region_scale, state_scale, birth_scale : float
        Scale of the half-normal prior of the pooled standard deviations (log hazard);
        0 removes the effect.
    effect_scale : float
        Scale of the half-normal prior of the ridge: one catalog scale more of a
        covariate multiplies the hazard by about exp(± effect_scale).
    wave_scale : float
        Scale of the half-normal prior of the waves u, Student-t(4) effects that all units
        of a region share for wave_months: openings of one campaign come together. Future
        waves are drawn from the prior. 0 for none.
    wave_months : int
        Months that a wave lasts, counted by the calendar: 6 or 12.
    learn_ridge : bool
        False: the ridge is effect_scale itself, not learned.
    before_sigma, gap_sigma : float
        Scale of the effect of an earlier event and of log (months since it / 60).
    mark_mu, mark_sigma : float
        Log-odds that a revision weakens, where no aim was stated.
    aim_shift, aim_scale : float
        A stated aim to weaken (strengthen) moves these odds up (down) by aim_shift,
        give or take aim_scale.
    shrinkage : {'ridge', 'horseshoe', 'r2d2'}
        Family of the prior of the effects, see :mod:`forecast.models.shrinkage`.
    global_scale, slab_scale : float
        Horseshoe: scale of the half-normal prior of the common scale (about the share of
        effects that matter over the root of the number of events), and the scale that
        even a large effect does not escape.
    explained : float
        R2D2: prior mean of the share of the latent variance that covariates explain.
    effect_priors : tuple of (str, Normal)
        Prior of the effect of single covariates, log hazard per catalog scale: a sign
        and a size stated beforehand. The scale that is learned multiplies its standard
        deviation, not its mean. Others have mean 0 and effect_scale.
    features : tuple of str
        Panel columns used as covariates.
    processes : bool
        Whether stages and signs are modelled at all.
    reporting : bool
        Whether the last months count for less, as some of their events are not public
        yet; see :mod:`forecast.models.reporting`.
    """

    rate: Normal = field(default_factory=lambda: yearly_rate(1 / 500, 1 / 30))
    live: Normal = field(default_factory=lambda: multiplier(1, 30))
    late: Normal = field(default_factory=lambda: multiplier(2, 100))
    signs: tuple[Normal, ...] = field(
        default_factory=lambda: tuple(yearly_rate(1 / 100, 1 / 2) for _ in SIGNS)
    )
    slot_scale: float = 0.7
    region_scale: float = 0.5
    state_scale: float = 0.5
    birth_scale: float = 0.7
    wave_scale: float = 0.0
    wave_months: int = 12
    effect_scale: float = 0.3
    learn_ridge: bool = True
    before_sigma: float = 0.5
    gap_sigma: float = 0.3
    mark_mu: float = 0.0
    mark_sigma: float = 0.8
    aim_shift: float = 1.5
    aim_scale: float = 0.8
    shrinkage: Family = "ridge"
    global_scale: float = 0.1
    slab_scale: float = 0.6
    explained: float = 0.25
    effect_priors: tuple[tuple[str, Normal], ...] = ()
    features: tuple[str, ...] = ()
    processes: bool = True
    reporting: bool = False

    def __post_init__(self) -> None:
        if self.shrinkage not in FAMILIES:
            raise HazardError("no such family of priors", place="shrinkage",
                              found=repr(self.shrinkage), allowed=" | ".join(FAMILIES),
                              remedy="choose one of these.")  # fmt: skip
        if wrong := list(outside(self, signs=len(SIGNS))):
            places, found, allowed = ("; ".join(said) for said in zip(*wrong, strict=True))
            raise HazardError("a model with values that are no prior", place=places, found=found,
                              allowed=allowed, remedy="give values of these kinds.")  # fmt: skip
        unknown = sorted({name for name, _ in self.effect_priors} - set(self.features))
        if unknown:
            raise HazardError("a prior for a covariate that the model does not have",
                              place="effect_priors", found=", ".join(unknown),
                              allowed=", ".join(self.features) or "none, without features",
                              remedy="name it among the features, or drop its prior.")  # fmt: skip

    def constants(self, design: Design, *, features: int | None = None) -> Array:
        """Prior constants: those of ``CONSTANTS``, then the table of stated effects.

        Parameters
        ----------
        design : Design
        features : int, optional
            Pad the table to this many covariates; those of the design unless given.

        Returns
        -------
        (constants + 3 * features,) array
        """
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.wave_scale and design.waves[:1] == NONE:
            raise HazardError("waves in a design without their periods", place="wave_scale",
                              found=f"{self.wave_scale:g}", allowed="0, for this design",
                              remedy="make it by forecast.material.reduced.")  # fmt: skip
        named |= {family: float(family == self.shrinkage) for family in FAMILIES}
        pairs = {"alpha": self.rate, "live": self.live, "late": self.late}
        for name, prior in pairs.items():
            named |= {f"{name}_mu": prior.mu, f"{name}_sigma": prior.sigma}
        for i, prior in enumerate(self.signs):
            named |= {f"sign_mu_{i}": prior.mu, f"sign_sigma_{i}": prior.sigma}
        if design.one_slot:  # padded or not: the level of a single slot is the rate's
            named["slot_scale"] = 0.0
        stated = table(design.features, dict(self.effect_priors), effect_scale=self.effect_scale)
        extra = max((features or 0) - stated.shape[1], 0)
        stated = np.pad(stated, [(0, 0), (0, extra)])
        return np.concatenate([[float(named[name]) for name in CONSTANTS], stated.ravel()])

    def data(self, design: Design) -> dict[str, Array]:
        """Everything the compiled program takes as an argument."""
        arrays = design.arrays()
        return arrays | {"constants": self.constants(design)}

    def reported(self, raw: Mapping[str, Array], design: Design) -> dict[str, Array]:
        """Effects that a forecast reports, padding left out: what the gate judges.

        Parameters
        ----------
        raw : dict of (chain, draw, ...) arrays
        design : Design
            Unpadded.
        """
        width = raw["beta_raw"].shape[-1]
        padded = effects(raw, self.constants(design, features=width), np)
        real = {
            "slot": len(design.slots), "region": len(design.regions),
            "state": len(design.states), "beta": len(design.features),
            "birth": len(design.states), "wave": len(design.waves),
        }  # fmt: skip
        unused = set() if design.has_signs else {"sign", "birth", "stage"}
        unused |= {"mark"} if design.slots != ("",) else set()
        out = {k: v[..., : real.get(k)] for k, v in padded.items() if k not in unused}
        del out["x_missing"]
        out |= {name: out[name][..., None] for name in ("alpha", "wave_scale")}
        # Written so that a column with a NaN stays, for the gate to see.
        moving = {k: v[..., ~(v.std(axis=(0, 1)) == 0)] for k, v in out.items()}
        return {k: v for k, v in moving.items() if v.shape[-1]}

    def build(self, design: Design) -> "pm.Model":
        """Plain PyMC model of a design, its data in ``pm.Data`` containers.

        Parameters
        ----------
        design : Design
            Arrays of one question at one origin, padded or not.

        Returns
        -------
        pm.Model
            Free variables are standard normals and half-normals ("raw"); the effects on
            the log hazard follow from them by :func:`effects`.
        """
        import pymc as pm
        import pytensor.tensor as pt

        with pm.Model(coords=coords(design)) as model:
            data = {k: pm.Data(k, v) for k, v in self.data(design).items()}
            raw = _raw_variables(pm)
            e = effects(raw, data["constants"], pt)
            dot: Any = pt.dot
            cell = cells(e, data, pt)
            column = columns(e, pt)
            expected = pt.exp(cell) * dot(data["exposure"], pt.exp(column[data["column"]]))
            _observe(pm, "survived", np.zeros(len(design.x)), -expected)
            log_hazard = cell[data["event_cell"]] + column[data["event_column"]]
            event = data["event_weight"] * _log1mexp(pt, pt.exp(log_hazard))
            _observe(pm, "event", design.event_weight, event)
            rate = e["sign"][data["sign_kind"]] + e["birth"][data["sign_state"]]
            sign = data["sign_count"] * _log1mexp(pt, pt.exp(rate))
            sign = sign - data["sign_months"] * pt.exp(rate)
            _observe(pm, "signs", design.sign_count, sign)
            mark = data["mark_weaken"] * e["mark"] - data["mark_total"] * pt.softplus(e["mark"])
            _observe(pm, "marks", design.mark_weaken, mark)
        return model


def effects(raw: Mapping[str, Any], constants: Any, xp: Any) -> dict[str, Any]:
    """Effects on the log hazard from standardised variables.

    Written once for NumPy draws (leading axes are draws) and for PyTensor graphs.

    Parameters
    ----------
    raw : mapping
        Standard-normal and half-normal variables by name.
    constants : (constants + 3 * features,) array
        See :meth:`Hazard.constants`.
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    """
    c = {name: constants[i] for i, name in enumerate(CONSTANTS)}
    one = raw["alpha_raw"] * 0.0
    d, s, m, g = raw["delta_raw"], raw["sign_raw"], raw["mark_raw"], raw["gap_raw"]
    live = c["live_mu"] + c["live_sigma"] * d[..., 0]
    late = c["late_mu"] + c["late_sigma"] * d[..., 1]
    before, slope = c["before_sigma"] * g[..., 0], c["gap_sigma"] * g[..., 1]
    wave_scale = c["wave_scale"] * raw["wave_sd"]
    stated = xp.reshape(constants[len(CONSTANTS) :], (3, -1))
    mark = c["mark_mu"] + c["mark_sigma"] * raw["mark_level"]
    kinds = range(len(SIGNS))
    return {
        "alpha": c["alpha_mu"] + c["alpha_sigma"] * raw["alpha_raw"],
        "slot": (c["slot_scale"] * raw["slot_sd"])[..., None] * raw["slot_raw"],
        "region": (c["region_scale"] * raw["region_sd"])[..., None] * raw["region_raw"],
        "state": (c["state_scale"] * raw["state_sd"])[..., None] * raw["state_raw"],
        "beta": betas(raw, c, stated, xp),
        "wave": wave_scale[..., None] * student(raw["wave_raw"], xp),
        "wave_scale": wave_scale,
        "x_missing": raw["x_missing"],
        "stage": xp.stack([one, live, late], axis=-1),
        "gap": xp.stack([one, *(before + slope * v for v in LOG_GAP)], axis=-1),
        "sign": xp.stack([c[f"sign_mu_{i}"] + c[f"sign_sigma_{i}"] * s[..., i] for i in kinds], -1),
        "birth": (c["birth_scale"] * raw["birth_sd"])[..., None] * raw["birth_raw"],
        "mark": xp.stack(
            [
                mark + c["aim_shift"] * sign + c["aim_scale"] * m[..., i]
                for i, sign in enumerate(AIM_SIGN)
            ],
            -1,
        ),
    }


def cells(e: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> Any:
    """Log hazard of every cell before slot, stage and recurrence, shape (..., cells)."""
    latent = e["beta"][..., data["latent_feature"]] * e["x_missing"]
    group = (
        e["alpha"][..., None]
        + e["region"][..., data["group_region"]]
        + e["state"][..., data["group_state"]]
        + xp.dot(latent, data["group_latent"].T)
    )
    wave = e["wave"][..., data["cell_wave"]]
    return group[..., data["cell_group"]] + wave + xp.dot(e["beta"], data["x"].T)


def columns(e: Mapping[str, Any], xp: Any) -> Any:
    """Log-hazard effect of every (slot, stage, gap) column, flattened, shape (..., columns)."""
    slot, stage, gap = e["slot"], e["stage"], e["gap"]
    table = slot[..., :, None, None] + stage[..., None, :, None] + gap[..., None, None, :]
    return xp.reshape(table, (*table.shape[:-3], -1)) if xp is np else table.flatten()


RAW: tuple[tuple[str, str | None, bool], ...] = (
    ("alpha_raw", None, False),
    ("slot_raw", "slot", False), ("slot_sd", None, True),
    ("region_raw", "region", False), ("region_sd", None, True),
    ("state_raw", "state", False), ("state_sd", None, True),
    ("beta_raw", "feature", False), ("ridge", None, True),
    ("x_missing", "latent", False),
    ("delta_raw", "process", False), ("gap_raw", "recurrence", False),
    ("sign_raw", "sign", False),
    ("birth_raw", "state", False), ("birth_sd", None, True),
    ("mark_level", None, False), ("mark_raw", "aim", False),
    ("local", "feature", True),
    ("wave_raw", "wave", False), ("wave_sd", None, True),
)  # fmt: skip
"""Standardised variables: name, dimension, whether half-normal."""


def prior_draws(sizes: Mapping[str, int], draws: int, seed: int) -> dict[str, Array]:
    """Independent draws of the standardised variables from their prior.

    Parameters
    ----------
    sizes : mapping
        Length of each dimension, see :func:`sizes`.
    draws, seed : int

    Returns
    -------
    dict of (draws,) or (draws, size) arrays
    """
    rng = np.random.default_rng(seed)
    out = {}
    for name, dim, half in RAW:
        z = rng.standard_normal((draws,) if dim is None else (draws, sizes[dim]))
        out[name] = np.abs(z) if half else z
    return out


def _raw_variables(pm: Any) -> dict[str, Any]:
    make = {False: pm.Normal, True: pm.HalfNormal}
    return {name: make[half](name, dims=dim) for name, dim, half in RAW}


def sizes(design: Design) -> dict[str, int]:
    """Length of each dimension of the model of a design."""
    return {name: len(labels) for name, labels in coords(design).items()}


def coords(design: Design) -> dict[str, list[str]]:
    """Dimensions of the model and their labels."""
    return {
        "slot": [slot or "all" for slot in design.slots],
        "region": list(design.regions),
        "state": list(design.states),
        "feature": list(design.features),
        "latent": [f"{s}:{f}" for s, f in design.latent],
        "process": list(STAGES[1:]),
        "recurrence": ["before", "log_gap"],
        "sign": list(SIGNS),
        "aim": [a or "none" for a in AIMS],
        "wave": [f"{region}:{period}" for region, period in design.waves],
    }


def _log1mexp(xp: Any, rate: Any) -> Any:
    return xp.log(-xp.expm1(-rate))


def _observe(pm: Any, name: str, observed: Any, log_likelihood: Any) -> None:
    """Observed node with a given pointwise log-likelihood, visible to LOO and power scaling."""
    pm.CustomDist(name, log_likelihood, logp=_given, observed=observed)


def _given(value: Any, log_likelihood: Any) -> Any:
    return log_likelihood + 0.0 * value
