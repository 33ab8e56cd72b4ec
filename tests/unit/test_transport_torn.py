"""Tissue in pieces: cracks, islands and holes, whose coarse grids are made of connected parts of blocks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from nichedose.transport import _march, differentiate
from nichedose.transport._checkerboard import build_ladder, with_parts
from nichedose.transport._equations import coefficients
from nichedose.transport._march import Stages, Step, march
from nichedose.transport._parts import cycle_of_parts, prepare_parts
from nichedose.transport._smoothing import place_of
from transport_cases import PEPTIDE, SMALL, run, section, total
from transport_linear import Linear, conductances


def waves(shape: tuple[int, ...], width: float) -> np.ndarray:
    return gaussian_filter(np.random.default_rng(1).standard_normal(shape), width, mode="wrap")


def cracked(*shape: int) -> np.ndarray:
    """Islands that cracks one voxel wide part from each other."""
    side, mask = np.signbit(waves(shape, 2.5)), np.ones(shape, bool)
    for axis in range(len(shape)):
        first, whole = np.moveaxis(side, axis, 0), np.moveaxis(mask, axis, 0)
        whole[1:][first[1:] != first[:-1]] = False
    return mask


def shredded(*shape: int) -> np.ndarray:
    field = waves(shape, 1.0)
    return np.asarray(field >= np.quantile(field, 0.35))


MASKS = {"cracked": cracked(23, 18), "shredded": shredded(17, 22), "shredded stack": shredded(6, 7, 9),
         "diagonals": np.indices((7, 6)).sum(axis=0) % 3 > 0}  # fmt: skip


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("patchy", [False, True], ids=["one conductance", "each its own"])
def test_each_piece_of_tissue_ends_as_one_cell(name: str, patchy: bool) -> None:
    mask = MASKS[name]
    linear = Linear(mask, conductances(mask, patchy), 7.0, in_parts=True)
    first, start, _, row, neighbour, conductance, up, fields = linear.ladder.parts
    pieces, count = label(mask)
    prepare_parts(linear.levels, linear.a, linear.ladder.parts)
    place, nowhere = first.astype(np.int64)[linear.order], int(start[-1])  # of each voxel, on one grid after the other
    last = place.copy()
    for level in range(start.size - 1):
        lo, hi = int(start[level]), int(start[level + 1])
        on = place < nowhere
        assert (place[on] >= lo).all()
        assert (place[on] < hi).all()
        mass = np.bincount(place[on] - lo, linear.mass[mask][on], hi - lo)
        np.testing.assert_allclose(mass, fields[2, lo:hi], rtol=1e-13)
        last[on] = place[on]
        place = np.append(up.astype(np.int64), np.full(nowhere + 1 - up.size, nowhere))[place]
    own = [np.unique(last[pieces[mask] == piece]) for piece in range(1, count + 1)]
    assert all(cells.size == 1 for cells in own)
    alone = [int(np.count_nonzero(pieces == piece)) == 1 for piece in range(1, count + 1)]
    ends = [int(cells[0]) for cells, single in zip(own, alone, strict=True) if not single]
    assert len(set(ends)) == len(ends)
    assert nowhere not in ends
    assert not any(conductance[int(row[end]) : int(row[end + 1])].any() for end in ends)
    assert (neighbour < nowhere).all()


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("patchy", [False, True], ids=["one conductance", "each its own"])
def test_the_cycle_is_symmetric_and_positive_definite(name: str, patchy: bool) -> None:
    mask = MASKS[name]
    linear = Linear(mask, conductances(mask, patchy), 7.0, in_parts=True)
    at, cycle = place_of(0, linear.ladder.sizes), []
    prepare_parts(linear.levels, linear.a, linear.ladder.parts)
    for v in linear.order:
        linear.work[0, : linear.cells] = 0.0
        linear.work[0, v] = 1.0
        cycle_of_parts(
            linear.work[1], linear.work[0], linear.inverse, linear.ladder.faces, at, linear.ladder.even, linear.a,
            linear.ladder.deep, linear.work[3], linear.ladder.parts, 0.0)  # fmt: skip
        cycle.append(linear.work[1, linear.order])
    assert np.allclose(cycle, np.transpose(cycle), atol=1e-13)
    assert np.linalg.eigvalsh(cycle).min() > 0.0
    assert np.linalg.eigvals(np.array(cycle) @ linear.matrix).real.max() < 2.0  # also converges by itself


@pytest.mark.parametrize(
    ("mask", "gain"), [(cracked(40, 41), 3.0), (shredded(45, 36), 3.0), (shredded(11, 12, 13), 0.5)],
    ids=["cracked", "shredded", "shredded stack"],
)  # fmt: skip
@pytest.mark.parametrize("patchy", [False, True], ids=["one conductance", "each its own"])
def test_the_solver_solves_in_few_cycles_where_pieces_share_blocks(mask: np.ndarray, gain: float, patchy: bool) -> None:
    """Little mass: what is hardest. Found: 8 to 12 cycles in sections, 38 to 62 with blocks that are not taken apart;
    8 to 10 in the small stack, where blocks do with 6 to 8."""
    used = []
    for in_parts in (True, False):
        linear = Linear(mask, conductances(mask, patchy), 3e3, 1e-1, in_parts)
        right = np.random.default_rng(3).standard_normal(linear.order.size)
        found, cycles = linear.solve(right, 1e-4)
        used.append(cycles)
        if in_parts:
            assert np.linalg.norm(right - linear.matrix @ found) < 1.1e-4 * np.linalg.norm(right)
    assert used[0] <= 16
    assert used[1] > gain * used[0]


def test_whole_tissue_and_smooth_edges_need_no_parts() -> None:
    y, x = np.mgrid[:40, :40]
    ladder = build_ladder(np.ones((9, 8), bool), 3.0)
    assert with_parts(ladder, np.ones((9, 8), bool), 3.0).parts[0].size == 0
    half = y + 0 * x < 17
    assert with_parts(build_ladder(half, 3.0), half, 3.0).parts[0].size == 0


@pytest.mark.parametrize("n", [48, 96, 192])
@pytest.mark.parametrize("make", [cracked, shredded])
def test_cycles_stay_flat_with_the_grid(n: int, make: object) -> None:
    """Found 4.6 to 6.4 a Newton step; with blocks that are not taken apart 5 to 11 at 48, 11 to 19 at 192, and 20 to 42
    at 500 (shredded and cracked)."""
    mask = make(n, n)  # type: ignore[operator]
    out = march(coefficients(section(n, mask=mask), PEPTIDE, "void"), SMALL, 480.0, np.array([0.0]), 1e-3)
    assert out.newton / (5 * (len(out.times_h) - 1 + out.rejected)) < 2.0
    assert out.cycles / out.newton < 7.0


def test_the_result_is_that_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    tissue, taken_apart = section(48, mask=cracked(48, 48)), []
    take_apart = _march.with_parts
    monkeypatch.setattr(_march, "with_parts", lambda *given: (taken_apart.append(given), take_apart(*given))[1])
    parts = run(tissue, tolerance=1e-6)
    assert taken_apart
    monkeypatch.setattr(_march, "with_parts", lambda ladder, mask, faces: ladder)
    blocks = run(tissue, tolerance=1e-6)
    for name in parts.decay_per_h:
        mean = total(blocks, name)[tissue.mask].mean()
        np.testing.assert_allclose(total(parts, name), total(blocks, name), rtol=1e-5, atol=1e-7 * mean)


def test_steps_before_and_after_blocks_were_taken_apart_are_solved_again_to_the_same_bits() -> None:
    n = 48
    tissue, seen = section(n, mask=cracked(n, n)), []
    stages = Stages(coefficients(tissue, PEPTIDE, "void"))

    def record(start_h: float, step: Step, run: Stages) -> None:
        seen.append(run.in_parts)

    march(stages.eq, SMALL, 480.0, np.array([0.0]), 1e-3, record=record, stages=stages)
    assert True in seen
    assert False in seen

    def mean(maps: object) -> tuple[float, dict[str, dict[str, np.ndarray]]]:
        states = maps["177Lu"]  # type: ignore[index]
        return float(sum(f.mean() for f in states.values())), {"177Lu": {s: np.full((n, n), n**-2.0) for s in states}}

    options = {"end_h": 480.0, "decay_per_h": {"177Lu": math.log(2.0) / 159.5}}
    whole = differentiate(tissue, PEPTIDE, SMALL, mean, **options)
    little = differentiate(tissue, PEPTIDE, SMALL, mean, memory_GiB=1e-9, **options)
    assert little.value == whole.value
    assert little.ligand == whole.ligand
    np.testing.assert_array_equal(little.target_nmol_per_L, whole.target_nmol_per_L)

    def value(kon: float) -> float:
        ligand = replace(PEPTIDE, association_L_per_nmol_per_h=kon)
        return mean(run(tissue, ligand, tolerance=1e-6, **options).time_integrals_nmol_h_per_L)[0]

    expected = (value(0.606) - value(0.594)) / 0.012
    assert whole.ligand["association_L_per_nmol_per_h"] == pytest.approx(expected, rel=2e-3)
