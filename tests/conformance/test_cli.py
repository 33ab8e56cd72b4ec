"""The command line as a user meets it: results, messages, exit codes, and nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pytest
from plan_cases import AGENTS

from nichedose.demo import write_demo
from nichedose.io import load_results


def nichedose(*arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nichedose.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=300)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case on the synthetic section that runs in seconds."""
    path = write_demo(tmp_path_factory.mktemp("cli"))
    text = path.read_text(encoding="utf-8")
    head, *candidates = text.split("[[candidates]]")
    kept = [c for c in candidates[:-1] if any(f'"{a}"' in c for a in AGENTS)]
    tail = candidates[-1].split("[comparison]")[1]
    sampling = tail.replace("draws = 32", 'draws = 3\nworkers = 1\ngrid_spacing = "80 um"')
    body = "".join(f"[[candidates]]{c}" for c in [*kept, '\nagent = "177Lu-DOTATATE"\n'])
    path.write_text(f"{head}{body}[comparison]{sampling}", encoding="utf-8")
    return path


def changed(small: Path, name: str, *changes: tuple[str, str]) -> Path:
    text = small.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = small.with_name(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_plan_writes_a_complete_folder(small: Path) -> None:
    done = nichedose("plan", small, "--json", "-o", small.parent / "complete")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [c["status"] for c in said["candidates"]].count("not evaluable") == 1
    results = load_results(Path(said["folder"]))
    assert results.draws.sizes["draw"] == 3
    assert Path(said["report"]).stat().st_size < 5_000_000
    table = anndata.read_h5ad(Path(said["folder"]) / "synthetic_prostate.h5ad")
    assert "nichedose_oxygen_mmHg" in table.obs
    assert (table.X.sum() > 0) and np.isfinite(table.obsm["spatial"]).all()


def test_python_warnings_do_not_leak(small: Path) -> None:
    command = [sys.executable, "-m", "nichedose.cli", "plan", str(small), "--draws", "0", "-o",
               str(small.parent / "quiet")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize(("old", "new", "says"), [
    ('"177Lu-PSMA-617"', '"177Lu-PSMA-671"', "Did you mean '177Lu-PSMA-617'"),
    ('"177Lu-PSMA-617"', '"131I-PSMA-617"', "131I"),
    ('"15 mm"', '"15 GBq"', "length is needed"),
    ('"15 mm"', "15", "has no unit"),
    ('diameter = "15 mm"', 'diametre = "15 mm"', "Did you mean 'diameter'"),
    ('tumour = "prostate"', 'tumour = "prostrate"', "Did you mean 'prostate'"),
    ('PSMA = "60 nmol/L"', 'PSAM = "60 nmol/L"', "Did you mean 'PSMA'"),
    ('"60 nmol/L"', '"-60 nmol/L"', "it must be 0 to"),
    ('path = "synthetic_prostate"', 'path = "synthetic_prostat"', "synthetic_prostat"),
    ('decide_by = "equal_toxicity"', 'decide_by = "equal_luck"', "decide_by"),
    ("[lesion]", "[lesion", "not valid TOML"),
])
def test_a_mistake_in_the_case_is_named_and_nothing_is_written(small: Path, old: str, new: str, says: str) -> None:
    bad = changed(small, "bad.toml", (old, new))
    done = nichedose("plan", bad, "-o", small.parent / "never")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (small.parent / "never").exists()


def test_a_missing_case_is_named(tmp_path: Path) -> None:
    done = nichedose("plan", tmp_path / "no.toml")
    assert done.returncode == 2
    assert "no.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_are_json_too(tmp_path: Path) -> None:
    done = nichedose("plan", tmp_path / "no.toml", "--json")
    assert done.returncode == 2
    assert "no.toml" in json.loads(done.stdout)["error"]


def test_nothing_evaluable_is_exit_one_with_reasons(small: Path) -> None:
    head, *_ = small.read_text(encoding="utf-8").split("[[candidates]]")
    alone = small.with_name("alone.toml")
    alone.write_text(f'{head}[[candidates]]\nagent = "177Lu-DOTATATE"\n[output]\nfolder = "alone"\n', encoding="utf-8")
    done = nichedose("plan", alone)
    assert done.returncode == 1, done.stderr
    assert "SSTR2" in done.stdout
    assert (small.parent / "alone" / "report.html").is_file()


def test_a_folder_of_somebody_else_is_refused(small: Path) -> None:
    theirs = small.parent / "theirs"
    theirs.mkdir()
    (theirs / "thesis.docx").write_text("mine")
    done = nichedose("plan", small, "-o", theirs, "--overwrite")
    assert done.returncode == 2
    assert [p.name for p in theirs.iterdir()] == ["thesis.docx"]


def test_interrupting_keeps_earlier_results(small: Path) -> None:
    folder = small.parent / "kept"
    assert nichedose("plan", small, "--draws", "0", "-o", folder).returncode == 0
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    # Tests in the background of a shell would hand down an ignored SIGINT. It is set right after the start, not by
    # preexec_fn: that forks, which JAX, if another test has loaded it, warns of.
    heed = ("import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
            "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])")
    command = [sys.executable, "-c", heed, "-m", "nichedose.cli", "plan", str(small), "--draws", "400",
               "-o", str(folder), "--overwrite"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(8.0)  # well into the draws, past the imports
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".") and folder.name in p.name and p.is_dir()]


def test_new_schema_agents_and_version(tmp_path: Path) -> None:
    case = tmp_path / "case.toml"
    assert nichedose("new", case).returncode == 0
    again = nichedose("new", case)
    assert again.returncode == 2 and "--force" in again.stderr
    assert "sections" in json.loads(nichedose("schema").stdout)["properties"]
    assert len(json.loads(nichedose("agents", "--json").stdout)) >= 12
    assert nichedose("--version").stdout.startswith("nichedose ")


@pytest.mark.parametrize(("arguments", "code"), [
    (("svalue", "177Lu", "--voxel", "3mm"), 0),  # more than a buffer
    (("--help",), 0),
    (("svalue", "177Lu", "--sphere", "3"), 2),
])
def test_a_reader_that_leaves_changes_nothing(arguments: tuple[str, ...], code: int) -> None:
    """``| head``: what nobody reads is dropped, on stderr too, and the exit code is the command's own."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "nichedose.cli", *arguments]
    both = subprocess.STDOUT if code else subprocess.PIPE
    done = subprocess.run(command, stdout=writer, stderr=both, text=True, check=False, timeout=300)
    os.close(writer)
    assert done.returncode == code
    assert not done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nichedose.cli", "agents"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith("nichedose: ") and "Traceback" not in done.stderr
