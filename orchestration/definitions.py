"""Entry point of Dagster: everything below `defs/` is found by being there."""

from pathlib import Path

import dagster as dg
from dagster import definitions, load_from_defs_folder


@definitions
def defs() -> dg.Definitions:
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
