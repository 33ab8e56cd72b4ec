"""The words of a plan: the answer, one sentence per candidate, and the assumptions behind the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nichedose.case import EffectOptions, Lesion, Mode
from nichedose.decide import CandidateFacts, sentence
from nichedose.library.bodies import load_bodies
from nichedose.results import CandidateSummary, ModeResult, Quantiles
from nichedose.study.central import CentralCandidate
from nichedose.study.growth import growth_of, growth_text
from nichedose.study.setup import ResolvedCandidate, ResolvedPartner, Setup
from nichedose.study.standing import unshown_text, untried_text

__all__ = ["MODE_TEXT", "activity_text", "answer", "assumptions", "sentences"]

MODE_TEXT: Mapping[Mode, str] = {
    "as_prescribed": "as prescribed",
    "equal_activity": "at equal activity",
    "equal_mean_dose": "at equal mean tumour dose",
    "equal_toxicity": "at equal toxicity (each at the activity that its organ limits leave)",
}
CLEAR_WIN = 0.8  # below this share of draws the answer names the rival too


def activity_text(MBq: float) -> str:
    """In the unit in which it would be prescribed.

    >>> activity_text(7400.0), activity_text(6.32)
    ('7.4 GBq', '6.32 MBq')
    """
    return f"{MBq / 1e3:.3g} GBq" if MBq >= 999.5 else f"{MBq:.3g} MBq"


def answer(setup: Setup, candidates: Sequence[CandidateSummary], mode: Mode) -> str:
    """A few sentences: who is first, how sure, what is untried about it, and who would be first as prescribed."""
    placed = _placed(candidates, mode)
    if not placed:
        reasons = "; ".join(f"{c.name}: {c.modes[mode].reason}" for c in candidates)
        return f"No candidate could be evaluated {MODE_TEXT[mode]}. {reasons}."
    first = placed[0]
    start = f"{MODE_TEXT[mode][0].upper()}{MODE_TEXT[mode][1:]}, {first.name}"
    if len(placed) == 1:
        return f"{start} is the only candidate that could be ranked.{_unshown(first, placed)}"
    return (
        f"{start} {_place_and_rival(setup, placed, mode)}.{_unshown(first, placed)}{_untried(setup, first, mode)}"
        f"{_as_prescribed(candidates, first, mode)}"
    )


def _place_and_rival(setup: Setup, placed: Sequence[CandidateSummary], mode: Mode) -> str:
    """How clear the first place is. Places go by the median log kill; the share of draws won is another measure."""
    first, rest = placed[0], placed[1:]
    n, probability = len(placed), first.modes[mode].probability_best
    if probability is None:
        return f"ranks first of {n}; next comes {rest[0].name}"
    draws = f"{setup.case.sampling.draws} draws"
    rival = max(rest, key=lambda c: c.modes[mode].probability_best or 0.0)
    share = rival.modes[mode].probability_best or 0.0
    if share > probability:
        return (f"has the highest median log kill of {n}, but {rival.name} is best in more of the {draws} "
                f"({100 * share:.0f} % against {100 * probability:.0f} %): there is no clear first")
    text = f"ranks first of {n}: best in {100 * probability:.0f} % of {draws}"
    if probability < CLEAR_WIN:
        text += f"; the closest rival is {rival.name} ({100 * share:.0f} %)"
    return text + (". These data do not settle the choice" if probability < 0.5 else "")


def _unshown(first: CandidateSummary, placed: Sequence[CandidateSummary]) -> str:
    """A winner whose target the section hardly shows wins by the library's density, and the answer must say so."""
    if first.target_shown:
        return ""
    text = f" But {unshown_text(first.target)}"
    shown = next((c for c in placed if c.target_shown), None)
    if shown is not None:
        return text + f" Among candidates whose target the section shows, {shown.name} ranks first."
    return text + " The same holds for every other candidate."


def _placed(candidates: Sequence[CandidateSummary], mode: Mode) -> list[CandidateSummary]:
    placed = [c for c in candidates if mode in c.modes and c.modes[mode].rank is not None]
    return sorted(placed, key=lambda c: c.modes[mode].rank or 0)


def _untried(setup: Setup, first: CandidateSummary, mode: Mode) -> str:
    """The organ limits can allow what nobody has given; the answer must not hide that."""
    prescribed = next(c.activity_MBq for c in setup.candidates if c.name == first.name)
    activity = first.modes[mode].activity_MBq
    text = "" if activity is None else untried_text(activity.typical, prescribed)
    return f" That takes {text}." if text else ""


def _as_prescribed(candidates: Sequence[CandidateSummary], first: CandidateSummary, mode: Mode) -> str:
    placed = _placed(candidates, "as_prescribed")
    if mode == "as_prescribed" or not placed:
        return ""
    other = placed[0]
    return f" As prescribed, {'it' if other.name == first.name else other.name} ranks first."


def sentences(
    setup: Setup,
    central: Mapping[str, CentralCandidate],
    modes: Mapping[Mode, Mapping[str, ModeResult]],
    mode: Mode,
) -> dict[str, str]:
    """One sentence per candidate: its place in the deciding mode, and why."""
    doses = {n: r.mean_dose_Gy.typical for n, r in modes[mode].items() if r.mean_dose_Gy is not None}
    by_dose = {name: place for place, name in enumerate(sorted(doses, key=lambda n: -doses[n]), start=1)}
    return {
        c.name: sentence(_facts(setup, c, central.get(c.name), modes[mode][c.name], by_dose, mode))
        for c in setup.candidates
    }


def _facts(
    setup: Setup,
    candidate: ResolvedCandidate,
    entry: CentralCandidate | None,
    result: ModeResult,
    by_dose: Mapping[str, int],
    mode: Mode,
) -> CandidateFacts:
    if entry is None or not result.evaluable:
        return CandidateFacts(candidate.name, not_evaluable=result.reason or "not computed")
    # with one shared mean dose for all, a place by dose says nothing
    dose_rank = None if mode == "equal_mean_dose" else by_dose.get(candidate.name)
    return CandidateFacts(
        candidate.name,
        n_ranked=len(by_dose),
        log_kill=_typical(result.log_kill),
        log_kill_rank=result.rank,
        mean_dose_Gy=_typical(result.mean_dose_Gy),
        mean_dose_rank=dose_rank,
        probability_best=result.probability_best,
        activity_MBq=_typical(result.activity_MBq),
        limiting_organ=entry.tolerance.limiting_organ if mode == "equal_toxicity" else None,
        target_on_tumour_fraction=entry.place.target_on_tumour_fraction,
        target_negative_fraction=entry.place.target_negative_fraction,
        log_kill_positive=_typical(result.log_kill_positive),
        log_kill_negative=_typical(result.log_kill_negative),
        hypoxic_fraction=entry.place.hypoxic_fraction,
        hypoxic_survivor_fraction=entry.place.hypoxic_survivor_fraction if mode == entry.mode else None,
        escaped_fraction=entry.escaped_fraction,
        alpha_dose_fraction=entry.place.alpha_dose_fraction,
        shape_unknown=entry.place.shape_unknown,
    )


def _typical(quantiles: Quantiles | None) -> float | None:
    return None if quantiles is None else quantiles.typical


def _space(lesion: Lesion) -> tuple[str, str]:
    """What repeats along z, and what lies around."""
    if lesion.along_z == "slab":
        depth = f"The section is taken to repeat along z over {lesion.slab_thickness or lesion.diameter:g} mm."
        place = "Around it"
    else:
        depth = f"The pattern of the section is {lesion.section_thickness:g} um thick."
        alone = "Above and below it there is no activity; beside it"
        place = "Above, below and around it" if lesion.surroundings == "uniform" else alone
    around = {
        "uniform": f"{place} the lesion, {lesion.diameter:g} mm across, holds the section's mean activity.",
        "mirror": f"{place} the tissue mirrors the section.",
        "isolated": f"{place} there is no activity.",
    }[lesion.surroundings]
    return depth, around


_ANSWERS = {
    "targets_decline": "targets decline as uptake did in patients (0.73, 0.50, 0.44)",
    "dead_cells_clear": "doomed cells clear with their oxygen consumption and targets",
    "hypoxia_loses_target": "cells without oxygen lose target",
    "damage_changes_target": "damage changes the target",
    "vessels_change": "vessels change",
}


def _changes(setup: Setup) -> tuple[str, ...]:
    """How tissue and targets change in a course: by partners, by the answer to therapy, or not at all."""
    chosen = setup.case.effect.answer
    first = ("From cycle to cycle " + "; ".join(_ANSWERS[a] for a in chosen) + "." if chosen else
             "Targets of the section neither turn over nor change during therapy; cycles are equal and independent.")
    return (first, *dict.fromkeys(partner_text(p, c.name) for c in setup.candidates for p in c.partners))


def partner_text(given: ResolvedPartner, candidate: str) -> str:
    """What a partner does in this run, and where it does nothing."""
    partner = given.partner
    name = f"{partner.name[0].upper()}{partner.name[1:]}"
    if partner.needs_stated is not None and partner.needs_stated not in given.stated:
        return (f"{name} does nothing beside {candidate}, because the case does not state '{partner.needs_stated}' of "
                "this tumour, without which it has no effect.")
    if all(e.field == "immune_blockade" for e in partner.effects):
        return f"{name} changes no number here: it acts through the immune course ('nichedose timing')."
    known = "Sizes are sourced where the list of values says so" if partner.quantified else (
        "A scenario, its size assumed")
    return f"{name}: {partner.description} {known}; organ limits do not change."


def _survival_text(options: EffectOptions) -> str:
    """The survival model with the case's options."""
    chosen = [text for on, text in (
        (options.oer != "library", f"oxygen effect of electrons after '{options.oer}'"),
        (options.oer_alpha != "library", f"of alpha particles along their tracks after '{options.oer_alpha}'"),
        (options.rbe_alpha != "library", "alpha RBE by energy (Howell)"),
        (options.synergy > 0.0, f"synergy {options.synergy:g}"),
        (options.slow_repair_half_time is not None, "two components of repair"),
        (options.oxygen_within_voxels, "oxygen within voxels in six classes"),
        (options.reoxygenation, "full reoxygenation between cycles"),
        (options.alpha_dose_spread > 0.0, f"alpha dose among nuclei spread by {options.alpha_dose_spread:g}"),
        (options.dna_repair, "sensitivity shifted by the repair score (size assumed)"),
        (options.proliferation, "sensitivity shifted by the proliferation score (sign and size assumed)"),
        (options.bystander, "bystander effect (size assumed)"),
    ) if on]
    left_out = [text for off, text in (
        (options.clonogen_doubling_time is None, "repopulation"), (not options.bystander, "bystander"),
        (True, "immune"),
    ) if off]
    upper = ", so log kill over long courses is an upper estimate" if options.clonogen_doubling_time is None else ""
    grown = "".join(f" {text}" for text in growth_text(growth_of(options), {}, options))
    return (f"Survival: linear-quadratic with dose-rate protraction and oxygen{''.join(f'; {t}' for t in chosen)}; no "
            f"{', '.join(left_out)} effect{upper}.{grown}")


def _body_text(setup: Setup) -> tuple[str, ...]:
    """Where plasma and organ doses come from, and whose they are."""
    kg = f"{setup.case.patient.weight_kg:g} kg"
    modelled = [name for name in setup.forms() if name in load_bodies().kinetics]
    others = [name for name in setup.forms() if name not in modelled]
    texts = []
    if modelled:
        texts.append(
            f"{', '.join(modelled)}: plasma comes from whole-body kinetics (response to a bolus), and organ doses are "
            f"the published ones times what that model does between the patients in whom they were found and this one "
            f"({kg}).")
    if others:
        texts.append(
            f"{', '.join(others)}: plasma is a published or assumed curve; it and organ doses per activity fall with "
            f"body weight ({kg} here, 70 kg in the library).")
    texts.append("Prescribed activities are not scaled.")
    if setup.measured is not None:
        texts.append("Measured activity of this patient: the whole-body model is fitted to it, and draws come from the "
                     "posterior; organs in which an agent itself was measured have the fitted dose.")
        if setup.measured.falling:
            texts.append(f"{', '.join(sorted(setup.measured.falling))}: in these organ doses the tumours' target falls "
                         "from cycle to cycle as it was measured to (candidate.administration.target_by_cycle).")
    known = [m.form for m in setup.case.measured_uptake] + list(setup.measured.uptake if setup.measured else ())
    measured = [name for name in dict.fromkeys(known) if name in setup.forms()]
    if measured:
        texts.append(f"The absolute uptake of {', '.join(measured)} is the measured one; its distribution is modelled.")
    return tuple(texts)


def _anchors_text(setup: Setup) -> str:
    """What set the mean of each candidate's target."""
    targets = dict.fromkeys(c.form.target for c in setup.evaluable)
    anchored = [f"{t} from {setup.case.anchors[t].words}" for t in targets if t in setup.case.anchors]
    rest = [t for t in targets if t not in setup.case.anchors]
    means = [*anchored, *([f"{', '.join(rest)} from the library"] if rest else [])]
    return f"Expression sets the shape of a target map; the mean of {'; of '.join(means)}."


def assumptions(setup: Setup, draw_spacing_um: float, full_draws: int = 0) -> tuple[str, ...]:
    """What was taken for granted, in plain words."""
    case = setup.case
    lesion, comparison = case.lesion, case.comparison
    scaling = (
        "Changing the activity leaves the ligand mass as it is."
        if comparison.scaling == "fixed_ligand_mass"
        else "The ligand mass scales with the activity (fixed molar activity)."
    )
    return (
        *_space(lesion),
        scaling,
        *_body_text(setup),
        _anchors_text(setup),
        "Free ligand reaches tissue by permeation from vessels and diffuses; convection is left out.",
        "Vessels are a smooth density; oxygen and ligand are means over a voxel, and gradients between single "
        "capillaries are averaged away.",
        *_changes(setup),
        "All progeny decay where their parent did; none escapes after an alpha recoil.",
        "Photons are not deposited in the section.",
        _survival_text(case.effect),
        "Tumour cells within a voxel either bear the target or do not, in the stated fraction.",
        "Composition of the tissue is drawn as far as marker counts leave it open; where the file told it, it is the "
        f"same in every draw. Draws run on a {draw_spacing_um:g}-um grid and are "
        + ("moved to the fine grid by what the repeated draws show." if full_draws else
           "moved to the fine grid's central value by the ratio shown for each candidate."),
        "Organ limits are conventions from the sources named; a dose at the limit is not a safe dose.",
    )
