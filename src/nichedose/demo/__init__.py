"""A synthetic section with known ground truth, and the demo case that plans on it. Nothing here was measured."""

from nichedose.demo.section import SAMPLE, SyntheticSection, generate_section, spot_array
from nichedose.demo.truth import CELL_TYPES, DEFAULT_SEED, GroundTruth, ground_truth
from nichedose.demo.write import write_demo

__all__ = [
    "CELL_TYPES", "DEFAULT_SEED", "SAMPLE", "GroundTruth", "SyntheticSection", "generate_section", "ground_truth",
    "spot_array", "write_demo",
]
