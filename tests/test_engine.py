"""Fits by content: what is the same is fitted once and kept whole, what differs is fitted again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from forecast import cache, engine
from forecast.approximate import Approximation, Laplace
from forecast.engine import DATED, ROOM, Fitted, Job, fit_all, room
from forecast.material import gather
from forecast.models.design import Design
from forecast.models.hazard import Hazard
from forecast.priors import Normal
from forecast.questions import load_questions
from forecast.sampling import Diagnostics, Sampler, Settings
from forecast.standing import stand
from indicators import home
from indicators.errors import FitError
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

POOR = Diagnostics(1.2, 50.0, 3, 0.01, 0.2)
MODEL = Hazard(features=("a",))


def small(**changes: Any) -> Design:
    """Three cells of two states, one event."""
    made = Design(
        question="q", states=("AAA", "BBB"), regions=("r",), slots=("",), features=("a",),
        latent=(), x=np.array([[0.0], [0.5], [1.0]]), cell_group=np.array([0, 0, 1]),
        group_state=np.array([0, 1]), group_region=np.array([0, 0]),
        group_latent=np.zeros((2, 0)), latent_feature=np.zeros(0, int), column=np.array([0, 5]),
        exposure=np.array([[10.0, 0.0], [5.0, 2.0], [20.0, 0.0]]), event_cell=np.array([1]),
        event_column=np.array([5]), event_weight=np.ones(1), event_ids=("e",),
        sign_months=np.array([30.0]), sign_count=np.array([1.0]), sign_state=np.array([0]),
        sign_kind=np.array([0]), mark_total=np.array([1.0, 0, 0, 0]), mark_weaken=np.zeros(4),
    )  # fmt: skip
    return replace(made, **changes)


def fit(home: Path | None, *jobs: Job, seed: int = 1, **options: Any) -> dict[str, Fitted]:
    return fit_all(list(jobs), seed=seed, home=home, **options)


def stored(home: Path) -> list[Path]:
    return sorted(p for p in home.rglob("*") if p.is_file())


def test_the_same_content_is_fitted_once(cheap: Any, tmp_path: Path) -> None:
    found = fit(tmp_path, Job("one", MODEL, small()), Job("two", MODEL, small()))
    assert len(cheap.asked) == 1
    assert found["one"].key == found["two"].key
    assert found["one"].fit is found["two"].fit
    assert [p.parent.name for p in stored(tmp_path)] == ["cache"]
    assert stored(tmp_path)[0].name == f"{found['one'].key}.npz"


def test_a_kept_fit_comes_back_to_the_bit(cheap: Any, tmp_path: Path) -> None:
    first = fit(tmp_path, Job("one", MODEL, small()))["one"]
    again = fit(tmp_path, Job("another name", MODEL, small()))["another name"]
    assert len(cheap.asked) == 1
    assert again.key == first.key
    assert again.fit.diagnostics == first.fit.diagnostics
    assert again.fit.raw.keys() == first.fit.raw.keys()
    for name, value in first.fit.raw.items():
        assert again.fit.raw[name].dtype == value.dtype
        np.testing.assert_array_equal(again.fit.raw[name], value)


CHANGES: dict[str, Any] = {
    "exposure": {"design": small(exposure=small().exposure + np.eye(3, 2))},
    "covariate": {"design": small(x=small().x + 0.25)},
    "event": {"design": small(event_cell=np.array([2]))},
    "sign": {"design": small(sign_count=np.array([2.0]))},
    "mark": {"design": small(mark_weaken=np.array([1.0, 0, 0, 0]))},
    "prior": {"model": Hazard(rate=Normal(-6.0, 1.0), features=("a",))},
    "sign prior": {"model": Hazard(signs=(Normal(-5.0, 1.0),) * 5, features=("a",))},
    "family": {"model": Hazard(shrinkage="horseshoe", features=("a",))},
    "stated effect": {"model": Hazard(effect_priors=(("a", Normal(0.2, 0.3)),), features=("a",))},
    "waves": {
        "model": Hazard(wave_scale=0.5, features=("a",)),
        "design": small(waves=(("r", 1990),)),
    },
    "seed": {"seed": 2},
    "settings": {"settings": Settings(target_accept=0.9)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_anything_that_moves_the_draws_is_another_fit(
    change: dict[str, Any], cheap: Any, tmp_path: Path
) -> None:
    before = fit(tmp_path, Job("one", MODEL, small()))["one"]
    options = dict(change)
    job = Job("one", options.pop("model", MODEL), options.pop("design", small()))
    after = fit(tmp_path, job, **options)["one"]
    assert after.key != before.key
    assert len(cheap.asked) == 2
    assert len(stored(tmp_path)) == 2


def test_names_alone_are_no_content(cheap: Any, tmp_path: Path) -> None:
    fit(tmp_path, Job("one", MODEL, small()))
    fit(tmp_path, Job("one", MODEL, small(question="another", event_ids=("f",))))
    assert len(cheap.asked) == 1


def test_other_software_or_code_is_another_fit(
    cheap: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [fit(tmp_path, Job("one", MODEL, small()))["one"].key]
    with monkeypatch.context() as patch:
        patch.setattr(cache, "versions", lambda: {"jax": "99"})
        keys.append(fit(tmp_path, Job("one", MODEL, small()))["one"].key)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "code", lambda *_: "other source")
        keys.append(fit(tmp_path, Job("one", MODEL, small()))["one"].key)
    assert len(set(keys)) == 3


def test_without_a_home_nothing_is_written(cheap: Any, tmp_path: Path) -> None:
    fit(None, Job("one", MODEL, small()))
    fit(None, Job("one", MODEL, small()))
    assert len(cheap.asked) == 2
    assert stored(tmp_path) == []


@pytest.mark.parametrize("spoil", [b"", b"PK\x03\x04", b"not a zip at all", None])
def test_a_spoilt_file_is_fitted_again(spoil: bytes | None, cheap: Any, tmp_path: Path) -> None:
    first = fit(tmp_path, Job("one", MODEL, small()))["one"]
    (path,) = stored(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if spoil is None else spoil)
    again = fit(tmp_path, Job("one", MODEL, small()))["one"]
    assert len(cheap.asked) == 2
    np.testing.assert_array_equal(first.fit.raw["alpha_raw"], again.fit.raw["alpha_raw"])
    fit(tmp_path, Job("one", MODEL, small()))
    assert len(cheap.asked) == 2  # mended


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(tmp_path, "key", {"a": np.arange(3)})
    before = stored(tmp_path)[0].read_bytes()

    def full(handle: Any, **_: Any) -> None:
        handle.write(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(cache.np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        cache.save(tmp_path, "key", {"a": np.arange(4)})
    with pytest.raises(OSError, match="no space"):
        cache.save(tmp_path, "other", {"a": np.arange(4)})
    assert [p.name for p in stored(tmp_path)] == ["key.npz"]
    assert stored(tmp_path)[0].read_bytes() == before


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(True), "c": np.zeros((0, 2), int)}
    assert cache.load(tmp_path, "key") is None
    cache.save(tmp_path, "key", arrays)
    back = cache.load(tmp_path, "key")
    assert back is not None
    assert back.keys() == arrays.keys()
    for name, value in arrays.items():
        assert back[name].dtype == value.dtype
        np.testing.assert_array_equal(back[name], value)


def test_where_home_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "env"))
    assert home.home_dir() == tmp_path / "env"
    assert home.home_dir(tmp_path / "given") == tmp_path / "given"
    monkeypatch.delenv("TOCSIN_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert home.home_dir().name == "tocsin"


def test_digests_tell_plain_values_apart() -> None:
    parts = [(), ("a",), ("a", "b"), ("ab",), (("a", "b"),), (1,), (1.0,), ("1",)]
    assert len({cache.digest(*p) for p in parts}) == len(parts)
    assert cache.digest({"x": 1}) == cache.digest({"x": 1})


class Poor:
    """A sampler whose fit does not pass."""

    def __init__(self, *_: Any) -> None:
        pass

    def __call__(self, *_: Any, seed: int) -> Any:
        return SimpleNamespace(raw={"alpha_raw": np.zeros((1, 2))}, diagnostics=POOR)


def test_a_refused_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Sampler", Poor)
    with pytest.raises(FitError, match=r"weakening \(default\)") as caught:
        fit(tmp_path, Job("weakening (default)", MODEL, small()))
    assert caught.value.exit_code == 4
    assert stored(tmp_path) == []


def test_a_poor_fit_that_was_kept_is_refused_without_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "Sampler", Poor)
    kept = fit(tmp_path, Job("one", MODEL, small()), allow_poor_fit=True)["one"]
    assert kept.fit.diagnostics.failures()
    with pytest.raises(FitError):
        fit(tmp_path, Job("one", MODEL, small()))
    again = fit(tmp_path, Job("one", MODEL, small()), allow_poor_fit=True)["one"]
    assert again.fit.diagnostics == POOR


def test_room_grows_in_steps_that_hold_a_design() -> None:
    assert room(small(), "approximate") == ROOM
    assert room(small()) == replace(ROOM, latents=DATED)
    many = small(
        exposure=np.zeros((ROOM.cells + 1, 2)), x=np.zeros((ROOM.cells + 1, 1)),
        cell_group=np.zeros(ROOM.cells + 1, int),
    )  # fmt: skip
    assert room(many, "approximate") == replace(ROOM, cells=2 * ROOM.cells)
    assert many.padded(room(many)).capacity == room(many)


def test_a_fit_does_not_depend_on_what_else_is_fitted(cheap: Any, tmp_path: Path) -> None:
    many = small(
        exposure=np.zeros((ROOM.cells + 1, 2)), x=np.zeros((ROOM.cells + 1, 1)),
        cell_group=np.zeros(ROOM.cells + 1, int),
    )  # fmt: skip
    alone = fit(tmp_path / "a", Job("one", MODEL, small()))["one"]
    beside = fit(tmp_path / "b", Job("big", MODEL, many), Job("one", MODEL, small()))["one"]
    assert beside.key == alone.key
    assert beside.design.capacity == alone.design.capacity
    np.testing.assert_array_equal(beside.fit.raw["alpha_raw"], alone.fit.raw["alpha_raw"])


def test_every_variant_of_the_founding_run_has_room(bundled: DataPackage) -> None:
    """Else they would compile a program of their own, half a minute more."""
    seen, dated = (snapshot("2016-07-01", package=bundled, strict=flag) for flag in (False, True))
    for name, question in load_questions(bundled, as_of=seen.as_of).items():
        if question.parent:
            continue
        for known in (seen, dated):
            made = gather(question, known, "TKM", horizon=12, seed=1).design
            assert room(made) == replace(ROOM, latents=DATED), name
        usual = gather(question, seen, "TKM", horizon=12, seed=1).design
        assert room(usual, "approximate") == ROOM


def test_progress_says_what_is_fitted(cheap: Any, tmp_path: Path) -> None:
    said: list[str] = []
    fit(tmp_path, Job("one (default)", MODEL, small()), progress=said.append)
    assert said[0] == "compiling the sampler"
    assert said[1].startswith("sampling one (default): 38 unit-months, 1 events")
    said.clear()
    fit(tmp_path, Job("one (default)", MODEL, small()), progress=said.append)
    assert said == []


def test_one_program_serves_all_origins(cheap: Any) -> None:
    """What other origins and configurations change is data: nothing is compiled again."""
    told: list[str] = []
    for months in (1.0, 2.0):
        design = small(exposure=small().exposure + months)
        for model in (MODEL, Hazard(shrinkage="r2d2", features=("a",))):
            fit_all([Job("one", model, design)], seed=1, home=None, progress=told.append)
    assert told.count("compiling the sampler") == 1
    assert sum("sampling one" in line for line in told) == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sampler", "approximation"])
def test_a_new_origin_compiles_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Three origins of different sizes through one program; JAX tells all that it compiles."""
    import jax

    package = load()
    question = load_questions(package)["foreign_base"]
    parts = [
        stand([question], snapshot(day, package=package))[0].part
        for day in ("2016-07-01", "2003-07-01", "2010-07-01")
    ]
    assert len({part.design.capacity.cells for part in parts}) == 3
    model, padded = parts[0].model, parts[0].design.padded(room(parts[0].design))
    short = Settings(chains=2, rounds=1, tune=20, draws=20)
    program = (
        Sampler(model, padded, short)
        if kind == "sampler"
        else Laplace(model, padded, Approximation(points=2, each=16, kept=40))
    )
    compiled = []
    for part in parts:
        caplog.clear()
        with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
            fit = program(part.model, part.design, seed=1)
        assert np.isfinite(fit.raw["alpha_raw"]).all()
        compiled.append(sum("Compiling" in line for line in caplog.messages))
    assert compiled[0] > 0 or kind == "approximation"
    assert compiled[1:] == [0, 0], compiled
