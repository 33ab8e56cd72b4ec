"""Partners, answers to therapy, thresholds, rules and ligand design against closed forms."""

from __future__ import annotations

import math

import numpy as np

from nichedose.body import PlasmaCurve
from nichedose.case import parse_case
from nichedose.check.row import CheckRow
from nichedose.effect import g_exponentials, label_offsets, protraction_form
from nichedose.fields.grid import Array, Grid
from nichedose.library import load_library
from nichedose.library.partners import find_partner
from nichedose.nuclide import half_life_h
from nichedose.study.answers import cycle_answer
from nichedose.study.design import plasma_reference
from nichedose.study.design_chain import design_chain, design_gradient, design_value
from nichedose.study.design_ligand import PROPERTIES, LigandDesign
from nichedose.study.rules import rules_of
from nichedose.study.setup import resolve
from nichedose.study.threshold import crossing, elasticity, flip
from nichedose.study.world import World
from nichedose.tissue import TargetField, TissueMap
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.partner import apply_effects, partner_effects, product
from nichedose.transport import LigandKinetics, TissueTransport, simulate
from nichedose.values import Draw

__all__ = ["rows"]

POPULATION = "uptake of 177Lu-PSMA-I&T by cycle, 76 patients: EJNMMI Phys 2024, doi:10.1186/s40658-024-00642-2"
NO_SYNERGY = "PSMA radioligand with three PARP inhibitors, no synergy: IJMS 2022;23:8037 (abstract)"
LABEL = math.log(2.0) / half_life_h("177Lu")


def rows() -> list[CheckRow]:
    """All comparisons of the questions that come after a plan."""
    return [*_partners(), *_thresholds(), *_rules(), *_design()]


def _tissue(density: Array, spacing_um: float = 50.0) -> TissueMap:
    """A square of tumour with even vessels and a given target."""
    one = np.ones(density.shape)
    return TissueMap(
        grid=Grid(density.shape, spacing_um), mask=one > 0, cell_density_per_mm3={"tumour": 3e5 * one},
        targets={"PSMA": TargetField("PSMA", {"tumour": density}, True, "relative", 0)}, unknown_targets={},
        vessel_surface_per_cm=50.0 * one, matrix=0.0 * one, oxygen_mmHg=20.0 * one, sample="check")


def _partners() -> list[CheckRow]:
    """What a run makes of the library's partners and answers, which were taken from these works."""
    library, draw = load_library(), Draw()
    target, found = 1.0, []
    for cycle, published in ((1, 0.73), (2, 0.50), (3, 0.44)):
        target *= cycle_answer(("targets_decline",), library.answer, cycle, draw).target_factor
        found.append(CheckRow(id=f"answer.targets-decline.cycle-{cycle + 1}", kind="self-test", source=POPULATION,
                              ours=target, reference=published, tolerance=1e-9))
    parp = partner_effects(find_partner(library, "PARP inhibitor"), 0.0, "prostate", draw)
    found.append(CheckRow(id="partner.PARP-inhibitor.sensitivity.prostate", kind="self-test", source=NO_SYNERGY,
                          ours=product(parp, "sensitivity"), reference=1.0, tolerance=1e-9))
    before = _tissue(np.full((4, 4), 50.0))
    blockade = partner_effects(find_partner(library, "androgen blockade"), 14.0 * 24.0, "prostate", draw)
    after = apply_effects(before, blockade, oxygen_parameters(library.tissue, draw))
    found.append(CheckRow(
        id="partner.androgen-blockade.PSMA.two-weeks", kind="analytic", source="density times the product of factors",
        ours=float(after.targets["PSMA"].total_nmol_per_L[1, 1]),
        reference=50.0 * math.prod(e.factor for e in blockade if e.field == "target"), tolerance=1e-12,
        unit="nmol/L"))
    return found


def _thresholds() -> list[CheckRow]:
    """Uptake of isolated voxels that trap for good, against the slope of its closed form."""
    ligand = LigandKinetics(0.6, 0.0, 0.06, 0.0, 1.0, 0.2, 0.4)
    exchange, sites = 2.0, np.array([[9.9, 0.0, 10.0, 0.0, 10.1]])
    mask = sites > 0.0  # between the voxels lies nothing, so that none feeds another
    run = simulate(TissueTransport(Grid(sites.shape, 20.0), mask, sites, exchange * mask.astype(float)), ligand,
                   PlasmaCurve((1e-4,), (0.2,)), end_h=60.0 / LABEL, decay_per_h={"177Lu": LABEL})
    uptake = np.asarray(sum(run.time_integrals_nmol_h_per_L["177Lu"].values()))[mask]

    def closed(r: float) -> float:
        on = ligand.association_L_per_nmol_per_h * r
        return (ligand.void_fraction + on / LABEL) / (ligand.void_fraction * LABEL + exchange + on)

    step = 1e-5
    slope = (math.log(closed(10.0 * math.exp(step))) - math.log(closed(10.0 * math.exp(-step)))) / (2.0 * step)
    factors = np.array([1.0, 0.1, 0.01])
    kills = {"a": np.array([2.0, 1.0, 0.0]), "b": np.array([1.3, 1.1, 0.9])}
    return [
        CheckRow(id="threshold.elasticity.trapped-ligand", kind="analytic", tolerance=2e-3, reference=slope,
                 source="d ln(uptake) / d ln(sites) of k Cp = (eps L + k + kon R) F",
                 ours=elasticity(sites[mask], uptake, np.ones(3))),
        CheckRow(id="threshold.crossing", kind="analytic", source="1 + 0.15 log10(f) = 0.8 by hand",
                 ours=crossing(factors, 1.0 + 0.15 * np.log10(factors), 0.8), reference=10.0 ** (-0.2 / 0.15),
                 tolerance=1e-9),
        CheckRow(id="threshold.flip", kind="analytic", source="2 + log10(f) = 1.3 + 0.2 log10(f) by hand",
                 ours=flip(factors, kills)[0], reference=10.0 ** (-0.7 / 0.8), tolerance=1e-9),
    ]


def _rules() -> list[CheckRow]:
    """A rule that is there, with every eighth winner at odds with it: what is held out tells its hit rate."""
    points = np.linspace(0.0, 1.0, 320)[:, None]
    winners = ["x" if (p < 0.5) != (i % 8 == 1) else "y" for i, [p] in enumerate(points)]  # odd tissues are held out
    rules = rules_of(points, winners, ["size"])
    right = sum(r.right for r in rules) / sum(r.cases for r in rules)
    noise = np.random.default_rng(3).permutation(winners).tolist()
    by_hand = "one of four held-out tissues is at odds"
    return [
        CheckRow(id="guideline.rule.hit-rate", kind="analytic", source=by_hand, ours=right, reference=0.75,
                 tolerance=0.01, absolute=True),
        CheckRow(id="guideline.rule.level", kind="analytic", source="the level at which the winner was made to change",
                 ours=rules[0].conditions[0][2], reference=0.5, tolerance=0.01, absolute=True),
        CheckRow(id="guideline.rule.usual-winner", kind="analytic", source="60 and 20 of 160 held out, by hand",
                 ours=float(sum(r.without for r in rules)), reference=80.0, tolerance=0.0),
        CheckRow(id="guideline.rule.none-in-noise", kind="analytic", source="shuffled winners follow no rule",
                 ours=float(len(rules_of(points, noise, ["size"]))), reference=1.0, tolerance=0.0),
    ]


def _design() -> list[CheckRow]:
    """Derivatives through the whole chain, and the protraction factor that it takes from time integrals."""
    case = parse_case("\n".join([
        'title = "check"', 'tumour = "generic"', "[[sections]]", 'path = "generated"', "[lesion]", 'diameter = "10 mm"',
        "[output]", 'folder = "unused"', "[[candidates]]", 'agent = "177Lu-PSMA-617"']))
    setup, draw = resolve(case, load_library(), ()), Draw()
    [candidate] = setup.candidates
    maps = (_tissue(np.linspace(20.0, 120.0, 16).reshape(4, 4)),)
    chain = design_chain(World(setup, draw, maps, pairs=2), candidate, plasma_reference(setup, candidate, draw), 2400.0)
    # A run ends within its tolerance of 1e-3, which a difference divides by its step: 0.1 leaves less of that than a
    # small step, and a fourth-order difference is still right to 3e-5.
    here, step = LigandDesign(3.0, 15.0, 0.06, 159.5), 0.1
    gradient = design_gradient(chain, here)[1]
    found = []
    for i, name in enumerate(PROPERTIES):
        more, less, most, least = (design_value(chain, LigandDesign.of_logs(here.logs + k * step * np.eye(5)[i]))
                                   for k in (1, -1, 2, -2))
        found.append(CheckRow(
            id=f"design.gradient.{name}", kind="analytic", source="fourth-order difference of the log kill by ln",
            ours=float(gradient[i]), reference=(8.0 * (more - less) - most + least) / (12.0 * step),
            tolerance=1e-3 * float(np.abs(gradient).max()), absolute=True))
    rates, repair = np.array([0.02, 0.3]), math.log(2.0) / 1.5
    amplitudes, offsets = np.array([1.0, -0.9]), label_offsets(LABEL, (repair,))
    integrals = np.array([float((amplitudes / (rates + d)).sum()) for d in offsets])
    form = protraction_form(LABEL, (repair,), (1.0,), offsets)
    found.append(CheckRow(
        id="design.protraction.uptake-and-washout", kind="analytic", source="G of two exponentials by hand",
        ours=float(integrals @ form @ integrals / integrals[0] ** 2),
        reference=g_exponentials(amplitudes.tolist(), rates.tolist(), repair), tolerance=0.04,
        note="4 % is what the form promises"))
    return found
