"""What must hold between commits, credits, their access segments and specifiers."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings
from orchestration.catalog_specifiers import KEYS, specified_keys_exist

GRANTS = (("commits", "commit_id", "commit"), ("credits", "credit_id", "credit"))
RECURRING = ("recurring_commits", "recurring_commit_id", "recurring commit")


# How many grants a specifier names.
_NAMED = (
    "((s.commit_id is not null)::int + (s.credit_id is not null)::int"
    " + (s.recurring_commit_id is not null)::int)"
)


def check(findings: Findings) -> None:
    """Run every rule."""
    findings.rows(
        "catalog/access_schedules.csv",
        "commit_id",
        "select line from access_schedules "
        "where (commit_id is null) = (credit_id is null)",
        "the row does not name one commit or credit",
        "Fill in commit_id or credit_id, not both.",
    )
    findings.rows(
        "catalog/grant_specifiers.csv",
        "commit_id",
        f"select line from grant_specifiers as s where {_NAMED} <> 1",
        "the row does not name one commit, credit or recurring commit",
        "Fill in one of commit_id, credit_id and recurring_commit_id.",
    )
    for table, key, one in GRANTS:
        _segments(findings, table, key, one)
        _contracts(findings, table, key, one)
        _scopes(findings, table, key, one)
    _scopes(findings, *RECURRING)
    _specifiers(findings)
    _recurring(findings)


def _segments(findings: Findings, table: str, key: str, one: str) -> None:
    """A grant has its own amount and window, or segments; never both, never none."""
    file = f"catalog/{table}.csv"
    scheduled = f"{key} in (select {key} from access_schedules where {key} is not null)"
    findings.rows(
        file,
        "amount",
        f"select line, {key} from {table} where {key} is not null "
        f"and amount is null and not {scheduled}",
        f"the {one} '{{0}}' has no amount and no access segments",
        "Fill in amount and starting_at, or add its rows to "
        "catalog/access_schedules.csv.",
    )
    findings.rows(
        file,
        "starting_at",
        f"select line, {key} from {table} where {key} is not null "
        f"and amount is not null and starting_at is null and not {scheduled}",
        f"the {one} '{{0}}' has an amount and no start",
        "Fill in starting_at: the first instant it may be drawn on.",
    )
    findings.rows(
        file,
        "amount",
        f"select line, {key} from {table} "
        f"where coalesce(amount, starting_at, ending_before) is not null "
        f"and {scheduled}",
        f"the {one} '{{0}}' has an amount or a window beside its access segments",
        "Leave amount, starting_at and ending_before blank, or remove its rows from "
        "catalog/access_schedules.csv.",
    )


def _contracts(findings: Findings, table: str, key: str, one: str) -> None:
    file = f"catalog/{table}.csv"
    findings.rows(
        file,
        "applicable_contract_ids",
        f"select line, {key} from {table} "
        "where contract_id is not null and applicable_contract_ids is not null",
        f"the {one} '{{0}}' is for one contract and lists contracts too",
        "Fill in contract_id or applicable_contract_ids, not both.",
    )
    findings.rows(
        file,
        "contract_id",
        "select g.line, g.contract_id, c.customer_id, g.customer_id "
        f"from {table} as g join contracts as c on g.contract_id = c.contract_id "
        f"where c.customer_id <> g.customer_id and g.{key} is not null",
        "the contract '{0}' belongs to customer '{1}', not to '{2}'",
        "Name a contract of the same customer.",
    )
    findings.rows(
        file,
        "applicable_contract_ids",
        f"""
        with listed as (
            select line, customer_id,
                trim(unnest(string_split(applicable_contract_ids, '|'))) as contract_id
            from {table}
        )
        select listed.line, listed.contract_id, c.customer_id, listed.customer_id
        from listed join contracts as c on listed.contract_id = c.contract_id
        where c.customer_id <> listed.customer_id
        """,
        "the contract '{0}' belongs to customer '{1}', not to '{2}'",
        "List contracts of the same customer.",
    )


def _scopes(findings: Findings, table: str, key: str, one: str) -> None:
    file = f"catalog/{table}.csv"
    findings.rows(
        file,
        "applicable_product_tags",
        f"select line, {key} from {table} where applicable_product_ids is not null "
        "and applicable_product_tags is not null",
        f"the {one} '{{0}}' is for products by id and by tag",
        "Fill in one of the two, or say it in catalog/grant_specifiers.csv.",
    )
    findings.rows(
        "catalog/grant_specifiers.csv",
        key,
        f"select min(s.line), s.{key} from grant_specifiers as s "
        f"join {table} as g on s.{key} = g.{key} where "
        "coalesce(g.applicable_product_ids, g.applicable_product_tags) is not null "
        f"and {_NAMED} = 1 group by 2",
        f"the {one} '{{0}}' lists its products and has a specifier too",
        f"Blank applicable_product_ids and applicable_product_tags in {file}, or "
        "remove the specifier.",
    )
    findings.rows(
        file,
        "applicable_product_tags",
        f"""
        with listed as (
            select line, trim(unnest(string_split(applicable_product_tags, '|'))) as tag
            from {table}
        )
        select line, tag from listed
        where tag <> '' and not exists (
            select 1 from product_versions as p where list_contains(p.tags, tag)
        )
        """,
        "no product has the tag '{0}'",
        "Give the tag to a product in catalog/products.csv: nothing could be drawn.",
    )


def _specifiers(findings: Findings) -> None:
    file = "catalog/grant_specifiers.csv"
    findings.rows(
        file,
        "product_id",
        "select line, coalesce(commit_id, credit_id, recurring_commit_id) "
        "from grant_specifiers where "
        "coalesce(product_id, product_tags, pricing_group_values, "
        "presentation_group_values) is null",
        "the specifier of '{0}' asks for nothing",
        "Say what a charge must be, or remove the row: without rows a grant is for "
        "everything.",
    )
    for column in ("pricing_group_values", "presentation_group_values"):
        findings.rows(
            file,
            column,
            f"select line, {column} from grant_specifiers "
            f"where '|' || {column} || '|' like '%=*|%'",
            "'{0}' asks for any value, which is no condition",
            "Name the value, or leave the key out.",
        )
    findings.rows(
        file,
        "product_tags",
        f"""
        with asked as (
            select *,
                list_transform(
                    string_split(product_tags, '|'), lambda i: trim(i)
                ) as tags,
                {KEYS.format("pricing_group_values")} as pricing,
                {KEYS.format("presentation_group_values")} as presentation
            from grant_specifiers
        ),
        met as (
            select s.line, s.product_tags,
                list_has_all(p.pricing_keys, s.pricing) as has_pricing,
                list_has_all(p.presentation_keys, s.presentation) as has_presentation,
                list_has_all(p.tags, s.tags) as has_tags
            from asked as s join product_versions as p
                on s.product_id is null or s.product_id = p.product_id
            where s.product_tags is not null
        )
        select line, product_tags from met group by all
        having bool_or(has_pricing) and bool_or(has_presentation)
            and not bool_or(has_tags and has_pricing and has_presentation)
        """,
        "no product has the tags '{0}' and all else that the specifier asks for",
        "Give them to a product in catalog/products.csv: nothing could be drawn.",
    )
    specified_keys_exist(findings, "grant_specifiers")
    findings.rows(
        "catalog/access_schedules.csv",
        "starting_at",
        """
        select b.line, coalesce(b.commit_id, b.credit_id), a.line
        from access_schedules as a join access_schedules as b
            on coalesce(a.commit_id, '') = coalesce(b.commit_id, '')
            and coalesce(a.credit_id, '') = coalesce(b.credit_id, '')
            and a.line < b.line and a.starting_at_ = b.starting_at_
        where a.starting_at <> b.starting_at
        """,
        "two segments of '{0}' start at one instant, see row {1}",
        "Make them one segment, or two grants.",
    )


def _recurring(findings: Findings) -> None:
    table, key, one = RECURRING
    file = f"catalog/{table}.csv"
    findings.rows(
        file,
        "invoice_amount",
        f"select line, {key} from {table} "
        "where grant_type = 'CREDIT' and invoice_amount is not null",
        f"the {one} '{{0}}' gives credits, which nobody pays for",
        "Leave invoice_amount blank, or make the grant_type PREPAID_COMMIT.",
    )
    findings.rows(
        file,
        "recurrence_frequency",
        f"""
        select b.line, a.{key}, b.{key} from {table} as a join {table} as b
            on a.contract_id = b.contract_id and a.line < b.line
            and a.recurrence_frequency = 'DAILY' and b.recurrence_frequency = 'DAILY'
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """,
        "the recurring commits '{0}' and '{1}' both give one a day to one contract",
        "Make them one, or give the other by the week.",
    )
    findings.rows(
        file,
        "starting_at",
        f"""
        select r.line, r.{key}, c.contract_id, c.starting_at
        from {table} as r join contracts as c on r.contract_id = c.contract_id
        where r.starting_at_ < c.starting_at_
            or r.starting_at_ >= coalesce(c.ending_before_, {FOREVER})
        """,
        "the recurring commit '{0}' does not start within the contract '{1}'",
        "Start it at {2} or later, before the contract ends.",
    )
    for given, its_key, grant_type in (
        ("commits", "commit_id", "PREPAID_COMMIT"),
        ("credits", "credit_id", "CREDIT"),
    ):
        findings.rows(
            f"catalog/{given}.csv",
            its_key,
            f"""
            select g.line, g.{its_key}, r.{key}
            from {given} as g join {table} as r
                on starts_with(g.{its_key}, r.{key} || ':')
                and r.grant_type = '{grant_type}'
            """,
            "'{0}' may become the name of a grant of the recurring commit '{1}'",
            "Give it an id that does not begin with that one and a colon.",
        )
