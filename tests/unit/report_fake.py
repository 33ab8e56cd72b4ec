"""A made-up `PlanResult` with every case that a report must show. Its numbers mean nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from nichedose.fields.grid import Array
from nichedose.results import CandidateSummary, ModeResult, OrganDose, PlanResult, Quantiles, SectionResult
from nichedose.values import Flag, Source, Value, ValueUse

QUALITIES = ["alpha", "recoil", "beta", "conversion", "auger", "photon"]
CELLS = ["tumour", "fibroblast", "endothelial", "T cell", "macrophage", "other"]
MODES = ["as_prescribed", "equal_mean_dose", "equal_toxicity"]
AGENTS = [
    ("177Lu-PSMA-617", "PSMA", "177Lu"),
    ("225Ac-PSMA-617", "PSMA", "225Ac"),
    ("161Tb-PSMA-617", "PSMA", "161Tb"),
    ("177Lu-DOTATATE", "SSTR2", "177Lu"),
    ("225Ac-DOTATATE", "SSTR2", "225Ac"),
    ("212Pb-DOTAMTATE", "SSTR2", "212Pb"),
    ("90Y-FAPI-46", "FAP", "90Y"),
    ("177Lu-FAP-2286", "FAP", "177Lu"),
    ("177Lu-RM2", "GRPR", "177Lu"),
    ("177Lu-girentuximab", "CAIX", "177Lu"),
    ("131I-omburtamab", "B7-H3", "131I"),
    ("67Cu-SARTATE", "SSTR2", "67Cu"),
]
CASE = """title = "Demonstration"
tumour = "prostate"

[lesion]
diameter = "20 mm"
surroundings = "uniform"

[[sections]]
path = "section"   # <script>alert(1)</script>

[[candidates]]
agent = "177Lu-PSMA-617"
"""
SOURCES = {
    "fake_one": Source(
        key="fake_one",
        citation="A made-up source, for the test of a page. J Imaginary Results 2024;1:1-9.",
        doi="10.0000/fake.1",
    ),
    "fake_two": Source(
        key="fake_two", citation="Another made-up source <b>with markup</b>.", url="https://example.org/a?b=1&c=2"
    ),
}


def smooth(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Array:
    field = gaussian_filter(rng.standard_normal(shape), sigma)
    return np.asarray((field - field.min()) / (field.max() - field.min()))


def section(name: str, n: int, agents: Sequence[tuple[str, str, str]], seed: int) -> SectionResult:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n] / n - 0.5
    mask = np.hypot(x * (1 + 0.2 * np.sin(5 * y)), y) < 0.46 + 0.02 * np.sin(9 * np.arctan2(y, x))
    nests = smooth(rng, (n, n), n / 26) ** 3 * mask
    vessels = smooth(rng, (n, n), n / 60) ** 2 * mask
    oxygen = gaussian_filter(vessels, n / 50) * 120 * mask
    dims = ("y", "x")
    density = np.stack([1e5 * nests, *(2e4 * smooth(rng, (n, n), n / 30) * mask for _ in CELLS[1:])])
    data: dict[str, object] = {
        "mask": (dims, mask, {"units": "1", "long_name": "in tissue"}),
        "cell_density": (("cell_type", *dims), density, {"units": "1/mm3", "long_name": "cell density"}),
        "vessel_surface": (dims, 200 * vessels, {"units": "1/cm", "long_name": "vessel surface per tissue volume"}),
        "matrix": (dims, smooth(rng, (n, n), n / 20) * mask, {"units": "1", "long_name": "matrix, relative"}),
        "oxygen": (dims, oxygen, {"units": "mmHg", "long_name": "tissue oxygen"}),
    }
    for target, host in [
        ("PSMA", "tumour"),
        ("PSMA", "endothelial"),
        ("SSTR2", "tumour"),
        ("FAP", "fibroblast"),
        ("GRPR", "tumour"),
    ]:
        data[f"target_{target}_{host}"] = (
            dims,
            60 * smooth(rng, (n, n), n / 40) ** 2 * mask,
            {
                "units": "nmol/L",
                "long_name": f"{target} on {host}",
                "scale": "absolute" if target == "PSMA" else "relative",
                "shape_known": int(target != "GRPR"),
            },
        )
    coords = {
        "y": ("y", 20.0 * np.arange(n), {"units": "um"}),
        "x": ("x", 20.0 * np.arange(n), {"units": "um"}),
        "cell_type": CELLS,
    }
    coverage = {
        "cell_types": {"tumour": covered(["EPCAM", "KRT8"], []), "T cell": covered(["CD3D"], ["CD3E", "TRAC"])},
        "targets": {"PSMA": covered(["FOLH1"], []), "B7-H3": covered([], ["CD276"])},
        "signatures": {"hypoxia": covered(["CA9", "VEGFA"], ["NDRG1"])},
    }
    return SectionResult(
        name,
        xr.Dataset(data, coords=coords, attrs={"sample": name}),
        _maps(rng, n, mask, nests, agents),
        coverage,
        "100 um between neighbouring spots, from the array positions",
        xr.Dataset(
            {"oxygen": (("quantile", "y", "x"), np.stack([0.5 * oxygen, oxygen, 2.0 * oxygen]), {"units": "mmHg"}),
             "oxygen_mean": ("quantile", oxygen[mask].mean() * np.array([0.5, 1.0, 2.0]), {"units": "mmHg"})},
            coords={"quantile": ("quantile", [0.05, 0.5, 0.95], {"units": "1"}), "y": coords["y"], "x": coords["x"]},
        ),
    )


def covered(present: list[str], missing: list[str]) -> dict[str, object]:
    counts = {gene: 100 * (i + 1) for i, gene in enumerate(present)}
    return {"present": present, "missing": missing, "counts": counts, "positive_spots": dict.fromkeys(present, 80)}


def _maps(
    rng: np.random.Generator, n: int, mask: Array, nests: Array, agents: Sequence[tuple[str, str, str]]
) -> xr.Dataset:
    dose_bins, edges = np.linspace(0, 120, 121), np.linspace(-8, 0, 81)
    log_bins = 0.5 * (edges[1:] + edges[:-1])
    doses, by_quality, survival, volume, kill = [], [], [], [], []
    for i, (_, _, nuclide) in enumerate(agents):
        alpha = nuclide in ("225Ac", "212Pb")
        dose = gaussian_filter(nests, 2.0 if alpha else n / 40) * (8 if alpha else 120) * (1 - 0.05 * i) * mask
        share = np.array([0.95, 0.02, 0.03, 0, 0, 0] if alpha else [0, 0, 0.9, 0.08, 0.02, 0])
        doses.append(dose)
        by_quality.append(share[:, None, None] * dose)
        survival.append(-0.05 * dose * (12 if alpha else 1))
        volume.append([(dose[mask] >= b).mean() for b in dose_bins])
        kill.append(np.histogram(survival[-1][mask], edges)[0] / mask.sum())
    dims = ("candidate", "y", "x")
    return xr.Dataset(
        {
            "dose": (dims, np.reshape(doses, (-1, n, n)), {"units": "Gy"}),
            "dose_by_quality": (
                ("candidate", "quality", "y", "x"),
                np.reshape(by_quality, (-1, 6, n, n)),
                {"units": "Gy"},
            ),
            "survival_log10": (dims, np.reshape(survival, (-1, n, n)), {"units": "1"}),
            "time_integrated_activity": (dims, 30 * np.reshape(doses, (-1, n, n)), {"units": "MBq.h/L"}),
            "dose_volume": (("candidate", "dose_bin"), np.reshape(volume, (-1, dose_bins.size)), {"units": "1"}),
            "survival_histogram": (
                ("candidate", "log10_survival_bin"),
                np.reshape(kill, (-1, log_bins.size)),
                {"units": "1"},
            ),
        },
        coords={
            "candidate": [a[0] for a in agents],
            "activity": (
                "candidate",
                [7.2 if a[2] in ("225Ac", "212Pb") else 7400.0 for a in agents],
                {"units": "MBq"},
            ),
            "quality": QUALITIES,
            "dose_bin": dose_bins,
            "log10_survival_bin": log_bins,
        },
    )


def spread(central: float, factor: float, draws: int) -> Quantiles:
    return Quantiles(central, central / factor, central, central * factor) if draws else Quantiles(central)


def candidate(place: int, agent: tuple[str, str, str], draws: int, ranked: int) -> CandidateSummary:
    name, target, nuclide = agent
    alpha = nuclide in ("225Ac", "212Pb")
    modes = {}
    for mode in MODES:
        rank = place + 1
        kill = 3.4 * 0.8**place
        dose = 10.0 if mode == "equal_mean_dose" else (2.1 if alpha else 48.0) * 0.9**place
        modes[mode] = ModeResult(
            mode,
            True,
            "",
            activity_MBq=spread(7.2 if alpha else 7400.0, 1.3, draws),
            mean_dose_Gy=spread(dose, 1.9, draws),
            log_kill=spread(kill, 1.6, draws),
            log_kill_positive=spread(1.3 * kill, 1.6, draws),
            log_kill_negative=spread(0.7 * kill, 1.8, draws),
            worst_decile_survival=spread(0.04 * (place + 1), 2.0, draws),
            bed_Gy=spread(1.2 * dose, 2.0, draws),
            tcp=None,
            rank=rank,
            probability_best=(1.0 if ranked == 1 else 0.62 * 0.4**place) if draws else None,
            probability_best_se=(0.0 if ranked == 1 else 0.086 * 0.8**place) if draws else None,
            organs=organs(alpha),
        )
    if place == 3:
        modes["equal_toxicity"] = ModeResult(
            "equal_toxicity", False, "No dose coefficient of the red marrow is known for this label."
        )
    flagged = place in (2, 3)
    reasons = (
        "The mean density of the target comes from the library, not from this lesion.",
        "Two of three markers have few counts.",
    )
    return CandidateSummary(
        name=name,
        agent=name,
        form=name.split("-", 1)[1],
        radionuclide=nuclide,
        target=target,
        cycles=1 if nuclide == "131I" else 4,
        interval_h=8 * 168.0,
        status="flagged" if flagged else "evaluable",
        reasons=reasons if flagged else (),
        sentence=f"Reaches the nests that bear {target}, and its range of dose covers the cells between them.",
        modes=modes,
        escaped_fraction=0.04 * (place + 1),
        entered_fraction=0.03 * (place + 1),
        ledger_closure=3.2e-7,
        draw_grid_error={"mean_dose": 0.012, "log_kill": 0.031},
        rank_by_surroundings={
            "uniform": place + 1,
            "mirror": place + 1,
            "isolated": {0: 2, 1: 1}.get(place, place + 1),
        },
    )


def organs(alpha: bool) -> tuple[OrganDose, ...]:
    quantity = "weighted_rbe5" if alpha else "absorbed_dose"
    return (
        OrganDose("kidneys", quantity, 21.4, 3.0, 23.0, "177Lu-PSMA-617" if alpha else None, "external beam", True),
        OrganDose("red marrow", quantity, 1.1, 0.0, 2.0, None, "131I experience", False),
        OrganDose("salivary glands", quantity, math.nan if alpha else 12.0, 0.0, None, None, "no limit found", False),
    )


def not_evaluable(agent: tuple[str, str, str], reason: str) -> CandidateSummary:
    name, target, nuclide = agent
    modes = {m: ModeResult(m, False, reason) for m in MODES}
    return CandidateSummary(
        name, name, name.split("-", 1)[1], nuclide, target, 1, 672.0, "not evaluable", (reason,), "", modes
    )


def values_used() -> tuple[ValueUse, ...]:
    made = [
        (
            "form.PSMA-617.dissociation_constant_nmol_per_L",
            Value(
                median=2.3, geometric_sd=1.8, evidence="measured", read="table", source="fake_one", locator="Table 1"
            ),
        ),
        (
            "form.PSMA-617.plasma.fraction_per_L[0]",
            Value(mean=0.12, sd=0.03, evidence="fitted", read="full text", source="fake_two", spread="patients"),
        ),
        (
            "tissue.vessel_contrast",
            Value(low=0.0, high=1.0, evidence="assumed", note="Nothing was found; wide on purpose."),
        ),
        ("tissue.permeability_factor", Value(low=0.3, high=3.0, log=True, evidence="assumed")),
        (
            "radiobiology.prostate.alpha_per_Gy",
            Value(median=0.15, geometric_sd=1.5, evidence="derived", read="abstract", source="fake_one"),
        ),
        ("tissue.cell_radius_um", Value(value=7.0, evidence="definition")),
    ]
    filler = [
        (
            f"organ.filler_{i:03d}_Gy_per_GBq",
            Value(median=0.5 + i, geometric_sd=1.4, evidence="measured", read="abstract", source="fake_one"),
        )
        for i in range(60)
    ]
    return tuple(ValueUse(k, v) for k, v in made + filler)


def fake_result(n: int = 48, agents: int = 9, evaluable: int = 6, sections: int = 2, draws: int = 32) -> PlanResult:
    """``agents`` candidates of which the first ``evaluable`` were computed, on sections of ``n`` x ``n`` voxels."""
    chosen = AGENTS[:agents]
    computed = chosen[:evaluable]
    summaries = [candidate(i, a, draws, evaluable) for i, a in enumerate(computed)]
    summaries += [
        not_evaluable(a, f"The gene of {a[1]} was not measured, so {a[0]} cannot be mapped.")
        for a in chosen[evaluable:]
    ]
    answer = (
        "No candidate could be evaluated: none of the targets was measured."
        if not computed
        else (
            f"{computed[0][0]} leaves the fewest tumour cells at equal toxicity (log kill 3.40), "
            "before the next by 0.7; its energy covers the nests and the rim, and the kidneys limit its activity."
        )
    )
    return PlanResult(
        title='Demo lesion <script>alert("x")</script> & "quotes"',
        case_toml=CASE,
        synthetic=True,
        decide_by="equal_toxicity",
        answer=answer,
        candidates=tuple(summaries),
        sections=tuple(section(f"section {chr(65 + i)}", n, computed, seed=i) for i in range(sections)),
        draws=xr.Dataset(coords={"draw": np.arange(draws), "key": [f"input {i}" for i in range(20 if draws else 0)]}),
        flags=(
            Flag("caution", "PSMA", "few counts on endothelium"),
            Flag("note", "oxygen", "solved around the vessels"),
            Flag("not evaluable", "B7-H3", "CD276 was not measured"),
        ),
        values_used=values_used(),
        sources=SOURCES,
        deciding_inputs=(
            ("target.PSMA.mean_density_nmol_per_L", 0.62),
            ("radiobiology.prostate.alpha_per_Gy", 0.41),
            ("tissue.permeability_factor", 0.2),
            ("never", math.nan),
        )
        if draws
        else (),
        provenance={
            "software": "nichedose",
            "versions": {"nichedose": "0.1.0", "numpy": "2.0"},
            "seed": 1,
            "draws": draws,
            "seconds": 48.2,
            "inputs": {"section/matrix.h5": "0f" * 32},
            "note": None,
        },
        assumptions=("The section repeats along z over the lesion's diameter.", "Decayed molecules stay ligands."),
    )


def with_missing_numbers(result: PlanResult) -> PlanResult:
    """The same, with NaN and None wherever a number may be missing."""
    hole = Quantiles(math.nan, math.nan, math.nan, math.nan)
    holes = [
        replace(
            c,
            escaped_fraction=None,
            entered_fraction=math.nan,
            ledger_closure=math.nan,
            draw_grid_error={"mean_dose": math.nan},
            modes={
                k: replace(m, log_kill=hole, mean_dose_Gy=None, bed_Gy=hole, probability_best=math.nan)
                for k, m in c.modes.items()
            },
        )
        for c in result.candidates
    ]
    return replace(result, candidates=tuple(holes), provenance={"seconds": math.nan, "commit": None})
