"""Questions about a decision: `rank`, `optimise`, `threshold` and their kin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nichedose.cli.app import CaseFile, Json, Page, Quiet, app, progress_bars, quantity
from nichedose.errors import BadInput, near_miss

if TYPE_CHECKING:
    from nichedose.case import Case
    from nichedose.findings import Findings

__all__ = ["design", "guideline", "optimise", "rank", "scenario", "threshold", "timing"]

MODES = ("as_prescribed", "equal_activity", "equal_mean_dose", "equal_toxicity")

Draws = Annotated[int | None, typer.Option(min=0, max=4096, help="Joint draws, instead of the case's.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed, instead of the case's.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; results do not depend on it.")]
Mode = Annotated[str | None, typer.Option(help="Comparison mode, instead of the case's.")]
DoublingTime = Annotated[str | None, typer.Option(help="Of the tumour, '60 d', instead of the case's.")]


@app.command()
def rank(
    place: Annotated[Path, typer.Argument(metavar="CASE.toml|RESULTS", help="A case, or the results of a plan.")],
    objective: Annotated[
        str, typer.Option(help="log_kill, tcp, worst_decile, mean_dose or organ_burden.")] = "log_kill",
    mode: Mode = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="What a candidate must meet: 'log_kill >= 2'; may be repeated.")] = None,
    confidence: Annotated[float, typer.Option(help="Share of draws in which the conditions must hold.")] = 0.5,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="Organ limit of your own: 'kidney absorbed_dose 18 Gy: source'; may be repeated.")] = None,
    partner: Annotated[
        list[str] | None,
        typer.Option(help="Every candidate beside this drug too: 'losartan 2 wk before'; may be repeated.")] = None,
    doubling_time: DoublingTime = None,
    draws: Draws = None,
    seed: Seed = None,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rank candidates and combinations by any objective, and say what would change the answer."""
    from nichedose.decide import objective_named, parse_condition, parse_limit
    from nichedose.io import load_results
    from nichedose.study.rank import RankQuestion, rank_case, rank_results

    question = RankQuestion(
        objective=objective_named(objective),
        mode=_mode(mode),
        conditions=tuple(parse_condition(text) for text in condition or ()),
        limits=tuple(parse_limit(text) for text in limit or ()),
        confidence=confidence,
        doubling_time_h=_doubling_time(doubling_time),
        partners=tuple(partner or ()),
    )
    if place.is_dir():
        if draws is not None or seed is not None:
            raise BadInput("A finished plan has its draws; --draws and --seed go with a case file.")
        results = load_results(place)
        found = rank_results(results, _stored_case(results), question)
    else:
        case = _read(place, seed, workers)
        with progress_bars(quiet) as progress:
            found = rank_case(case, place, question, draws=draws, progress=progress)
    _show(found, page, as_json)


@app.command()
def threshold(
    case_file: CaseFile,
    barrier: Annotated[str, typer.Option(help="fibrosis, perfusion, pressure or hypoxia.")],
    down_to: Annotated[float, typer.Option(help="Smallest factor on the barrier's quantity, 0.01 to below 1.")] = 0.03,
    mode: Mode = None,
    doubling_time: DoublingTime = None,
    draws: Draws = None,
    seed: Seed = None,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Raise one barrier until uptake no longer follows the target, or the ranking flips."""
    from nichedose.study.threshold import threshold_case

    case = _read(case_file, seed, workers)
    with progress_bars(quiet) as progress:
        found = threshold_case(case, case_file, barrier, down_to=down_to, mode=_mode(mode),
                               doubling_time_h=_doubling_time(doubling_time), draws=draws, progress=progress)
    _show(found, page, as_json)


@app.command()
def optimise(
    case_file: CaseFile,
    agents: Annotated[str, typer.Option(help="Agents of the course, separated by commas.")],
    cycles: Annotated[str, typer.Option(help="Number of cycles, or a range: '2..6'.")] = "4",
    interval: Annotated[str, typer.Option(help="Between cycles: '6 wk', or a range: '4 wk..10 wk'.")] = "6 wk",
    longest_delay: Annotated[str, typer.Option(help="How late in a cycle an agent may be given.")] = "0 h",
    doubling_time: DoublingTime = None,
    draws: Draws = None,
    seed: Seed = None,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Choose activities, split and times of a course under the organ limits."""
    from nichedose.study.optimise import course_case

    case = _read(case_file, seed, workers)
    first, last = _ends(interval)
    with progress_bars(quiet) as progress:
        found = course_case(
            case, case_file, [a.strip() for a in agents.split(",") if a.strip()],
            cycles=_cycles(cycles),
            interval_h=(quantity("--interval", first, "h"), quantity("--interval", last, "h")),
            longest_offset_h=quantity("--longest-delay", longest_delay, "h"),
            doubling_time_h=_doubling_time(doubling_time),
            draws=draws, progress=progress)
    _show(found, page, as_json)


@app.command()
def timing(
    phenotype: Annotated[str, typer.Argument(metavar="PHENOTYPE", help="inflamed, excluded or desert.")] = "inflamed",
    delays: Annotated[
        str | None, typer.Option(help="Days from the dose to the blockade, such as '-7,0,7,14'; negative: first.")
    ] = None,
    draws: Annotated[int, typer.Option(min=20, max=4096, help="Joint draws.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 1,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """When to block a checkpoint beside a radiopharmaceutical, by the immune course."""
    from nichedose.study.partner_timing import DELAYS_D, partner_timing

    try:
        days = DELAYS_D if delays is None else tuple(float(part) for part in delays.split(","))
    except ValueError:
        raise BadInput(f"--delays '{delays}' cannot be read; write numbers of days with commas, '-7,0,7,14'.") from None
    with progress_bars(quiet) as progress:
        found = partner_timing(phenotype, delays_d=days, draws=draws, seed=seed, progress=progress)
    _show(found, page, as_json)


@app.command()
def scenario(
    name: Annotated[str, typer.Argument(metavar="NAME", help="hong-2024 or birindelli-2021.")],
    histology: Annotated[
        list[Path] | None,
        typer.Option(help="Table of a section's histology (Final_Annotations, x_um, y_um); two or more.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=4096, help="Joint draws of each variant.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 1,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a published scenario: which of its findings hold, how often, and what they rest on."""
    from nichedose.io.histology_file import read_histology_table
    from nichedose.study.histology import histology_from_labels
    from nichedose.study.hong import hong_scenario, scenario_named

    if scenario_named(name) == "birindelli-2021":
        from nichedose.study.birindelli import birindelli_scenario

        if histology:
            raise BadInput("--histology goes with hong-2024; birindelli-2021 makes its own slices.")
        with progress_bars(quiet) as progress:
            _show(birindelli_scenario(draws=draws, seed=seed, workers=workers, progress=progress), page, as_json)
        return
    sections = [histology_from_labels(p.name.split(".")[0], *read_histology_table(p)) for p in histology or ()]
    with progress_bars(quiet) as progress:
        found = hong_scenario(draws=draws, seed=seed, workers=workers, sections=sections, progress=progress)
    _show(found, page, as_json)


@app.command()
def guideline(
    form: Annotated[str, typer.Argument(metavar="FORM", help="A labelled form of the library: PSMA-617.")],
    tissues: Annotated[int, typer.Option(help="Generated tissues.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 1,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Where each radionuclide of a form wins: by perfusion, heterogeneity, lesion size and hypoxia."""
    from nichedose.study.guideline import guideline as over_tissues

    with progress_bars(quiet) as progress:
        found = over_tissues(form, tissues=tissues, seed=seed, workers=workers, progress=progress)
    _show(found, page, as_json)


@app.command()
def design(
    case_file: CaseFile,
    agent: Annotated[str, typer.Option(help="The candidate of the case whose ligand is varied.")],
    doubling_time: DoublingTime = None,
    hold: Annotated[
        str, typer.Option(help="What all designs share: 'plasma' (its time-integrated activity) or 'activity'.")
    ] = "plasma",
    draws: Annotated[int, typer.Option(min=0, max=256, help="Joint draws; each tries every design.")] = 4,
    seed: Seed = None,
    workers: Workers = None,
    page: Page = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Which ligand would suit this tissue: affinity, size, internalisation, and half-life of its label."""
    from nichedose.study.design import HELD, design_case

    held = next((h for h in HELD if h == hold), None)
    if held is None:
        raise BadInput(f"--hold '{hold}' is neither 'plasma' nor 'activity'.")
    case = _read(case_file, seed, workers)
    with progress_bars(quiet) as progress:
        found = design_case(
            case, case_file, agent, draws=draws,
            doubling_time_h=_doubling_time(doubling_time), held=held,
            progress=progress)
    _show(found, page, as_json)


def _ends(text: str) -> tuple[str, str]:
    """The two ends of a range 'a..b'; one number is both."""
    first, dots, last = text.partition("..")
    return first.strip(), (last if dots else first).strip()


def _doubling_time(text: str | None) -> float | None:
    return None if text is None else quantity("--doubling-time", text, "h", minimum=1.0)


def _cycles(text: str) -> tuple[int, int]:
    first, last = _ends(text)
    if not (first.isdigit() and last.isdigit()):
        raise BadInput(f"--cycles '{text}' cannot be read; write a whole number, '4', or a range, '2..6'.")
    return int(first), int(last)


def _mode(name: str | None) -> Any:
    if name is not None and name not in MODES:
        raise BadInput(f"Unknown comparison mode '{name}'.{near_miss(name, MODES)}")
    return name


def _read(case_file: Path, seed: int | None, workers: int | None) -> Case:
    from nichedose.io import read_case

    case = read_case(case_file)
    changes = {k: v for k, v in {"seed": seed, "workers": workers}.items() if v is not None}
    return case.model_copy(update={"sampling": case.sampling.model_copy(update=changes)})


def _stored_case(results: Any) -> str:
    return str(results.provenance.get("case_toml", ""))


def _show(found: Findings, page: Path | None, as_json: bool) -> None:
    from nichedose.io.result_store import jsonable
    from nichedose.report import findings_text, render_findings

    if page is not None:
        page.write_text(render_findings(found), encoding="utf-8")
    if as_json:
        print(json.dumps(jsonable({"answer": found.answer, **found.numbers})))
        return
    print(findings_text(found))
    if page is not None:
        print(f"\nPage: {page}")
