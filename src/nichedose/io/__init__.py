"""Files in and out, and nothing else: tissue readers, the case file, and the results folder."""

from nichedose.io.activity_table import read_activity_table, read_measured_activity
from nichedose.io.case_file import case_json_schema, read_case
from nichedose.io.hashes import hash_inputs
from nichedose.io.output import prepare_output
from nichedose.io.profile_folder import ProfiledSection, write_profile
from nichedose.io.reference import CellReference, read_normal_tissue, read_reference
from nichedose.io.results_folder import Results, load_results, write_results
from nichedose.io.section_paths import section_paths
from nichedose.io.sections import distinct_sections, read_sections
from nichedose.io.tissue_files import READERS, read_tissue
from nichedose.io.to_anndata import assay_to_anndata

__all__ = [
    "READERS",
    "CellReference",
    "ProfiledSection",
    "Results",
    "assay_to_anndata",
    "case_json_schema",
    "distinct_sections",
    "hash_inputs",
    "load_results",
    "prepare_output",
    "read_activity_table",
    "read_case",
    "read_measured_activity",
    "read_normal_tissue",
    "read_reference",
    "read_sections",
    "read_tissue",
    "section_paths",
    "write_profile",
    "write_results",
]
