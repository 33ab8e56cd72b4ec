"""The results folder: what is in it, that it is whole or not there, and that it can be read back."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
import xarray as xr
from io_fake import FakeVisium, write_visium
from report_fake import fake_result

from nichedose.errors import BadInput
from nichedose.io import assay_to_anndata, hash_inputs, load_results, prepare_output, read_tissue, write_results
from nichedose.io.result_store import file_names, jsonable
from nichedose.results import PlanResult
from nichedose.tissue.assay import SpatialAssay

FAKE = FakeVisium.make()
COLUMNS = {"oxygen_mmHg": np.arange(50.0), "nichedose_dose_177Lu/X_Gy": np.ones(50), "log10_survival_X": -np.ones(50)}


@pytest.fixture
def assay(tmp_path: Path) -> SpatialAssay:
    return read_tissue(write_visium(tmp_path / "data" / "section A", FAKE))


@pytest.fixture(scope="module")
def result() -> PlanResult:
    return fake_result(n=10, agents=4, evaluable=3, sections=2, draws=4)


def write(
    folder: Path, result: PlanResult, assay: SpatialAssay, *, overwrite: bool = False, html: str = "<html>"
) -> Path:
    return write_results(folder, result, html, overwrite=overwrite, assays=[assay], obs_columns=[COLUMNS])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_folder_holds_what_it_should_and_nothing_is_left_beside_it(
    tmp_path: Path, result: PlanResult, assay: SpatialAssay
) -> None:
    folder = write(tmp_path / "out" / "deep" / "run", result, assay)
    assert sorted(p.name for p in folder.iterdir()) == [
        "fake.h5ad", "organs.csv", "provenance.json", "ranking.csv", "report.html", "results.zarr", "values.csv"]
    assert [p.name for p in folder.parent.iterdir()] == ["run"]


def test_round_trip(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    back = load_results(write(tmp_path / "run", result, assay))
    assert back.attributes["schema_version"] == "1" and back.attributes["synthetic"] is True
    assert list(back.tissue) == ["section_A", "section_B"]
    for name, section in zip(back.tissue, result.sections, strict=True):
        xr.testing.assert_equal(back.tissue[name], section.tissue)
        xr.testing.assert_equal(back.tissue_quantiles[name], section.tissue_quantiles)
        xr.testing.assert_equal(back.candidates[name], section.candidates)
        for dataset in (back.tissue[name], back.candidates[name]):
            assert all("units" in v.attrs for v in dataset.data_vars.values())
        assert back.tissue[name].attrs["scale_evidence"] == section.scale_evidence
        assert json.loads(back.tissue[name].attrs["gene_coverage"])["targets"]["B7-H3"]["missing"] == ["CD276"]
    assert back.tissue["section_A"]["target_PSMA_tumour"].attrs["units"] == "nmol/L"
    assert back.draws.sizes["draw"] == 4
    assert back.provenance["seed"] == 1 and back.provenance["case_toml"] == result.case_toml
    assert back.provenance["inputs"] == {"section/matrix.h5": "0f" * 32}  # what the study recorded stands
    assert back.provenance["deciding_inputs"][-1] == {"key": "never", "share": None}


def test_results_without_quantiles_of_fields_read_back(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    """A plan with too few draws has none; nor had results of earlier versions."""
    bare = replace(result, sections=tuple(replace(s, tissue_quantiles=xr.Dataset()) for s in result.sections))
    back = load_results(write(tmp_path / "run", bare, assay))
    assert back.tissue_quantiles == {} and list(back.tissue) == ["section_A", "section_B"]


def test_tables(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    back = load_results(write(tmp_path / "run", result, assay))
    ranking = back.ranking
    assert len(ranking) == sum(len(c.modes) for c in result.candidates)
    first = result.candidates[0]
    mode = first.modes[result.decide_by]
    row = ranking[(ranking["candidate"] == first.name) & (ranking["mode"] == result.decide_by)].iloc[0]
    assert mode.mean_dose_Gy is not None
    assert row["mean_dose_Gy_central"] == mode.mean_dose_Gy.central and row["mean_dose_Gy_q95"] == mode.mean_dose_Gy.q95
    assert row["rank"] == mode.rank and row["status"] == first.status
    assert list(back.values["key"]) == sorted(u.key for u in result.values_used)
    cited = back.values[back.values["source"] == "fake_one"].iloc[0]
    assert cited["doi"] == "10.0000/fake.1" and cited["citation"].startswith("A made-up source")
    assert len(back.organs) == sum(len(m.organs) for c in result.candidates for m in c.modes.values())


def test_anndata_goes_on_and_reads_back(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    path = write(tmp_path / "run", result, assay) / "fake.h5ad"
    data = anndata.read_h5ad(path)
    assert np.array_equal(data.X.toarray(), FAKE.counts)
    np.testing.assert_array_equal(data.obsm["spatial"], assay.xy_um)
    assert data.uns["nichedose"]["units"] == {
        "nichedose_oxygen_mmHg": "mmHg", "nichedose_dose_177Lu_X_Gy": "Gy", "nichedose_log10_survival_X": "1"}
    assert data.obs["nichedose_oxygen_mmHg"].iloc[7] == 7.0 and "array_row" in data.obs
    again = read_tissue(path)
    np.testing.assert_array_equal(again.xy_um, assay.xy_um)
    assert (again.genes, again.barcodes, again.pitch_um, again.lattice) == (
        assay.genes, assay.barcodes, 100.0, "hexagonal")
    many = assay_to_anndata(assay, {f"score_{i}": np.full(50, float(i)) for i in range(150)})  # a warning is an error
    assert many.obs["nichedose_score_149"].iloc[3] == 149.0 and list(many.obs_names) == list(assay.barcodes)
    with pytest.raises(BadInput, match="column 'x' has shape"):
        assay_to_anndata(assay, {"x": np.ones(3)})


def test_same_result_same_bytes(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    one = contents(write(tmp_path / "one", result, assay))
    time.sleep(1.1)  # a clock in a file would show
    assert one == contents(write(tmp_path / "two", result, assay))


def test_inputs_are_named_by_section_and_file_without_paths(assay: SpatialAssay) -> None:
    found = hash_inputs([assay])
    assert len(found) == len(assay.files) > 0
    for file in assay.files:
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        assert found[f"{assay.sample}/{Path(file).name}"] == digest


def test_overwrite_replaces_only_our_own_results(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    folder = write(tmp_path / "run", result, assay)
    before = contents(folder)
    with pytest.raises(BadInput, match=r"holds earlier results.*--overwrite"):
        write(folder, result, assay)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"also notes\.txt, which nichedose did not write"):
        write(folder, result, assay, overwrite=True)
    (folder / "notes.txt").unlink()
    assert contents(folder) == before
    write(folder, result, assay, overwrite=True, html="new")
    assert (folder / "report.html").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir() if "nichedose" in p.name] == []


def test_foreign_folders_and_files_are_refused_early(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(BadInput, match=r"chapter1\.tex, which is no nichedose result"), \
            prepare_output(tmp_path / "thesis", True):
        pass
    with pytest.raises(BadInput, match="is a file"), prepare_output(tmp_path / "thesis" / "chapter1.tex", True):
        pass
    with pytest.raises(BadInput, match="cannot be made"), prepare_output(tmp_path / "thesis/chapter1.tex/run", True):
        pass
    with pytest.raises(BadInput, match="folder of its own"), prepare_output("/", True):
        pass
    (tmp_path / "empty").mkdir()
    with prepare_output(tmp_path / "empty", False) as place:
        assert place == (tmp_path / "empty").resolve()
    with pytest.raises(RuntimeError), prepare_output(tmp_path / "a" / "b", False):
        raise RuntimeError
    assert not (tmp_path / "a").exists()  # nothing was written, so nothing is left


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupt_leaves_earlier_results(
    tmp_path: Path, result: PlanResult, assay: SpatialAssay, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "run", result, assay)
    before = contents(folder)

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("nichedose.io.results_folder.values_table", fail)
    with pytest.raises(error):
        write(folder, result, assay, overwrite=True, html="new")
    with pytest.raises(error):
        write(tmp_path / "fresh", result, assay)
    assert contents(folder) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "run"]


def test_failure_to_put_in_place_brings_the_old_back(
    tmp_path: Path, result: PlanResult, assay: SpatialAssay, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "run", result, assay)
    before = contents(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith("-part"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no"):
        write(folder, result, assay, overwrite=True)
    monkeypatch.undo()
    assert contents(folder) == before


def test_killed_run_is_recovered_from(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    folder = write(tmp_path / "run", result, assay)
    before = contents(folder)
    # as after a kill between the two renames, with a half-written folder and a lock left behind
    folder.rename(tmp_path / ".run.nichedose-old")
    (tmp_path / ".run.nichedose-part").mkdir()
    (tmp_path / ".run.nichedose-lock").write_text("pid 999999 on elsewhere\n")
    with prepare_output(folder, True):
        assert contents(folder) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "run"]


_HOLD = """
import sys, time
from nichedose.io import prepare_output
with prepare_output(sys.argv[1], False):
    print("held", flush=True)
    time.sleep(60)
"""


def test_folder_of_another_run_is_refused_until_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match=rf"in use by another run \(pid {process.pid} on"), \
                prepare_output(folder, True):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert (tmp_path / ".run.nichedose-lock").exists()  # stale
    with prepare_output(folder, False):
        assert f"pid {os.getpid()}" in (tmp_path / ".run.nichedose-lock").read_text()
    assert not list(tmp_path.iterdir())


def test_writing_inside_a_prepared_run(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    with prepare_output(tmp_path / "run", False):
        with pytest.raises(BadInput, match="already writing"), prepare_output(tmp_path / "run", False):
            pass
        write(tmp_path / "run", result, assay)
    assert load_results(tmp_path / "run").attributes["title"] == result.title


def test_result_without_units_or_with_odd_names(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    section = result.sections[0]
    bare = section.tissue.assign(extra=(("y", "x"), np.zeros(section.tissue["oxygen"].shape)))
    with pytest.raises(ValueError, match="'extra' has no units"):
        write(tmp_path / "run", replace(result, sections=(replace(section, tissue=bare),)), assay)
    assert not (tmp_path / "run").exists()
    assert file_names(["A/1", "A_1", "a_1", "..", "ü 2"]) == ["A_1", "A_1-2", "a_1-3", "section", "ü_2"]
    odd = {"a": np.float64(np.nan), 1: (np.int64(2), Path("x")), "b": np.arange(2), "c": True}
    assert jsonable(odd) == {"a": None, "1": [2, "x"], "b": [0, 1], "c": True}


def test_load_refuses_what_is_no_result(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    with pytest.raises(BadInput, match="not a nichedose results folder"):
        load_results(tmp_path)
    folder = write(tmp_path / "run", result, assay)
    marker = folder / "provenance.json"
    text = marker.read_text()
    marker.write_text(text.replace('"schema_version": "1"', '"schema_version": "99"'))
    with pytest.raises(BadInput, match="schema version 99"):
        load_results(folder)
    marker.write_text(text)
    (folder / "ranking.csv").unlink()
    with pytest.raises(BadInput, match="not complete"):
        load_results(folder)


def test_store_opens_with_plain_xarray_without_a_warning(
    tmp_path: Path, result: PlanResult, assay: SpatialAssay
) -> None:
    store = write(tmp_path / "run", result, assay) / "results.zarr"
    groups = ["draws", *(f"sections/section_{x}/{part}" for x in "AB" for part in ("tissue", "candidates"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [xr.open_zarr(store, group=group).load() for group in groups]
        tree = xr.open_datatree(store, engine="zarr")
    assert set(tree["sections"].children) == {"section_A", "section_B"}
    for group, dataset in zip(groups, found, strict=True):
        assert all(v.attrs.get("units") for v in dataset.variables.values()), group  # coordinates too
        assert dataset.equals(tree[group].to_dataset())


def test_draws_say_the_unit_of_every_input(tmp_path: Path, result: PlanResult, assay: SpatialAssay) -> None:
    keys = ["tissue.cell_density_per_mm3", "form.X.dissociation_constant_nmol_per_L", "tissue.vessel_contrast"]
    draws = xr.Dataset(
        {"input": (("key", "draw"), np.ones((3, 4)), {"units": "as named by the key"})},
        coords={"key": keys, "draw": np.arange(4)})
    back = load_results(write(tmp_path / "run", replace(result, draws=draws), assay)).draws
    assert list(back["key_units"].values) == ["1/mm3", "nmol/L", "1"]
    assert back["input"].attrs["units"] == "as named by the key" and back["key"].attrs["units"] == "1"
