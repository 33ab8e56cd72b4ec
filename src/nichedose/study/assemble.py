"""Central run, draws and organ limits become one `PlanResult`: numbers, ranks, reasons, flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nichedose.case import Mode
from nichedose.decide import deciding_inputs, noise_floor, organ_doses, rank
from nichedose.fields.grid import Array
from nichedose.library.bodies import load_bodies
from nichedose.results import CandidateSummary, ModeResult, OrganDose, PlanResult, Quantiles
from nichedose.study.administration import shifts_kinetics
from nichedose.study.central import CentralCandidate
from nichedose.study.evaluate import Metrics, tcp_from_log_kill
from nichedose.study.grid_error import grid_error_in_words
from nichedose.study.growth import outgrown
from nichedose.study.maps import section_results
from nichedose.study.off_tumour import off_tumour
from nichedose.study.samples import QUANTITIES, Samples, correct_draws, quantiles
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.standing import standing, target_shown
from nichedose.study.words import answer, assumptions, sentences
from nichedose.tissue import TissueMap
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Draw, Flag, Source, Value, ValueUse

__all__ = ["assemble"]

MIN_DRAWS_FOR_INPUTS = 16  # a rank correlation of fewer says nothing
MISMATCH_NOTED = 0.1  # of the section's activity, against the same lesion in the whole-body model
OCCUPANCY_NOTED = 0.01  # targets still taken at the next cycle: cycles are solved as if each started with free targets


def assemble(
    setup: Setup,
    *,
    assays: Sequence[SpatialAssay],
    maps: Sequence[TissueMap],
    central: Sequence[CentralCandidate],
    coarse: Mapping[str, Mapping[Mode, Metrics]],
    draws: Sequence[Mapping[str, Mapping[Mode, Metrics]]],
    full: Sequence[Mapping[str, Mapping[Mode, Metrics]]],
    tissue_quantiles: Sequence[xr.Dataset],
    draw_spacing_um: float,
    used: Mapping[str, Value],
    case_text: str,
    provenance: Mapping[str, Any],
) -> PlanResult:
    """Gather everything that `nichedose plan` found."""
    decide_by = setup.case.comparison.decide_by
    samples = correct_draws(central, coarse, draws, decide_by, full, setup.case.sampling.seed)
    by_name = {c.candidate.name: c for c in central}
    modes = {mode: _mode_results(setup, by_name, samples, mode) for mode in setup.case.comparison.modes}
    texts = sentences(setup, by_name, modes, decide_by)
    surroundings = _ranks_by_surroundings(setup, by_name, samples, decide_by)
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
        sections=section_results(setup, assays, maps, central, tissue_quantiles),
        draws=_draws_dataset(setup, samples, inputs, draw_spacing_um),
        flags=tuple(dict.fromkeys(flags)),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources=_sources(setup),
        deciding_inputs=_deciding(summaries, samples, inputs, decide_by),
        provenance=provenance,
        assumptions=(*assumptions(setup, draw_spacing_um, samples.full_draws),
                     *grid_error_in_words(samples, decide_by, setup.case.sampling.grid_spacing)),
    )


def _sources(setup: Setup) -> dict[str, Source]:
    """Works that any value of the run may name."""
    found = {**setup.library.sources, **load_bodies().sources}
    if setup.case.measured_uptake or setup.case.measured_activity:
        found["case"] = Source(key="case", citation="Measured uptake, as given in the case")
    return found


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
        found = {q: quantiles(getattr(entry.metrics[mode], q), samples.values[candidate.name, mode, q])
                     for q in QUANTITIES}
        place, rivals = ranking[candidate.name], len(present) > 1  # best of one says nothing
        results[candidate.name] = ModeResult(
            mode,
            True,
            "",
            **found,
            tcp=_tcp(setup, entry.metrics[mode], samples.values[candidate.name, mode, "log_kill"]),
            rank=place.rank,
            probability_best=place.probability_best if rivals else None,
            probability_best_se=place.standard_error if rivals else None,
            organs=_organs(setup, candidate, entry, mode),
        )
    return results


def _organs(
    setup: Setup, candidate: ResolvedCandidate, entry: CentralCandidate, mode: Mode
) -> tuple[OrganDose, ...]:
    return organ_doses(
        setup.form_in_patient(candidate), candidate.radionuclide, setup.library.limits, candidate.cycles,
        setup.prior_doses, Draw(), entry.metrics[mode].activity_MBq, emits_alpha=candidate.emits_alpha)


def _why_not(
    setup: Setup, candidate: ResolvedCandidate, central: Mapping[str, CentralCandidate], mode: Mode
) -> str:
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None:
        return reason
    entry = central.get(candidate.name)
    return entry.tolerance.reason if entry is not None else f"not computed in mode {mode}"


def _tcp(setup: Setup, metrics: Metrics, log_kill_draws: Array) -> Quantiles | None:
    clonogens = setup.clonogens_in_lesion
    if clonogens is None:
        return None
    draws = np.array([tcp_from_log_kill(k, clonogens) for k in log_kill_draws])
    return quantiles(metrics.tcp, draws)


def _summary(
    setup: Setup,
    maps: Sequence[TissueMap],
    candidate: ResolvedCandidate,
    entry: CentralCandidate | None,
    modes: Mapping[Mode, Mapping[str, ModeResult]],
    sentence: str,
    samples: Samples,
    surroundings: Mapping[str, Mapping[str, int | None]],
) -> CandidateSummary:
    tolerated = modes["equal_toxicity"][candidate.name].activity_MBq if "equal_toxicity" in modes else None
    status, reasons = standing(setup, maps, candidate, entry, None if tolerated is None else tolerated.typical)
    return CandidateSummary(
        name=candidate.name,
        agent=candidate.agent.name,
        form=candidate.form.name,
        radionuclide=candidate.radionuclide,
        target=candidate.form.target,
        cycles=candidate.cycles,
        interval_h=candidate.interval_h,
        status=status,
        reasons=reasons,
        sentence=sentence,
        modes={mode: results[candidate.name] for mode, results in modes.items()},
        target_shown=entry is not None and target_shown(setup, maps, candidate.form.target),
        escaped_fraction=None if entry is None else entry.escaped_fraction,
        entered_fraction=None if entry is None else entry.entered_fraction,
        ledger_closure=None if entry is None else max(ledger.closure for ledger in entry.ledgers),
        draw_grid_error=samples.grid_error.get(candidate.name, {}),
        rank_by_surroundings={s: ranks.get(candidate.name) for s, ranks in surroundings.items()},
    )


def _ranks_by_surroundings(
    setup: Setup, central: Mapping[str, CentralCandidate], samples: Samples, mode: Mode
) -> dict[str, dict[str, int | None]]:
    """Places in the deciding mode under each assumption about what lies around the section.

    The draws' log kills are multiplied by what the assumption does to the central run.
    """
    own = setup.case.lesion.surroundings
    others = {s for c in central.values() for s in c.alternatives}
    ranks: dict[str, dict[str, int | None]] = {}
    for surroundings in (own, *sorted(others)):
        kills: dict[str, float] = {}
        draws: dict[str, Array] = {}
        for name, entry in central.items():
            found = entry.metrics if surroundings == own else entry.alternatives[surroundings]
            if mode not in found or mode not in entry.metrics:
                continue
            kills[name] = found[mode].log_kill
            before = entry.metrics[mode].log_kill
            draws[name] = samples.values[name, mode, "log_kill"] * (kills[name] / before if before > 0.0 else 1.0)
        ranks[surroundings] = {c.name: c.rank for c in rank(draws, kills).candidates} if kills else {}
    return ranks


def _drawn_inputs(setup: Setup, used: Mapping[str, Value], n_draws: int) -> dict[str, Array]:
    """The drawn value of every uncertain input, by key; draws are functions of (seed, index, key)."""
    worlds = [setup.draw(i) for i in range(n_draws)]
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
        attrs={"grid_spacing_um": spacing_um, "seed": setup.case.sampling.seed, "full_draws": samples.full_draws},
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
    flags = [Flag("caution", c.name, organ.text) for c in setup.candidates
             for organ in off_tumour(c, setup.case.patient, setup.library.limits)]
    for entry in central:
        name = entry.candidate.name
        if entry.candidate.cycles > 1 and entry.occupancy_at_end > OCCUPANCY_NOTED:
            text = (f"{entry.occupancy_at_end:.0%} of targets are still taken when the label has decayed; cycles were "
                    "solved as if each started with free targets")
            flags.append(Flag("caution", name, text))
        if entry.counted_cycles < entry.candidate.cycles:
            flags.append(Flag("caution", name, "later cycles kill less than grows back: "
                              f"{outgrown(entry.counted_cycles, entry.candidate.cycles)}, and numbers are those then "
                              "(at the medians)"))
        if entry.released:
            flags.append(Flag("note", name, entry.released))
        if shifts_kinetics(entry.candidate.administration):
            flags.append(Flag("note", name, f"given otherwise than usual: by whole-body kinetics the lesion holds "
                              f"{entry.administration_factor:.2g} times as much activity; organ doses follow too"))
        if entry.section_over_body is not None and abs(entry.section_over_body - 1.0) > MISMATCH_NOTED:
            flags.append(Flag("note", name, "a well-mixed lesion with this section's mean flow, vessel wall and target "
                              f"would hold {1.0 / entry.section_over_body:.2g} times the section's activity by "
                              "whole-body kinetics"))
        if entry.photon_energy_fraction > 0.2:
            flags.append(Flag("note", name, f"photons carry {entry.photon_energy_fraction:.0%} of the emitted energy; "
                              "they are not deposited in these maps"))
    return flags
