"""The page in a browser, where one is installed: the script runs, and reads the maps as Python does."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from report_fake import fake_result

from nichedose.report import render_report
from nichedose.report.encode import decode_map
from nichedose.report.format import number
from nichedose.report.maps import section_maps

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--dump-dom",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    (path / "report.html").write_text(render_report(fake_result(n=32)), encoding="utf-8")
    return path


def dom(folder: Path, state: str) -> str:
    """The page after its script has run."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"file://{folder}/report.html#{state}"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8")


def text_of(page: str, id: str) -> str:
    found = re.search(rf'id="{id}"[^>]*>(.*?)</', page, flags=re.S)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize(
    ("section", "candidate", "key"),
    [(0, "", "oxygen"), (1, "225Ac-PSMA-617", "dose"), (0, "177Lu-PSMA-617", "survival"), (0, "", "cells_tumour")],
)
def test_value_under_the_cursor(folder: Path, section: int, candidate: str, key: str) -> None:
    result = fake_result(n=32)
    layers = section_maps(result, [])[section].layers
    layer = next(x for x in layers if x.key == key and x.candidate == candidate)
    shown = decode_map(layer.coded)
    y, x = np.argwhere(np.isfinite(shown))[len(shown) * 7]
    page = dom(folder, f"section={section}&layer={key}&candidate={candidate}&probe={x},{y}&mode=as_prescribed")
    assert 'data-map="ready"' in page
    assert number(shown[y, x]) in text_of(page, "reading")
    assert f"x {number(20.0 * x)} µm, y {number(20.0 * y)} µm" in text_of(page, "reading")
    assert text_of(page, "map-name").startswith(layer.label)


def test_modes_and_sections_switch(folder: Path) -> None:
    page = dom(folder, "mode=equal_mean_dose&section=1")
    panels = re.findall(r'<div class="panel" data-mode-panel="(\w+)"( hidden="")?>', page)
    assert {mode for mode, hidden in panels if not hidden} == {"equal_mean_dose"}
    sections = re.findall(r'<div class="panel" data-section-panel="(\d)"( hidden="")?>', page)
    assert [s for s, hidden in sections if not hidden] == ["1"]


def test_values_filter_counts_its_rows(folder: Path) -> None:
    assert text_of(dom(folder, "mode=as_prescribed"), "value-count") == "66 of 66 shown"
