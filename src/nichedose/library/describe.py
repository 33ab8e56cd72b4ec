"""The library in words: tables for the reference page and the command line."""

from __future__ import annotations

from collections import Counter

from nichedose.library.library import Library, iter_values
from nichedose.library.schema import Agent

__all__ = ["agent_table"]

_KNOWN = ("measured", "fitted", "derived", "definition")


def agent_table(library: Library) -> str:
    """Markdown table of agents: target, regimen, status, how much is known, and which organ coefficients are measured.

    ``known / assumed`` counts the values of the labelled form other than organ coefficients. An organ coefficient is
    ``measured`` with this agent, ``scaled`` from another label, or ``assumed``.
    """
    lines = [
        "| Agent | Target | Regimen | Status | Known / assumed | Organ coefficients |",
        "|---|---|---|---|---|---|",
    ]
    for agent in library.agents.values():
        form = library.forms[agent.form]
        counts: Counter[str] = Counter(
            value.evidence for key, value in iter_values(form) if not key.startswith("dose_coefficients"))
        known = sum(counts[e] for e in _KNOWN)
        lines.append(f"| {agent.name} | {form.target} | {_regimen(agent)} | {agent.status} | {known} / "
                     f"{counts['assumed']} | {_coefficients(library, agent)} |")
    return "\n".join(lines)


def _regimen(agent: Agent) -> str:
    activity = agent.activity_MBq.central
    amount = f"{activity / 1000:.3g} GBq" if activity >= 1000.0 else f"{activity:.3g} MBq"
    return f"{agent.cycles} x {amount}, {agent.interval_h / 168:.3g} wk" if agent.cycles > 1 else amount


def _coefficients(library: Library, agent: Agent) -> str:
    words = []
    for c in library.forms[agent.form].dose_coefficients:
        if c.radionuclide == agent.radionuclide:
            assumed = c.Gy_per_GBq.evidence == "assumed"
            words.append(f"{c.organ} {'assumed' if assumed else 'scaled' if c.derived_from else 'measured'}")
    return ", ".join(words) or "none"
