"""`nichedose transport`: one agent's way into one section, with interstitial flow and gradients around vessels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nichedose.case import Case
from nichedose.errors import BadInput, near_miss
from nichedose.fields import Array, Mesh, radial_mesh, voxel_mesh
from nichedose.library import Library
from nichedose.nuclide import half_life_h
from nichedose.study.doubts import doubts_of
from nichedose.study.hindrance import diffusivity_factor
from nichedose.study.kinetics import HALF_LIVES_FOLLOWED, gradients_around_vessels, ligand_kinetics, plasma_input
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.sources import sources_of
from nichedose.tissue import TissueMap
from nichedose.transport import (
    Batch,
    BatchLedger,
    Binding,
    CourseSolution,
    FlowEdge,
    FluidParameters,
    Given,
    InterstitialFlow,
    Ligand,
    Site,
    exchange_rate,
    exchange_rates,
    interstitial_flow,
    simulate_course,
)
from nichedose.values import Draw, Source, ValueUse

__all__ = ["SHOWN_HOURS", "WAYS", "Penetration", "PenetrationRun", "penetration"]

Progress = Callable[[str, int, int], None]
SHOWN_HOURS = (1.0, 4.0, 24.0, 72.0)
WAYS = ("mixed voxels", "gradients around vessels", "gradients and flow")  # the first is that of `plan`
SHELLS = 100
FARTHEST_UM = 200.0  # tissue around one vessel beyond this is not drawn
ALBUMIN_KDA = 66.5  # ligands at least as large are held back at the vessel wall as plasma protein is


@dataclass(frozen=True)
class PenetrationRun:
    """One way of computing: the label's time integral in all states (nmol h per L of tissue, (ny, nx)), and where it
    went."""

    integral_nmol_h_per_L: Array
    ledger: BatchLedger


@dataclass(frozen=True)
class Penetration:
    """What was found for ``candidate`` in ``tissue``; maps (ny, nx).

    ``runs`` by way of computing (`WAYS`). ``amounts_nmol_per_L`` (hours, ny, nx) of ligand in all states at
    `SHOWN_HOURS`, computed in the last way.
    ``distance_um`` (shells,) from the wall of a vessel with the section's mean surroundings, ``around_nmol_per_L``
    (hours, shells). ``target_nmol_per_L`` is what the ligand finds. ``doubts`` of it are in words.
    """

    candidate: ResolvedCandidate
    tissue: TissueMap
    target_nmol_per_L: Array
    flow: InterstitialFlow
    runs: Mapping[str, PenetrationRun]
    amounts_nmol_per_L: Array
    distance_um: Array
    around_nmol_per_L: Array
    injected_nmol: float
    values_used: tuple[ValueUse, ...]
    sources: Mapping[str, Source]
    doubts: tuple[str, ...] = ()


def penetration(
    case: Case, case_path: Path, agent: str | None = None, section: str | None = None, *,
    progress: Progress = lambda *_: None,
) -> Penetration:  # fmt: skip
    """Run one candidate of the case (``agent``: its name; the first one otherwise) in one ``section``, at all medians.

    Raises `BadInput` for a name that the case does not hold, or a target that is unknown in the section.
    """
    setup = prepare(case, case_path, progress=progress)
    candidate = _chosen(setup, agent)
    draw = Draw(seed=case.sampling.seed)
    maps = {m.sample: m for m in tissue_maps(setup, draw, case.sampling.grid_spacing)}
    if section is not None and section not in maps:
        raise BadInput(f"The case has no section '{section}'.{near_miss(section, maps)}")
    tissue = maps[section] if section is not None else next(iter(maps.values()))
    why = tissue.unknown_targets.get(candidate.form.target)
    if why is not None:
        raise BadInput(f"{candidate.form.target} is unknown in {tissue.sample}: {why}. Choose another agent.")
    found = _Chain(setup, candidate, tissue, draw).run(progress)
    return replace(found, doubts=doubts_of(setup, (tissue,), (candidate.name,)))


def _chosen(setup: Setup, agent: str | None) -> ResolvedCandidate:
    by_name = {c.name: c for c in setup.candidates}
    if not by_name:
        raise BadInput("The case names no candidate; add one under [[candidates]].")
    if agent is None:
        return setup.candidates[0]
    if agent not in by_name:
        raise BadInput(f"The case has no candidate '{agent}'.{near_miss(agent, by_name)}")
    return by_name[agent]


class _Chain:
    """Everything of one candidate in one section, and the runs built from it."""

    def __init__(self, setup: Setup, candidate: ResolvedCandidate, tissue: TissueMap, draw: Draw) -> None:
        library = setup.library
        self.sources = sources_of(setup)
        self.library, self.candidate, self.tissue, self.draw = library, candidate, tissue, draw
        self.kinetics = ligand_kinetics(candidate.form, library.tissue, draw, 1.0)
        self.diffusivity: Array | float = self.kinetics.diffusivity_um2_per_s
        if setup.case.tissue.matrix_hindrance:
            self.diffusivity = self.diffusivity * diffusivity_factor(
                tissue.matrix, tissue.matrix, tissue.mask, candidate.form, library.tissue, draw)
        key = f"form.{candidate.form.name}"
        self.injected = candidate.administration.ligand or draw(f"{key}.injected_nmol", candidate.form.injected_nmol)
        plasma = plasma_input(
            candidate.form, self.injected, (candidate.radionuclide,), setup.case.patient, draw)
        half_life = half_life_h(candidate.radionuclide)
        self.decay = math.log(2.0) / half_life
        self.end_h = max(HALF_LIVES_FOLLOWED * half_life, SHOWN_HOURS[-1])
        self.batch = Batch("dose", "ligand", Given(plasma), {candidate.radionuclide: self.decay})
        self.mesh = voxel_mesh(tissue.mask, tissue.grid.spacing_um)
        self.sites = _sites(tissue, candidate.form.target)
        self.open_sites = np.asarray(sum(s.density_nmol_per_L for s in self.sites if s.place == "interstitium"))
        vessels = tissue.vessel_surface_per_cm
        perfusion = draw("tissue.perfusion_mL_per_min_per_mL", library.tissue.perfusion_mL_per_min_per_mL)
        self.perfusion = perfusion * 60.0 * vessels / max(float(vessels[tissue.mask].mean()), 1e-300)
        self.vessel_radius = draw("tissue.vessel_radius_um", library.tissue.vessel_radius_um)

    def run(self, progress: Progress) -> Penetration:
        vessels, permeability = self.tissue.vessel_surface_per_cm, self.kinetics.permeability_um_per_s
        flow, fluid = _flow(self.mesh, self.tissue, self.library, self.draw)
        series = gradients_around_vessels(
            vessels, self.vessel_radius, self.open_sites, self.kinetics, self.diffusivity, self.decay)
        mixed = exchange_rate(vessels, permeability, self.perfusion)
        limited = exchange_rates(vessels, permeability, self.perfusion, series_per_h=series)
        filtered = exchange_rates(
            vessels, permeability, self.perfusion, filtered_per_h=flow.filtered_per_h, series_per_h=series,
            reflection=_reflection(self.candidate, fluid),
        )  # fmt: skip
        runs: dict[str, PenetrationRun] = {}
        ways = zip(WAYS, ((mixed, mixed), limited, filtered), (None, None, flow), strict=True)
        course: CourseSolution | None = None
        for done, (way, (into, out), stream) in enumerate(ways):
            progress("transport", done, len(WAYS))
            course = simulate_course(
                self.mesh, self.sites, [self.ligand(into, out)], [self.batch], end_h=self.end_h, times_h=SHOWN_HOURS,
                flow=stream,
            )  # fmt: skip
            name = self.candidate.radionuclide
            runs[way] = PenetrationRun(course.time_integral("dose", name), course.ledgers["dose", name])
        progress("transport", len(WAYS), len(WAYS))
        assert course is not None
        own = [s for s in course.species if s not in {site.name for site in self.sites}]
        amounts = np.stack([sum((course.at(t)[s] for s in own), np.zeros(vessels.shape)) for t in SHOWN_HOURS])
        distance, around = self.around()
        used = {k: v for k, v in self.draw.used.items() if not k.startswith("form.") or self.candidate.form.name in k}
        return Penetration(
            self.candidate, self.tissue, np.asarray(sum(s.density_nmol_per_L for s in self.sites)), flow, runs, amounts,
            distance, around, self.injected, tuple(ValueUse(k, v) for k, v in used.items()), self.sources,
        )  # fmt: skip

    def ligand(self, into: Array, out: Array) -> Ligand:
        k = self.kinetics
        bindings = tuple(
            Binding(s.name, k.association_L_per_nmol_per_h, k.dissociation_per_h, k.internalisation_per_h)
            for s in self.sites
        )
        return Ligand("ligand", self.diffusivity, k.void_fraction, into, out, bindings, k.release_per_h)

    def around(self) -> tuple[Array, Array]:
        """Ligand in all states around one vessel that has the section's mean vessels and sites around it."""
        mask, k, wall = self.tissue.mask, self.kinetics, self.vessel_radius
        surface = float(self.tissue.vessel_surface_per_cm[mask].mean())
        outer = min(math.sqrt(2.0 * wall / (surface * 1e-4)), FARTHEST_UM + wall)
        edges = wall * (max(outer / wall, 1.2)) ** np.linspace(0.0, 1.0, SHELLS + 1)
        mesh = radial_mesh(edges, 2)
        rate = np.zeros(SHELLS)
        rate[0] = k.permeability_um_per_s * 3600.0 * 2.0 * math.pi * wall / mesh.volume[0]
        means = [float(np.asarray(s.density_nmol_per_L)[mask].mean()) for s in self.sites]
        sites = [replace(s, density_nmol_per_L=mean) for s, mean in zip(self.sites, means, strict=True)]
        ligand = replace(self.ligand(rate, rate), diffusivity_um2_per_s=k.diffusivity_um2_per_s)
        course = simulate_course(mesh, sites, [ligand], [self.batch], end_h=SHOWN_HOURS[-1], times_h=SHOWN_HOURS)
        own = [s for s in course.species if s not in {site.name for site in sites}]
        found = np.stack([sum((course.at(t)[s] for s in own), np.zeros(SHELLS)) for t in SHOWN_HOURS])
        return 0.5 * (edges[1:] + edges[:-1]) - wall, found


def _sites(tissue: TissueMap, target: str) -> list[Site]:
    """The target on cells and matrix, and apart from it the target on vessel walls."""
    by_host = tissue.targets[target].by_host_nmol_per_L
    zero = np.zeros(tissue.grid.shape)
    walls = by_host.get("vessel_wall", zero)
    cells = np.asarray(sum((v for k, v in by_host.items() if k != "vessel_wall"), zero))
    out = [Site(target, cells)]
    return [*out, Site(f"{target} on vessels", walls, place="vessel wall")] if walls.any() else out


def _flow(
    mesh: Mesh, tissue: TissueMap, library: Library, draw: Draw
) -> tuple[InterstitialFlow, FluidParameters]:
    numbers = {name: draw(f"fluid.{name}", getattr(library.fluid, name)) for name in type(library.fluid).model_fields}
    around = numbers.pop("around_mmHg")
    conductivity = tissue.hydraulic_conductivity_um2_per_mmHg_s
    assert conductivity is not None  # every map of a section has it
    fluid = FluidParameters(
        conductivity_um2_per_mmHg_s=conductivity,
        wall_conductivity_um_per_mmHg_s=numbers["wall_conductivity_um_per_mmHg_s"],
        vessel_mmHg=numbers["vessel_mmHg"],
        plasma_osmotic_mmHg=numbers["plasma_osmotic_mmHg"],
        tissue_osmotic_mmHg=numbers["tissue_osmotic_mmHg"],
        reflection=numbers["reflection"],
    )
    return interstitial_flow(mesh, tissue.vessel_surface_per_cm, fluid, edge=FlowEdge(around)), fluid


def _reflection(candidate: ResolvedCandidate, fluid: FluidParameters) -> float:
    """Assumed: a ligand of protein's size is held back as protein is, a smaller one goes with the fluid."""
    return float(np.asarray(fluid.reflection)) if candidate.form.molar_mass_kDa.central >= ALBUMIN_KDA else 0.0
