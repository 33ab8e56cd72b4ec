"""The log kill of one ligand design in one draw, with its exact gradient: binding, tissue, dose, survival."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from nichedose.body import PlasmaCurve
from nichedose.dose import Quality
from nichedose.dose.section_adjoint import (
    LinearDose,
    linear_dose,
    nucleus_doses,
    nucleus_owed,
    voxel_doses,
    voxel_owed,
)
from nichedose.effect import DoseToCome, dose_to_come, label_offsets, protraction_form, survival_terms
from nichedose.errors import NotComputed
from nichedose.fields.grid import Array
from nichedose.library.schema import LabelledForm
from nichedose.study.cells_within import CellsWithin, repair_of
from nichedose.study.design_growth import lowest
from nichedose.study.design_ligand import PROPERTIES, LigandDesign, designed
from nichedose.study.evaluate import CLONOGENIC, NEGATIVE, POSITIVE, cell_labels, section_geometry
from nichedose.study.kinetics import HALF_LIVES_FOLLOWED, plasma_input, tissue_and_ligand
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.world import World
from nichedose.tissue import TissueMap
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.partner import product
from nichedose.transport import (
    LigandKinetics,
    TissueTransport,
    TransportGradient,
    differentiate,
    simulate,
)

__all__ = ["DesignChain", "design_chain", "design_gradient", "design_value"]

STATES = ("free", "bound", "internalised")
Integrals = Mapping[str, Mapping[str, Array]]  # by label and state
_LN10 = math.log(10.0)
GONE = 14.0  # decay times after which nothing is left of a label
_STEP = 1e-4  # of the logarithm of a property, in closed forms and in the decay rate


@dataclass(frozen=True)
class _Place:
    """One section: its tissue, dose as a linear map, alpha and sqrt(beta) by quality, clonogens by class."""

    tissue: TissueMap
    matrix: Array
    linear: LinearDose
    terms: Mapping[Quality, tuple[Array, Array]]
    clonogens: Mapping[str, Array]


@dataclass(frozen=True)
class DesignChain:
    """All that does not change with the design, in one draw.

    ``reference`` is the time-integrated activity in plasma that every design may use, on the scale of the plasma curve;
    None where every design is given the candidate's activity.
    """

    world: World
    candidate: ResolvedCandidate
    places: tuple[_Place, ...]
    repair: tuple[tuple[float, ...], tuple[float, ...]]
    doubling_time_h: float | None
    reference: float | None
    permeability_factor: float


@dataclass(frozen=True)
class _Label:
    """A decay rate, the offsets of the labels beside it, and the activity per administration that goes with it.

    ``form`` and ``to_come`` tell protraction and the dose still to come from the time integrals of these labels.
    """

    decay_per_h: float
    offsets_per_h: Array
    form: Array
    to_come: DoseToCome
    activity_MBq: float


def design_chain(
    world: World, candidate: ResolvedCandidate, reference: float | None, doubling_time_h: float | None = None
) -> DesignChain:
    """Gather what the designs of ``candidate`` share. Raises `NotComputed` for options that this chain cannot follow.
    """
    setup, draw = world.setup, world.draw
    if setup.case.daughters is not None:
        raise NotComputed("daughters that migrate are not followed by derivatives")
    if setup.case.tissue.matrix_hindrance:
        raise NotComputed("hindrance by the matrix depends on size in a way that derivatives do not follow")
    if setup.case.tissue.vessel_gradients:
        raise NotComputed("gradients around vessels depend on sites and size in a way that derivatives do not follow")
    if not world.options.plain:
        raise NotComputed("survival options that mix cells within a voxel are not followed by derivatives")
    effects = world.effects(candidate)
    oxygen = oxygen_parameters(setup.library.tissue, draw)
    target, parameters = setup.library.targets[candidate.form.target], setup.library.tissue
    hosts = [h for h in target.hosts if h in CLONOGENIC]
    positive = draw(f"target.{target.name}.positive_fraction", target.positive_fraction) if hosts else 0.0
    places = []
    for tissue, before in zip(world.state(candidate).maps, world.maps, strict=True):
        tumour = tissue.cell_density_per_mm3["tumour"] * tissue.mask
        ones = {state: np.ones(tissue.grid.shape) for state in STATES}
        linear = linear_dose(
            tissue.grid, tissue.mask, candidate.radionuclide,
            cell_labels(tissue, target.name, hosts, ones, positive * tumour), section_geometry(setup.case.lesion),
            draw("tissue.cell_radius_um", parameters.cell_radius_um),
            draw("tissue.nucleus_radius_um", parameters.nucleus_radius_um))
        within = CellsWithin.of(tissue, world.options, oxygen, product(effects, "sensitivity"))
        terms = survival_terms(
            [key.quality for key in linear.keys], tissue.oxygen_mmHg, world.effect_of(candidate),
            sensitivity=1.0 if within is None else within.sensitivity)
        area = tissue.grid.voxel_area_mm2
        places.append(_Place(tissue, before.matrix, linear, terms, {
            POSITIVE: positive * tumour * area, NEGATIVE: (1.0 - positive) * tumour * area}))
    return DesignChain(world, candidate, tuple(places), repair_of(setup.case.effect, world.effect.repair_rate_per_h),
                       doubling_time_h, reference, product(effects, "permeability"))


def design_value(chain: DesignChain, design: LigandDesign) -> float:
    """Log kill of the course (net of growth with a doubling time), without the gradient: one forward run a section."""
    form, injected, plasma = _given(chain, design)
    label = _label(chain, math.log(2.0) / design.half_life_h, plasma, injected)
    decays = {f"0:{m}": float(label.decay_per_h + d) for m, d in enumerate(label.offsets_per_h)}
    maps = [simulate(*_inputs(chain, place, form), plasma, end_h=HALF_LIVES_FOLLOWED * design.half_life_h,
                     decay_per_h=decays, snapshots="end").time_integrals_nmol_h_per_L
            for place in chain.places]
    return _kill(chain, label, [_stack(m, 0, injected) for m in maps])[0]


def design_gradient(chain: DesignChain, design: LigandDesign) -> tuple[float, Array]:
    """Log kill of the course and its derivatives by the logarithms of `PROPERTIES`, (5,).

    Binding, size and amount act through the adjoint of the transport run; what a property does to the rates, to vessel
    walls and to plasma is a closed form. The decay rate acts through labels that decay a little faster and slower in
    the same run. The protraction factor follows from time integrals (`effect.protraction_form`).
    """
    form, injected, plasma = _given(chain, design)
    decay = math.log(2.0) / design.half_life_h
    labels = [_label(chain, decay * math.exp(shift), plasma, injected) for shift in (0.0, _STEP, -_STEP)]
    decays = {f"{k}:{m}": float(label.decay_per_h + d) for k, label in enumerate(labels)
              for m, d in enumerate(label.offsets_per_h)}
    by_size = [_given(chain, dataclasses.replace(design, molar_mass_kDa=design.molar_mass_kDa * math.exp(step)))[2]
               for step in (_STEP, -_STEP)]
    seen: list[Integrals] = []
    gradients: list[TransportGradient] = []
    owed: list[Array] = []
    values: list[float] = []

    given_activity: list[float] = []  # log kill where size changes the activity alone

    def section(i: int, integrals: Integrals | None) -> tuple[float, Integrals]:
        """The run of section ``i`` inside that of the section before: the kill needs them all."""
        if integrals is not None:
            seen.append(integrals)
        if i == len(chain.places):
            at = [[_stack(maps, k, injected) for maps in seen] for k in range(3)]
            value, found = _kill(chain, labels[0], at[0], derivatives=True)
            values.extend([value, *(_kill(chain, labels[k], at[k])[0] for k in (1, 2))])
            given_activity.extend(_kill(chain, _label(chain, decay, p, injected), at[0])[0] for p in by_size)
            owed.extend(found)
        else:
            gradients.append(differentiate(
                *_inputs(chain, chain.places[i], form), plasma, lambda maps: section(i + 1, maps),
                end_h=HALF_LIVES_FOLLOWED * design.half_life_h, decay_per_h=decays))
        if i == 0:
            return values[0], {}
        return values[0], {f"0:{m}": {s: owed[i - 1][m, n] / injected for n, s in enumerate(STATES)}
                           for m in range(len(labels[0].offsets_per_h))}

    section(0, None)
    gradients.reverse()  # the innermost run ends first
    by_input = np.array([
        sum(_through(chain, place, design, name, gradient)
            for place, gradient in zip(chain.places, gradients, strict=True)) for name in PROPERTIES[:3]])
    rates = np.subtract(by_size[0].rates_per_h, by_size[1].rates_per_h) / (2.0 * _STEP)
    by_input[PROPERTIES.index("molar_mass_kDa")] += sum(float(g.plasma_rates @ rates) for g in gradients) + (
        given_activity[0] - given_activity[1]) / (2.0 * _STEP)
    by_half_life = -(values[1] - values[2]) / (2.0 * _STEP)
    used = sum(float((o * _stack(maps, 0, injected)).sum()) for o, maps in zip(owed, seen, strict=True))
    by_mass = sum(g.log_plasma for g in gradients) - used
    return values[0], np.array([*by_input, by_half_life, by_mass])


def _given(chain: DesignChain, design: LigandDesign) -> tuple[LabelledForm, float, PlasmaCurve]:
    """The ligand, how much of it is injected (nmol), and its plasma curve."""
    form = designed(chain.candidate.form, design.affinity_nmol_per_L, design.molar_mass_kDa,
                    design.internalisation_per_h, chain.world.draw)
    draw = chain.world.draw
    usual = chain.candidate.administration.ligand or draw(f"form.{form.name}.injected_nmol", form.injected_nmol)
    injected = usual * design.ligand_mass_factor
    return form, injected, plasma_input(form, injected, (), chain.world.setup.case.patient, draw)


def _label(chain: DesignChain, decay_per_h: float, plasma: PlasmaCurve, injected: float) -> _Label:
    offsets = label_offsets(decay_per_h, chain.repair[0])
    in_plasma = sum(a / (k + decay_per_h) for a, k in
                    zip(plasma.amplitudes_nmol_per_L, plasma.rates_per_h, strict=True)) / injected
    activity = chain.candidate.activity_MBq if chain.reference is None else chain.reference / in_plasma
    return _Label(decay_per_h, offsets, protraction_form(decay_per_h, *chain.repair, offsets),
                  dose_to_come(decay_per_h, offsets), activity)


def _inputs(chain: DesignChain, place: _Place, form: LabelledForm) -> tuple[TissueTransport, LigandKinetics]:
    return tissue_and_ligand(place.tissue, form, chain.world.setup.library.tissue, chain.world.draw,
                             permeability_factor=chain.permeability_factor)


def _stack(integrals: Integrals, which: int, injected: float) -> Array:
    """Time-integrated activity per MBq injected of one set of labels, (labels, 3, ny, nx), MBq.h per L."""
    names = [name for name in integrals if name.startswith(f"{which}:")]
    return np.stack([np.stack([integrals[name][s] for s in STATES]) for name in names]) / injected


def _through(
    chain: DesignChain, place: _Place, design: LigandDesign, name: str, gradient: TransportGradient
) -> float:
    """Derivative by the logarithm of one property: what it does to each rate, times what the run owes to that rate."""
    def at(step: float) -> tuple[TissueTransport, LigandKinetics]:
        moved = dataclasses.replace(design, **{name: getattr(design, name) * math.exp(step)})
        return _inputs(chain, place, _given(chain, moved)[0])

    (more, fast), (less, slow) = at(_STEP), at(-_STEP)
    total = float((gradient.exchange_per_h * (more.exchange_per_h - less.exchange_per_h)).sum())
    for field, owes in gradient.ligand.items():
        change = getattr(fast, field) - getattr(slow, field)
        total += owes * change if change != 0.0 else 0.0
    return total / (2.0 * _STEP)


@dataclass(frozen=True)
class _Exponent:
    """One section per MBq: linear and root-quadratic part by class, and the protraction factor with what made it."""

    linear: Mapping[str, Array]
    root: Mapping[str, Array]
    g: Array
    rates: Array
    pairs: Array


def _kill(
    chain: DesignChain, label: _Label, tia: Sequence[Array], derivatives: bool = False
) -> tuple[float, list[Array]]:
    """Log kill, and with ``derivatives`` its derivatives by every time integral of every section (as ``tia``)."""
    parts = [_exponent(place, label, maps) for place, maps in zip(chain.places, tia, strict=True)]
    weights = np.concatenate([p.clonogens[c].ravel() for p in chain.places for c in (POSITIVE, NEGATIVE)])
    log_weights = np.log(np.maximum(weights, 1e-300) / weights.sum())
    linear = np.concatenate([e.linear[c].ravel() for e in parts for c in (POSITIVE, NEGATIVE)])
    square = np.concatenate([(e.g * e.root[c] ** 2).ravel() for e in parts for c in (POSITIVE, NEGATIVE)])

    def survivors(shares: Array) -> tuple[float, Array]:
        """Natural log of those of a course that has given these shares of its doses: of all, and by cell."""
        given = _given_by(label, shares)
        logs = log_weights - (linear * given[0] + square * given[1])
        return float(logsumexp(logs)), logs

    def kill(shares: Array) -> float:
        return -survivors(shares)[0] / _LN10

    shares = np.ones(chain.candidate.cycles)
    if chain.doubling_time_h is None:
        value = kill(shares)
    else:
        total_by_label = _in_tissue(chain, tia)
        stop = lowest(
            kill, lambda ages: np.clip(1.0 - label.to_come.at(ages) @ total_by_label / total_by_label[0], 0.0, 1.0),
            gone_h=GONE / label.decay_per_h, cycles=chain.candidate.cycles, interval_h=chain.candidate.interval_h,
            doubling_time_h=chain.doubling_time_h, tolerance=1e-9)
        value, shares = stop.log_kill, stop.shares
    if not derivatives:
        return value, []
    total, logs = survivors(shares)
    left = np.exp(logs - total) / _LN10
    by_label = np.zeros(label.offsets_per_h.size)
    if chain.doubling_time_h is not None:
        # at the best time nothing is owed to that time: it may be held
        by_share = label.activity_MBq * (left @ linear + 2.0 * label.activity_MBq * shares * (left @ square))
        by_share[(shares <= 0.0) | (shares >= 1.0)] = 0.0
        by_label = -by_share @ label.to_come.at(stop.ages_h) / total_by_label[0]
        by_label[0] += float(by_share @ (1.0 - shares)) / total_by_label[0]
    owed, at = [], 0
    for i, (place, part) in enumerate(zip(chain.places, parts, strict=True)):
        n = part.g.size
        of = {c: left[at + k * n : at + (k + 1) * n].reshape(part.g.shape) for k, c in enumerate((POSITIVE, NEGATIVE))}
        at += 2 * n
        per = np.where(place.tissue.mask, place.tissue.grid.voxel_area_mm2, 0.0)
        owed.append(_owed(place, label, part, tia[i], of, _given_by(label, shares))
                    + by_label[:, None, None, None] * per)
    return value, owed


def _given_by(label: _Label, shares: Array) -> tuple[float, float]:
    """Sum of the activities of administrations that have given ``shares`` of their doses, and of their squares."""
    given = label.activity_MBq * shares
    return float(given.sum()), float(given @ given)


def _in_tissue(chain: DesignChain, tia: Sequence[Array]) -> Array:
    """Time integral of each label in all of the tissue, (labels,)."""
    return np.asarray(sum(maps.sum(axis=(1, 2, 3)) * p.tissue.grid.voxel_area_mm2
                          for maps, p in zip(tia, chain.places, strict=True)))


def _exponent(place: _Place, label: _Label, tia: Array) -> _Exponent:
    doses = nucleus_doses(place.linear, dict(zip(STATES, tia[0], strict=True)))
    zero = np.zeros(place.tissue.grid.shape)
    linear = {c: sum((place.terms[q][0] * d for q, d in by.items()), start=zero) for c, by in doses.items()}
    root = {c: sum((place.terms[q][1] * d for q, d in by.items()), start=zero) for c, by in doses.items()}
    rates = voxel_doses(place.linear, tia.sum(axis=1))
    pairs = np.einsum("mn,nyx->myx", label.form, rates)
    square = rates[0] ** 2
    g = np.divide((pairs * rates).sum(axis=0), square, out=zero.copy(), where=square > 0.0)
    return _Exponent(linear, root, np.clip(g, 0.0, 1.0), rates, pairs)


def _owed(
    place: _Place, label: _Label, part: _Exponent, tia: Array, survivors: Mapping[str, Array],
    given: tuple[float, float],
) -> Array:
    by_dose = {
        c: {q: survivors[c] * (given[0] * alpha + 2.0 * given[1] * part.g * part.root[c] * root_beta)
            for q, (alpha, root_beta) in place.terms.items()} for c in part.root}
    by_state = nucleus_owed(place.linear, dict(zip(STATES, tia[0], strict=True)), by_dose)
    by_g = sum(survivors[c] * given[1] * part.root[c] ** 2 for c in part.root)
    square = part.rates[0] ** 2
    inside = (part.g > 0.0) & (part.g < 1.0) & (square > 0.0)
    by_pair = np.divide(by_g, square, out=np.zeros_like(square), where=inside)
    by_rate = 2.0 * part.pairs * by_pair
    by_rate[0] -= 2.0 * np.where(inside, part.g * part.rates[0], 0.0) * by_pair
    out = np.repeat(voxel_owed(place.linear, by_rate)[:, None], len(STATES), axis=1)
    out[0] += np.stack([by_state[s] for s in STATES])
    return np.asarray(np.where(place.tissue.mask, out, 0.0))
