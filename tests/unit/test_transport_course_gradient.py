"""Derivatives of courses: against finite differences of the scheme at the same steps, and of `simulate_course`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest

from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput, NotComputed
from nichedose.fields import Mesh, radial_mesh, voxel_mesh
from nichedose.fields.grid import Array
from nichedose.transport import (
    Batch,
    Binding,
    Change,
    CourseGradient,
    FlowEdge,
    FluidParameters,
    Given,
    InterstitialFlow,
    Ligand,
    Sampled,
    Site,
    differentiate,
    differentiate_course,
    interstitial_flow,
    simulate_course,
)
from nichedose.transport import _network_march as marching
from nichedose.transport._ladder import build_ladder
from nichedose.transport._tableau import label_weights
from nichedose.transport.cost import course_memory, refuse_course_if_too_large
from nichedose.transport.course import course_labels, course_problem, time_integrals
from nichedose.transport.course_gradient import CourseIntegrals
from nichedose.transport.network import build_network
from transport_cases import LABELS, PEPTIDE, RAGGED, SMALL, N, section

LU = {"177Lu": LABELS["177Lu"]}
ROUGH = 0.1  # tolerance of the runs whose differences are taken: few steps
QUICK, SLOW = PlasmaCurve((30.0, 8.0), (2.0, 0.1)), PlasmaCurve((20.0,), (0.05,))


@dataclass(frozen=True)
class Case:
    mesh: Mesh
    sites: tuple[Site, ...]
    ligands: tuple[Ligand, ...]
    batches: tuple[Batch, ...]
    end_h: float
    flow: InterstitialFlow | None = None
    outside: float | None = None


def field(mesh: Mesh, seed: int, low: float, high: float) -> Array:
    return mesh.scatter(np.random.default_rng(seed).uniform(low, high, mesh.n))


def ragged(*shape: int) -> np.ndarray:
    mask = np.ones(shape, bool)
    mask[0, :2] = mask[2, 1] = mask[-1, -1] = False
    return mask


def predose() -> Case:
    """Cold, then a hot infusion; turnover, half of the sites lost; exchange and density vary."""
    mesh = voxel_mesh(ragged(5, 4), 20.0)
    rate = field(mesh, 1, 0.5, 3.0)
    ligand = Ligand("peptide", field(mesh, 2, 50.0, 300.0), field(mesh, 3, 0.2, 0.5), rate, 0.8 * rate,
                    (Binding("target", 0.6, 0.6, 0.06),), release_per_h=0.008)  # fmt: skip
    site = Site("target", field(mesh, 4, 5.0, 60.0), degradation_per_h=0.05, recycled=0.5)
    batches = (Batch("cold", "peptide", Given(QUICK.scaled(3.0))), Batch("hot", "peptide", Given(QUICK, 12.0, 2.0), LU))
    return Case(mesh, (site,), (ligand,), batches, 60.0)


def rivals() -> Case:
    """An unmasking field, two sites, a catabolite, a rival that also binds vessel walls; starts that coincide."""
    mesh = voxel_mesh(ragged(4, 4), 20.0)
    ligands = (
        Ligand("masked", 50.0, 0.3, 0.5, 0.4, changes=(Change("active", field(mesh, 5, 0.1, 0.4)),)),
        Ligand("active", 50.0, 0.3, 0.5, 0.4, (Binding("target", 0.9, 0.3, 0.1), Binding("matrix", 0.1, 0.5)),
               release_per_h=0.02, released_as="scrap"),
        Ligand("scrap", 300.0, 0.45, 0.0, 3.0),
        Ligand("rival", 20.0, field(mesh, 6, 0.1, 0.3), field(mesh, 7, 0.05, 0.2), 0.1,
               (Binding("target", 0.5, 0.1, 0.02), Binding("wall", 0.4, 0.2, 0.05)), release_per_h=0.01),
    )  # fmt: skip
    sites = (Site("target", field(mesh, 8, 10.0, 40.0), degradation_per_h=0.02, recycled=0.7), Site("matrix", 100.0),
             Site("wall", field(mesh, 9, 1.0, 9.0), 0.03, 0.4, place="vessel wall"))  # fmt: skip
    samples = Sampled((6.0, 8.0, 12.0, 40.0), (0.0, 20.0, 7.0, 0.0))
    batches = (Batch("m", "masked", Given(QUICK, 3.0), LU), Batch("r", "rival", samples, LU))
    return Case(mesh, sites, ligands, batches, 45.0)


def pretargeting() -> Case:
    mesh = voxel_mesh(ragged(4, 4), 20.0)
    ligands = (
        Ligand("antibody", field(mesh, 1, 20.0, 60.0), 0.25, field(mesh, 2, 0.05, 0.2), 0.1,
               (Binding("target", 0.2, 0.05, 0.02),), release_per_h=0.01),
        Ligand("hapten", 250.0, 0.4, 3.0, field(mesh, 3, 2.0, 4.0), (Binding("antibody", 1.5, 0.1),),
               release_per_h=0.03),
    )  # fmt: skip
    batches = (Batch("first", "antibody", Given(SLOW)), Batch("second", "hapten", Given(QUICK, 24.0), LU))
    return Case(mesh, (Site("target", 20.0, 0.01, 0.3),), ligands, batches, 60.0)


def flowing() -> Case:
    """Convection faster than diffusion in places, drained by lymph, an edge open to a bath."""
    mesh = voxel_mesh(ragged(5, 4), 20.0)
    fluid = FluidParameters(4.0, 3e-3, 15.6, 20.0, 15.0, 0.8, lymph_per_mmHg_s=1e-6)
    flow = interstitial_flow(mesh, 200.0 * field(mesh, 1, 0.2, 2.0), fluid, edge=FlowEdge(0.0))
    flow = replace(flow, face_um_per_s=20.0 * flow.face_um_per_s, edge_um_per_s=20.0 * flow.edge_um_per_s)
    ligand = Ligand("peptide", field(mesh, 2, 5.0, 60.0), field(mesh, 3, 0.2, 0.5), field(mesh, 4, 0.3, 2.0), 0.7,
                    (Binding("target", 0.6, 0.3, 0.06),), release_per_h=0.008, convected=0.9,
                    along=(1.0, 0.6))  # fmt: skip
    batch = Batch("b", "peptide", Given(QUICK, 4.0), LU)
    return Case(mesh, (Site("target", field(mesh, 5, 5.0, 60.0)),), (ligand,), (batch,), 40.0, flow, 0.5)


def stack() -> Case:
    mesh = voxel_mesh(ragged(3, 4, 3), 20.0)
    ligand = Ligand("peptide", field(mesh, 2, 50.0, 300.0), field(mesh, 3, 0.2, 0.5), field(mesh, 1, 0.5, 3.0), 1.0,
                    (Binding("target", 0.6, 0.6, 0.06),), release_per_h=0.008)  # fmt: skip
    batch = Batch("b", "peptide", Given(QUICK, over_h=1.5), LU)
    return Case(mesh, (Site("target", field(mesh, 4, 5.0, 60.0), 0.05, 0.5),), (ligand,), (batch,), 40.0)


def spheroid() -> Case:
    """Shells in a medium; what is 0 may be asked for too."""
    mesh = radial_mesh(np.linspace(0.0, 200.0, 9))
    ligand = Ligand("antibody", 15.0, 0.3, bindings=(Binding("target", 0.4, 0.0, 0.05),), release_per_h=0.0)
    batch = Batch("b", "antibody", Given(SLOW), LU)
    return Case(mesh, (Site("target", field(mesh, 1, 20.0, 60.0)),), (ligand,), (batch,), 30.0, outside=1.0)


CASES = {make.__name__: make for make in (predose, rivals, pretargeting, flowing, stack, spheroid)}


def objective(maps: CourseIntegrals) -> tuple[float, CourseIntegrals]:
    """Half of the squares, weighted at random by map: no two maps alike, no derivative constant."""
    value, slopes = 0.0, {}
    for n, (key, states) in enumerate(sorted(maps.items())):
        slopes[key] = {}
        for k, name in enumerate(sorted(states)):
            weight = np.random.default_rng([n, k]).uniform(0.5, 1.0, states[name].shape)
            value += 0.5 * float((weight * states[name] ** 2).sum())
            slopes[key][name] = weight * states[name]
    return value, slopes


class Frozen:
    """The objective of other inputs on the steps that one case takes, each stage solved to the end. Steps between two
    kinks stretch in proportion with them."""

    def __init__(self, case: Case, tolerance: float) -> None:
        steps: list[tuple[float, float]] = []
        network = build_network(case.mesh, case.ligands, case.sites, case.batches, keep_zero=True)
        problem = course_problem(case.mesh, network, build_ladder(case.mesh), case.flow, case.outside)
        labels, _ = course_labels(case.batches)
        marching.march_network(problem, marching.NetworkRun(problem), labels, case.end_h, [case.end_h], tolerance,
                               record=lambda start, size, *_: steps.append((start, size)))  # fmt: skip
        self.ends = np.array([0.0, *(start for start, _ in steps[1:]), case.end_h])
        self.kinks = self.places(case)

    @staticmethod
    def places(case: Case) -> list[float]:
        """Kinks of all supplies in their order, from 0 to the end (a start at 0 takes the run's start along)."""
        kinks = [k for b in case.batches for k in b.supply.kinks_h]
        return [min([*kinks, 0.0]) if 0.0 in kinks else 0.0, *kinks, case.end_h]

    def times(self, case: Case) -> Array:
        moved = dict(zip(self.kinks, self.places(case), strict=True))
        if case.batches[0].supply.kinks_h[0] != self.kinks[1] and self.kinks[1] == 0.0:
            moved[0.0] = case.batches[0].supply.kinks_h[0]
        at = sorted(moved)
        out = np.interp(self.ends, at, [moved[k] for k in at])
        for place in at:  # to the bit
            out[self.ends == place] = moved[place]
        return out

    def __call__(self, case: Case) -> float:
        network = build_network(case.mesh, case.ligands, case.sites, case.batches, keep_zero=True)
        problem = course_problem(case.mesh, network, build_ladder(case.mesh), case.flow, case.outside)
        labels, names = course_labels(case.batches)
        run, course = marching.NetworkRun(problem), marching.Course()
        run.begin(len(labels))
        times, supplies = self.times(case), [b.supply for b in case.batches]
        for start, step in zip(times[:-1], np.diff(times), strict=True):
            levels, _ = marching._stage_levels(supplies, start, step, np.ones(len(supplies)))
            assert run.take(step, levels, 1e-11, False, course)
            weights = np.array([label_weights(label.decay_per_h * step) for label in labels])
            run.integrate(step, labels, step * marching.strengths(labels, start)[:, None] * weights)
            run.accept()
        run.deliver(course)
        return objective(time_integrals(case.mesh, network, course, labels, names))[0]


def slope(value: Callable[[float], float], h: float = 2e-3) -> float:
    """Fourth-order central difference."""
    return (8.0 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12.0 * h)


Move = Callable[[float], Case]


def moves(case: Case, found: CourseGradient) -> Iterator[tuple[str, float, Move]]:
    """Every parameter: its name, the derivative found by a change of its own size, and how to make that change."""

    def scaled(item: Any, name: str, direction: Array | float) -> tuple[Any, Callable[[float], Any]]:
        now = getattr(item, name)
        return now * direction, lambda d: replace(item, **{name: now * (1.0 + d * direction)})

    def swap(what: str, old: Any) -> Callable[[Any], Case]:
        return lambda new: replace(case, **{what: tuple(new if x is old else x for x in getattr(case, what))})

    random = field(case.mesh, 77, 0.2, 1.0)
    for ligand in case.ligands:
        own, put = found.ligands[ligand.name], swap("ligands", ligand)
        for name in ("diffusivity_um2_per_s", "void_fraction", "enter_per_h", "leave_per_h"):
            change, make = scaled(ligand, name, random)
            yield f"{ligand.name} {name}", float((getattr(own, name) * change).sum()), lambda d, p=put, m=make: p(m(d))
        for k, change_ in enumerate(ligand.changes):
            _, make = scaled(change_, "rate_per_h", random)
            yield (f"{ligand.name} change", float((own.changes[k] * change_.rate_per_h * random).sum()),
                   lambda d, p=put, m=make, g=ligand: p(replace(g, changes=(m(d),))))  # fmt: skip
        now = ligand.release_per_h or 0.01
        yield (f"{ligand.name} release", own.release_per_h * now,
               lambda d, p=put, g=ligand, now=now: p(replace(g, release_per_h=g.release_per_h + d * now)))  # fmt: skip
        for k, binding in enumerate(ligand.bindings):
            for item in fields(Binding)[1:]:
                if item.name not in own.bindings[binding.to]:
                    assert getattr(binding, item.name) == 0.0
                    continue
                now = getattr(binding, item.name) or 0.05

                def bound(d: float, g: Ligand = ligand, k: int = k, name: str = item.name, now: float = now) -> Ligand:
                    new = replace(g.bindings[k], **{name: getattr(g.bindings[k], name) + d * now})
                    return replace(g, bindings=(*g.bindings[:k], new, *g.bindings[k + 1 :]))

                yield (f"{ligand.name} on {binding.to} {item.name}", own.bindings[binding.to][item.name] * now,
                       lambda d, p=put, m=bound: p(m(d)))  # fmt: skip
    for site in case.sites:
        own_site, put = found.sites[site.name], swap("sites", site)
        change, make = scaled(site, "density_nmol_per_L", random)
        by_density = float((own_site.density_nmol_per_L * change).sum())
        yield f"{site.name} density", by_density, lambda d, p=put, m=make: p(m(d))
        for name, least in (("degradation_per_h", 0.05), ("recycled", 0.5)):
            now = min(getattr(site, name) or least, 0.5)
            yield (f"{site.name} {name}", getattr(own_site, name) * now,
                   lambda d, p=put, s=site, n=name, now=now: p(replace(s, **{n: getattr(s, n) + d * now})))  # fmt: skip
    for batch in case.batches:
        yield from regimen(case, found, batch)


def regimen(case: Case, found: CourseGradient, batch: Batch) -> Iterator[tuple[str, float, Move]]:
    own, supply = found.batches[batch.name], batch.supply

    def put(new: Any) -> Case:
        return replace(case, batches=tuple(replace(b, supply=new) if b is batch else b for b in case.batches))

    if isinstance(supply, Sampled):
        yield f"{batch.name} amount", own.log_amount, lambda d: put(
            replace(supply, nmol_per_L=tuple((1 + d) * c for c in supply.nmol_per_L)))
        yield f"{batch.name} start", own.start_h, lambda d: put(
            replace(supply, times_h=tuple(t + d for t in supply.times_h)))
        return
    assert isinstance(supply, Given)
    yield f"{batch.name} amount", own.log_amount, lambda d: put(replace(supply, curve=supply.curve.scaled(1.0 + d)))
    for name, bars in (("amplitudes_nmol_per_L", own.plasma_amplitudes), ("rates_per_h", own.plasma_rates)):
        for k, now in enumerate(getattr(supply.curve, name)):
            values = np.array(getattr(supply.curve, name))
            yield f"{batch.name} {name} {k}", bars[k] * now, lambda d, n=name, v=values, k=k, now=now: put(
                replace(supply, curve=replace(supply.curve, **{n: tuple(v + d * now * np.eye(v.size)[k])})))
    if supply.start_h > 0.0:
        yield f"{batch.name} start", own.start_h, lambda d: put(replace(supply, start_h=supply.start_h + d))
    if supply.over_h > 0.0:
        yield f"{batch.name} over", own.over_h, lambda d: put(replace(supply, over_h=supply.over_h + d))


def gradient(case: Case, tolerance: float = ROUGH, **options: Any) -> CourseGradient:
    return differentiate_course(case.mesh, case.sites, case.ligands, case.batches, objective, end_h=case.end_h,
                                flow=case.flow, outside=case.outside, tolerance=tolerance, **options)  # fmt: skip


@pytest.mark.parametrize("make", CASES.values(), ids=list(CASES))
def test_every_derivative_is_that_of_the_discrete_scheme(
    make: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make()
    monkeypatch.setattr("nichedose.transport.course_gradient.SOLVE_PER_TOLERANCE", 1e-8)
    monkeypatch.setattr(marching, "NEWTON_PER_TOLERANCE", 1e-8)
    found, value = gradient(case), Frozen(case, ROUGH)
    assert found.value == pytest.approx(value(case), rel=1e-9)
    for name, derivative, move in moves(case, found):
        expected = slope(lambda d, move=move: value(move(d)))
        assert derivative == pytest.approx(expected, rel=1e-6, abs=2e-9 * found.value), name


def test_what_is_not_kept_is_solved_again_to_the_same_bits() -> None:
    """Rejected steps among them; at the tight tolerance the stretches grow twice as long on the way."""
    for make, tolerance in ((rivals, 1e-3), (spheroid, 1e-6)):
        whole, little = (gradient(make(), tolerance, memory_GiB=memory) for memory in (2.0, 1e-9))
        assert whole.value == little.value
        for pairs in zip(moves(make(), whole), moves(make(), little), strict=True):
            assert pairs[0][:2] == pairs[1][:2]


def test_a_step_that_took_bound_ligand_back_is_solved_again_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every rejected step here, and so much that it shows."""
    seen = []

    def settle(run: marching.NetworkRun) -> None:
        seen.append(run)
        run.state[1][...] *= 0.999

    monkeypatch.setattr("nichedose.transport._march.BELOW_ZERO", ANY)
    monkeypatch.setattr(marching.NetworkRun, "settle", settle)
    whole, little = (gradient(rivals(), 1e-4, memory_GiB=memory) for memory in (2.0, 1e-9))
    assert len(seen) > 6
    assert [m[:2] for m in moves(rivals(), whole)] == [m[:2] for m in moves(rivals(), little)]


def test_one_batch_on_a_section_has_the_derivatives_of_the_single_engine() -> None:
    tissue = section(N, mask=RAGGED)

    def single(maps: Any) -> tuple[float, Any]:
        return 0.5 * sum(float((m**2).sum()) for m in maps["177Lu"].values()), maps

    def course(maps: CourseIntegrals) -> tuple[float, CourseIntegrals]:
        wanted = {("b", "177Lu"): dict(maps["b", "177Lu"])}
        return 0.5 * sum(float((m**2).sum()) for m in wanted["b", "177Lu"].values()), wanted

    one = differentiate(tissue, PEPTIDE, SMALL, single, end_h=96.0, decay_per_h=LU)
    binding = Binding("target", *(getattr(PEPTIDE, f"{n}") for n in (
        "association_L_per_nmol_per_h", "dissociation_per_h", "internalisation_per_h")))  # fmt: skip
    ligand = Ligand("peptide", PEPTIDE.diffusivity_um2_per_s, PEPTIDE.void_fraction, tissue.exchange_per_h,
                    tissue.exchange_per_h, (binding,), release_per_h=PEPTIDE.release_per_h)  # fmt: skip
    found = differentiate_course(
        voxel_mesh(tissue.mask, tissue.grid.spacing_um), [Site("target", tissue.target_nmol_per_L)], [ligand],
        [Batch("b", "peptide", Given(SMALL), LU)], course, end_h=96.0)  # fmt: skip
    own = found.ligands["peptide"]
    assert found.value == pytest.approx(one.value, rel=1e-3)
    pairs = {name: (value, one.ligand[name]) for name, value in own.bindings["target"].items()}
    pairs |= {"release_per_h": (own.release_per_h, one.ligand["release_per_h"])}
    for name in ("diffusivity_um2_per_s", "void_fraction"):
        pairs[name] = (float(getattr(own, name).sum()), one.ligand[name])
    for name, (ours, theirs) in pairs.items():
        now = getattr(PEPTIDE, name)
        assert ours * now == pytest.approx(theirs * now, abs=1e-3 * one.value), name
    for ours, theirs in ((found.sites["target"].density_nmol_per_L, one.target_nmol_per_L),
                         (own.enter_per_h + own.leave_per_h, one.exchange_per_h)):  # fmt: skip
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
        assert not ours[~RAGGED].any()
    assert found.batches["b"].log_amount == pytest.approx(one.log_plasma, rel=1e-3)


def coinciding(first_h: float, second_h: float, over_h: float) -> Case:
    """Two boluses, or a bolus and an infusion, of rivals whose starts or ends may coincide."""
    case = predose()
    mesh = voxel_mesh(np.ones((1, 2), bool), 20.0)
    one = replace(case.ligands[0], diffusivity_um2_per_s=100.0, void_fraction=0.3, enter_per_h=1.0, leave_per_h=0.8)
    batches = (Batch("A", "peptide", Given(QUICK.scaled(3.0), first_h), LU),
               Batch("B", "other", Given(QUICK, second_h, over_h), LU))  # fmt: skip
    site = replace(case.sites[0], density_nmol_per_L=40.0)
    return Case(mesh, (site,), (one, replace(one, name="other", enter_per_h=0.4)), batches, 48.0)


def rerun(case: Case) -> float:
    return objective(simulate_course(case.mesh, case.sites, case.ligands, case.batches, end_h=case.end_h,
                                     tolerance=1e-7).time_integrals)[0]  # fmt: skip


@pytest.mark.parametrize("times", [(10.0, 10.3, 0.0), (10.0, 10.0, 0.0), (0.0, 0.0, 0.0), (0.3, 0.1, 0.2)])
def test_starts_and_amounts_are_those_of_runs_at_a_tight_tolerance(times: tuple[float, float, float]) -> None:
    """Apart and at once, up to rounding; second differences jump where starts coincide, so that the reference takes
    short steps there. A start at 0 can only be moved later."""
    case = coinciding(*times)
    found, now, h = gradient(case, 1e-5), rerun(case), 4e-3
    for batch in case.batches:
        def moved(d: float, batch: Batch = batch, **change: Any) -> float:
            supply = replace(batch.supply, start_h=batch.supply.start_h + d, **change)  # type: ignore[type-var]
            batches = tuple(replace(b, supply=supply) if b is batch else b for b in case.batches)
            return rerun(replace(case, batches=batches))

        start = (-3.0 * now + 4.0 * moved(h) - moved(2.0 * h)) / (2.0 * h)
        if batch.supply.start_h > 0.0:
            start = (start + (3.0 * now - 4.0 * moved(-h) + moved(-2.0 * h)) / (2.0 * h)) / 2.0
        own = found.batches[batch.name]
        assert own.start_h == pytest.approx(start, rel=1e-3), batch.name
        curve = batch.supply.curve  # type: ignore[attr-defined]
        more, less = (moved(0.0, curve=curve.scaled(f)) for f in (1.01, 0.99))
        assert own.log_amount == pytest.approx((more - less) / 0.02, rel=1e-4)


@dataclass(frozen=True)
class Hidden:
    """A supply of the user's own: a `Given` in other clothes."""

    of: Given

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


def test_a_supply_of_ones_own_has_a_derivative_by_its_amount_alone() -> None:
    case = predose()
    other = replace(case, batches=(case.batches[0], replace(case.batches[1], supply=Hidden(case.batches[1].supply))))
    found, known = gradient(other), gradient(case)
    assert found.batches["hot"].log_amount == known.batches["hot"].log_amount
    np.testing.assert_array_equal(found.batches["cold"].plasma_rates, known.batches["cold"].plasma_rates)
    for batch, name in (("hot", "start_h"), ("hot", "over_h"), ("hot", "plasma_rates"), ("hot", "plasma_amplitudes"),
                        ("cold", "start_h")):  # fmt: skip
        with pytest.raises(NotComputed, match=f"'{batch}'.*{name}.*log_amount"):
            getattr(found.batches[batch], name)
    with pytest.raises(NotComputed, match="over_h"):
        known.batches["cold"].over_h  # noqa: B018


@pytest.mark.parametrize(
    ("value", "wanted", "words"),
    [
        (0.0, {("Hot", "177Lu"): {}}, "hot 177Lu"),
        (0.0, {("cold", "177Lu"): {}}, "cold"),
        (0.0, {"hot": {}}, "batch and label 'hot'"),
        (0.0, {("hot", "177Lu"): {"hot insight": np.ones((5, 4))}}, "hot inside"),
        (0.0, {("hot", "177Lu"): {"cold inside": np.ones((5, 4))}}, "species 'cold inside' of 'hot'"),
        (0.0, {("hot", "177Lu"): {"hot inside": np.ones((4, 5))}}, "shape"),
        (0.0, {("hot", ""): {"hot inside": np.full((5, 4), np.nan)}}, "finite"),
        (0.0, {("hot", "177Lu"): {"hot inside": "1"}}, "real numbers; got '1'"),
        (0.0, {("hot", "177Lu"): {3: np.ones((5, 4))}}, "species '3' of 'hot'"),
        (0.0, {("hot", "177Lu"): np.ones((5, 4))}, "by batch and label, then species"),
        (0.0, None, "by batch and label, then species"),
        (np.nan, {}, "a finite value; got .nan"),
        ("0", {}, "a finite value; got .'0'"),
        (True, {}, "a finite value; got .True"),
        (np.zeros(2), {}, "a finite value"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(value: Any, wanted: Any, words: str) -> None:
    case = predose()
    with pytest.raises(BadInput, match=words):
        differentiate_course(case.mesh, case.sites, case.ligands, case.batches, lambda _: (value, wanted), end_h=13.0)


@pytest.mark.parametrize("memory_GiB", [0.0, "2", None, True, np.nan])
def test_memory_that_is_none_is_refused(memory_GiB: Any) -> None:
    with pytest.raises(BadInput, match="memory_GiB must be a number above 0"):
        gradient(predose(), memory_GiB=memory_GiB)


@pytest.mark.parametrize(("objective", "words"), [
    (None, "An objective is a function .*got NoneType"), (lambda _: 1.0, "got 1.0"), (lambda _: (1.0,), "got .1.0,"),
])  # fmt: skip
def test_an_objective_is_a_function_that_returns_value_and_derivatives(objective: Any, words: str) -> None:
    case = predose()
    with pytest.raises(BadInput, match=words):
        differentiate_course(case.mesh, case.sites, case.ligands, case.batches, objective, end_h=13.0)


def test_a_backward_run_that_would_not_fit_is_refused_before_it_starts() -> None:
    case = stack()
    network = build_network(case.mesh, case.ligands, case.sites, case.batches, keep_zero=True)
    forward, both = (course_memory(case.mesh, network, backward=backward) for backward in (False, True))
    assert both > forward
    refuse_course_if_too_large(case.mesh, network, available_bytes=2 * both + 2000, kept_bytes=1000)
    with pytest.raises(BadInput, match="GiB"):
        refuse_course_if_too_large(case.mesh, network, available_bytes=2 * both, kept_bytes=1000)


def test_an_objective_that_depends_on_nothing_has_no_derivatives() -> None:
    case = predose()
    found = differentiate_course(case.mesh, case.sites, case.ligands, case.batches, lambda _: (1.0, {}), end_h=13.0)
    assert found.value == 1.0
    assert all(derivative == 0.0 for _, derivative, _ in moves(case, found))
