"""One patient and one ligand (and perhaps a competitor) become a network with its rates."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.body.anatomy import L_PER_H_FROM_ML_PER_MIN, Anatomy
from nichedose.body.ligand import BodyLigand
from nichedose.body.mouse import Mouse
from nichedose.body.network import Binding, Kind, Network, State, Transfer
from nichedose.body.patient import Patient, Tumour
from nichedose.body.two_pore import wall_passage
from nichedose.errors import BadInput

__all__ = ["BLADDER", "PLASMA", "RELEASED", "BodyModel", "body_model"]

PLASMA, RELEASED, BLADDER, GUT_CONTENT = "plasma", "released label", "bladder", "gut content"
URINE, FAECES = "urine", "faeces"


@dataclass(frozen=True)
class BodyModel:
    """A network with one value for each of its rates (1/h, 1/(nmol h)) and sites (nmol).

    ``volume_L`` of organs and tumours; ``plasma_volume_L`` what plasma concentration refers to; ``tubular`` the rates
    that amino acids change, with their value during the infusion; ``tumour_sites`` the sites that regimens may change.
    """

    network: Network
    rates: Mapping[str, float]
    sites: Mapping[str, float]
    volume_L: Mapping[str, float]
    plasma_volume_L: float
    free_fraction: float
    haematocrit: float
    blood_cell_ratio: float
    under_amino_acids: Mapping[str, float]
    tumours: tuple[str, ...]


def body_model(
    patient: Patient | Mouse, organs: Anatomy, ligand: BodyLigand, competitor: BodyLigand | None = None
) -> BodyModel:
    """The model of ``ligand`` in ``patient``, whose ``organs`` come from `anatomy` (of a mouse: `mouse_anatomy`).

    A ``competitor`` moves by its own rates and takes the same sites. Raises `BadInput` for tumours called like organs.
    """
    clash = [t.name for t in patient.tumours if t.name in organs.volume_L or t.name in (PLASMA, RELEASED, BLADDER)]
    if clash:
        raise BadInput(f"Patient: a tumour cannot be called '{clash[0]}', which is an organ of the model.")
    build = _Builder(patient, organs)
    under = build.add(ligand, "ligand")
    if competitor is not None:
        under |= build.add(competitor, "competitor")
    volumes = {**organs.volume_L, **{t.name: t.volume_mL * 1e-3 for t in patient.tumours}}
    return BodyModel(
        network=_shared(Network(tuple(build.states), tuple(build.transfers), tuple(build.bindings))),
        rates=build.rates,
        sites=build.sites,
        volume_L=volumes,
        plasma_volume_L=build.central_L(ligand),
        free_fraction=ligand.free_fraction,
        haematocrit=organs.haematocrit,
        blood_cell_ratio=ligand.blood_cell_ratio,
        under_amino_acids=under,
        tumours=tuple(t.name for t in patient.tumours),
    )


@functools.lru_cache(maxsize=64)
def _shared(network: Network) -> Network:
    """One object for all equal networks, so that a population's are compared at a glance."""
    return network


class _Builder:
    """Collects states and transfers; all equations stand in the theory page under the names used here."""

    def __init__(self, patient: Patient | Mouse, organs: Anatomy) -> None:
        self.patient, self.organs = patient, organs
        self.states: list[State] = []
        self.transfers: list[Transfer] = []
        self.bindings: list[Binding] = []
        self.rates: dict[str, float] = {}
        self.sites: dict[str, float] = {}
        self.species = "ligand"

    def central_L(self, ligand: BodyLigand) -> float:
        """Volume that holds the central amount at the concentration of plasma: plasma and its share of cells."""
        cells = ligand.blood_cell_ratio * self.organs.haematocrit / (1.0 - self.organs.haematocrit)
        return self.organs.central_plasma_L * (1.0 + cells)

    def add(self, ligand: BodyLigand, species: str) -> dict[str, float]:
        """All states of one ligand; returns the rates that amino acids change."""
        self.species, o = species, self.organs
        plasma = self._state(PLASMA, "plasma")
        released = self._state(RELEASED, "metabolite")
        bladder, gut = self._state(BLADDER, "lumen"), self._state(GUT_CONTENT, "lumen")
        urine, faeces = self._state(URINE, "excreted"), self._state(FAECES, "excreted")
        self._move(plasma, released, ligand.metabolism_per_h)
        self._move(released, bladder, o.gfr_L_per_h / o.metabolite_L)
        self._move(bladder, urine, o.voiding_per_h)
        self._move(gut, faeces, o.gut_transit_per_h)
        liver_blood = self._state("liver", "vascular")
        portal_flow = 0.0
        for organ in o.volume_L:
            vessel = liver_blood if organ == "liver" else self._state(organ, "vascular")
            drains_to = liver_blood if organ in o.portal else plasma
            flow = o.flow_L_per_h[organ]
            portal_flow += flow if organ in o.portal else 0.0
            self._move(plasma, vessel, flow / self.central_L(ligand))
            if organ != "liver":
                self._move(vessel, drains_to, flow / o.plasma_in_organ_L[organ])
            if ligand.pores is not None:
                self._endosome(ligand, organ, vessel, released)
            if organ == "kidney" and ligand.pores is None:
                continue  # below: filtrate takes the place of interstitium
            if organ in o.interstitial_L:
                self._tissue(ligand, organ, vessel, plasma, released)
        self._move(liver_blood, plasma, (o.flow_L_per_h["liver"] + portal_flow) / o.plasma_in_organ_L["liver"])
        self._move(self._name("liver", "interstitial"), gut, ligand.hepatobiliary_L_per_h * o.liver_to_reference
                   / o.interstitial_L["liver"])
        for tumour in self.patient.tumours:
            self._tumour(ligand, tumour, plasma, released)
        return self._kidney(ligand, bladder, released) if ligand.pores is None else {}

    def _name(self, organ: str, kind: Kind) -> str:
        single = kind in ("plasma", "metabolite", "excreted") or organ in (BLADDER, GUT_CONTENT)
        name = organ if single else f"{organ} {kind}"
        return name if self.species == "ligand" else f"{self.species}: {name}"

    def _state(self, organ: str, kind: Kind) -> str:
        name = self._name(organ, kind)
        self.states.append(State(name, organ, kind, self.species))
        return name

    def _move(self, source: str, destination: str, rate: float) -> str:
        key = sys.intern(f"{source} > {destination}")  # one object in all patients: quick to look up
        self.transfers.append(Transfer(source, destination, key))
        self.rates[key] = rate
        return key

    def _tissue(self, ligand: BodyLigand, organ: str, vessel: str, plasma: str, released: str) -> None:
        """Interstitium of an organ, and its target if it has one."""
        o = self.organs
        space, in_vessel = o.interstitial_L[organ], o.plasma_in_organ_L[organ]
        interstitial = self._state(organ, "interstitial")
        if ligand.pores is not None:
            lymph = ligand.pores.lymph_share * o.flow_L_per_h[organ]
            out, back = (ligand.permeability_factor * c * lymph for c in wall_passage(ligand.pores, ligand.radius_nm))
            self._move(interstitial, plasma, lymph / space)
        else:
            back = ligand.permeability_factor * o.permeability_L_per_h[organ]
            out = ligand.free_fraction * back
        self._move(vessel, interstitial, out / in_vessel)
        self._move(interstitial, vessel, back / space)
        if organ in ligand.target_nmol_per_L:
            self._target(ligand, organ, interstitial, space, released)

    def _target(self, ligand: BodyLigand, organ: str, free: str, space_L: float, released: str) -> None:
        """Sites, internalisation and release of an organ."""
        sites = ligand.target_nmol_per_L[organ] * self.organs.volume_L[organ]
        inside = _of(ligand.internalisation_per_h, organ), _of(ligand.release_per_h, organ)
        self._bind(ligand, organ, free, space_L, sites, *inside, released)

    def _bind(
        self, ligand: BodyLigand, organ: str, free: str, space_L: float, sites_nmol: float,
        internalisation_per_h: float, release_per_h: float, released: str,
    ) -> None:
        bound, inside = self._state(organ, "bound"), self._state(organ, "internalised")
        site, on = sys.intern(f"{organ} sites"), sys.intern(f"{free} + sites")
        self.bindings.append(Binding(free, bound, site, on))
        self.rates[on] = ligand.association_L_per_nmol_per_h / space_L
        self.sites[site] = sites_nmol
        self._move(bound, free, ligand.dissociation_per_h)
        self._move(bound, inside, internalisation_per_h)
        self._move(inside, released, release_per_h)

    def _kidney(self, ligand: BodyLigand, bladder: str, released: str) -> dict[str, float]:
        """Filtrate, target on the brush border, uptake by tubular cells; returns the rates under amino acids."""
        o = self.organs
        vessel, lumen = self._name("kidney", "vascular"), self._state("kidney", "lumen")
        filtered = ligand.free_fraction * ligand.filtration_per_gfr * o.gfr_L_per_h
        space = o.interstitial_L["kidney"]
        self._move(vessel, lumen, filtered / o.plasma_in_organ_L["kidney"])
        if "kidney" in ligand.target_nmol_per_L:
            self._target(ligand, "kidney", lumen, space, released)
        else:
            inside = self._state("kidney", "internalised")
            self._move(inside, released, _of(ligand.release_per_h, "kidney"))
        turnover = filtered / space
        kept, returned = ligand.tubular_retention, ligand.tubular_return
        if kept + returned > 1.0:
            raise BadInput(f"{ligand.name}: tubular_retention and tubular_return exceed the whole filtrate.")
        reduced = kept * ligand.amino_acid_factor
        self._move(lumen, vessel, returned * turnover)
        into_cells = self._move(lumen, self._name("kidney", "internalised"), kept * turnover)
        away = self._move(lumen, bladder, (1.0 - kept - returned) * turnover)
        return {into_cells: reduced * turnover, away: (1.0 - reduced - returned) * turnover}

    def _endosome(self, ligand: BodyLigand, organ: str, vessel: str, released: str) -> None:
        """Uptake of plasma into endothelial endosomes, in proportion to the organ's plasma; FcRn returns a share.

        Label that residualises stays in the organ for a while when its antibody is broken down.
        """
        assert ligand.pores is not None
        o, p = self.organs, ligand.pores
        whole = p.catabolism_L_per_h / (1.0 - p.recycled_fraction)
        endosome = self._state(organ, "lumen")
        self._move(vessel, endosome, whole / sum(o.plasma_in_organ_L.values()))
        self._move(endosome, vessel, p.endosomal_transit_per_h * p.recycled_fraction)
        lost = p.endosomal_transit_per_h * (1.0 - p.recycled_fraction)
        if p.catabolite_release_per_h is None:
            self._move(endosome, released, lost)
            return
        inside = self._state(organ, "catabolised")
        self._move(endosome, inside, lost)
        self._move(inside, released, p.catabolite_release_per_h)

    def _tumour(self, ligand: BodyLigand, tumour: Tumour, plasma: str, released: str) -> None:
        volume = tumour.volume_mL * 1e-3
        in_vessel, space = tumour.plasma_fraction * volume, tumour.void_fraction * volume
        flow = tumour.plasma_flow_mL_per_min_per_mL * tumour.volume_mL * L_PER_H_FROM_ML_PER_MIN
        passage = tumour.permeability_mL_per_min_per_mL * tumour.volume_mL * L_PER_H_FROM_ML_PER_MIN
        vessel, interstitial = self._state(tumour.name, "vascular"), self._state(tumour.name, "interstitial")
        self._move(plasma, vessel, flow / self.central_L(ligand))
        self._move(vessel, plasma, flow / in_vessel)
        self._move(vessel, interstitial, ligand.free_fraction * passage / in_vessel)
        self._move(interstitial, vessel, passage / space)
        sites = tumour.target_nmol_per_L * volume
        self._bind(ligand, tumour.name, interstitial, space, sites, ligand.tumour_internalisation_per_h,
                   ligand.tumour_release_per_h, released)


def _of(table: Mapping[str, float], organ: str) -> float:
    return table.get(organ, table["default"])
