"""What must hold between contracts, their parents, and what parents share."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

CONTRACTS = "catalog/contracts.csv"
FIELD = "parent_contract_id"
GRANTS = (
    ("commits", "commit_id", "commit"),
    ("credits", "credit_id", "credit"),
    ("recurring_commits", "recurring_commit_id", "recurring commit"),
)


def check(findings: Findings) -> None:
    """Run every rule."""
    # A table: DuckDB 2.0.0 mixes up the two sides of a self join of such a view
    # (optimizer common_subplan).
    findings.con.execute(
        """
        create temp table children as
        select c.line, c.contract_id, c.customer_id, c.card,
            c.starting_at_, c.ending_before_, p.contract_id as parent_contract_id,
            p.customer_id as parent_customer_id, p.card as parent_card,
            p.starting_at_ as parent_starting_at_,
            p.ending_before_ as parent_ending_before_
        from contract_cards as c
        join contract_cards as p on c.parent_contract_id = p.contract_id
        where c.customer_id <> p.customer_id
        """
    )
    _parents(findings)
    _families(findings)
    for table, key, one in GRANTS:
        _access(findings, table, key, one)
        _children(findings, table, key)


def _parents(findings: Findings) -> None:
    findings.rows(
        CONTRACTS,
        FIELD,
        "select c.line, c.contract_id, p.contract_id, c.customer_id "
        "from contracts as c join contracts as p "
        "on c.parent_contract_id = p.contract_id and c.customer_id = p.customer_id",
        "the contract '{0}' and its parent '{1}' are of one customer, '{2}'",
        "Leave it blank: contracts of one customer share its commits and credits.",
    )
    findings.rows(
        CONTRACTS,
        FIELD,
        """
        select c.line, c.contract_id, mine.currency, c.parent_contract_id, its.currency
        from children as c
        join rate_cards as mine on c.card = mine.rate_card_id
        join rate_cards as its on c.parent_card = its.rate_card_id
        where upper(mine.currency) <> upper(its.currency)
        """,
        "the contract '{0}' is in {1}, and its parent '{2}' in {3}",
        "Name a parent in the currency of the contract: nothing could be drawn.",
    )
    findings.rows(
        CONTRACTS,
        FIELD,
        f"""
        select line, contract_id, parent_contract_id from children
        where starting_at_ >= coalesce(parent_ending_before_, {FOREVER})
            or parent_starting_at_ >= coalesce(ending_before_, {FOREVER})
        """,
        "the contract '{0}' and its parent '{1}' are never in force together",
        "Name the parent's contract of that time: nothing could be drawn.",
    )


def _families(findings: Findings) -> None:
    findings.rows(
        CONTRACTS,
        FIELD,
        """
        select c.line, c.contract_id, c.parent_customer_id, min(p.line)
        from children as c
        join children as p on c.parent_customer_id = p.customer_id
        group by 1, 2, 3
        """,
        "the parent of the contract '{0}' is of '{1}', a customer with a parent, see "
        "row {2}",
        "There is one level: name a contract of the customer above, or blank it.",
    )
    findings.rows(
        CONTRACTS,
        FIELD,
        """
        select b.line, b.customer_id, b.parent_customer_id, a.parent_customer_id,
            min(a.line)
        from children as a
        join children as b on a.customer_id = b.customer_id and a.line < b.line
            and a.parent_customer_id <> b.parent_customer_id
        group by 1, 2, 3, 4
        """,
        "the customer '{0}' has a parent in '{1}' and another in '{2}', see row {3}",
        "A customer has one parent: name contracts of one customer.",
    )


def _access(findings: Findings, table: str, key: str, one: str) -> None:
    file = f"catalog/{table}.csv"
    findings.rows(
        file,
        "child_contract_ids",
        f"select line, {key} from {table} "
        "where child_access = 'CONTRACT_IDS' and child_contract_ids is null",
        f"the {one} '{{0}}' is for listed children, and lists none",
        "List them in child_contract_ids, or make child_access NONE.",
    )
    findings.rows(
        file,
        "child_contract_ids",
        f"select line, {key}, coalesce(child_access, 'NONE') from {table} "
        "where coalesce(child_access, 'NONE') in ('ALL', 'NONE') "
        "and child_contract_ids is not null",
        f"the {one} '{{0}}' lists children, and its child_access is {{1}}",
        "Make child_access CONTRACT_IDS, or leave the list blank.",
    )


def _children(findings: Findings, table: str, key: str) -> None:
    """What a list names is a child of a contract that the grant is for, or of the
    renewal of this one, where it rolls over."""
    if table == "recurring_commits":
        owner, scope, rollover = "owners.customer_id", "g.contract_id", "null"
    else:
        owner, rollover = "g.customer_id", "g.rollover_fraction"
        scope = "coalesce(g.contract_id, g.applicable_contract_ids)"
    findings.rows(
        f"catalog/{table}.csv",
        "child_contract_ids",
        f"""
        with listed as (
            select g.line, g.{key} as grant_id, {owner} as customer_id,
                {scope} as scope, {rollover} is not null as rolls_over,
                trim(unnest(string_split(g.child_contract_ids, '|'))) as contract_id
            from {table} as g
            left join contracts as owners on g.contract_id = owners.contract_id
            where g.child_access = 'CONTRACT_IDS'
        )
        select l.line, l.contract_id, l.grant_id
        from listed as l
        join contracts as known on l.contract_id = known.contract_id
        left join children as c on l.contract_id = c.contract_id
        left join contracts as p on c.parent_contract_id = p.contract_id
        where case
            -- A parent that is wrong itself is said once, in its own row.
            when c.contract_id is null then known.parent_contract_id is null
            else l.customer_id <> c.parent_customer_id or not coalesce(
                l.scope is null
                or '|' || l.scope || '|' like '%|' || c.parent_contract_id || '|%'
                or l.rolls_over and p.renews_contract_id = l.scope,
                false
            )
        end
        """,
        "the contract '{0}' is no child of one that '{1}' is for",
        "List contracts that name it in parent_contract_id.",
    )
