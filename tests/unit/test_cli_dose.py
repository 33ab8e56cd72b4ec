"""`nichedose kernel` and `nichedose svalue`: tables with units, JSON, mistakes named."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.dose import CHARGED, alpha_let_keV_per_um, cell_s_values, point_kernel, sphere_s_value, voxel_s_values
from nichedose.errors import BadInput, OutOfValidity


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_kernel_prints_a_table_with_units() -> None:
    said = run("kernel", "Lu-177", "--radii", "10um,1mm,5cm")
    assert "177Lu: dose at a distance from a point source in water, Gy per decay" in said
    assert "radius_um" in said and "photon_Gy" in said
    assert "the nuclide alone" in said
    assert f"{float(point_kernel('177Lu', 1000.0)):.4g}" in said


def test_kernel_json() -> None:
    said = json.loads(run("kernel", "225Ac", "--radii", "20 um", "--quality", "alpha", "--daughters", "equilibrium",
                          "--json"))
    assert said["rows"] == [{"radius_um": 20.0, "alpha_Gy": pytest.approx(
        float(point_kernel("225Ac", 20.0, "alpha", "equilibrium"))), "total_Gy": pytest.approx(
        float(point_kernel("225Ac", 20.0, "alpha", "equilibrium"))), "alpha_let_keV_per_um": pytest.approx(
        float(alpha_let_keV_per_um("225Ac", 20.0, "equilibrium")))}]
    assert "all progeny in place" in said["note"]


def test_sphere() -> None:
    rows = json.loads(run("svalue", "177Lu", "--sphere", "100um", "--json"))["rows"]
    assert rows[-1] == {"quality": "total", "dose_Gy": pytest.approx(sphere_s_value("177Lu", 100.0))}
    assert [r["quality"] for r in rows] == ["beta", "conversion", "auger", "photon", "total"]


def test_voxel() -> None:
    rows = json.loads(run("svalue", "90Y", "--voxel", "3mm", "--shape", "5", "--json"))["rows"]
    assert len(rows) == 10  # one of each kind under the symmetries of a cube
    s = voxel_s_values("90Y", 3.0, 5)
    for row in rows:
        assert row["dose_Gy"] == pytest.approx(s[2 + int(row["z"]), 2 + int(row["y"]), 2 + int(row["x"])])
    oblong = json.loads(run("svalue", "90Y", "--voxel", "4mm,3mm,3mm", "--shape", "3", "--json"))["rows"]
    assert len(oblong) == 8
    assert "4 x 3 x 3 mm" in run("svalue", "90Y", "--voxel", "4mm,3mm,3mm", "--shape", "3")


def test_cell() -> None:
    rows = json.loads(run("svalue", "177Lu", "--cell", "7um", "--nucleus", "5um", "--json"))["rows"]
    values = {(r["target"], r["source"]): r["dose_Gy"] for r in rows}
    assert values == pytest.approx(cell_s_values("177Lu", 7.0, 5.0))


def test_decay_data_are_named_and_chosen() -> None:
    assert "Decay data: ICRP Publication 107." in run("kernel", "177Lu", "--radii", "1mm")
    for question in (("kernel", "177Lu", "--radii", "30um"), ("svalue", "177Lu", "--sphere", "1mm"),
                     ("svalue", "177Lu", "--voxel", "1mm", "--shape", "1"),
                     ("svalue", "177Lu", "--cell", "7um", "--nucleus", "5um")):
        one, other = (json.loads(run(*question, "--decay-data", data, "--json")) for data in ("icrp107", "ensdf"))
        assert one["rows"] != other["rows"] and "Decay data: ENSDF." in other["note"]


@pytest.mark.parametrize(("arguments", "message"), [
    (("kernel", "177Lx", "--radii", "1mm"), "Did you mean '177Lu'"),
    (("kernel", "177Lu", "--radii", "1"), "--radii: '1' has no unit"),
    (("kernel", "177Lu", "--radii", "1mm,"), "--radii"),
    (("kernel", "177Lu", "--radii", "0mm"), "must be above 0"),
    (("kernel", "177Lu", "--radii", "1h"), "measures time"),
    (("kernel", "177Lu", "--radii", "1mm", "--quality", "bta"), "Did you mean 'beta'"),
    (("kernel", "177Lu", "--radii", "1mm", "--daughters", "all"), "'none' or 'equilibrium'"),
    (("kernel", "177Lu", "--radii", "1mm", "--decay-data", "endf"), "'icrp107' or 'ensdf'"),
    (("kernel", "177Lu", "--radii", "1mm", "--quality", "alpha"), "it emits beta, conversion, auger, photon."),
    (("svalue", "177Lu", "--sphere", "nan mm"), "--sphere"),
    (("svalue", "225Ac", "--sphere", "1um,2um"), "--sphere"),
    (("svalue", "177Lu", "--voxel", "3mm", "--shape", "9999"), "at most 2 GiB"),
    (("svalue", "175Lu", "--sphere", "1mm"), "stable nuclides are not in it"),
    (("svalue", "", "--sphere", "1mm"), "is not a radionuclide"),
    (("svalue", "177Lu"), "found none"),
    (("svalue", "177Lu", "--sphere", "1mm", "--voxel", "1mm"), "found --sphere, --voxel"),
    (("svalue", "177Lu", "--cell", "7um"), "go together"),
    (("svalue", "177Lu", "--cell", "5um", "--nucleus", "7um"), "smaller than the cell"),
    (("svalue", "177Lu", "--voxel", "3mm", "--shape", "4"), "odd"),
    (("svalue", "177Lu", "--voxel", "3mm,3mm"), "three for z, y and x"),
    (("svalue", "177Lu", "--sphere=-1mm"), "must be above 0"),
    (("svalue", "177Lu", "--cell", "7um", "--nucleus", "5um", "--density", "1.04 g/mL"), "goes with --sphere or"),
    (("svalue", "177Lu", "--sphere", "1mm", "--density", "1.04"), "--density: '1.04' has no unit"),
    (("svalue", "177Lu", "--sphere", "1mm", "--density", "1.04 mm"), "--density: "),
    (("svalue", "177Lu", "--sphere", "1mm", "--shape", "5"), "--shape goes with --voxel"),
    (("svalue", "177Lu", "--sphere", "1mm", "--quality", "beta,bta"), "Did you mean 'beta'"),
])
def test_mistakes_are_named(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, list(arguments))
    assert isinstance(done.exception, BadInput)
    assert message in str(done.exception)


def test_density_of_spheres_and_voxels() -> None:
    rows = json.loads(run("svalue", "177Lu", "--sphere", "1mm", "--density", "1.04 g/mL", "--json"))["rows"]
    assert rows[-1]["dose_Gy"] == pytest.approx(sphere_s_value("177Lu", 1000.0, density_g_per_mL=1.04))
    said = run("svalue", "90Y", "--voxel", "3mm", "--shape", "3", "--density", "1.04 g/mL")
    assert "1.04 g/mL water voxels" in said
    assert f"{float(voxel_s_values('90Y', 3.0, 3, density_g_per_mL=1.04)[1, 1, 1]):.4g}" in said


@pytest.mark.parametrize(("density", "message"), [("3 g/mL", "scaling water holds"), ("1.9 g/mL", "tissue is bone")])
def test_densities_that_do_not_hold(density: str, message: str) -> None:
    done = CliRunner().invoke(app, ["svalue", "177Lu", "--sphere", "1mm", "--density", density])
    assert isinstance(done.exception, OutOfValidity)
    assert message in str(done.exception)


def test_several_qualities() -> None:
    """Charged particles alone, as the refusal of photons in bone asks for."""
    charged = "alpha, recoil,beta,conversion,auger"
    rows = json.loads(run("svalue", "177Lu", "--sphere", "1mm", "--density", "1.9 g/mL", "--quality", charged,
                          "--json"))["rows"]
    assert [r["quality"] for r in rows] == ["beta", "conversion", "auger", "total"]
    assert rows[-1]["dose_Gy"] == pytest.approx(
        sphere_s_value("177Lu", 1000.0, quality=CHARGED, density_g_per_mL=1.9))


def test_what_is_left_out_is_said() -> None:
    """252Cf gives its fragments as much energy as its alphas; recoils have a quality and no dose at a distance."""
    assert "Spontaneous fission, 6.33 MeV per decay, is left out." in run("svalue", "252Cf", "--sphere", "1mm")
    assert "fission" not in run("svalue", "238U", "--sphere", "1mm")  # 1e-4 MeV
    assert "Recoils stop" in run("kernel", "211At", "--radii", "1um", "--quality", "recoil")
    assert "Recoils" not in run("kernel", "177Lu", "--radii", "1um")
