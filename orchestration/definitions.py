"""Entry point of Dagster: everything below `defs/` is found by being there."""

from pathlib import Path

import dagster as dg
from dagster import definitions, load_from_defs_folder


@definitions
def defs() -> dg.Definitions:
    """The asset graph over the workspace named in METERHOUSE_WORKSPACE; loads without
    one too, so that the graph can be looked at before there is a business."""
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
