"""What must hold between contracts, those that renew them, and what rolls over."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

CONTRACTS = "catalog/contracts.csv"
GRANTS = (
    ("commits", "commit_id", "commit"),
    ("credits", "credit_id", "credit"),
)


def check(findings: Findings) -> None:
    """Run every rule."""
    findings.con.execute(
        """
        create temp view renewals as
        select n.line, n.contract_id, n.renews_contract_id, n.starting_at,
            n.starting_at_, n.ending_before, n.customer_id, n.card,
            o.customer_id as old_customer_id, o.card as old_card,
            o.ending_before as old_end, o.ending_before_ as old_end_
        from contract_cards as n
        join contract_cards as o on n.renews_contract_id = o.contract_id
        """
    )
    _contracts(findings)
    for table, key, one in GRANTS:
        _grants(findings, table, key, one)


def _contracts(findings: Findings) -> None:
    findings.rows(
        CONTRACTS,
        "renews_contract_id",
        "select line, contract_id, old_customer_id, customer_id from renewals "
        "where old_customer_id <> customer_id",
        "the contract '{0}' renews one of customer '{1}', and is of '{2}'",
        "Name a contract of the same customer.",
    )
    findings.rows(
        CONTRACTS,
        "renews_contract_id",
        "select line, contract_id, renews_contract_id, starting_at from renewals "
        f"where old_customer_id = customer_id "
        f"and starting_at_ < coalesce(old_end_, {FOREVER})",
        "the contract '{0}' renews '{1}', which has not ended by {2}",
        "End the renewed contract (ending_before) where this one starts, or earlier.",
    )
    findings.rows(
        CONTRACTS,
        "renews_contract_id",
        """
        select line, renews_contract_id, first_line from (
            select *, min(line) over (partition by renews_contract_id) as first_line
            from renewals
        ) where line <> first_line
        """,
        "the contract '{0}' is renewed twice, see row {1}",
        "A contract has one renewal: what rolls over goes to one.",
    )
    findings.rows(
        CONTRACTS,
        "renews_contract_id",
        """
        select r.line, r.contract_id, n.currency, o.currency
        from renewals as r
        join rate_cards as n on r.card = n.rate_card_id
        join rate_cards as o on r.old_card = o.rate_card_id
        where upper(n.currency) <> upper(o.currency)
        """,
        "the contract '{0}' is in {1}, and the one that it renews in {2}",
        "Nothing rolls over between currencies: leave renews_contract_id blank.",
    )


def _grants(findings: Findings, table: str, key: str, one: str) -> None:
    file = f"catalog/{table}.csv"
    findings.rows(
        file,
        "rollover_fraction",
        f"select line, {key} from {table} where rollover_fraction is not null "
        f"and contract_id is null and {key} is not null",
        f"the {one} '{{0}}' is for no one contract, so no renewal ends it",
        "Fill in contract_id, or leave rollover_fraction blank.",
    )
    findings.rows(
        file,
        key,
        f"""
        select g.line, g.{key}, o.{key}, r.contract_id
        from {table} as g
        join renewals as r on ends_with(g.{key}, ':' || r.contract_id)
        join {table} as o on g.{key} = o.{key} || ':' || r.contract_id
        where o.rollover_fraction is not null
        """,
        "'{0}' is the name of what rolls over of '{1}' to the contract '{2}'",
        "Give it another id.",
    )
    if table == "commits":
        findings.rows(
            file,
            "rollover_fraction",
            "select c.line, c.commit_id, r.contract_id from commits as c "
            "join renewals as r on c.contract_id = r.renews_contract_id "
            "where c.commit_type = 'POSTPAID' and c.rollover_fraction is not null "
            "and r.ending_before is null",
            "the postpaid commit '{0}' rolls over to '{1}', which has no end",
            "End that contract: what is short of the promise is invoiced then.",
        )
