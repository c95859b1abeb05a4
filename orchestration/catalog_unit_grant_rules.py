"""What must hold of commits and credits that are in a pricing unit."""

from __future__ import annotations

from orchestration.catalog_findings import Findings

# Smallest parts of a unit that 64 bits hold, as macros/money.sql has it.
HELD = 9 * 10**18
_UNIT = "coalesce(u.decimal_places_, 12)"
_GRANTS = (
    ("commits", "commit_id", "commit"),
    ("credits", "credit_id", "credit"),
    ("recurring_commits", "recurring_commit_id", "recurring commit"),
)


def check(findings: Findings) -> None:
    """Run every rule."""
    for table, key, one in _GRANTS:
        _amounts(
            findings,
            f"catalog/{table}.csv",
            f"select line, {key} as id, amount, amount_, pricing_unit_id from {table}",
            one,
        )
        findings.rows(
            f"catalog/{table}.csv",
            "rate_type",
            f"select line, {key}, pricing_unit_id from {table} "
            "where pricing_unit_id is not null and rate_type = 'COMMIT_RATE'",
            f"the {one} '{{0}}' pays commit prices, and is in '{{1}}', which has none",
            "Leave rate_type or pricing_unit_id blank.",
        )
    for key, table, one in (
        ("commit_id", "commits", "commit"),
        ("credit_id", "credits", "credit"),
    ):
        _amounts(
            findings,
            "catalog/access_schedules.csv",
            f"select s.line, s.{key} as id, s.amount, s.amount_, g.pricing_unit_id "
            f"from access_schedules as s join {table} as g on s.{key} = g.{key}",
            one,
        )
    findings.rows(
        "catalog/commits.csv",
        "pricing_unit_id",
        "select line, commit_id, pricing_unit_id from commits "
        "where pricing_unit_id is not null and commit_type = 'POSTPAID'",
        "the postpaid commit '{0}' is in '{1}', and what usage leaves of it is "
        "invoiced in money",
        "Leave pricing_unit_id blank, or make the commit_type PREPAID.",
    )
    _overrides(findings)


def _amounts(findings: Findings, file: str, grants: str, one: str) -> None:
    findings.rows(
        file,
        "amount",
        f"""
        select g.line, g.id, g.amount, u.pricing_unit_id, {_UNIT}
        from ({grants}) as g join pricing_units as u
            on g.pricing_unit_id = u.pricing_unit_id
        where {_UNIT} between 0 and 12 and regexp_matches(
            g.amount_::varchar, '[.][0-9]{{' || {_UNIT} || '}}[0-9]*[1-9]'
        )
        """,
        f"the {one} '{{0}}' gives {{1}} of '{{2}}', which has {{3}} decimal places",
        "Round it, or write more decimal_places into catalog/pricing_units.csv.",
    )
    findings.rows(
        file,
        "amount",
        f"""
        select g.line, g.id, g.amount, u.pricing_unit_id, {_UNIT}
        from ({grants}) as g join pricing_units as u
            on g.pricing_unit_id = u.pricing_unit_id
        where {_UNIT} between 0 and 12
            and trunc(g.amount_) >= {HELD} // 10 ** {_UNIT}::hugeint
        """,
        f"the {one} '{{0}}' gives {{1}} of '{{2}}', more than a balance with {{3}} "
        "decimal places can hold",
        "Write fewer decimal_places into catalog/pricing_units.csv.",
    )


def _overrides(findings: Findings) -> None:
    """Prices for commits are of money; a grant in a unit pays list prices."""
    for column, table, key in (
        ("commit_ids", "commits", "commit_id"),
        ("commit_ids", "credits", "credit_id"),
        ("recurring_commit_ids", "recurring_commits", "recurring_commit_id"),
    ):
        findings.rows(
            "catalog/override_specifiers.csv",
            column,
            f"""
            select n.line, n.id, g.pricing_unit_id, n.override_id from (
                select line, override_id,
                    trim(unnest(string_split({column}, '|'))) as id
                from override_specifiers
            ) as n
            join {table} as g on n.id = g.{key}
            where g.pricing_unit_id is not null
            """,
            "'{2}' has '{0}' pay a price of its own, and that is in '{1}'",
            "Name commits and credits in money: others pay list prices.",
        )
