"""Radionuclides from the shipped ENSDF extract: same functions, same rules."""

from __future__ import annotations

import json
import math
import time
import warnings
from importlib import resources

import numpy as np
import pytest
from scipy.linalg import expm

from nichedose.errors import BadInput
from nichedose.nuclide import (
    beta_bins,
    canonical_name,
    chain,
    chain_activities,
    chosen_source,
    decay_per_h,
    emissions,
    ensdf,
    half_life_h,
    known_nuclides,
    names,
    sources,
)

NAMES = known_nuclides("ensdf")
LIBRARY = ("177Lu", "161Tb", "90Y", "131I", "67Cu", "225Ac", "211At", "212Pb")
# Alpha masses in u, CODATA 2018; the daughter's is its mass number to 3e-4.
ALPHA_U = 4.001506


def test_the_library_and_its_progeny_are_there() -> None:
    for parent in LIBRARY:
        missing = {m.name for m in chain(parent, source="icrp107")} - set(NAMES)
        assert not missing
        assert {m.name for m in chain(parent, source="ensdf")} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_with_sane_numbers(name: str) -> None:
    data = emissions(name, "ensdf")
    assert data.source == "ensdf"
    assert data.half_life_h > 0.0 and math.isfinite(data.half_life_h)
    assert list(data.lines) == ["alpha", "recoil", "beta", "conversion", "auger", "photon"]
    for lines in data.lines.values():
        assert lines.energy_MeV.shape == lines.per_decay.shape
        assert np.all(lines.energy_MeV > 0.0) and np.all(lines.per_decay > 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_energy_balance(name: str) -> None:
    """What leaves, neutrinos included, is what the decay sets free: 0.2 %; 227Th, whose lists do not close, 0.5 %."""
    record = ensdf.record(name)
    out = sum(emissions(name, "ensdf").energy_MeV_per_decay.values()) + record["neutrino_MeV"]
    assert out == pytest.approx(record["q_MeV"], rel=5e-3 if name == "227Th" else 2e-3)


@pytest.mark.parametrize("name", [n for n in NAMES if emissions(n, "ensdf").lines["alpha"].per_decay.size])
def test_recoils_carry_the_momentum_of_the_alphas(name: str) -> None:
    """Equal momenta: energies as the inverse masses. The faintest lines are joined, so sums are compared: 5e-4."""
    lines = emissions(name, "ensdf").lines
    daughter = int("".join(c for c in name if c.isdigit())) - 4
    assert lines["recoil"].energy_MeV_per_decay == pytest.approx(
        lines["alpha"].energy_MeV_per_decay * ALPHA_U / daughter, rel=5e-4)
    assert lines["recoil"].per_decay.sum() == pytest.approx(lines["alpha"].per_decay.sum(), rel=1e-5)


@pytest.mark.parametrize("name", [n for n in NAMES if emissions(n, "ensdf").beta_spectrum is not None])
def test_the_spectrum_is_that_of_the_branches(name: str) -> None:
    """Number within 0.5 % (about a hundred points; it is then scaled), energy exactly, none beyond the end."""
    data, bins = emissions(name, "ensdf"), beta_bins(name, source="ensdf")
    assert bins.per_decay.sum() == pytest.approx(data.lines["beta"].per_decay.sum(), rel=5e-3)
    assert bins.energy_MeV_per_decay == pytest.approx(data.lines["beta"].energy_MeV_per_decay, rel=1e-9)
    assert bins.energy_MeV.max() <= max(branch[0] for branch in ensdf.record(name)["beta"])


def test_alphas_of_the_225ac_chain() -> None:
    """Four alphas (one in 213Bi's branch): their sum is 27.5 MeV."""
    members = chain("225Ac", source="ensdf")
    alphas = [(m.decays_per_parent_decay, emissions(m.name, "ensdf").lines["alpha"]) for m in members]
    assert sum(n * a.per_decay.sum() for n, a in alphas) == pytest.approx(4.0, abs=2e-3)
    assert sum(n * a.energy_MeV_per_decay for n, a in alphas) == pytest.approx(27.48, abs=0.02)


@pytest.mark.parametrize("parent", ["225Ac", "212Pb", "211At", "131I", "227Th"])
def test_activities_integrate_to_the_counts(parent: str) -> None:
    """Integral of A(t) over that of the parent's is the count of the chain; trapezes on a logarithmic grid: 1e-3."""
    members = chain(parent, longest_half_life_h=1e4, source="ensdf")
    longest = max(half_life_h(m.name, "ensdf") for m in members)
    times = np.concatenate([[0.0], np.geomspace(1e-9, 60.0 * longest, 6000)])
    activity = chain_activities(parent, times, "ensdf")
    for member in members:
        total = float(np.trapezoid(activity[member.name], times)) * decay_per_h(parent, "ensdf")
        assert total == pytest.approx(member.decays_per_parent_decay, rel=1e-3)


@pytest.mark.parametrize("parent", ["225Ac", "227Th", "131I", "211At"])
def test_activities_against_the_matrix_exponential(parent: str) -> None:
    """Both in double precision: 1e-6 of an activity, or 1e-12 of the parent's where hardly any has grown."""
    members = [m.name for m in chain(parent, source="ensdf")]
    rate = np.array([decay_per_h(name, "ensdf") for name in members])
    matrix = -np.diag(rate)
    for j, name in enumerate(members):
        for progeny, fraction in ensdf.record(name).get("progeny", {}).items():
            matrix[members.index(progeny), j] += fraction * rate[j]
    for time_h in (0.01, 1.0, 100.0):
        exact = expm(matrix * time_h)[:, 0] * rate / rate[0]
        got = chain_activities(parent, [time_h], "ensdf")
        assert [got[name][0] for name in members] == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_activities_at_early_times_keep_their_digits() -> None:
    """The first daughter of 225Ac grows as rate x time x (1 - (sum of rates) time / 2)."""
    times = np.array([1e-9, 1e-6])
    rates = decay_per_h("221Fr", "ensdf"), decay_per_h("225Ac", "ensdf")
    got = chain_activities("225Ac", times, "ensdf")["221Fr"]
    assert got == pytest.approx(rates[0] * times * (1.0 - 0.5 * sum(rates) * times), rel=1e-8)


def test_names_and_near_misses() -> None:
    assert canonical_name("tc99m", "ensdf") == "99mTc"
    with pytest.raises(BadInput, match="177Lu") as error:
        emissions("177Lx", "ensdf")
    assert "Did you mean '177Lu'" in str(error.value)
    with pytest.raises(BadInput, match="not a radionuclide of the ENSDF extract") as error:
        half_life_h("166Ho", "ensdf")  # known to ICRP-107 alone
    assert "Did you mean" not in str(error.value)
    assert "It holds 177Lu, 161Tb, 90Y" in str(error.value)
    with pytest.raises(BadInput, match="'icrp107' or 'ensdf'"):
        emissions("177Lu", "endf")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="not negative"):
        chain_activities("177Lu", [-1.0], "ensdf")


def test_the_default_stays_the_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    sources._of_the_process.cache_clear()
    assert chosen_source() == "icrp107"
    assert emissions("177Lu").source == "icrp107"
    assert len(known_nuclides()) == 1252


@pytest.fixture
def fresh_choice() -> object:
    sources._of_the_process.cache_clear()
    yield
    sources._of_the_process.cache_clear()


@pytest.mark.usefixtures("fresh_choice")
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.VARIABLE, "ENSDF")
    assert emissions("177Lu").source == "ensdf"
    assert emissions("177Lu", "icrp107").source == "icrp107"
    assert known_nuclides() == NAMES
    sources._of_the_process.cache_clear()
    monkeypatch.setenv(sources.VARIABLE, "icrp")
    with pytest.raises(BadInput, match="NICHEDOSE_DECAY_DATA = 'icrp'"):
        emissions("177Lu")


@pytest.mark.usefixtures("fresh_choice")
def test_without_the_publication_ensdf_steps_in_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="icrp107-database is not installed"):
        assert emissions("177Lu").source == "ensdf"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert half_life_h("177Lu") == pytest.approx(6.6443 * 24.0)  # said once


def test_asking_for_a_publication_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    names.database_folder.cache_clear()
    with pytest.raises(BadInput, match="source='ensdf'"):
        names.database_folder()


def test_the_file_is_small_and_quick() -> None:
    """Under 300 kB and 50 ms (best of three: the machine may be busy)."""
    text = resources.files("nichedose.nuclide").joinpath("data/ensdf.json").read_text()
    assert len(text) < 300_000
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        json.loads(text)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.05


def test_provenance_names_the_packages_of_the_file() -> None:
    text = resources.files("nichedose.nuclide").joinpath("data/PROVENANCE.md").read_text()
    for package, version in ensdf.packages().items():
        assert f"{package} {version}" in text
