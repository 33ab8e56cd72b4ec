"""`nichedose plan`: read, model, solve, compare, and gather everything into one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nichedose import io
from nichedose.case import Case, Mode, resolve_path
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library import Library, load_library
from nichedose.results import PlanResult
from nichedose.study.assemble import assemble
from nichedose.study.central import CentralCandidate, central_candidate
from nichedose.study.evaluate import Metrics
from nichedose.study.field_quantiles import MOST_DRAWS, SectionFields, drawn_fields, field_quantiles
from nichedose.study.measured_body import with_measured_body
from nichedose.study.pool import run_tasks
from nichedose.study.provenance import provenance
from nichedose.study.samples import default_full_draws
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import Setup, resolve
from nichedose.study.world import World
from nichedose.tissue import SpotModel, TissueMap, grid_to_rows, model_section, with_spread
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.counted import with_cell_counts
from nichedose.tissue.reported import choose_composition, with_phenotypes
from nichedose.values import Value

__all__ = ["PlanRun", "check_lesion_size", "draw_spacing_um", "model_of_assay", "read_sections", "run_plan"]

Progress = Callable[[str, int, int], None]

ALL_SAMPLES = "all"  # in a case: every sample that the file or folder holds, each as its own section
SMALLEST_LESION = 0.5  # of the section's extent; sections hold normal tissue too
MAX_DRAW_VOXELS = 3600  # a draw costs about a second per dozen agents at this size


@dataclass(frozen=True)
class PlanRun:
    """The result, and what goes back to the user's own data: assays and columns per spot."""

    result: PlanResult
    assays: tuple[SpatialAssay, ...]
    spot_columns: tuple[Mapping[str, Array], ...]


@dataclass(frozen=True)
class _Shared:
    setup: Setup
    maps: tuple[TissueMap, ...]


@dataclass(frozen=True)
class _DrawTask:
    """One world: on the grid of the draws, where ``coarse``, else as the central run; ``index`` None is the medians."""

    index: int | None
    spacing_um: float
    coarse: bool


@dataclass(frozen=True)
class _Done:
    """What a task leaves: of one labelled form the central run, of a draw its numbers and, where kept, its fields."""

    central: Sequence[CentralCandidate] = ()
    used: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[Mode, Metrics]] = field(default_factory=dict)
    fields: tuple[SectionFields, ...] = ()


def run_plan(case: Case, case_text: str, case_path: Path, *, progress: Progress = lambda *_: None) -> PlanRun:
    """Run the whole chain of one case. Raises `BadInput` for what the user can mend; writes nothing."""
    started = time.perf_counter()
    library = load_library()
    assays = tuple(read_sections(case, case_path, progress, library.aliases))
    also = {form.target for form in case.forms} | set(case.anchors)
    models = with_spread([model_of_assay(assay, library, also) for assay in assays])
    setup = with_measured_body(resolve(case, library, models), case_path)
    progress("tissue", 0, 1)
    central_draw = setup.draw()
    maps = tissue_maps(setup, central_draw, case.sampling.grid_spacing)
    progress("tissue", 1, 1)
    check_lesion_size(case, maps)
    used: dict[str, Value] = dict(central_draw.used)

    forms, spacing = setup.forms(), draw_spacing_um(case, maps)
    full = [_DrawTask(i, case.sampling.grid_spacing, coarse=False) for i in range(full_draws(case, spacing))]
    draws = [*full, *(_DrawTask(i, spacing, coarse=True) for i in (None, *range(case.sampling.draws)))] if forms else []
    # one pool for all, the longest tasks first: processes start once, and none is left waiting at the end
    tasks: list[str | _DrawTask] = [*forms, *draws]
    outcomes = run_tasks(_one_task, _Shared(setup, maps), tasks, workers=case.sampling.workers)
    central: list[CentralCandidate] = []
    worlds: list[_Done] = []
    progress("candidates", 0, len(forms))
    for done, outcome in enumerate(outcomes, start=1):
        if done <= len(forms):
            central.extend(outcome.central)
            used.update(outcome.used)
            progress("candidates", done, len(forms))
        else:
            worlds.append(outcome)
            progress("draws", done - len(forms), len(draws))
    coarse = worlds[len(full):]

    columns = tuple(
        _spot_columns(model, tissue, central, position)
        for position, (model, tissue) in enumerate(zip(setup.sections, maps, strict=True))
    )
    result = assemble(
        setup,
        assays=assays,
        maps=maps,
        central=central,
        coarse=coarse[0].metrics if coarse else {},
        draws=[w.metrics for w in coarse[1:]],
        full=[w.metrics for w in worlds[: len(full)]],
        tissue_quantiles=field_quantiles(setup.sections, [w.fields for w in coarse if w.fields], spacing),
        draw_spacing_um=spacing,
        used=used,
        case_text=case_text,
        provenance=provenance(case, assays, seconds=time.perf_counter() - started),
    )
    return PlanRun(result, assays, columns)


def draw_spacing_um(case: Case, maps: Sequence[TissueMap]) -> float:
    """Grid of the draws: as asked, else the finest multiple of the main spacing with few enough voxels."""
    if case.sampling.draw_grid_spacing is not None:
        if case.sampling.draw_grid_spacing < case.sampling.grid_spacing:
            raise BadInput("'sampling.draw_grid_spacing' must not be finer than 'sampling.grid_spacing'.")
        return case.sampling.draw_grid_spacing
    largest = max(m.grid.shape[0] * m.grid.shape[1] for m in maps)
    return case.sampling.grid_spacing * max(1, int(np.ceil(np.sqrt(largest / MAX_DRAW_VOXELS))))


def full_draws(case: Case, spacing_um: float) -> int:
    """Draws to be repeated on the fine grid: as asked, at most all; none where the draws run on that grid anyway."""
    if spacing_um <= case.sampling.grid_spacing:
        return 0
    asked = case.sampling.full_draws
    return min(default_full_draws(case.sampling.draws) if asked is None else asked, case.sampling.draws)


def check_lesion_size(case: Case, maps: Sequence[TissueMap]) -> None:
    """A lesion much smaller than its section is a slip of the unit; raises `BadInput`."""
    extent_mm = max(max(m.grid.shape) * m.grid.spacing_um for m in maps) * 1e-3
    if case.lesion.diameter < SMALLEST_LESION * extent_mm:
        raise BadInput(f"'lesion.diameter' is {case.lesion.diameter:g} mm, but the section is {extent_mm:.1f} mm "
                       "across; is the unit right?")


def read_sections(
    case: Case, case_path: Path, progress: Progress, aliases: Mapping[str, str]
) -> Sequence[SpatialAssay]:
    assays: list[SpatialAssay] = []
    for done, section in enumerate(case.sections):
        progress("reading", done, len(case.sections))
        place = resolve_path(case_path, section.path)
        if section.sample == ALL_SAMPLES:
            found: Sequence[SpatialAssay] = io.read_sections(
                place, section.kind, sample_key=section.sample_key, coordinate_unit=section.coordinate_unit,
                um_per_unit=section.um_per_unit, layer=section.layer, aliases=aliases)
        else:
            found = [io.read_tissue(
                place, section.kind, sample=section.sample, sample_key=section.sample_key,
                coordinate_unit=section.coordinate_unit, um_per_unit=section.um_per_unit, layer=section.layer,
                aliases=aliases)]
        for assay in found:
            typed = choose_composition(with_phenotypes(assay, section.phenotype_key), section.composition)
            assays.append(with_cell_counts(typed, section.cell_count_key))
    progress("reading", len(case.sections), len(case.sections))
    return io.distinct_sections(assays)


def model_of_assay(assay: SpatialAssay, library: Library, also: Collection[str] = ()) -> SpotModel:
    """The section with the targets that a labelled form of the library binds, and those named in ``also``."""
    wanted = {form.target for form in library.forms.values()} | set(also)
    targets = {name: target for name, target in library.targets.items() if name in wanted}
    return model_section(assay, library.cell_types, targets, library.signatures, library.aliases)


def _one_task(shared: _Shared, task: str | _DrawTask) -> _Done:
    return _central_form(shared, task) if isinstance(task, str) else _one_draw(shared.setup, task)


def _central_form(shared: _Shared, form: str) -> _Done:
    """All candidates of one labelled form on the fine grid, at the medians, under all surroundings."""
    setup, draw = shared.setup, shared.setup.draw()
    world = World(setup, draw, shared.maps, pairs=None)
    done = [central_candidate(world, c) for c in setup.evaluable if c.form.name == form]
    return _Done(central=done, used=dict(draw.used))


def _one_draw(setup: Setup, task: _DrawTask) -> _Done:
    """All candidates in one world, and its fields where they are kept."""
    draw = setup.draw(task.index)
    maps = tissue_maps(setup, draw, task.spacing_um)
    world = World.of_draw(setup, draw, maps) if task.coarse else World(setup, draw, maps, pairs=None)
    kept = task.coarse and task.index is not None and task.index < MOST_DRAWS
    return _Done(metrics={c.name: world.evaluate(c) for c in setup.evaluable},
                 fields=drawn_fields(maps) if kept else ())


def _spot_columns(
    model: SpotModel, tissue: TissueMap, central: Sequence[CentralCandidate], section: int
) -> Mapping[str, Array]:
    """Columns for the user's own object: tissue fields, and dose and survival of each candidate, at the spots."""
    fields: dict[str, Array] = {
        f"cell_density_{name}_per_mm3": field for name, field in tissue.cell_density_per_mm3.items()
    }
    fields |= {f"target_{t.name}_nmol_per_L": t.total_nmol_per_L for t in tissue.targets.values()}
    fields |= {
        "vessel_surface_per_cm": tissue.vessel_surface_per_cm,
        "matrix": tissue.matrix,
        "oxygen_mmHg": tissue.oxygen_mmHg,
    }
    for entry in central:
        dose = np.asarray(sum(entry.dose_by_quality[section].values()))
        fields[f"dose_{entry.candidate.name}_Gy"] = dose
        fields[f"log10_survival_{entry.candidate.name}"] = entry.log10_survival[section]
    columns = {name: grid_to_rows(field, model, tissue.grid) for name, field in fields.items()}
    if model.cells is not None:
        columns |= {f"share_{name}": model.cells.share[:, i] for i, name in enumerate(model.cell_types)}
    return columns
