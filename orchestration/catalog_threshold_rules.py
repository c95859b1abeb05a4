"""What must hold between balance thresholds, contracts and commits."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

THRESHOLDS = "catalog/thresholds.csv"


def check(findings: Findings) -> None:
    """Run every rule."""
    _amounts(findings)
    _windows(findings)
    _names(findings)


def _amounts(findings: Findings) -> None:
    findings.rows(
        THRESHOLDS,
        "recharge_to_amount",
        "select line, threshold_id, recharge_to_amount, threshold_amount "
        "from thresholds where recharge_to_amount_ > 0 and threshold_amount_ >= 0 "
        "and recharge_to_amount_ <= threshold_amount_",
        "the threshold '{0}' tops up to {1}, which is not more than {2}",
        "Top up to more than threshold_amount, or it is due again at once.",
    )
    for field in ("threshold_amount", "recharge_to_amount"):
        findings.rows(
            THRESHOLDS,
            field,
            f"""
            select t.line, t.{field}, r.currency, k.exponent
            from thresholds as t
            join contract_cards as c on t.contract_id = c.contract_id
            join rate_cards as r on c.card = r.rate_card_id
            join known_currencies as k on upper(r.currency) = k.code
            where regexp_matches(
                t.{field}_::varchar, '[.][0-9]{{' || k.exponent || '}}[0-9]*[1-9]'
            )
            """,
            "a balance in {1} can't be {0}",
            "Round it to {2} decimal places.",
        )


def _windows(findings: Findings) -> None:
    findings.rows(
        THRESHOLDS,
        "contract_id",
        f"""
        select b.line, a.threshold_id, b.threshold_id, b.contract_id
        from thresholds as a join thresholds as b
            on a.contract_id = b.contract_id and a.line < b.line
            and a.threshold_id <> b.threshold_id
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """,
        "the thresholds '{0}' and '{1}' are both for the balance of '{2}' at one time",
        "End one where the other starts, or leave one out.",
    )
    findings.rows(
        THRESHOLDS,
        "starting_at",
        f"""
        select t.line, t.threshold_id, c.contract_id, c.starting_at
        from thresholds as t join contracts as c on t.contract_id = c.contract_id
        where t.starting_at_ < c.starting_at_
            or t.starting_at_ >= coalesce(c.ending_before_, {FOREVER})
        """,
        "the threshold '{0}' does not start within the contract '{1}'",
        "Start it at {2} or later, before the contract ends.",
    )


def _names(findings: Findings) -> None:
    findings.rows(
        "catalog/commits.csv",
        "commit_id",
        """
        select c.line, c.commit_id, t.threshold_id
        from commits as c join thresholds as t
            on starts_with(c.commit_id, t.threshold_id || ':')
        """,
        "'{0}' may become the name of what the threshold '{1}' adds",
        "Give it an id that does not begin with that one and a colon.",
    )
    findings.rows(
        THRESHOLDS,
        "threshold_id",
        """
        select t.line, t.threshold_id from thresholds as t
        join recurring_commits as r on t.threshold_id = r.recurring_commit_id
        """,
        "'{0}' is a recurring commit, too: their grants would have the same names",
        "Give it another id.",
    )
