"""The sample company: an AI API business, generated from a seed.

`generate` writes a workspace folder with a catalog, three months of usage and the
exact truth about it; `stage` brings it into a workspace as it arrived, day by day.
"""

from orchestration.sample_company.enterprise import correction
from orchestration.sample_company.generator import SampleCompany, generate
from orchestration.sample_company.staging import arrivals_until, stage

__all__ = ["SampleCompany", "arrivals_until", "correction", "generate", "stage"]
