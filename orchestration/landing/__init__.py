"""Landing: usage files and tables into the lake, validated and accounted for."""

from orchestration.landing.run import LandingSummary, check_usage, land

__all__ = ["LandingSummary", "check_usage", "land"]
