"""Credits and commits in pricing units, by hand, over two closes.

1 credit (12 decimal places) = 0.01 USD in October, 0.02 from November; 1 token (2
places) = 0.0003 USD; 1 gem (no places) = 2 USD. Compute costs 1 credit, a call
0.333333333333 credits, inference 1.5 tokens, a stone half a gem, support 0.25 USD.

October
    acme    130 compute, 3 calls: 130 + 0.999999999999 credits; `gift` of 100 pays of
            the dearer line first: 30.999999999999 left = 0.30999999999999, 0.31 USD
    beta    40 compute, 3 calls: 40.999999999999 credits; `pool` of 41 pays all and
            keeps 0.000000000001; support 10 x 0.25 = 2.50 is paid by `cash` of 5.00 USD
    gamma   60 compute: `first` of 20 and `bought` of 50 for 0.40 USD pay 20 and 40;
            333 inference = 499.5 tokens: `texts` of 400.25 leave 99.25 x 0.0003 =
            0.029775, 0.03 USD
    delta   70 compute: `annual` of 100 pays them, 30 stay
    epsilon 4 compute: `monthly` of 10 pays them, 6 expire
    zeta    a stone on each of three days: running 0.5, 1, 1.5 gems, to 1, 1, 2: two gems
            (and not three, though 0.5 is one); `jewel` of 1 pays one: 1 x 2 = 2.00 USD
    eta     30 compute: `plan` of 100 pays them; of 70 half of 100 rolls over, 20 expire

Late, of October: 10 compute of delta. 80 - 70 paid = 10 credits = 0.10 USD, at the price
of October. acme's October is void: its 100 credits are back.

November
    acme    104 compute: the 100 that came back, 4 left = 0.08 USD
    delta   50 compute: the 30 that stayed; 20 left = 0.40 USD
    epsilon 13 compute: the 10 of November; 3 left = 0.06 USD
    zeta    4 stones, 2 gems: 1 given by hand; 1 left = 2.00 USD
    eta     60 compute: the 50 that rolled over; 10 left = 0.20 USD
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.ledger_entry import enter
from orchestration.void_invoice import void
from orchestration.workspace import Workspace
from tests.rating.test_pricing_units import plain
from tests.support import copy_of, instant, rows, run_until_close

OCTOBER, NOVEMBER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
CUSTOMERS = ("acme", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
PRODUCTS = {
    "compute": ("1", "credits"),
    "calls": ("0.333333333333", "credits"),
    "inference": ("1.5", "tokens"),
    "stones": ("0.5", "gems"),
    "support": ("0.25", ""),
}
CATALOG = {
    "customers": ["customer_id,name", *(f"{one},{one}" for one in CUSTOMERS)],
    "billing_profiles": [
        "billing_profile_id,collection_method,is_default",
        "card,charge_automatically,true",
    ],
    "billable_metrics": [
        "metric_id,name,aggregation,aggregation_key,event_types",
        *(f"{name},{name},SUM,units,{name}" for name in PRODUCTS),
    ],
    "products": [
        "product_id,name,product_type,metric_id",
        *(f"{name},{name.capitalize()},USAGE,{name}" for name in PRODUCTS),
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "pricing_units": [
        "pricing_unit_id,pricing_unit_name,decimal_places",
        "credits,Credits,",
        "tokens,Tokens,2",
        "gems,Gems,0",
    ],
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,credits,{OCTOBER},0.01",
        f"usd,credits,{NOVEMBER},0.02",
        f"usd,tokens,{OCTOBER},0.0003",
        f"usd,gems,{OCTOBER},2",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,pricing_unit_id,"
        "starting_at",
        *(
            f"{name},usd,{name},flat,{price},{unit},{OCTOBER}"
            for name, (price, unit) in PRODUCTS.items()
        ),
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before,"
        "renews_contract_id",
        *(f"k-{one},{one},usd,{OCTOBER},," for one in CUSTOMERS if one != "eta"),
        f"k-eta,eta,usd,{OCTOBER},{NOVEMBER},",
        f"k-eta-2,eta,usd,{NOVEMBER},2027-11-01T00:00Z,k-eta",
    ],
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,pricing_unit_id,amount,"
        "priority,rollover_fraction,starting_at,ending_before",
        f"gift,acme,,Gift,USD,credits,100,,,{OCTOBER},2027-01-01T00:00Z",
        f"pool,beta,,Pool,USD,credits,41,,,{OCTOBER},2027-01-01T00:00Z",
        f"cash,beta,,Cash,USD,,5.00,,,{OCTOBER},2027-01-01T00:00Z",
        f"first,gamma,,First,USD,credits,20,1,,{OCTOBER},2027-01-01T00:00Z",
        f"texts,gamma,,Texts,USD,tokens,400.25,,,{OCTOBER},2027-01-01T00:00Z",
        f"annual,delta,,Annual,USD,credits,100,,,{OCTOBER},2027-10-01T00:00Z",
        f"jewel,zeta,,Jewel,USD,gems,1,,,{OCTOBER},2027-01-01T00:00Z",
        f"plan,eta,k-eta,Plan,USD,credits,100,,0.5,{OCTOBER},2027-10-01T00:00Z",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,"
        "pricing_unit_id,amount,starting_at,ending_before",
        f"bought,gamma,k-gamma,Bought,PREPAID,USD,credits,50,{OCTOBER},"
        "2027-01-01T00:00Z",
    ],
    "invoice_schedules": [
        "commit_id,amount,invoice_at",
        f"bought,0.40,{OCTOBER}",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,pricing_unit_id,amount,"
        "starting_at",
        f"monthly,k-epsilon,Monthly,CREDIT,credits,10,{OCTOBER}",
    ],
}
# Customer, day of the event, product, units.
USED = [
    ("acme", "2026-10-05", "compute", "130"),
    ("acme", "2026-10-06", "calls", "3"),
    ("beta", "2026-10-05", "compute", "40"),
    ("beta", "2026-10-06", "calls", "3"),
    ("beta", "2026-10-07", "support", "10"),
    ("gamma", "2026-10-05", "compute", "60"),
    ("gamma", "2026-10-05", "inference", "333"),
    ("delta", "2026-10-05", "compute", "70"),
    ("epsilon", "2026-10-05", "compute", "4"),
    ("zeta", "2026-10-05", "stones", "1"),
    ("zeta", "2026-10-06", "stones", "1"),
    ("zeta", "2026-10-07", "stones", "1"),
    ("eta", "2026-10-05", "compute", "30"),
]
LATE = [("delta", "2026-10-20", "compute", "10")]
NEXT = [
    ("acme", "2026-11-05", "compute", "104"),
    ("delta", "2026-11-05", "compute", "50"),
    ("epsilon", "2026-11-05", "compute", "13"),
    ("zeta", "2026-11-05", "stones", "4"),
    ("eta", "2026-11-05", "compute", "60"),
]
LINE = "line_type, pricing_unit_id, quantity, amount, amount_minor"


def put(folder: Path, name: str, used: list[tuple[str, str, str, str]]) -> None:
    lines = [
        f'{{"transaction_id": "{name}-{number}", "customer_id": "{customer}", '
        f'"event_type": "{product}", "timestamp": "{day}T12:00:00Z", '
        f'"properties": {{"units": "{units}"}}}}'
        for number, (customer, day, product, units) in enumerate(used)
    ]
    (folder / "events" / f"{name}.ndjson").write_text("\n".join(lines) + "\n")


def make(folder: Path) -> None:
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    for name, lines in CATALOG.items():
        (folder / "catalog" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    put(folder, "october", USED)


def go_on(folder: Path) -> None:
    """Void acme's October, give zeta a gem, and let November be used."""
    workspace = Workspace.load(folder)
    [invoice] = rows(
        folder,
        "from invoicing.invoices where customer_id = 'acme' and status = 'FINALIZED'",
    )
    void(workspace, invoice["invoice_id"], "wrong price", "ada")
    enter(workspace, "jewel", "1", "outage", "ada", instant("2026-11-01"))
    put(folder, "late", LATE)
    put(folder, "november", NEXT)


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unit-credits") / "company"
    make(folder)
    run_until_close(folder, "2026-11-02T01:00")
    return folder


@pytest.fixture(scope="module")
def november(october: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of(october, tmp_path_factory.mktemp("later") / "company")
    go_on(folder)
    run_until_close(folder, "2026-12-02T01:00")
    return folder


def found(folder: Path, query: str) -> list[tuple[Any, ...]]:
    return [
        tuple(plain(v) if isinstance(v, Decimal) else v for v in row.values())
        for row in rows(folder, query)
    ]


def lines(folder: Path, customer: str, month: str) -> list[tuple[Any, ...]]:
    return found(
        folder,
        f"select {LINE} from invoicing.invoice_lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        f"where customer_id = '{customer}' and invoice_type = 'USAGE' and "
        f"invoices.period_start = timestamp '{month}-01' and (quantity <> 0 or "
        "line_type = 'cpu_conversion' and pricing_unit_id = 'credits') "
        "order by line_number",
    )


def owed(folder: Path, month: str) -> dict[str, int]:
    return dict(
        found(
            folder,
            "select customer_id, total_minor from invoicing.invoices where invoice_type "
            f"= 'USAGE' and period_start = timestamp '{month}-01'",
        )
    )
