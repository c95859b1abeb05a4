"""What dbt reads and nothing here makes: the price book and the two stores."""

import dagster as dg

from orchestration.dbt_assets import manifest, source_specs


@dg.definitions
def sources() -> dg.Definitions:
    return dg.Definitions(assets=source_specs(manifest()))
