"""Families of shrinkage against closed forms and their prior predictive."""

import numpy as np
import pytest
from scipy import integrate, stats

from forecast.models.hazard import Hazard, HazardError, effects, prior_draws, sizes
from forecast.models.shrinkage import FAMILIES, LATENT_VARIANCE, betas, table
from forecast.priors import Normal, multiplier

DRAWS = 200_000
FEATURES = ("x0", "x1", "x2", "x3")


def drawn(names=FEATURES, *, priors=None, scale=0.3, **constants):
    """Effects from the prior, shape (draws, features)."""
    rng = np.random.default_rng(1)
    raw = {
        "beta_raw": rng.standard_normal((DRAWS, len(names))),
        "local": np.abs(rng.standard_normal((DRAWS, len(names)))),
        "ridge": np.abs(rng.standard_normal(DRAWS)),
    }
    c = dict.fromkeys(FAMILIES, 0.0)
    c |= {"learn_ridge": 1.0, "global_scale": 0.1, "slab_scale": 0.6, "explained": 0.25}
    return betas(raw, c | constants, table(names, priors or {}, effect_scale=scale), np), raw


def test_a_fixed_ridge_is_the_normal_prior_it_says():
    beta, raw = drawn(ridge=1.0, learn_ridge=0.0)
    np.testing.assert_array_equal(beta, 0.3 * raw["beta_raw"])


@pytest.mark.parametrize("learn", [0.0, 1.0])
def test_a_stated_prior_has_the_mean_and_deviation_it_says(learn):
    """Also under a learned scale: the square of a half-normal has mean 1."""
    said = multiplier(0.9, 2.5)
    beta, _ = drawn(ridge=1.0, learn_ridge=learn, priors={"x1": said})
    assert beta[:, 1].mean() == pytest.approx(said.mu, abs=4 * said.sigma / DRAWS**0.5)
    assert beta[:, 1].std() == pytest.approx(said.sigma, rel=0.02)
    assert beta[:, 0].mean() == pytest.approx(0.0, abs=0.004)
    assert beta[:, 0].std() == pytest.approx(0.3, rel=0.02)


def test_the_horseshoe_without_slab_is_a_half_cauchy_scale():
    beta, raw = drawn(horseshoe=1.0, slab_scale=1e9)
    cauchy = stats.halfcauchy.ppf(stats.halfnorm.cdf(raw["local"]))
    expected = 0.1 * raw["ridge"][:, None] * cauchy * raw["beta_raw"]
    np.testing.assert_allclose(beta, expected, rtol=1e-6)


def test_the_horseshoe_has_the_median_effect_of_its_integral():
    """Median |beta|, tau given: half of the mass lies below, by numerical integration."""
    beta, raw = drawn(horseshoe=1.0)
    tau = np.quantile(raw["ridge"], 0.5)
    near = np.abs(raw["ridge"] - tau) < 0.05

    def below(u, median):
        reach = 0.1 * tau * np.tan(np.pi / 2 * u)
        scale = 0.6 * reach / np.hypot(0.6, reach)
        return stats.halfnorm.cdf(median / scale)

    found = float(np.median(np.abs(beta[near])))
    mass, _ = integrate.quad(below, 0, 1, args=(found,))
    assert mass == pytest.approx(0.5, abs=0.01)
    assert found < 0.1  # most effects are noise
    assert np.quantile(np.abs(beta), 0.999) < 0.6 * 4  # and the largest do not escape the slab


def test_r2d2_explains_the_share_it_says_and_spreads_it_evenly():
    names = (*FEATURES, "pad4", "pad5")
    beta, raw = drawn(names, r2d2=1.0)
    assert (beta[:, 4:] == 0).all()
    scale = np.divide(beta[:, :4], raw["beta_raw"][:, :4])
    total = np.square(scale).sum(axis=1)
    r2 = total / (total + LATENT_VARIANCE)
    assert stats.kstest(r2[:5000], stats.beta(1, 3).cdf).pvalue > 0.01
    assert r2.mean() == pytest.approx(0.25, abs=0.003)
    share = np.square(scale) / total[:, None]
    symmetric = stats.dirichlet([0.5] * 4)
    np.testing.assert_allclose(share.mean(axis=0), symmetric.mean(), atol=0.003)
    np.testing.assert_allclose(share.var(axis=0), symmetric.var(), rtol=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_stays_finite_in_the_far_tails(family):
    c = dict.fromkeys(FAMILIES, 0.0) | {family: 1.0}
    c |= {"learn_ridge": 1.0, "global_scale": 0.1, "slab_scale": 0.6, "explained": 0.25}
    for value in (1e-300, 1e-3, 6.0, 40.0):
        raw = {"beta_raw": np.ones(2), "local": np.full(2, value), "ridge": np.array(value)}
        assert np.isfinite(betas(raw, c, table(("a", "b"), {}, effect_scale=0.3), np)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_one_covariate_multiplies_the_hazard_by_what_a_reader_would_believe(real_design, family):
    """Prior predictive: an effect is seldom beyond a factor of 5 a catalog scale, either way."""
    model, design = real_design
    chosen = Hazard(features=model.features, shrinkage=family)
    e = effects(prior_draws(sizes(design), 4000, 3), chosen.constants(design), np)
    inside = np.abs(e["beta"]) < np.log(5)
    assert inside.mean() > 0.95
    assert e["beta"].std() > 0.05


def test_what_is_no_model_is_refused_with_the_remedy():
    with pytest.raises(HazardError, match=r"(?s)shrinkage.*'lasso'.*horseshoe"):
        Hazard(shrinkage="lasso")
    with pytest.raises(HazardError, match=r"(?s)effect_priors.*gas.*x0"):
        Hazard(features=("x0",), effect_priors=(("gas", Normal(0, 1)),))


WRONG = [
    ({"effect_scale": -1.0}, "effect_scale"),
    ({"state_scale": float("nan")}, "state_scale"),
    ({"before_sigma": -2.0, "explained": 1.0}, "before_sigma; explained"),
    ({"signs": ()}, "signs"),
    ({"wave_months": 7}, "wave_months"),
    ({"slab_scale": 0.0}, "slab_scale"),
    ({"rate": Normal(float("nan"), 1.0)}, "rate"),
]


@pytest.mark.parametrize(("given", "place"), WRONG)
def test_a_model_of_values_that_are_no_prior_is_refused(given, place):
    with pytest.raises(HazardError) as error:
        Hazard(**given)
    assert place in str(error.value)
