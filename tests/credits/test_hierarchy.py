"""What children draw of their parent's commits and credits, over three closes. Every
call costs 1 USD; the figures are worked out by hand.

acme is the parent of beta, gamma and delta: beta's October closes first, then acme's
and delta's, gamma's two days later. sigma's contract ends on 16 October at noon and is
renewed; tau is a child of the old one, upsilon of the renewal. psi has promised
something, chi is its child. omega is nobody's."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rating.metered import OCTOBER, append, write, write_company
from tests.support import rows, run_until_close

NOON, NOVEMBER = "2026-10-16T12:00Z", "2026-11-01T00:00Z"
# Instant -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10T12": 30},
    "beta": {"2026-10-20T12": 70},
    "gamma": {"2026-10-05T12": 40},
    "delta": {"2026-10-10T12": 15},
    "omega": {"2026-10-10T12": 4},
    "sigma": {"2026-10-10T12": 30, "2026-10-20T12": 40},
    "tau": {"2026-10-16T10": 10, "2026-10-16T14": 10},
    "upsilon": {"2026-10-20T12": 20},
    "psi": {"2026-10-20T12": 10},
    "chi": {"2026-10-05T12": 15},
}
TERMS: Mapping[str, Mapping[str, str]] = {
    "beta": {"parent_contract_id": "acme", "grace_hours": "0"},
    "gamma": {"parent_contract_id": "acme", "grace_hours": "72"},
    "delta": {"parent_contract_id": "acme"},
    "sigma": {"ending_before": NOON},
    "tau": {"parent_contract_id": "sigma"},
    "upsilon": {"parent_contract_id": "sigma-2", "starting_at": NOON},
    "chi": {"parent_contract_id": "psi"},
}
COMMITS = [
    {
        "commit_id": "shared",
        "contract_id": "acme",
        "amount": "85",
        "child_access": "ALL",
    },
    # Nobody uses omega's product but omega: what nothing draws on expires.
    {
        "commit_id": "spare",
        "contract_id": "acme",
        "amount": "8",
        "applicable_product_ids": "omega",
        "child_access": "CONTRACT_IDS",
        "child_contract_ids": "gamma",
        "ending_before": NOON,
    },
    {
        "commit_id": "alone",
        "contract_id": "acme",
        "amount": "6",
        "applicable_product_ids": "omega",
        "child_access": "NONE",
        "ending_before": NOON,
    },
    {"commit_id": "own", "contract_id": "beta", "amount": "20", "priority": "90"},
    {"commit_id": "last", "contract_id": "gamma", "amount": "12", "priority": "200"},
    {
        "commit_id": "rolled",
        "contract_id": "sigma",
        "amount": "100",
        "rollover_fraction": "0.5",
        "child_access": "ALL",
    },
    {
        "commit_id": "promise",
        "contract_id": "psi",
        "commit_type": "POSTPAID",
        "amount": "40",
        "ending_before": NOVEMBER,
        "child_access": "ALL",
    },
]
CREDITS = [
    {"credit_id": "kept", "customer_id": "acme", "amount": "5", "priority": "40"},
    {
        "credit_id": "listed",
        "customer_id": "acme",
        "amount": "30",
        "child_access": "CONTRACT_IDS",
        "child_contract_ids": "delta",
    },
    {"credit_id": "free", "customer_id": "omega", "amount": "10"},
]
# beta's and sigma's close; those of most; gamma's, and of the contracts that waited for
# what rolls over.
AS_OF = ("2026-11-01T01:00", "2026-11-02T01:00", "2026-11-04T01:00")


def company(folder: Path) -> None:
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in CALLS
        ],
    )
    with (folder / "catalog" / "contracts.csv").open(newline="") as file:
        contracts = [
            {**row, **TERMS.get(row["contract_id"], {})} for row in csv.DictReader(file)
        ]
    (old,) = (row for row in contracts if row["contract_id"] == "sigma")
    renewal = old | {
        "contract_id": "sigma-2",
        "starting_at": NOON,
        "ending_before": "",
        "renews_contract_id": "sigma",
    }
    write(folder, "contracts", [*contracts, renewal])
    given = {"currency": "USD", "starting_at": OCTOBER}
    append(
        folder,
        "commits",
        [
            {
                **given,
                "name": row["commit_id"],
                "customer_id": row["contract_id"],
                "commit_type": "PREPAID",
                **row,
            }
            for row in COMMITS
        ],
    )
    append(
        folder,
        "invoice_schedules",
        [{"commit_id": "promise", "amount": "40", "invoice_at": NOVEMBER}],
    )
    append(
        folder,
        "credits",
        [{**given, "name": row["credit_id"], **row} for row in CREDITS],
    )
    (folder / "events" / "usage.ndjson").write_text(
        "".join(
            json.dumps(
                {
                    "transaction_id": f"{customer}-{at}-{number}",
                    "customer_id": customer,
                    "event_type": customer,
                    "timestamp": f"{at}:00:00Z",
                }
            )
            + "\n"
            for customer, uses in CALLS.items()
            for at, calls in uses.items()
            for number in range(calls)
        )
    )


Ledger = list[tuple[str, int, str]]


def ledger(folder: Path, grant: str) -> Ledger:
    """What left a grant: on whose invoice, how much, posted or pending."""
    return [
        (row["of_whom"], row["amount_minor"], row["entry_state"])
        for row in rows(
            folder,
            "select coalesce(invoices.contract_id, entry_type) as of_whom, "
            "ledger.amount_minor, entry_state from credits.credit_ledger as ledger "
            "left join invoicing.invoices as invoices using (invoice_id) "
            f"where grant_id = '{grant}' and ledger.amount_minor < 0 "
            "order by of_whom, amount_minor desc",
        )
    ]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ledger]]:
    """The company after its closes, and after each one what has expired or rolled
    over."""
    folder = tmp_path_factory.mktemp("hierarchy") / "company"
    company(folder)
    ends = []
    for as_of in AS_OF:
        run_until_close(folder, as_of, backfill=True)
        ends.append(
            [
                tuple(row.values())
                for row in rows(
                    folder,
                    "select grant_id, amount_minor, entry_state "
                    "from credits.credit_ledger where entry_type like '%_EXPIRATION' "
                    "or entry_type like '%_ROLLOVER' order by grant_id, amount_minor",
                )
            ]
        )
    return folder, ends


@pytest.fixture(scope="module")
def closed(states: tuple[Path, list[Ledger]]) -> Path:
    return states[0]


def test_what_is_covered_and_what_is_to_pay(closed: Path) -> None:
    # beta: 70 = 20 own + 50 shared. acme: 30 = 5 kept + 25 listed. delta: 15 = the
    # other 5 listed + 10 shared. gamma: 40 = the last 25 shared + 12 own + 3 to pay.
    # sigma: 30, and 40 of what rolled over; tau: 10 before noon, 10 after it; upsilon:
    # 20, of which the last 10 that rolled over.
    found = rows(
        closed,
        "select contract_id, usage_minor, applied_minor, total_minor, status "
        "from invoicing.invoices where period_start < timestamp '2026-11-01' "
        "and invoice_type = 'USAGE' order by contract_id",
    )
    assert [tuple(row.values()) for row in found] == [
        ("acme", 3000, -3000, 0, "FINALIZED"),
        ("beta", 7000, -7000, 0, "FINALIZED"),
        ("chi", 1500, 0, 1500, "FINALIZED"),
        ("delta", 1500, -1500, 0, "FINALIZED"),
        ("gamma", 4000, -3700, 300, "FINALIZED"),
        ("omega", 400, -400, 0, "FINALIZED"),
        ("psi", 1000, 0, 1000, "FINALIZED"),
        ("sigma", 3000, -3000, 0, "FINALIZED"),
        ("sigma-2", 4000, -4000, 0, "FINALIZED"),
        ("tau", 2000, -1000, 1000, "FINALIZED"),
        ("upsilon", 2000, -1000, 1000, "FINALIZED"),
    ]


@pytest.mark.parametrize(
    ("grant", "entries"),
    [
        ("kept", [("acme", -500)]),
        ("listed", [("acme", -2500), ("delta", -500)]),
        ("own", [("beta", -2000)]),
        ("shared", [("beta", -5000), ("delta", -1000), ("gamma", -2500)]),
        ("last", [("gamma", -1200)]),
        ("free", [("omega", -400)]),
        ("rolled:sigma-2", [("sigma-2", -4000), ("upsilon", -1000)]),
    ],
)
def test_each_grant_pays_whom_it_may(
    closed: Path, grant: str, entries: list[tuple[str, int]]
) -> None:
    assert ledger(closed, grant) == [(*entry, "posted") for entry in entries]


def test_an_entry_is_of_the_customer_who_owns_the_grant(closed: Path) -> None:
    found = rows(
        closed,
        "select distinct customer_id from credits.credit_ledger "
        "where grant_id = 'shared'",
    )
    assert [row["customer_id"] for row in found] == ["acme"]


def test_the_childs_invoice_names_the_parents_commit(closed: Path) -> None:
    found = rows(
        closed,
        "select line_name, lines.amount_minor from invoicing.invoice_lines as lines "
        "inner join invoicing.invoices using (invoice_id) where contract_id = 'gamma' "
        "and invoices.period_start = timestamp '2026-10-01' "
        "order by lines.amount_minor desc",
    )
    assert [tuple(row.values()) for row in found] == [
        ("gamma", 4000),
        ("last applied to gamma", -1200),
        ("shared applied to gamma", -2500),
    ]


def test_what_a_child_uses_counts_towards_a_promise_and_is_owed(closed: Path) -> None:
    # 40 promised, chi used 15 and psi 10: 15 are missing, which psi is invoiced.
    assert ledger(closed, "promise") == [
        ("chi", -1500, "posted"),
        ("psi", -1000, "posted"),
        ("psi", -1500, "posted"),
    ]
    found = rows(
        closed,
        "select customer_id, total_minor, status from invoicing.invoices "
        "where invoice_type = 'TRUEUP'",
    )
    assert [tuple(row.values()) for row in found] == [("psi", 1500, "FINALIZED")]


def test_what_is_left_waits_for_those_who_may_draw_on_it(
    states: tuple[Path, list[Ledger]],
) -> None:
    # gamma may draw on spare, nobody but acme on alone; of rolled 100 - 30 - 10 are
    # left, half of 100 rolls over, once tau's October is closed.
    def after(spare: str, alone: str, rolled: str) -> Ledger:
        return [
            ("alone", -600, alone),
            ("rolled", -5000, rolled),
            ("rolled", -1000, rolled),
            ("spare", -800, spare),
        ]

    assert states[1] == [
        after("pending", "pending", "pending"),
        after("pending", "posted", "posted"),
        after("posted", "posted", "posted"),
    ]


def test_who_waits_for_what_rolls_over(closed: Path) -> None:
    """The renewal, and its child that may draw on it, close a run later."""
    found = rows(
        closed,
        "select contract_id, strftime(closed_at, '%m-%d') as closed from "
        "(select contract_id, closes.as_of as closed_at "
        "from books.invoices as invoices inner join books.closes as closes "
        "using (close_id) where invoice_type = 'USAGE') order by contract_id",
    )
    assert {row["contract_id"]: row["closed"] for row in found} == {
        "acme": "11-02",
        "beta": "11-01",
        "chi": "11-02",
        "delta": "11-02",
        "gamma": "11-04",
        "omega": "11-02",
        "psi": "11-02",
        "sigma": "11-01",
        "sigma-2": "11-04",
        "tau": "11-02",
        "upsilon": "11-04",
    }


def test_a_wallet_burns_by_whoever_draws_on_it(closed: Path) -> None:
    # acme: 5 kept, 30 listed, 85 shared. A child's wallet is its own alone.
    found = rows(
        closed,
        "select customer_id, balance_minor, burned_30_days_minor "
        "from credits.credit_runway where customer_id in ('acme', 'beta') order by 1",
    )
    assert [tuple(row.values()) for row in found] == [
        ("acme", 0, 12000),
        ("beta", 0, 2000),
    ]


def test_a_family_has_one_burn_order(closed: Path) -> None:
    found = rows(
        closed,
        "select grant_id, customer_id from credits.credit_grants "
        "where family_id = 'acme' order by burn_rank",
    )
    assert [tuple(row.values()) for row in found] == [
        ("kept", "acme"),
        ("listed", "acme"),
        ("own", "beta"),
        # One product before any.
        ("alone", "acme"),
        ("spare", "acme"),
        ("shared", "acme"),
        ("last", "gamma"),
    ]


def test_who_may_draw_on_what(closed: Path) -> None:
    found = rows(
        closed,
        "select grant_id, string_agg(contract_id, ' ' order by contract_id) as of_whom "
        "from rating.grant_contracts group by 1 order by 1",
    )
    assert [tuple(row.values()) for row in found] == [
        ("alone", "acme"),
        ("free", "omega"),
        ("kept", "acme"),
        ("last", "gamma"),
        ("listed", "acme delta"),
        ("own", "beta"),
        ("promise", "chi psi"),
        ("rolled", "sigma tau"),
        ("rolled:sigma-2", "sigma-2 upsilon"),
        ("shared", "acme beta delta gamma"),
        ("spare", "acme gamma"),
    ]
