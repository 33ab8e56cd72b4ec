"""Hit statistics of alphas: mean dose, chords, Poisson limits, sampled decays, survival."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import cell_s_values
from nichedose.dose.alphas import alpha_energy_MeV, alpha_range_um
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.hits import alphas_by_mass
from nichedose.dose.kernels import Daughters, radial_kernel
from nichedose.dose.microdosimetry import HitSource, hit_statistics
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

CELL_UM, NUCLEUS_UM = 7.0, 5.0
SOURCES: tuple[HitSource, ...] = ("surface", "cytoplasm", "nucleus", "cell")


@pytest.mark.parametrize(("nuclide", "daughters"), [("211At", "equilibrium"), ("225Ac", "none"),
                                                    ("225Ac", "equilibrium")])
def test_mean_specific_energy_is_mean_dose(nuclide: str, daughters: Daughters) -> None:
    """1e-3 asked, about 1e-5 found; label in the tissue around: uniform medium less what the cell would give itself."""
    s = cell_s_values(nuclide, CELL_UM, NUCLEUS_UM, daughters, "alpha")
    for source in SOURCES:
        hits = hit_statistics(nuclide, {source: 3.0}, CELL_UM, NUCLEUS_UM, daughters)
        assert hits.mean_specific_energy_Gy == pytest.approx(3.0 * s["nucleus", source], rel=1e-4)
        assert hits.probability.sum() == pytest.approx(1.0, abs=1e-9)
        assert hits.probability @ hits.specific_energy_Gy == pytest.approx(hits.mean_specific_energy_Gy, rel=1e-6)
        assert hits.mean_hits * hits.single_hit_mean_Gy == pytest.approx(hits.mean_specific_energy_Gy, rel=1e-9)
    around = hit_statistics(nuclide, {}, CELL_UM, NUCLEUS_UM, daughters, outside_decays_per_um3=1e-4)
    uniform = radial_kernel(nuclide, "alpha", daughters).total_MeV * GY_PER_MEV_PER_UM3
    dose = 1e-4 * (uniform - sphere_volume_um3(CELL_UM) * s["nucleus", "cell"])
    assert around.mean_specific_energy_Gy == pytest.approx(dose, rel=1e-4)


def test_hit_probability_is_the_solid_angle() -> None:
    """Surface label, range beyond the cell: the share of directions that meet the nucleus; a nucleus always hits
    itself."""
    angle = 0.5 * (1.0 - np.sqrt(1.0 - (NUCLEUS_UM / CELL_UM) ** 2))
    hits = hit_statistics("212Po", {"surface": 1.0}, CELL_UM, NUCLEUS_UM)
    assert hits.mean_hits == pytest.approx(angle, rel=1e-5)
    assert hit_statistics("212Po", {"nucleus": 2.0}, CELL_UM, NUCLEUS_UM).mean_hits == pytest.approx(2.0, rel=1e-6)


def test_hits_from_a_uniform_medium() -> None:
    """Tracks through a convex body from a uniform medium: surface/4 x range per decay and volume outside, exactly. The
    cell is hardly larger than the nucleus here (1e-3)."""
    reach = float(alpha_range_um(np.array([8.785]))[0])
    hits = hit_statistics("212Po", {}, NUCLEUS_UM * (1.0 + 1e-6), NUCLEUS_UM, outside_decays_per_um3=1e-3)
    assert hits.mean_hits == pytest.approx(1e-3 * np.pi * NUCLEUS_UM**2 * reach, rel=1e-3)


def test_mean_chord_of_a_small_nucleus() -> None:
    """A nucleus much smaller than the range is crossed along chords of mean 4r/3 and second moment 2r^2; energies at
    entry are spread evenly over the range. Mean and dose mean of f1 within 1.5 % (LET changes along the chord, r/R =
    0.4 %, and tracks that end inside)."""
    r = 0.4
    hits = hit_statistics("212Po", {}, r * 1.001, r, outside_decays_per_um3=1e-3)
    energy = alphas_by_mass("212Po", "none")[0].energy_MeV
    reach = float(alpha_range_um(energy)[0])
    left = np.linspace(0.0, reach, 20001)
    stopping = np.gradient(alpha_energy_MeV(left), left)
    per_MeV = GY_PER_MEV_PER_UM3 / sphere_volume_um3(r)
    assert hits.single_hit_mean_Gy == pytest.approx(stopping.mean() * 4.0 * r / 3.0 * per_MeV, rel=0.015)
    dose_mean = (stopping**2).mean() / stopping.mean() * 1.5 * r * per_MeV
    assert hits.single_hit_dose_mean_Gy == pytest.approx(dose_mean, rel=0.015)


def test_short_tracks_stay() -> None:
    """A nucleus of 40 ranges keeps nearly every alpha: f1 is a line at the alpha's energy, less the rim (3/4 R/r)."""
    reach = float(alpha_range_um(np.array([8.785]))[0])
    r = 40.0 * reach
    hits = hit_statistics("212Po", {"nucleus": 5.0}, 1.5 * r, r)
    line = 8.785 / sphere_volume_um3(r) * GY_PER_MEV_PER_UM3
    at_line = hits.single_hit_Gy > 0.99 * line
    step = hits.single_hit_Gy[1]
    assert float(hits.single_hit_per_Gy[at_line].sum() * step) > 0.97
    assert hits.single_hit_mean_Gy == pytest.approx(line, rel=0.02)


def test_independent_hits_are_poisson() -> None:
    """One alpha per decay: compound Poisson, P(0) = exp(-n), variance = n <z^2>, survival by Laplace transform."""
    hits = hit_statistics("211At", {"surface": 4.0, "cytoplasm": 2.0}, CELL_UM, NUCLEUS_UM, "equilibrium", 1e-4)
    z, p = hits.specific_energy_Gy, hits.probability
    assert hits.zero_hit_probability == pytest.approx(np.exp(-hits.mean_hits), rel=1e-9)
    assert p[0] == pytest.approx(hits.zero_hit_probability, rel=0.01)
    mean = p @ z
    assert p @ (z - mean) ** 2 == pytest.approx(mean * hits.single_hit_dose_mean_Gy, rel=1e-6)
    f1 = hits.single_hit_per_Gy * hits.single_hit_Gy[1]
    for per_Gy in (0.1, 1.0, 5.0):
        laplace = f1 @ np.exp(-per_Gy * hits.single_hit_Gy)
        assert hits.survival(per_Gy) == pytest.approx(np.exp(-hits.mean_hits * (1.0 - laplace)), rel=1e-9)
        assert hits.survival(per_Gy) == pytest.approx(p @ np.exp(-per_Gy * z), rel=1e-9)
        assert hits.survival(per_Gy, 0.05) == pytest.approx(p @ np.exp(-per_Gy * z - 0.05 * z * z), rel=1e-9)
        assert np.exp(-per_Gy * mean) <= hits.survival(per_Gy) <= 1.0
    assert -np.log(hits.survival(1e-4)) == pytest.approx(1e-4 * mean, rel=1e-4)


def test_linear_in_log_survival_with_dose() -> None:
    """ln S is proportional to the decays, so an observed slope can be turned into the nucleus' own; adding sources
    multiplies survivals. No floor of rounding at 1e-30."""
    one = hit_statistics("225Ac", {"surface": 1.0}, CELL_UM, NUCLEUS_UM, "equilibrium")
    many = hit_statistics("225Ac", {"surface": 300.0}, CELL_UM, NUCLEUS_UM, "equilibrium")
    assert np.log(many.survival(2.0)) == pytest.approx(300.0 * np.log(one.survival(2.0)), rel=1e-4)
    assert many.survival(2.0) < 1e-18
    cytoplasm = hit_statistics("225Ac", {"cytoplasm": 2.0}, CELL_UM, NUCLEUS_UM, "equilibrium")
    both = hit_statistics("225Ac", {"surface": 1.0, "cytoplasm": 2.0}, CELL_UM, NUCLEUS_UM, "equilibrium")
    assert both.survival(2.0) == pytest.approx(one.survival(2.0) * cytoplasm.survival(2.0), rel=1e-9)


def test_chains_against_sampled_decays() -> None:
    """225Ac chains on the surface, sampled: every chain starts its four alphas at one point. Share without a hit,
    mean, spread and survival within 4 standard deviations of 30,000 nuclei; independent hits would be far off."""
    rng, nuclei, decays = np.random.default_rng(13), 30_000, 3.0
    hits = hit_statistics("225Ac", {"surface": decays}, CELL_UM, NUCLEUS_UM, "equilibrium")
    of_nucleus = np.repeat(np.arange(nuclei), rng.poisson(decays, nuclei))
    z, hit = np.zeros(nuclei), np.zeros(nuclei, dtype=bool)
    for group in alphas_by_mass("225Ac", "equilibrium"):
        share = group.per_decay.sum()
        energy = rng.choice(group.energy_MeV, len(of_nucleus), p=group.per_decay / share)
        emitted = rng.random(len(of_nucleus)) < share
        left = np.where(emitted, _one_track(rng, energy), 0.0)
        np.add.at(z, of_nucleus, left * GY_PER_MEV_PER_UM3 / sphere_volume_um3(NUCLEUS_UM))
        np.logical_or.at(hit, of_nucleus, left > 0.0)
    none = 1.0 - hit.mean()
    error = np.sqrt(none * (1.0 - none) / nuclei)
    assert abs(none - hits.zero_hit_probability) < 4.0 * error
    assert none - np.exp(-hits.mean_hits) > 20.0 * error
    assert abs(z.mean() - hits.mean_specific_energy_Gy) < 4.0 * z.std() / np.sqrt(nuclei)
    spread = hits.probability @ (hits.specific_energy_Gy - hits.mean_specific_energy_Gy) ** 2
    assert z.var() == pytest.approx(spread, rel=0.04)
    survived = np.exp(-2.0 * z)
    assert abs(survived.mean() - hits.survival(2.0)) < 4.0 * survived.std() / np.sqrt(nuclei)


def _one_track(rng: np.random.Generator, energy_MeV: Array) -> Array:
    """Energy left in the nucleus by a track from the top of the cell in a random direction."""
    mu = rng.uniform(-1.0, 1.0, len(energy_MeV))
    off = CELL_UM * np.sqrt(1.0 - mu * mu)
    root = np.sqrt(np.maximum(NUCLEUS_UM**2 - off**2, 0.0))
    reach = alpha_range_um(energy_MeV)
    way_in, way_out = CELL_UM * mu - root, CELL_UM * mu + root
    left = alpha_energy_MeV(reach - way_in) - alpha_energy_MeV(reach - way_out)
    return np.asarray(np.where((mu > 0.0) & (root > 0.0), left, 0.0))


def test_an_atom_emits_one_alpha_of_a_mass_number() -> None:
    """212Bi and 212Po exclude each other, as do 211At and 211Po: yields of a group sum to 1 at most."""
    for nuclide, groups in (("212Pb", 1), ("211At", 1), ("225Ac", 4), ("223Ra", 4), ("224Ra", 4)):
        found = alphas_by_mass(nuclide, "equilibrium")
        assert len(found) == groups
        for group in found:
            assert group.per_decay.sum() == pytest.approx(1.0, abs=2e-3)


def test_many_hits_and_too_many() -> None:
    """With thousands of hits the grid gets coarser, the moments stay; above that the mean says it all."""
    s = cell_s_values("225Ac", CELL_UM, NUCLEUS_UM, "equilibrium", "alpha")["nucleus", "surface"]
    hits = hit_statistics("225Ac", {"surface": 1e4}, CELL_UM, NUCLEUS_UM, "equilibrium")
    assert hits.probability @ hits.specific_energy_Gy == pytest.approx(1e4 * s, rel=1e-4)
    with pytest.raises(BadInput, match="mean dose"):
        hit_statistics("225Ac", {"surface": 1e6}, CELL_UM, NUCLEUS_UM, "equilibrium")


def test_nothing_in_nothing_out() -> None:
    hits = hit_statistics("211At", {}, CELL_UM, NUCLEUS_UM)
    assert hits.mean_hits == hits.mean_specific_energy_Gy == hits.single_hit_mean_Gy == 0.0
    assert hits.zero_hit_probability == hits.survival(1.0) == 1.0
    assert hits.probability[0] == pytest.approx(1.0) and hits.single_hit_dose_mean_Gy == 0.0


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="emits no alphas"):
        hit_statistics("177Lu", {"surface": 1.0}, CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="daughters = none"):
        hit_statistics("212Pb", {"surface": 1.0}, CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="'surface'"):
        hit_statistics("211At", {"surfaces": 1.0}, CELL_UM, NUCLEUS_UM)  # type: ignore[dict-item]
    with pytest.raises(BadInput, match="0 or above"):
        hit_statistics("211At", {"surface": -1.0}, CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="0 or above"):
        hit_statistics("211At", {}, CELL_UM, NUCLEUS_UM, outside_decays_per_um3=np.nan)
    with pytest.raises(BadInput, match="per_Gy"):
        hit_statistics("211At", {"surface": 1.0}, CELL_UM, NUCLEUS_UM).survival(-1.0)
