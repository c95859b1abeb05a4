"""Landing: usage files and tables into the lake, validated and accounted for."""

from orchestration.landing.run import LandingSummary, land

__all__ = ["LandingSummary", "land"]
