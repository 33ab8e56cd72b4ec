"""The best ligand between the designs that were tried: climbed to by exact gradients, with how flat the top is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.decide import ascend
from nichedose.errors import DidNotConverge, NotComputed
from nichedose.fields.grid import Array
from nichedose.findings import Cell, FindingTable, Part
from nichedose.nuclide import half_life_h
from nichedose.study.design_chain import PROPERTIES, DesignChain, LigandDesign, design_gradient, design_value

__all__ = ["MASS_FACTORS", "SLOWEST", "WITHIN", "Optimum", "climb", "optimum_part", "optimum_sentence", "size_word"]

WITHIN = 0.05  # of the best log kill: what is called as good
MASS_FACTORS = (0.1, 10.0)
SLOWEST = 1e-3  # per h: below it nothing is internalised within the label's life
POINTS = 9
NOTHING = 1e-6  # log kill
WORDS = {"affinity_nmol_per_L": "KD, nmol/L", "molar_mass_kDa": "size, kDa",
         "internalisation_per_h": "internalisation, 1/h", "half_life_h": "half-life, d",
         "ligand_mass_factor": "ligand injected, times the agent's"}
SIZES = ((5.0, "peptide-size"), (30.0, "nanobody-size"), (90.0, "fragment-size"), (np.inf, "antibody-size"))


@dataclass(frozen=True)
class Optimum:
    """The best design of one draw. ``low`` and ``high`` bound what was searched; ``flat`` by property: from where to
    where the log kill stays within 5 % of the best when that property alone moves (central run only).

    ``started`` is the log kill of the best design of the grid, by the same chain.
    """

    design: LigandDesign
    log_kill: float
    evaluations: int
    started: float
    low: LigandDesign
    high: LigandDesign
    flat: dict[str, tuple[float, float]]

    def at_edge(self, name: str) -> str:
        """'lowest' or 'highest' where the best lies at an end of what was searched, else nothing."""
        value, low, high = (getattr(d, name) for d in (self.design, self.low, self.high))
        return "" if low == high else "lowest" if value < 1.001 * low else "highest" if value > 0.999 * high else ""


def climb(
    chain: Callable[[], DesignChain], start: LigandDesign, ranges: dict[str, tuple[float, float]], *, flat: bool
) -> Optimum | str:
    """Climb from ``start`` within ``ranges`` by property; with ``flat``, how far each may move. A reason in words where
    the case holds what derivatives do not follow."""
    low, high = (LigandDesign(**{name: ends[i] for name, ends in ranges.items()}) for i in (0, 1))
    begin = LigandDesign.of_logs(np.clip(start.logs, low.logs, high.logs))
    try:
        of = chain()
        found = ascend(lambda x: design_gradient(of, LigandDesign.of_logs(x)), low.logs, high.logs, begin.logs)
        if found.value <= NOTHING:
            return "growth outruns the kill of every design"
        best = LigandDesign.of_logs(found.x)
        spans = {name: _span(of, best, found.value, name, *ranges[name]) for name in PROPERTIES} if flat else {}
        return Optimum(best, found.value, found.evaluations, design_value(of, begin), low, high, spans)
    except (NotComputed, DidNotConverge) as error:
        return str(error)


def _span(
    chain: DesignChain, best: LigandDesign, top: float, name: str, low: float, high: float
) -> tuple[float, float]:
    """Where the log kill crosses 95 % of its best as one property moves, by lines between points in its logarithm."""
    if low == high:
        return low, high
    here, index = best.logs, PROPERTIES.index(name)
    ends = []
    for end in (np.log(low), np.log(high)):
        at = np.linspace(here[index], end, POINTS // 2 + 1)
        values = [top]
        for x in at[1:]:
            moved = here.copy()
            moved[index] = x
            values.append(design_value(chain, LigandDesign.of_logs(moved)))
        ends.append(float(np.exp(_crossing(at, np.array(values), (1.0 - WITHIN) * top))))
    return ends[0], ends[1]


def _crossing(at: Array, values: Array, bound: float) -> float:
    """First place along ``at`` where the values fall to ``bound``; the last place when they never do."""
    below = np.flatnonzero(values < bound)
    if not below.size:
        return float(at[-1])
    i = int(below[0])
    share = (values[i - 1] - bound) / (values[i - 1] - values[i])
    return float(at[i - 1] + share * (at[i] - at[i - 1]))


def size_word(molar_mass_kDa: float) -> str:
    """What molecules of that size are called."""
    return next(word for top, word in SIZES if molar_mass_kDa < top)


def optimum_sentence(central: Optimum | str, radionuclides: Sequence[str]) -> str:
    """The answer for people who choose a ligand."""
    if isinstance(central, str):
        return f"No optimum between these designs: {central}."
    f = central.flat
    days = f["half_life_h"][0] / 24.0, f["half_life_h"][1] / 24.0
    fitting = [n for n in radionuclides if days[0] <= half_life_h(n) / 24.0 <= days[1]]
    words = list(dict.fromkeys(size_word(v) for v in f["molar_mass_kDa"]))
    edges = [WORDS[n].split(",")[0] for n in PROPERTIES if central.at_edge(n)]
    text = (f"For this tumour: {' to '.join(words)} ({_range(f['molar_mass_kDa'])} kDa), KD "
            f"{_range(f['affinity_nmol_per_L'])} nmol/L, internalisation {_range(f['internalisation_per_h'])} per h, "
            f"half-life {_range(days)} d" + (f" ({', '.join(fitting)})" if fitting else "")
            + ": each alone keeps within 5 % of the best.")
    return text + (f" The best lies at the end of what was searched in {', '.join(edges)}." if edges else "")


def optimum_part(central: Optimum | str, draws: Sequence[Optimum | str]) -> Part:
    """The optimum at the medians, over the draws, and what gradients cost."""
    title = "The optimum"
    if isinstance(central, str):
        return Part(title, (f"Not computed: {central}.",))
    found = [d for d in draws if isinstance(d, Optimum)]
    rows: list[tuple[Cell, ...]] = []
    for name in PROPERTIES:
        per = 24.0 if name == "half_life_h" else 1.0
        over = [getattr(d.design, name) / per for d in found]
        rows.append((WORDS[name], f"{getattr(central.design, name) / per:.2g}",
                     _range((central.flat[name][0] / per, central.flat[name][1] / per)),
                     _range((min(over), max(over))) if over else None, central.at_edge(name) or "no"))
    head = ("property", "best at the medians", "within 5 % of it, alone", "best in draws", "at the end of the search")
    keep = [i for i in range(len(head)) if any(row[i] is not None for row in rows)]
    table = FindingTable(tuple(head[i] for i in keep), tuple(tuple(r[i] for i in keep) for r in rows), note=(
        f"Log kill {central.log_kill:.3g} at the medians; {central.started:.3g} at the best design of the table below. "
        f"{central.evaluations} evaluations of value and gradient."))
    return Part(title, ("All five properties are moved together, between the designs below, along exact derivatives of "
                        "the log kill through binding, tissue, dose and survival.",), (table,))


def _range(ends: tuple[float, float]) -> str:
    low, high = f"{ends[0]:.2g}", f"{ends[1]:.2g}"
    return low if low == high else f"{low} to {high}"
