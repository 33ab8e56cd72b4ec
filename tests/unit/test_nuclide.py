"""Radionuclides: names, emissions, chains."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from radioactivedecay import Inventory, Nuclide

from nichedose.errors import BadInput
from nichedose.nuclide import (
    beta_bins,
    canonical_name,
    chain,
    chain_activities,
    decay_per_h,
    emissions,
    half_life_h,
    known_nuclides,
    progeny,
)
from nichedose.nuclide.names import database_name


@pytest.mark.parametrize(("written", "name"), [
    ("177Lu", "177Lu"), ("Lu-177", "177Lu"), ("lu177", "177Lu"), ("Lu 177", "177Lu"), ("177-Lu", "177Lu"),
    ("Tc-99m", "99mTc"), ("99mTc", "99mTc"), ("tc99m", "99mTc"), ("99mo", "99Mo"), ("Lu-177m", "177mLu"),
    ("177mlu", "177mLu"), ("212pb", "212Pb"), ("i131", "131I"), ("nb-95m", "95mNb"), ("Sb-124n", "124nSb"),
    ("99m-Tc", "99mTc"), ("124n Sb", "124nSb"),
    ("\u00b9\u2077\u2077Lu", "177Lu"), ("\u2079\u2079\u1d50Tc", "99mTc"),  # raised digits
])
def test_names(written: str, name: str) -> None:
    assert canonical_name(written) == name


@pytest.mark.parametrize(("wrong", "hint"), [
    ("177Lx", "177Lu"), ("178Hf", "178mHf"), ("225Act", "225Ac"), ("foo", "177Lu or Lu-177"), ("", "177Lu or Lu-177"),
    ("lutetium-177", "'177Lu'"), ("Lu177x", "mean '177Lu'"),
    ("Lu_177", "mean '177Lu'"), ("177", ""), ("Lu", ""), ("-177Lu", ""), ("1777Lu", ""),
])
def test_unknown_and_stable_names(wrong: str, hint: str) -> None:
    with pytest.raises(BadInput, match="not a radionuclide of ICRP") as error:
        emissions(wrong)
    assert hint in str(error.value)
    assert len(str(error.value)) < 250


def test_every_nuclide_of_the_publication_loads() -> None:
    """1,252 names; each has a finite half-life, and spectra whose yield is that of the branches.

    The tables of spectra and of branches are rounded apart: 0.2 % (16N, with betas to 10 MeV, 1.8 %). Where nuclides
    fission spontaneously the table holds the betas of the fragments too.
    """
    names = known_nuclides()
    assert len(names) == 1252
    for name in names:
        data = emissions(name)
        assert math.isfinite(data.half_life_h) and data.half_life_h > 0.0
        assert all(np.all(lines.per_decay >= 0.0) for lines in data.lines.values())
        branches = float(data.lines["beta"].per_decay.sum())
        if branches > 0.0 and name not in {"250Cm", "254mEs", "255Es"}:
            assert beta_bins(name).per_decay.sum() == pytest.approx(branches, rel=0.02 if name == "16N" else 2e-3)


def test_beta_bins_keep_the_energy_of_the_branches() -> None:
    for name in ("177Lu", "64Cu", "213Bi"):  # 64Cu: beta- and beta+ in one spectrum
        assert beta_bins(name).energy_MeV_per_decay == pytest.approx(
            emissions(name).energy_MeV_per_decay["beta"], rel=1e-12)
    assert beta_bins("211At").energy_MeV.size == 0


def test_what_is_shared_cannot_be_written() -> None:
    data = emissions("177Lu")
    assert data.beta_spectrum is not None
    for shared in (data.lines["beta"].energy_MeV, data.beta_spectrum.per_MeV, beta_bins("177Lu").per_decay):
        with pytest.raises(ValueError, match="read-only"):
            shared *= 2.0


@pytest.mark.parametrize("bins", [0, -5, 2.5])
def test_bins_that_are_none(bins: int) -> None:
    with pytest.raises(BadInput, match="whole number above 0"):
        beta_bins("177Lu", bins)


def test_half_life_and_decay_constant() -> None:
    assert half_life_h("Lu-177") == pytest.approx(6.647 * 24.0)
    assert decay_per_h("90Y") * half_life_h("90Y") == pytest.approx(math.log(2.0))


def test_chain_branches_to_any_depth() -> None:
    members = {m.name: m.decays_per_parent_decay for m in chain("Ac-225")}
    assert list(members)[:3] == ["225Ac", "221Fr", "217At"]
    assert members["213Po"] == pytest.approx(0.9791 * members["213Bi"])
    assert members["209Tl"] == pytest.approx(0.0209 * members["213Bi"])
    assert members["209Pb"] == pytest.approx(members["213Po"] + members["209Tl"])  # the two branches meet again
    assert [m.name for m in chain("177Lu")] == ["177Lu"]


def test_chain_stops_at_long_lived_progeny() -> None:
    assert [m.name for m in chain("211At", 8766.0)] == ["211At", "211Po"]
    assert {m.name for m in chain("211At")} == {"211At", "211Po", "207Bi"}


def _packaged(name: str) -> str:
    mass = "".join(c for c in name if c.isdigit())
    return f"{name[len(mass):]}-{mass}"


@pytest.mark.parametrize("name", ["225Ac", "212Pb", "223Ra", "211At", "90Sr"])
def test_chain_counts_equal_the_integral_of_bateman(name: str) -> None:
    """Decays to infinity from branching products, against the integral of the solved chain (where it has died out)."""
    members = chain(name, 1e6)
    end = 60.0 * max(half_life_h(m.name) for m in members)
    counted = Inventory({_packaged(name): 1.0}, "num").cumulative_decays(end, "h")
    for member in members:
        assert member.decays_per_parent_decay == pytest.approx(counted[_packaged(member.name)], rel=1e-6)


def test_every_chain_stands_in_order_of_decay() -> None:
    """133I reaches 133Xe directly and through 133mXe: all that feed a member stand before it."""
    assert [member.name for member in chain("133I")] == ["133I", "133mXe", "133Xe"]
    for name in known_nuclides("icrp107"):
        place = {member.name: i for i, member in enumerate(chain(name, source="icrp107"))}
        assert all(place[p] > i for member, i in place.items() for p, _ in progeny(member, "icrp107")), name


@pytest.mark.parametrize("name", ["225Ac", "212Pb", "211At", "99Mo", "133I", "144Ce", "131mTe", "109Sn", "238U"])
def test_activities_are_those_of_radioactivedecay(name: str) -> None:
    """Two ways to solve the same chain, 1e-12 of the parent's initial activity (all 808 chains: 3e-14)."""
    times = half_life_h(name) * np.array([0.0, 1e-3, 0.5, 2.0, 10.0])
    ours = chain_activities(name, times)
    for i, time in enumerate(times):
        theirs = Inventory({database_name(name): 1.0}, "Bq").decay(float(time), "h").activities("Bq")
        for member, activity in ours.items():
            assert float(activity[i]) == pytest.approx(theirs.get(database_name(member), 0.0), abs=1e-12), member


def test_transient_equilibrium() -> None:
    """Late in the chain 212Bi / 212Pb tends to T1 / (T1 - T2)."""
    t1, t2 = half_life_h("212Pb"), half_life_h("212Bi")
    late = chain_activities("212Pb", [40.0])
    assert float(late["212Bi"][0] / late["212Pb"][0]) == pytest.approx(t1 / (t1 - t2), rel=1e-9)
    with pytest.raises(BadInput, match="not negative"):
        chain_activities("212Pb", [-1.0])


def test_a_deep_chain_has_no_activity_below_zero() -> None:
    """238U, 18 deep and 22 decades of half-lives: what is left of rounding is 1e-15 of the parent."""
    activity = chain_activities("238U", [1e-3, 1.0, 1e3, 1e6, 1e14])
    assert min(float(a.min()) for a in activity.values()) >= 0.0
    assert float(activity["206Tl"][-1] / activity["210Bi"][-1]) < 1e-5
    assert float(activity["214Po"][-1] / activity["222Rn"][-1]) == pytest.approx(0.9998, rel=1e-3)


@pytest.mark.parametrize("times", ["1h", [[1.0, 2.0]], [np.nan], [np.inf]])
def test_times_that_are_none(times: object) -> None:
    with pytest.raises(BadInput, match="times_h"):
        chain_activities("212Pb", times)  # type: ignore[arg-type]


@pytest.mark.parametrize("longest", [0.0, -1.0, math.nan, "1 h", None])
def test_longest_half_life_that_is_none(longest: object) -> None:
    with pytest.raises(BadInput, match="longest_half_life_h"):
        chain("225Ac", longest)  # type: ignore[arg-type]


def test_chain_does_not_import_radioactivedecay() -> None:  # it draws matplotlib in, for seconds
    code = ("import sys; from nichedose.nuclide import chain; chain('225Ac'); "
            "sys.exit('radioactivedecay' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_progeny_of_every_nuclide_are_those_of_radioactivedecay() -> None:
    known = known_nuclides("icrp107")
    ends = 0
    for name in known:
        theirs = Nuclide(database_name(name, "icrp107"))
        shares = dict(zip(theirs.progeny(), theirs.branching_fractions(), strict=True))
        ours = {database_name(p, "icrp107"): fraction for p, fraction in progeny(name, "icrp107")}
        assert ours == {p: f for p, f in shares.items() if p in ours and f > 0.0}
        ends += len(shares) - len(ours)
    assert ends > 0  # stable progeny and fission are left out
