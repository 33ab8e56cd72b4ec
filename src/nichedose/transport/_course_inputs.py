"""What a treatment course must be given; each error says what is wrong, where, and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput, near_miss
from nichedose.fields.mesh import Mesh
from nichedose.fields.number import are_numbers, is_number, kind
from nichedose.transport._inputs import check_decays, check_end, check_name, check_tolerance, refuse_unit
from nichedose.transport.flow import InterstitialFlow
from nichedose.transport.network import Batch, Binding, Change, Ligand, Site

__all__ = ["check_course"]

PLACES = ("interstitium", "vessel wall")


def check_course(
    mesh: Mesh, sites: Sequence[Site], ligands: Sequence[Ligand], batches: Sequence[Batch], end_h: float,
    times_h: Sequence[float], flow: InterstitialFlow | None, outside: float | None, tolerance: float,
) -> None:  # fmt: skip
    """Raise `BadInput` for anything that the equations do not allow."""
    if not isinstance(mesh, Mesh):
        raise BadInput(f"The tissue of a course is a mesh, as voxel_mesh makes one of a mask; got {kind(mesh)}.")
    check_end(end_h)
    if not are_numbers(times_h) or any(not 0.0 <= t <= end_h for t in times_h):
        raise BadInput(f"Snapshots can be kept from 0 h to end_h = {end_h:g} h; times_h lists them; got {times_h}.")
    check_tolerance(tolerance)
    if outside is not None and not _at_or_above_0(outside):
        raise BadInput(f"The concentration outside must be a share of the supply, at or above 0; got {outside}.")
    _check_kinds(sites, ligands, batches)
    if flow is not None and not isinstance(flow, InterstitialFlow):
        raise BadInput(f"flow is what interstitial_flow gives; got {kind(flow)}.")
    if flow is not None and flow.mesh is not mesh:
        raise BadInput("The interstitial flow was solved on another mesh; solve it on this one.")
    if not batches:
        raise BadInput("A course needs at least one batch.")
    for what, entries in (("site", sites), ("ligand", ligands), ("batch", batches)):
        found = [entry.name for entry in entries]
        for name in found:
            check_name(name, f"A {what}")
        twice = sorted({name for name in found if found.count(name) > 1})
        if twice:
            raise BadInput(f"Each {what} needs a name of its own; '{twice[0]}' is given twice.")
    for what, entries in (("ligand", ligands), ("batch", batches)):
        both = {s.name for s in sites} & {entry.name for entry in entries}
        if both:
            raise BadInput(f"A site and a {what} share the name '{min(both)}'.")
    _check_sites(mesh, sites)
    for ligand in ligands:
        _check_ligand(mesh, ligand, sites, ligands)
    for batch in batches:
        check_decays(batch.decay_per_h, f"Batch '{batch.name}': ")
        if batch.supply.start_h >= end_h:
            raise BadInput(f"Batch '{batch.name}' starts at {batch.supply.start_h:g} h, after end_h = {end_h:g} h.")
        _refuse_no_entrance(mesh, batch, ligands, sites, outside)


def _check_kinds(sites: Sequence[Site], ligands: Sequence[Ligand], batches: Sequence[Batch]) -> None:
    for what, entries, wanted in (("sites", sites, Site), ("ligands", ligands, Ligand), ("batches", batches, Batch)):
        if not isinstance(entries, Sequence) or not all(isinstance(entry, wanted) for entry in entries):
            raise BadInput(f"{what} is a list of {wanted.__name__}; got {kind(entries)}.")
    for batch in batches:
        if isinstance(batch.supply, PlasmaCurve):
            raise BadInput(f"Batch '{batch.name}': its supply says when the curve starts; give Given(curve, start_h).")
        if not all(hasattr(batch.supply, part) for part in ("start_h", "kinks_h", "quickest_per_h", "level", "area")):
            raise BadInput(f"Batch '{batch.name}': its supply is a Given or Sampled curve; got {kind(batch.supply)}.")


def _at_or_above_0(value: Any) -> bool:
    return is_number(value) and value >= 0.0


def _check_sites(mesh: Mesh, sites: Sequence[Site]) -> None:
    for site in sites:
        density = mesh.gather(f"sites '{site.name}'", site.density_nmol_per_L)
        if bool((density < 0.0).any()):
            raise BadInput(f"Site '{site.name}': density_nmol_per_L must be at or above 0; got {density.min()}.")
        refuse_unit(f"Site '{site.name}': density_nmol_per_L", "density_nmol_per_L", float(density.max()))
        gone = site.degradation_per_h
        if not _at_or_above_0(gone):
            raise BadInput(f"Site '{site.name}': degradation_per_h must be at or above 0; got {gone}.")
        if not (is_number(site.recycled) and 0.0 <= site.recycled <= 1.0):
            raise BadInput(f"Site '{site.name}': recycled is a share from 0 to 1; got {site.recycled}.")
        if site.place not in PLACES:
            raise BadInput(f"Site '{site.name}': place must be one of {PLACES}; got '{site.place}'.")


def _check_ligand(mesh: Mesh, ligand: Ligand, sites: Sequence[Site], ligands: Sequence[Ligand]) -> None:
    who = f"Ligand '{ligand.name}'"
    for name in ("diffusivity_um2_per_s", "void_fraction", "enter_per_h", "leave_per_h"):
        values = mesh.gather(f"{who}: {name}", getattr(ligand, name))
        if bool((values < 0.0).any()):
            raise BadInput(f"{who}: {name} must be at or above 0; the smallest is {float(values.min())}.")
        refuse_unit(f"{who}: {name}", name, float(values.max()))
        if name == "void_fraction" and not bool(((values > 0.0) & (values <= 1.0)).all()):
            raise BadInput(f"{who}: void_fraction must lie above 0 and at or below 1; got {float(values.min())} to "
                           f"{float(values.max())}.")  # fmt: skip
    for name in ("release_per_h", "convected"):
        value = getattr(ligand, name)
        if not _at_or_above_0(value):
            raise BadInput(f"{who}: {name} must be finite and at or above 0; got {value}.")
    names = [g.name for g in ligands if g.name != ligand.name]
    known = [s.name for s in sites] + names
    for what, entries, wanted in (("bindings", ligand.bindings, Binding), ("changes", ligand.changes, Change)):
        if not isinstance(entries, Sequence) or not all(isinstance(entry, wanted) for entry in entries):
            raise BadInput(f"{who}: {what} is a tuple of {wanted.__name__}; got {kind(entries)}.")
    twice = [b.to for b in ligand.bindings if [c.to for c in ligand.bindings].count(b.to) > 1]
    if twice:
        raise BadInput(f"{who} binds to '{twice[0]}' twice. Give one binding for each site; add a site for another.")
    for binding in ligand.bindings:
        if binding.to not in known:
            raise BadInput(f"{who} binds to '{binding.to}', which is no site.{near_miss(binding.to, known)}")
        for item in fields(binding)[1:]:
            value = getattr(binding, item.name)
            if not _at_or_above_0(value):
                raise BadInput(f"{who} on '{binding.to}': {item.name} must be finite and at or above 0; got {value}.")
            refuse_unit(f"{who} on '{binding.to}': {item.name}", item.name, value)
    for into in [c.into for c in ligand.changes] + ([ligand.released_as] if ligand.released_as else []):
        if into not in names:
            raise BadInput(f"{who} turns into '{into}', which is no other ligand.{near_miss(into, names)}")
    if ligand.along is not None and (
        not isinstance(ligand.along, Sequence) or len(ligand.along) != mesh.places.shape[0]
        or not all(_at_or_above_0(f) for f in ligand.along)
    ):  # fmt: skip
        raise BadInput(f"{who}: along needs one factor at or above 0 for each of {mesh.places.shape[0]} axes.")


def _refuse_no_entrance(
    mesh: Mesh, batch: Batch, ligands: Sequence[Ligand], sites: Sequence[Site], outside: float | None
) -> None:
    ligand = next((g for g in ligands if g.name == batch.ligand), None)
    if ligand is None or (outside is not None and outside > 0.0):
        return  # `build_network` names an unknown ligand
    walls = {s.name for s in sites if s.place == "vessel wall"}
    if any(b.to in walls for b in ligand.bindings):
        return
    if not bool((mesh.gather("enter_per_h", ligand.enter_per_h) > 0.0).any()):
        raise BadInput(
            f"Batch '{batch.name}': enter_per_h of '{ligand.name}' is 0 everywhere and nothing lies outside, so it "
            "cannot enter. Check the vessel map and the permeability, or give a share outside the edge."
        )
