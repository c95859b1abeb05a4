"""What must hold between commits, credits, their access segments and specifiers."""

from __future__ import annotations

from orchestration.catalog_findings import Findings
from orchestration.catalog_specifiers import specified_keys_exist

GRANTS = (("commits", "commit_id", "commit"), ("credits", "credit_id", "credit"))


def check(findings: Findings) -> None:
    """Run every rule."""
    for table in ("access_schedules", "grant_specifiers"):
        findings.rows(
            f"catalog/{table}.csv",
            "commit_id",
            f"select line from {table} where (commit_id is null) = (credit_id is null)",
            "the row does not name one commit or credit",
            "Fill in commit_id or credit_id, not both.",
        )
    for table, key, one in GRANTS:
        _segments(findings, table, key, one)
        _contracts(findings, table, key, one)
        _scopes(findings, table, key, one)
    _specifiers(findings)


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
        "and (s.commit_id is null or s.credit_id is null) group by 2",
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
        "select line, coalesce(commit_id, credit_id) from grant_specifiers where "
        "coalesce(product_id, product_tags, pricing_group_values, "
        "presentation_group_values) is null",
        "the specifier of '{0}' asks for nothing",
        "Say what a charge must be, or remove the row: without rows a grant is for "
        "everything.",
    )
    findings.rows(
        file,
        "product_tags",
        """
        select s.line, s.product_tags from grant_specifiers as s
        where s.product_tags is not null and not exists (
            select 1 from product_versions as p
            where (s.product_id is null or s.product_id = p.product_id)
                and list_has_all(p.tags, list_transform(
                    string_split(s.product_tags, '|'), lambda i: trim(i)
                ))
        )
        """,
        "no product has all of the tags '{0}'",
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
