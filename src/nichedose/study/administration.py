"""How a candidate is given: its regimen, and the molecule that competes with it."""

from __future__ import annotations

import dataclasses

from nichedose.body import BodyLigand, Injection, Regimen, body_ligand, cycles, small_competitor
from nichedose.case import Administration, Competitor
from nichedose.errors import BadInput, near_miss
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.body_schema import CompetitorKinetics
from nichedose.library.schema import LabelledForm
from nichedose.nuclide import decay_per_h
from nichedose.quantities import MOLECULES_PER_NMOL
from nichedose.values import Draw

__all__ = [
    "USUAL", "check_administration", "competitor_of", "once", "refuse_more_nuclei_than_ligand", "regimen_of",
    "shifts_kinetics", "target_changes", "target_decline",
]

USUAL = Administration()

DECLINES = ("PSMA",)  # targets whose fall over cycles was measured
DEFAULT_INFUSION_H = 0.25
S_PER_H = 3600.0
AMINO_ACIDS_H = (-0.5, 4.0)  # from half an hour before, over four hours, as in the label of 177Lu-DOTATATE


def once(how: Administration) -> Administration:
    """``how`` within one cycle: what happens from cycle to cycle is left out."""
    return how.model_copy(update={"target_by_cycle": ()})


def shifts_kinetics(how: Administration) -> bool:
    """Whether anything but the amount of ligand and the course of targets differs from the usual administration."""
    return once(how) != USUAL.model_copy(update={"ligand": how.ligand})


def regimen_of(
    form: LabelledForm, how: Administration, *, activity_MBq: float, ligand_nmol: float, number: int, interval_h: float
) -> Regimen:
    """The course as it is given; without ``target_by_cycle`` tumours' targets fall as they were measured to."""
    if how.target_by_cycle and len(how.target_by_cycle) != number:
        raise BadInput(f"'target_by_cycle' holds {len(how.target_by_cycle)} numbers, and {form.name} is given in "
                       f"{number} cycles. Give one per cycle, the first of them 1.")
    kinetics = load_bodies().of_form(form.name)
    acids = how.amino_acids if how.amino_acids is not None else kinetics.regimen_has_amino_acids
    rival = how.competitor
    lead = max(_before_h(how), -AMINO_ACIDS_H[0] if acids else 0.0)
    plain = cycles(
        activity_MBq, ligand_nmol, number=number, interval_h=interval_h,
        duration_h=how.infusion if how.infusion is not None else DEFAULT_INFUSION_H,
        split=how.split, split_interval_h=how.split_interval,
        target_factors=target_changes(form, how, number))
    given = [dataclasses.replace(i, start_h=i.start_h + lead) for i in plain.injections]
    beside = [] if how.predose is None else [
        Injection(how.predose, 0.0, i.start_h - how.predose_lead) for i in given]
    if rival is not None:
        beside += [Injection(rival.amount, 0.0, i.start_h - rival.lead + rival.delay, rival.infusion or 0.0,
                             species="competitor") for i in given]
    spans = tuple((i.start_h + AMINO_ACIDS_H[0], i.start_h + AMINO_ACIDS_H[0] + AMINO_ACIDS_H[1]) for i in given)
    return Regimen(
        injections=tuple(beside + given),
        amino_acids_h=spans if acids else (),
        target_changes=plain.target_changes,  # before anything of the cycle is given
    )


def competitor_of(form: LabelledForm, how: Administration, ligand: BodyLigand, draw: Draw) -> BodyLigand | None:
    """The molecule that ``how`` gives beside ``ligand``, in this draw: the library's, one of the case's own affinity,
    or another labelled form without its label. None without one. Raises `BadInput` for what cannot compete.
    """
    given = how.competitor
    if given is None:
        return None
    bodies, forms = load_bodies(), load_library().forms
    if ligand.molecule != "peptide":
        raise BadInput(f"'competitor': {form.name} is an antibody, which small molecules do not keep from its site. "
                       "Give unlabelled antibody as 'predose'.")
    if given.name in bodies.kinetics and given.dissociation_constant is None:
        other, kinetics = forms[given.name], bodies.of_form(given.name)
        if other.target != form.target or kinetics.molecule != "peptide" or other.name == form.name:
            raise BadInput(f"'competitor': {given.name} does not take the sites of {form.name} in this model. It takes "
                           f"small molecules for {form.target}; {form.name} itself, unlabelled, is a 'predose'.")
        rival = body_ligand(other, kinetics, bodies.physiology.antibody, draw)
        return dataclasses.replace(rival, target_nmol_per_L=ligand.target_nmol_per_L)
    found = _entry(form, given)
    return small_competitor(given.name, found, ligand, draw,
                            dissociation_constant_nmol_per_L=given.dissociation_constant)


def _entry(form: LabelledForm, given: Competitor) -> CompetitorKinetics:
    """Rates of the library's molecule, or of its molecule for the same target where the case tells the affinity."""
    competitors = load_bodies().competitors
    names = {alias.lower(): c for name, c in competitors.items() for alias in (name, *c.also_known_as)}
    for_target = {name: c for name, c in competitors.items() if c.target == form.target}
    found = names.get(given.name.lower())
    if found is not None and found.target == form.target:
        return found
    if given.dissociation_constant is not None and found is None and for_target:
        return next(iter(for_target.values()))
    peptides = [f.form for f in load_bodies().kinetics.values() if f.molecule == "peptide" and f.form != form.name]
    known = [*for_target, *(name for name in peptides if load_library().forms[name].target == form.target)]
    listed = f"Known for it: {', '.join(known)}." if known else "The library has none for it."
    own = " Another molecule needs its own dissociation_constant." if for_target else ""
    raise BadInput(f"'competitor': no molecule '{given.name}' that takes {form.target}, which {form.name} binds."
                   f"{near_miss(given.name, known)} {listed}{own}")


def refuse_more_nuclei_than_ligand(radionuclide: str, activity_MBq: float, ligand_nmol: float, where: str) -> None:
    """Raise `BadInput` where ``ligand_nmol`` has fewer molecules than ``activity_MBq`` has nuclei."""
    nuclei_nmol = activity_MBq * 1e6 / (decay_per_h(radionuclide) / S_PER_H) / MOLECULES_PER_NMOL
    if ligand_nmol < nuclei_nmol:
        raise BadInput(f"{where}: {ligand_nmol:g} nmol of ligand cannot carry {activity_MBq:g} MBq of {radionuclide}, "
                       f"which are {nuclei_nmol:.3g} nmol of nuclei. 'ligand' counts labelled and unlabelled molecules "
                       "together; check its unit and the activity.")


def check_administration(
    form: LabelledForm, how: Administration, name: str, *, radionuclide: str, activity_MBq: float, cycles: int,
    interval_h: float,
) -> None:
    """Raise `BadInput` where ``how`` asks of the candidate ``name`` what cannot be given, or what no model of its form
    can follow."""
    if how.ligand is not None:
        refuse_more_nuclei_than_ligand(radionuclide, activity_MBq, how.ligand, f"'administration' of {name}")
    spans_h = _span_h(how)
    if cycles > 1 and spans_h >= interval_h:
        raise BadInput(f"'administration' of {name}: all that is given in one cycle takes {spans_h:g} h (parts, "
                       f"infusion, what goes before and after), and cycles follow each other after {interval_h:g} h. "
                       "Check the units of the times, or give more cycles instead.")
    if not shifts_kinetics(how):
        return
    bodies = load_bodies()
    if form.name not in bodies.kinetics:
        sets = ", ".join(bodies.kinetics)
        raise BadInput(f"'administration' of {name}: {form.name} has no whole-body set, so only 'ligand' can be "
                       f"followed; leave the other fields out. Sets: {sets}.")
    ligand = body_ligand(form, bodies.of_form(form.name), bodies.physiology.antibody)
    if how.amino_acids and ligand.molecule == "antibody":
        raise BadInput(f"'administration' of {name}: amino acids keep tubules from taking up peptides; {form.name} "
                       "is an antibody, which is not filtered. Leave 'amino_acids' out.")
    competitor_of(form, how, ligand, Draw())


def _span_h(how: Administration) -> float:
    """From the first to the last thing that is given within one cycle."""
    rival, infusion = how.competitor, how.infusion or 0.0
    after = max(infusion, rival.delay - rival.lead + (rival.infusion or 0.0) if rival is not None else 0.0)
    return _before_h(how) + (how.split - 1) * how.split_interval + after


def _before_h(how: Administration) -> float:
    """From the first of what goes before the labelled ligand to that."""
    return max(how.predose_lead if how.predose is not None else 0.0,
               how.competitor.lead if how.competitor is not None else 0.0)


def target_changes(
    form: LabelledForm, how: Administration, number: int, draw: Draw | None = None
) -> tuple[float, ...]:
    """Tumour target in each of ``number`` cycles over that in the first: as the case has it, else as measured."""
    return how.target_by_cycle or target_decline(form, number, draw)


def target_decline(form: LabelledForm, number: int, draw: Draw | None = None) -> tuple[float, ...]:
    """Tumour target in each of ``number`` cycles over that in the first, where it was measured; else empty.

    Of PSMA by the uptake of 177Lu-PSMA-I&T (library/data/answer.toml), which holds cells and selection too.
    """
    if number == 1 or form.target not in DECLINES:
        return ()
    answer, take = load_library().answer, draw if draw is not None else Draw()
    names = ("uptake_cycle_2", "uptake_cycle_3", "uptake_cycle_4")[:number - 1]
    later = [take(f"answer.{name}", getattr(answer, name)) for name in names]
    return tuple(1.0 if cycle == 0 else later[min(cycle, len(later)) - 1] for cycle in range(number))
