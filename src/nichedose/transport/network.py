"""Ligands, sites and batches as one list of species and reactions: what the network engine solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.fields.mesh import Mesh
from nichedose.transport.supply import Supply

__all__ = ["Batch", "Binding", "Change", "Ligand", "Network", "Reaction", "Site", "build_network"]

Kind = Literal["constant", "mobile", "immobile", "binding", "from plasma"]
State = Literal["bound", "wall", "internalised"]


@dataclass(frozen=True)
class Binding:
    """How a ligand binds to a site (by name), or to another ligand that is bound (its name): pre-targeting."""

    to: str
    association_L_per_nmol_per_h: float
    dissociation_per_h: float
    internalisation_per_h: float = 0.0


@dataclass(frozen=True)
class Change:
    """Free ligand turns into another ligand (by name) at ``rate_per_h``: a number or a field of the mesh's shape.

    A field made of pH, protease, redox state, temperature or oxygen makes a triggered agent of it.
    """

    into: str
    rate_per_h: Array | float


@dataclass(frozen=True)
class Ligand:
    """A molecule in tissue. Fields may be numbers; ``enter_per_h`` and ``leave_per_h`` are the two directions of vessel
    exchange per tissue volume (`exchange_rates`). Free ligand is per void; ``diffusivity_um2_per_s`` in the void.

    ``convected`` is its speed over the fluid's. Internalised label is lost at ``release_per_h``, or becomes the ligand
    ``released_as``. ``along`` multiplies the diffusivity along each axis.
    """

    name: str
    diffusivity_um2_per_s: Array | float
    void_fraction: Array | float
    enter_per_h: Array | float = 0.0
    leave_per_h: Array | float = 0.0
    bindings: tuple[Binding, ...] = ()
    release_per_h: float = 0.0
    released_as: str | None = None
    changes: tuple[Change, ...] = ()
    convected: float = 1.0
    along: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Site:
    """Binding sites of one kind, per tissue volume, on cells, stroma, immune cells or matrix, or on the vessel wall.

    Free sites degrade at ``degradation_per_h`` and are made at the rate that held their density before treatment.
    Of the sites that go inside with ligand, the share ``recycled`` comes back at once; the others are lost. Sites on
    the ``vessel wall`` see plasma, not the interstitium; what they set free goes back to blood.
    """

    name: str
    density_nmol_per_L: Array | float
    degradation_per_h: float = 0.0
    recycled: float = 1.0
    place: Literal["interstitium", "vessel wall"] = "interstitium"


@dataclass(frozen=True)
class Batch:
    """One administration: a ligand, its curve in plasma, and its labels' decay constants (1/h), on its own clock."""

    name: str
    ligand: str
    supply: Supply
    decay_per_h: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reaction:
    """``rate_per_h`` x field x reactants changes immobile species, and what mobile ones hold in all (``net``).

    ``of`` names the input that the rate is: what, whose, on or into which.
    """

    kind: Kind
    rate_per_h: float
    reactants: tuple[int, int]  # mobile (or batch, from plasma) and immobile number; -1 where there is none
    changes: Mapping[int, float]
    net: Mapping[int, float]
    field: Array | None = None
    of: tuple[str, ...] = ()


@dataclass
class Network:
    """Species of a run: ``mobile[m]`` = (batch, ligand); names, states, carried mobile species and initial values
    (n,) of the immobile ones. Free sites have no state and carry nothing.

    Reactions at rate 0 are left out unless ``keep_zero``: a derivative may be asked at 0.
    """

    ligands: Mapping[str, Ligand]
    batches: Sequence[Batch]
    mobile: list[tuple[int, str]] = field(default_factory=list)
    immobile: list[str] = field(default_factory=list)
    state: list[State | None] = field(default_factory=list)
    carriers: list[tuple[int, ...]] = field(default_factory=list)
    initial: list[Array] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    keep_zero: bool = False

    def carried(self, *states: State) -> Array:
        """(immobile, mobile): 1 where an immobile species in one of ``states`` holds a molecule of the mobile one."""
        out = np.zeros((len(self.immobile), len(self.mobile)))
        for k, (state, carriers) in enumerate(zip(self.state, self.carriers, strict=True)):
            if state in states:
                out[k, list(carriers)] = 1.0
        return out

    def add(self, name: str, state: State | None, carriers: tuple[int, ...], initial: Array) -> int:
        self.immobile.append(name)
        self.state.append(state)
        self.carriers.append(carriers)
        self.initial.append(initial)
        return len(self.immobile) - 1

    def react(
        self, kind: Kind, rate: float, reactants: tuple[int, int], changes: Mapping[int, float],
        net: Mapping[int, float] | None = None, where: Array | None = None, of: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        if rate > 0.0 or self.keep_zero:
            self.reactions.append(Reaction(kind, rate, reactants, changes, net or {}, where, of))


def build_network(
    mesh: Mesh, ligands: Sequence[Ligand], sites: Sequence[Site], batches: Sequence[Batch], keep_zero: bool = False
) -> Network:
    """Species and reactions of all batches: each is followed apart, competing for the sites that they share."""
    by_name = {ligand.name: ligand for ligand in ligands}
    network = Network(by_name, batches, keep_zero=keep_zero)
    for number, batch in enumerate(batches):
        network.mobile += [(number, form) for form in _forms(batch, by_name)]
    zero, places = np.zeros(mesh.n), {site.name: site for site in sites}
    bound: dict[tuple[int, str], int] = {}
    for m, (_, name) in enumerate(network.mobile):
        for binding in by_name[name].bindings:
            if binding.to not in by_name:
                state: State = "wall" if places[binding.to].place == "vessel wall" else "bound"
                bound[m, binding.to] = network.add(f"{_label(network, m)} on {binding.to}", state, (m,), zero)
    stacked = _stacked(network, bound, zero)
    free_sites = {
        site.name: network.add(site.name, None, (), mesh.gather(f"sites '{site.name}'", site.density_nmol_per_L))
        for site in sites
    }
    inside = {
        m: network.add(f"{_label(network, m)} inside", "internalised", (m,), zero)
        for m, (_, name) in enumerate(network.mobile)
        if _internalises(by_name[name], by_name)
    }
    for (m, where), number in bound.items():
        _bind(network, m, number, places[where], free_sites[where], inside.get(m))
    for (h, number), complex_number in stacked.items():
        _stack(network, h, number, complex_number, bound, places, free_sites, inside)
    for site in sites:
        k, of = free_sites[site.name], ("degradation", site.name)
        network.react("constant", site.degradation_per_h, (-1, -1), {k: 1.0}, where=network.initial[k], of=of)
        network.react("immobile", site.degradation_per_h, (-1, k), {k: -1.0}, of=of)
    for m in range(len(network.mobile)):
        _move_on(network, mesh, m, inside.get(m))
    names = [_label(network, m) for m in range(len(network.mobile))] + network.immobile
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:  # results go by these names
        raise BadInput(f"Two species of this course would be called '{twice[0]}'. Rename the batch or the site.")
    return network


def _label(network: Network, m: int) -> str:
    number, name = network.mobile[m]
    batch = network.batches[number].name
    return batch if name == network.batches[number].ligand else f"{batch} as {name}"


def _forms(batch: Batch, by_name: Mapping[str, Ligand]) -> list[str]:
    """The injected ligand and all that it may turn into."""
    found, todo = [], [batch.ligand]
    while todo:
        name = todo.pop(0)
        if name not in by_name:
            raise BadInput(f"Batch '{batch.name}': there is no ligand '{name}'.{near_miss(name, by_name)}")
        if name not in found:
            found.append(name)
            ligand = by_name[name]
            todo += [change.into for change in ligand.changes]
            todo += [ligand.released_as] if ligand.released_as is not None else []
    return found


def _internalises(ligand: Ligand, by_name: Mapping[str, Ligand]) -> bool:
    """Whether any of its bound states goes inside, on its own or under a ligand that it is bound to."""
    carriers = [by_name[b.to] for b in ligand.bindings if b.to in by_name]
    return any(b.internalisation_per_h > 0.0 for who in (ligand, *carriers) for b in who.bindings)


def _stacked(network: Network, bound: Mapping[tuple[int, str], int], zero: Array) -> dict[tuple[int, int], int]:
    """(mobile, bound state of another ligand) -> their complex: ligands that bind to bound ligands."""
    found = {}
    for m, (_, name) in enumerate(network.mobile):
        for binding in network.ligands[name].bindings:
            for (other, where), number in bound.items():
                if network.mobile[other][1] == binding.to:
                    label = f"{_label(network, m)} on {_label(network, other)} on {where}"
                    found[m, number] = network.add(label, "bound", (m, other), zero)
    return found


def _bind(network: Network, m: int, bound: int, site: Site, free_site: int, inside: int | None) -> None:
    number, name = network.mobile[m]
    binding = next(b for b in network.ligands[name].bindings if b.to == site.name)
    on, off, taken = binding.association_L_per_nmol_per_h, binding.dissociation_per_h, binding.internalisation_per_h
    gone = {bound: -1.0, free_site: site.recycled} | ({inside: 1.0} if inside is not None else {})
    if site.place == "vessel wall":
        network.react("from plasma", on, (number, free_site), {free_site: -1.0, bound: 1.0},
                      of=("association", name, site.name))
    else:
        network.react("binding", on, (m, free_site), {free_site: -1.0, bound: 1.0}, of=("association", name, site.name))
    network.react("immobile", off, (-1, bound), {bound: -1.0, free_site: 1.0}, of=("dissociation", name, site.name))
    if taken > 0.0 or inside is not None:
        network.react("immobile", taken, (-1, bound), gone, {} if site.place == "vessel wall" else {m: -1.0},
                      of=("internalisation", name, site.name))


def _stack(
    network: Network, h: int, below: int, both: int, bound: Mapping[tuple[int, str], int],
    places: Mapping[str, Site], free_sites: Mapping[str, int], inside: Mapping[int, int],
) -> None:  # fmt: skip
    """A ligand on a bound ligand; when the lower one lets go, the pair is taken to leave the tissue."""
    (other, where) = next(key for key, number in bound.items() if number == below)
    name, lower = network.mobile[h][1], network.ligands[network.mobile[other][1]]
    binding = next(b for b in network.ligands[name].bindings if b.to == lower.name)
    under = next(b for b in lower.bindings if b.to == where)
    if places[where].place == "vessel wall":
        raise BadInput(f"Ligand '{name}' cannot bind to '{lower.name}' on the vessel wall: give it a site of its own.")
    network.react("binding", binding.association_L_per_nmol_per_h, (h, below), {below: -1.0, both: 1.0},
                  of=("association", name, lower.name))
    network.react("immobile", binding.dissociation_per_h, (-1, both), {both: -1.0, below: 1.0},
                  of=("dissociation", name, lower.name))
    both_leave = {h: -1.0, other: -1.0}
    gone = {both: -1.0, free_sites[where]: places[where].recycled} | {inside[m]: 1.0 for m in (h, other) if m in inside}
    network.react("immobile", under.internalisation_per_h, (-1, both), gone, both_leave,
                  of=("internalisation", lower.name, where))
    network.react("immobile", under.dissociation_per_h, (-1, both), {both: -1.0, free_sites[where]: 1.0}, both_leave,
                  of=("dissociation", lower.name, where))


def _move_on(network: Network, mesh: Mesh, m: int, inside: int | None) -> None:
    number, name = network.mobile[m]
    ligand = network.ligands[name]
    for which, change in enumerate(ligand.changes):
        rate = mesh.gather(f"change of '{name}' into '{change.into}'", change.rate_per_h)
        if bool((rate < 0.0).any()):
            raise BadInput(f"Ligand '{name}': its change into '{change.into}' must not be negative anywhere.")
        after = network.mobile.index((number, change.into))
        network.react("mobile", 1.0, (m, -1), {}, {m: -1.0, after: 1.0}, rate,
                      of=("change", name, str(which)))
    if inside is not None:
        net = {} if ligand.released_as is None else {network.mobile.index((number, ligand.released_as)): 1.0}
        network.react("immobile", ligand.release_per_h, (-1, inside), {inside: -1.0}, net, of=("release", name))
