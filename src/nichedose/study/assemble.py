"""Central run, draws and organ limits become one `PlanResult`: numbers, ranks, reasons, flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from nichedose.case import Mode
from nichedose.decide import Tolerance, deciding_inputs, noise_floor, organ_doses, rank
from nichedose.dose import Quality
from nichedose.fields.grid import Array
from nichedose.results import CandidateSummary, ModeResult, OrganDose, PlanResult, Quantiles
from nichedose.study.evaluate import Metrics, tcp_from_log_kill
from nichedose.study.maps import section_results
from nichedose.study.place import TargetPlace
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.words import answer, assumptions, sentences
from nichedose.tissue import TissueMap
from nichedose.tissue.assay import SpatialAssay
from nichedose.transport import LabelLedger
from nichedose.values import Draw, Flag, Value, ValueUse

__all__ = ["CentralCandidate", "Samples", "assemble"]

MIN_DRAWS_FOR_INPUTS = 16  # a rank correlation of fewer says nothing
UNTRIED_ABOVE = 3.0  # times the prescribed activity: organ limits may allow it, but nobody has been there
OCCUPANCY_NOTED = 0.01  # targets still taken at the next cycle: cycles are solved as if each started with free targets


@dataclass(frozen=True)
class CentralCandidate:
    """One candidate on the fine grid at the medians; maps of the whole course at ``activity_MBq`` an administration."""

    candidate: ResolvedCandidate
    metrics: Mapping[Mode, Metrics]
    alternatives: Mapping[str, Mapping[Mode, Metrics]]
    tolerance: Tolerance
    activity_MBq: float
    dose_by_quality: tuple[Mapping[Quality, Array], ...]
    log10_survival: tuple[Array, ...]
    tia_MBq_h_per_L: tuple[Array, ...]
    clonogens: tuple[Mapping[str, Array], ...]
    g_mean: tuple[float, ...]
    g_error: float
    escaped_fraction: float
    entered_fraction: float
    photon_energy_fraction: float
    ledgers: tuple[LabelLedger, ...]
    occupancy_at_end: float
    mode: Mode
    place: TargetPlace


QUANTITIES = ("activity_MBq", "mean_dose_Gy", "log_kill", "log_kill_positive", "log_kill_negative",
              "worst_decile_survival", "bed_Gy")


@dataclass(frozen=True)
class Samples:
    """Draws of every quantity: (n_draws,) by (candidate, mode, quantity), moved to the fine grid's central value.

    The draws run on a coarser grid. Each is multiplied by fine / coarse of the central run, where both are positive;
    survival is corrected through its logarithm. The correction itself is reported.
    """

    values: Mapping[tuple[str, Mode, str], Array]
    grid_error: Mapping[str, Mapping[str, float]]


def correct_draws(
    central: Sequence[CentralCandidate],
    coarse: Mapping[str, Mapping[Mode, Metrics]],
    draws: Sequence[Mapping[str, Mapping[Mode, Metrics]]],
    decide_by: Mode,
) -> Samples:
    """Draws on the coarse grid, moved by the ratio that the central run shows between the grids."""
    values: dict[tuple[str, Mode, str], Array] = {}
    errors: dict[str, dict[str, float]] = {}
    for entry in central:
        name = entry.candidate.name
        for mode, fine in entry.metrics.items():
            base = coarse.get(name, {}).get(mode)
            for quantity in QUANTITIES:
                raw = np.array([_value(d.get(name, {}).get(mode), quantity) for d in draws])
                if base is not None:
                    raw = _corrected(quantity, raw, getattr(fine, quantity), getattr(base, quantity))
                values[name, mode, quantity] = raw
            if base is not None and mode == decide_by:
                errors[name] = {
                    q: getattr(base, q) / getattr(fine, q) - 1.0
                    for q in ("mean_dose_Gy", "log_kill")
                    if getattr(fine, q) > 0.0
                }
    return Samples(values, errors)


def _value(metrics: Metrics | None, quantity: str) -> float:
    return float("nan") if metrics is None else float(getattr(metrics, quantity))


def _corrected(quantity: str, raw: Array, fine: float, coarse: float) -> Array:
    if quantity == "worst_decile_survival":
        if not (0.0 < fine < 1.0 and 0.0 < coarse < 1.0):
            return raw
        logs = np.log(np.clip(raw, 1e-300, 1.0)) * (np.log(fine) / np.log(coarse))
        return np.asarray(np.exp(np.maximum(logs, -690.0)))
    if not (fine > 0.0 and coarse > 0.0):
        return raw
    return raw * (fine / coarse)


def assemble(
    setup: Setup,
    *,
    assays: Sequence[SpatialAssay],
    maps: Sequence[TissueMap],
    central: Sequence[CentralCandidate],
    coarse: Mapping[str, Mapping[Mode, Metrics]],
    draws: Sequence[Mapping[str, Mapping[Mode, Metrics]]],
    draw_spacing_um: float,
    used: Mapping[str, Value],
    case_text: str,
    provenance: Mapping[str, Any],
) -> PlanResult:
    """Gather everything that `nichedose plan` found."""
    decide_by = setup.case.comparison.decide_by
    samples = correct_draws(central, coarse, draws, decide_by)
    by_name = {c.candidate.name: c for c in central}
    modes = {mode: _mode_results(setup, by_name, samples, mode) for mode in setup.case.comparison.modes}
    texts = sentences(setup, by_name, modes, decide_by)
    surroundings = _ranks_by_surroundings(setup, by_name, decide_by)
    summaries = tuple(
        _summary(setup, maps, c, by_name.get(c.name), modes, texts[c.name], samples, surroundings)
        for c in setup.candidates
    )
    inputs = _drawn_inputs(setup, used, len(draws))
    flags = [f for assay in assays for f in assay.flags] + [f for m in maps for f in m.flags]
    flags += _run_flags(setup, central)
    return PlanResult(
        title=setup.case.title,
        case_toml=case_text,
        synthetic=any(a.kind == "synthetic" or a.sample.startswith("synthetic") for a in assays),
        decide_by=decide_by,
        answer=answer(setup, summaries, decide_by),
        candidates=tuple(sorted(summaries, key=lambda s: _order(s, decide_by))),
        sections=section_results(setup, assays, maps, central),
        draws=_draws_dataset(setup, samples, inputs, draw_spacing_um),
        flags=tuple(dict.fromkeys(flags)),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources=setup.library.sources,
        deciding_inputs=_deciding(summaries, samples, inputs, decide_by),
        provenance=provenance,
        assumptions=assumptions(setup, draw_spacing_um),
    )


def _order(summary: CandidateSummary, mode: Mode) -> tuple[int, float]:
    place = summary.modes[mode].rank if mode in summary.modes else None
    return (0, place) if place is not None else (1, 0.0)


def _mode_results(
    setup: Setup, central: Mapping[str, CentralCandidate], samples: Samples, mode: Mode
) -> dict[str, ModeResult]:
    """Every candidate in one mode, ranked by log kill over the same draws."""
    present = {n: c for n, c in central.items() if mode in c.metrics}
    ranking = rank(
        {name: samples.values[name, mode, "log_kill"] for name in present},
        {name: entry.metrics[mode].log_kill for name, entry in present.items()},
    ) if present else None
    results: dict[str, ModeResult] = {}
    for candidate in setup.candidates:
        entry = present.get(candidate.name)
        if entry is None or ranking is None:
            results[candidate.name] = ModeResult(mode, False, _why_not(setup, candidate, central, mode))
            continue
        quantiles = {q: _quantiles(getattr(entry.metrics[mode], q), samples.values[candidate.name, mode, q])
                     for q in QUANTITIES}
        place = ranking[candidate.name]
        results[candidate.name] = ModeResult(
            mode,
            True,
            "",
            **quantiles,
            tcp=_tcp(setup, entry.metrics[mode], samples.values[candidate.name, mode, "log_kill"]),
            rank=place.rank,
            probability_best=place.probability_best,
            probability_best_se=place.standard_error,
            organs=_organs(setup, candidate, entry, mode),
        )
    return results


def _organs(
    setup: Setup, candidate: ResolvedCandidate, entry: CentralCandidate, mode: Mode
) -> tuple[OrganDose, ...]:
    return organ_doses(
        candidate.form, candidate.radionuclide, setup.library.limits, candidate.cycles, setup.prior_doses, Draw(),
        entry.metrics[mode].activity_MBq, emits_alpha=candidate.emits_alpha)


def _why_not(
    setup: Setup, candidate: ResolvedCandidate, central: Mapping[str, CentralCandidate], mode: Mode
) -> str:
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None:
        return reason
    entry = central.get(candidate.name)
    return entry.tolerance.reason if entry is not None else f"not computed in mode {mode}"


def _quantiles(central: float, draws: Array) -> Quantiles | None:
    if not np.isfinite(central):
        return None
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Quantiles(central)
    q05, q50, q95 = np.quantile(finite, (0.05, 0.5, 0.95))
    return Quantiles(central, float(q05), float(q50), float(q95))


def _tcp(setup: Setup, metrics: Metrics, log_kill_draws: Array) -> Quantiles | None:
    clonogens = setup.clonogens_in_lesion
    if clonogens is None:
        return None
    draws = np.array([tcp_from_log_kill(k, clonogens) for k in log_kill_draws])
    return _quantiles(metrics.tcp, draws)


def _summary(
    setup: Setup,
    maps: Sequence[TissueMap],
    candidate: ResolvedCandidate,
    entry: CentralCandidate | None,
    modes: Mapping[Mode, Mapping[str, ModeResult]],
    sentence: str,
    samples: Samples,
    surroundings: Mapping[str, Mapping[str, int]],
) -> CandidateSummary:
    reasons = _reasons(setup, maps, candidate, entry)
    status = "not evaluable" if entry is None else ("flagged" if reasons else "evaluable")
    return CandidateSummary(
        name=candidate.name,
        agent=candidate.agent.name,
        form=candidate.form.name,
        radionuclide=candidate.radionuclide,
        target=candidate.form.target,
        cycles=candidate.cycles,
        interval_h=candidate.interval_h,
        status=status,  # type: ignore[arg-type]  # one of the three literals
        reasons=reasons,
        sentence=sentence,
        modes={mode: results[candidate.name] for mode, results in modes.items()},
        escaped_fraction=None if entry is None else entry.escaped_fraction,
        entered_fraction=None if entry is None else entry.entered_fraction,
        ledger_closure=None if entry is None else max(ledger.closure for ledger in entry.ledgers),
        draw_grid_error=samples.grid_error.get(candidate.name, {}),
        rank_by_surroundings={s: ranks.get(candidate.name) for s, ranks in surroundings.items()},
    )


def _reasons(
    setup: Setup, maps: Sequence[TissueMap], candidate: ResolvedCandidate, entry: CentralCandidate | None
) -> tuple[str, ...]:
    """Why a candidate is flagged or cannot be evaluated."""
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None:
        return (reason,)
    target = candidate.form.target
    found: list[str] = []
    for tissue in maps:
        field = tissue.targets[target]
        if not field.shape_known:
            found.append(f"shape of {target} unknown in {tissue.sample}: only {field.counts} counts; taken as even "
                         "over its host cells")
    if target not in setup.case.anchors:
        found.append(f"mean density of {target} comes from the library, not from this lesion")
        if any(not tissue.targets[target].shape_known for tissue in maps):
            found[-1] += ", and is drawn downwards, because so few counts do not show that the target is there"
    library_target = setup.library.targets[target]
    found += [text for text in (library_target.caution, candidate.form.caution) if text]
    if candidate.agent.status == "hypothetical":
        found.append("a hypothetical agent: nobody has given it")
    if entry is not None and not entry.tolerance.evaluable:
        found.append(entry.tolerance.reason)
    tolerated = None if entry is None else entry.tolerance.activity_MBq
    if tolerated is not None and tolerated > UNTRIED_ABOVE * candidate.activity_MBq:
        found.append(f"organ limits alone would allow {tolerated / candidate.activity_MBq:.0f} times the prescribed "
                     "activity; that has not been tried")
    return tuple(found)


def _ranks_by_surroundings(
    setup: Setup, central: Mapping[str, CentralCandidate], mode: Mode
) -> dict[str, dict[str, int]]:
    """Places in the deciding mode, at the medians, under each assumption about what lies around the section."""
    own = setup.case.lesion.surroundings
    others = {s for c in central.values() for s in c.alternatives}
    ranks: dict[str, dict[str, int]] = {}
    for surroundings in (own, *sorted(others)):
        kills = {
            name: found[mode].log_kill
            for name, entry in central.items()
            if mode in (found := entry.metrics if surroundings == own else entry.alternatives[surroundings])
        }
        ordered = sorted(kills, key=lambda n: -kills[n])
        ranks[surroundings] = {name: place for place, name in enumerate(ordered, start=1)}
    return ranks


def _drawn_inputs(setup: Setup, used: Mapping[str, Value], n_draws: int) -> dict[str, Array]:
    """The drawn value of every uncertain input, by key; draws are functions of (seed, index, key)."""
    worlds = [Draw(seed=setup.case.sampling.seed, index=i) for i in range(n_draws)]
    return {key: np.array([w(key, value) for w in worlds]) for key, value in used.items() if not value.is_fixed}


def _draws_dataset(setup: Setup, samples: Samples, inputs: Mapping[str, Array], spacing_um: float) -> xr.Dataset:
    names = list(dict.fromkeys(name for name, _, _ in samples.values))
    modes = list(setup.case.comparison.modes)
    n = next((v.size for v in samples.values.values()), 0)
    empty = np.full(n, np.nan)
    units = {"activity_MBq": "MBq", "mean_dose_Gy": "Gy", "bed_Gy": "Gy"}
    data = {
        quantity: (
            ("candidate", "mode", "draw"),
            np.array([[samples.values.get((c, m, quantity), empty) for m in modes] for c in names]).reshape(
                len(names), len(modes), n),
            {"units": units.get(quantity, "1")},
        )
        for quantity in QUANTITIES
    }
    drawn = np.array(list(inputs.values())).reshape(len(inputs), n)
    return xr.Dataset(
        {**data, "input": (("key", "draw"), drawn, {"units": "as named by the key"})},
        coords={"candidate": names, "mode": modes, "draw": np.arange(n), "key": list(inputs)},
        attrs={"grid_spacing_um": spacing_um, "seed": setup.case.sampling.seed},
    )


def _deciding(
    summaries: Sequence[CandidateSummary], samples: Samples, inputs: Mapping[str, Array], mode: Mode
) -> tuple[tuple[str, float], ...]:
    """Which drawn inputs decide between the first two candidates."""
    ranked = sorted((s for s in summaries if s.modes[mode].rank is not None), key=lambda s: s.modes[mode].rank or 0)
    if len(ranked) < 2:
        return ()
    first, second = (samples.values[s.name, mode, "log_kill"] for s in ranked[:2])
    relevant = {k: v for k, v in inputs.items() if _concerns(k, ranked[:2])}
    if not relevant or first.size < MIN_DRAWS_FOR_INPUTS:
        return ()
    floor = noise_floor(first.size, len(relevant))
    return tuple((key, share) for key, share in deciding_inputs(relevant, first - second) if share > floor)


def _concerns(key: str, candidates: Sequence[CandidateSummary]) -> bool:
    """Whether an input belongs to one of these candidates, or to all."""
    room, _, rest = key.partition(".")
    if room == "form":
        return any(rest.startswith(f"{c.form}.") for c in candidates)
    if room == "target":
        return any(rest.startswith(f"{c.target}.") for c in candidates)
    return True


def _run_flags(setup: Setup, central: Sequence[CentralCandidate]) -> list[Flag]:
    flags = []
    for entry in central:
        name = entry.candidate.name
        if entry.candidate.cycles > 1 and entry.occupancy_at_end > OCCUPANCY_NOTED:
            text = (f"{entry.occupancy_at_end:.0%} of targets are still taken when the label has decayed; cycles were "
                    "solved as if each started with free targets")
            flags.append(Flag("caution", name, text))
        if entry.photon_energy_fraction > 0.2:
            flags.append(Flag("note", name, f"photons carry {entry.photon_energy_fraction:.0%} of the emitted energy; "
                              "they are not deposited in these maps"))
    return flags
