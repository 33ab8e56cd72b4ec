"""S values of organs and organ doses as small tables, for the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nichedose.dose.kernels import Daughters
from nichedose.dose.organ_s import CORTEX, organ_masses_g, organ_s_values
from nichedose.dose.organs import organ_dose
from nichedose.dose.result import QUALITIES, Quality
from nichedose.dose.tables import DoseTable
from nichedose.errors import BadInput
from nichedose.nuclide import Source, canonical_name
from nichedose.quantities import parse_quantity

__all__ = ["organ_dose_table", "organ_s_table", "parse_masses"]


def parse_masses(entries: Iterable[str]) -> dict[str, float]:
    """``["kidneys=280g", "body=82kg"]`` -> g."""
    masses = {}
    for organ, value in _pairs(entries, "--mass", "kidneys=280g").items():
        try:
            masses[organ] = parse_quantity(value, "g")
        except BadInput as error:
            raise BadInput(f"--mass {organ}={value}: {error}") from error
    return masses


def organ_s_table(
    nuclide: str, phantom: str, target: str | None, origin: str | None, masses_g: Mapping[str, float],
    daughters: Daughters, decay_data: Source | None = None,
) -> DoseTable:
    """S values to ``target`` from ``origin``; all of those that are None."""
    s = organ_s_values(
        nuclide, phantom, masses_g, daughters, kidney_cortex=CORTEX in (target, origin),
        targets=None if target is None else [target], sources=None if origin is None else [origin],
        decay_data=decay_data)
    shown = [q for q in QUALITIES if any(q in value for value in s.values())]
    rows = tuple((t, o, *(value.get(q, 0.0) for q in shown), sum(value.values())) for (t, o), value in s.items())
    return DoseTable(
        f"{canonical_name(nuclide, decay_data)}: dose to organs of the {phantom.replace('_', ' ')}, Gy per decay",
        _note(daughters), ("target", "source", *(f"{q}_Gy" for q in shown), "total_Gy"), rows)


def organ_dose_table(
    nuclide: str, phantom: str, activities: Iterable[str], masses_g: Mapping[str, float], daughters: Daughters,
    decay_data: Source | None = None,
) -> DoseTable:
    """Organ doses from time-integrated activities such as ``"kidneys=120"``, MBq.h."""
    held = {organ: _number(organ, value) for organ, value in
            _pairs(activities, "--activity", "kidneys=120").items()}
    s = organ_s_values(nuclide, phantom, masses_g, daughters, sources=held, decay_data=decay_data)
    doses = organ_dose(held, s)
    masses = organ_masses_g(phantom, masses_g)
    shown: list[Quality] = [q for q in QUALITIES if any(q in dose for dose in doses.values())]
    rows = tuple((organ, masses[organ], *(dose.get(q, 0.0) for q in shown), sum(dose.values()))
                 for organ, dose in doses.items())
    return DoseTable(
        f"{canonical_name(nuclide, decay_data)}: organ doses of the {phantom.replace('_', ' ')}", _note(daughters),
        ("organ", "mass_g", *(f"{q}_Gy" for q in shown), "total_Gy"), rows)


def _pairs(entries: Iterable[str], option: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        organ, sign, value = (part.strip() for part in entry.partition("="))
        if not (sign and organ and value):
            raise BadInput(f"{option} = '{entry}'; write organ and number with a sign between, such as '{example}'.")
        if organ in found:
            raise BadInput(f"{option}: '{organ}' is given twice.")
        found[organ] = value
    return found


def _number(organ: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"--activity: '{organ}={text}': give the time-integrated activity as a number, MBq.h.") from None


def _note(daughters: str) -> str:
    who = "the nuclide alone" if daughters == "none" else "with all progeny in place, per decay of the parent"
    return f"{who[0].upper()}{who[1:]}. Physical dose, no weights. Photons between organs by point kernels in water."
