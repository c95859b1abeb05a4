"""Writes the catalog of the sample company and its meterhouse.yml."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from orchestration.sample_company import enterprise, prices
from orchestration.sample_company.prices import Row
from orchestration.sample_company.roles import Customer
from orchestration.sample_company.shape import Shape

COMPANY = "Sample: Northwind Inference"

# Column order of every file, as in the catalog contract.
COLUMNS = {
    "customers": (
        "customer_id name email ingest_aliases stripe_customer_id billing_profile_id"
        " time_zone"
    ),
    "billing_profiles": (
        "billing_profile_id stripe_account collection_method days_until_due"
        " auto_finalize is_default skip_zero_totals"
    ),
    "billable_metrics": (
        "metric_id name aggregation aggregation_key event_types group_keys"
    ),
    "metric_filters": "metric_id property operator property_values",
    "products": (
        "product_id name product_type metric_id pricing_group_keys"
        " presentation_group_keys tags"
    ),
    "rate_cards": "rate_card_id name currency",
    "rates": (
        "rate_id rate_card_id product_id price_model pricing_group_values unit_price"
        " starting_at ending_before entitled"
    ),
    "rate_tiers": "rate_id tier_start tier_end unit_price",
    "contracts": (
        "contract_id customer_id rate_card_id name starting_at ending_before"
        " billing_frequency billing_day net_payment_terms_days billing_profile_id"
        " grace_hours late_usage_policy renews_contract_id"
    ),
    "commits": (
        "commit_id customer_id contract_id name commit_type currency amount"
        " invoice_amount starting_at ending_before priority applicable_product_ids"
        " rollover_fraction created_at"
    ),
    "invoice_schedules": "commit_id amount invoice_at",
    "credits": (
        "credit_id customer_id contract_id name currency amount starting_at"
        " ending_before priority applicable_product_ids created_at"
    ),
}

_PROFILES: tuple[Row, ...] = (
    {
        "billing_profile_id": "card",
        "collection_method": "charge_automatically",
        "auto_finalize": "true",
        "is_default": "true",
    },
    {
        "billing_profile_id": "invoice30",
        "collection_method": "send_invoice",
        "days_until_due": "30",
        "auto_finalize": "true",
        "is_default": "false",
    },
    {
        # Someone reads these before they leave: they stay drafts in Stripe.
        "billing_profile_id": "drafts",
        "collection_method": "send_invoice",
        "days_until_due": "30",
        "auto_finalize": "false",
        "is_default": "false",
    },
)

_TOKEN_KEYS = "model+region+service_tier"

_METRICS: tuple[Row, ...] = (
    {
        "metric_id": "input_tokens",
        "name": "Input tokens",
        "aggregation": "SUM",
        "aggregation_key": "input_tokens",
        "event_types": "llm.completion",
        "group_keys": _TOKEN_KEYS,
    },
    {
        "metric_id": "output_tokens",
        "name": "Output tokens",
        "aggregation": "SUM",
        "aggregation_key": "output_tokens",
        "event_types": "llm.completion",
        "group_keys": _TOKEN_KEYS,
    },
    {
        "metric_id": "api_requests",
        "name": "Successful API requests",
        "aggregation": "COUNT",
        "event_types": "llm.completion",
    },
    {
        "metric_id": "failed_requests",
        "name": "Failed API requests",
        "aggregation": "COUNT",
        "event_types": "llm.completion",
    },
    {
        "metric_id": "storage_gb_hours",
        "name": "Storage, GB hours",
        "aggregation": "SUM",
        "aggregation_key": "gb_hours",
        "event_types": "storage.snapshot",
        "group_keys": "region+project|region",
    },
)

_FILTERS: tuple[Row, ...] = (
    {
        "metric_id": "api_requests",
        "property": "status",
        "operator": "in",
        "property_values": "ok",
    },
    {"metric_id": "api_requests", "property": "dry_run", "operator": "not_exists"},
    {
        "metric_id": "failed_requests",
        "property": "status",
        "operator": "in",
        "property_values": "error|rate_limited",
    },
)

_PRODUCTS: tuple[Row, ...] = (
    {
        "product_id": "input_tokens",
        "name": "Input tokens",
        "metric_id": "input_tokens",
        "pricing_group_keys": "model|region|service_tier",
        "tags": "llm|tokens",
    },
    {
        "product_id": "output_tokens",
        "name": "Output tokens",
        "metric_id": "output_tokens",
        "pricing_group_keys": "model|region|service_tier",
        "tags": "llm|tokens",
    },
    {
        "product_id": "api_requests",
        "name": "API requests",
        "metric_id": "api_requests",
        "tags": "llm",
    },
    {
        # Priced, but not entitled on any card: listed as unbilled, with that reason.
        "product_id": "failed_requests",
        "name": "Failed API requests",
        "metric_id": "failed_requests",
    },
    {
        "product_id": "storage",
        "name": "Storage",
        "metric_id": "storage_gb_hours",
        "pricing_group_keys": "region",
        "presentation_group_keys": "project",
        "tags": "storage",
    },
)


def _customer_rows(customers: list[Customer]) -> Iterable[Row]:
    for customer in customers:
        slug = customer.name.lower().replace(" ", "-")
        yield {
            "customer_id": customer.customer_id,
            "name": customer.name,
            "email": f"billing@{slug}.example",
            "ingest_aliases": "|".join(customer.aliases),
            # Blank means the default profile, which is the card.
            "billing_profile_id": (
                ""
                if customer.billing_profile_id == "card"
                else customer.billing_profile_id
            ),
        }


def _contract_rows(customers: list[Customer]) -> Iterable[Row]:
    for customer in customers:
        for term in customer.terms:
            yield {
                "contract_id": term.contract_id,
                "customer_id": customer.customer_id,
                "rate_card_id": prices.card_id(customer.currency),
                "name": f"{customer.name}, {customer.segment}",
                "starting_at": prices.text(term.starting_at),
                "ending_before": prices.text(term.ending_before),
                "billing_frequency": "MONTHLY",
                "billing_day": term.billing_day,
                "net_payment_terms_days": customer.net_payment_terms_days,
                "late_usage_policy": customer.late_usage_policy,
            }


def write_catalog(directory: Path, shape: Shape, customers: list[Customer]) -> None:
    """Write every catalog file below `directory`/catalog."""
    folder = directory / "catalog"
    folder.mkdir(parents=True, exist_ok=True)
    usage = [{**product, "product_type": "USAGE"} for product in _PRODUCTS]
    files: dict[str, Iterable[Row]] = {
        "customers": _customer_rows(customers),
        "billing_profiles": _PROFILES,
        "billable_metrics": _METRICS,
        "metric_filters": _FILTERS,
        "products": usage,
        "rate_cards": prices.rate_cards(),
        "rates": prices.rates(shape),
        "rate_tiers": prices.rate_tiers(shape),
        "contracts": _contract_rows(customers),
        "commits": prices.commits(shape, customers),
        "invoice_schedules": (),
        "credits": prices.credits(shape, customers),
    }
    by_hand = enterprise.catalog_rows(shape)
    for name, rows in files.items():
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(
                handle, COLUMNS[name].split(), restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(rows)
            writer.writerows(by_hand.get(name, ()))


def write_settings(directory: Path, customers: list[Customer]) -> None:
    """Write meterhouse.yml: names, window, and how the sandbox's customers pay."""
    early, late, declined = (customers[number].customer_id for number in (13, 1, 6))
    (directory / "meterhouse.yml").write_text(
        f"""\
# Settings of the sample company. Every key is optional; docs/workspace.md lists them.
workspace:
  name: "{COMPANY}"
  environment: sample
window_days: 34
currency_default: USD
stripe:
  accounts:
    default:
      key_env: STRIPE_API_KEY
# How customers behave in the embedded Stripe sandbox; all others pay at once.
sandbox:
  customers:
    {early}:
      pays_after_days: 10  # in time
    {enterprise.CUSTOMER}:
      pays_after_days: 10
    {late}:
      pays_after_days: 40  # after the 30 days of its profile: late
    {declined}:
      payment_method: pm_card_chargeDeclined
""",
        encoding="utf-8",
    )
