"""What must hold between commits and what is invoiced for them."""

from __future__ import annotations

from orchestration.catalog_findings import Findings

COMMITS = "catalog/commits.csv"
SCHEDULES = "catalog/invoice_schedules.csv"
# A cell that is no boolean has its own message, and says nothing here.
_HAS_TRUEUP = "not coalesce(is_trueup_disabled_, is_trueup_disabled is not null)"
_PROMISED = "from invoiced_commits where commit_type = 'POSTPAID'"


def check(findings: Findings) -> None:
    """Run every rule."""
    # `invoiced` is null where some row of the schedule is wrong by itself.
    findings.con.execute(
        """
        create temp view invoiced_commits as
        select c.*, coalesce(c.invoice_contract_id, c.contract_id) as billed_contract,
            s.invoice_count, s.invoiced,
            rtrim(rtrim(s.invoiced::varchar, '0'), '.') as invoiced_shown,
            s.last_line,
            c.commit_id in (
                select commit_id from access_schedules where commit_id is not null
            ) as has_segments,
            exists (
                from invoice_schedules as stray
                anti join commits on stray.commit_id = commits.commit_id
            ) as some_row_is_lost
        from commits as c
        left join (
            select commit_id, count(distinct invoice_at_) as invoice_count,
                case
                    when count(*) = count(distinct invoice_at_)
                        and count(*) = count(*) filter (where amount_ > 0)
                        then sum(amount_)
                end as invoiced,
                max(line) as last_line
            from invoice_schedules group by 1
        ) as s on c.commit_id = s.commit_id
        """
    )
    _contracts(findings)
    _schedules(findings)
    _amounts(findings)
    _promises(findings)
    _trueups(findings)


def _contracts(findings: Findings) -> None:
    is_invoiced = (
        "not coalesce(do_not_invoice_, do_not_invoice is not null) and case "
        f"when commit_type = 'POSTPAID' then {_HAS_TRUEUP} "
        "else invoice_count is not null end"
    )
    findings.rows(
        COMMITS,
        "invoice_contract_id",
        "select line, commit_id from invoiced_commits where billed_contract is null "
        f"and {is_invoiced}",
        "the commit '{0}' is invoiced, and names no contract",
        "Fill in invoice_contract_id: its terms and billing profile are the invoice's.",
    )
    findings.rows(
        COMMITS,
        "invoice_contract_id",
        "select g.line, g.invoice_contract_id, c.customer_id, g.customer_id "
        "from commits as g join contracts as c "
        "on g.invoice_contract_id = c.contract_id "
        "where c.customer_id <> g.customer_id and g.commit_id is not null",
        "the contract '{0}' belongs to customer '{1}', not to '{2}'",
        "Name a contract of the same customer.",
    )
    findings.rows(
        COMMITS,
        "currency",
        f"""
        select g.line, g.currency, g.billed_contract, r.currency
        from (from invoiced_commits where {is_invoiced}) as g
        join contract_cards as c
            on g.billed_contract = c.contract_id and g.customer_id = c.customer_id
        join rate_cards as r on c.card = r.rate_card_id
        where upper(g.currency) <> upper(r.currency)
        """,
        "the commit is in {0}, and the contract '{1}' that invoices it in {2}",
        "Name a contract in the commit's currency in invoice_contract_id.",
    )


def _schedules(findings: Findings) -> None:
    findings.rows(
        SCHEDULES,
        "amount",
        """
        select s.line, s.amount, c.currency, k.exponent
        from invoice_schedules as s
        join commits as c on s.commit_id = c.commit_id
        join known_currencies as k on upper(c.currency) = k.code
        where regexp_matches(
            s.amount_::varchar, '[.][0-9]{' || k.exponent || '}[0-9]*[1-9]'
        )
        """,
        "an invoice in {1} can't ask for {0}",
        "Round it to {2} decimal places, and the other rows so that the sum is right.",
    )
    findings.rows(
        SCHEDULES,
        "invoice_at",
        """
        select b.line, b.commit_id, a.line
        from invoice_schedules as a join invoice_schedules as b
            on a.commit_id = b.commit_id and a.line < b.line
            and a.invoice_at_ = b.invoice_at_
        where a.invoice_at <> b.invoice_at
        """,
        "two invoices of '{0}' are due at one instant, see row {1}",
        "Make them one row.",
    )


def _amounts(findings: Findings) -> None:
    findings.rows(
        COMMITS,
        "invoice_amount",
        "select line, commit_id, invoice_amount, invoiced_shown from invoiced_commits "
        "where commit_type = 'PREPAID' and invoice_amount_ >= 0 "
        "and invoice_amount_ <> invoiced and not some_row_is_lost",
        "the commit '{0}' costs {1}, and its invoices come to {2}",
        "Blank invoice_amount, or make the amounts of catalog/invoice_schedules.csv "
        "add up to it.",
    )
    findings.rows(
        COMMITS,
        "is_trueup_disabled",
        "select line, commit_id from commits "
        "where commit_type = 'PREPAID' and is_trueup_disabled_",
        "the commit '{0}' is paid ahead and has no true-up",
        "Leave is_trueup_disabled blank, or make the commit_type POSTPAID.",
    )


def _promises(findings: Findings) -> None:
    findings.rows(
        COMMITS,
        "ending_before",
        f"select line, commit_id {_PROMISED} and ending_before is null "
        "and not has_segments",
        "the postpaid commit '{0}' never ends, so what it is short of is never known",
        "Fill in ending_before.",
    )
    findings.rows(
        COMMITS,
        "do_not_invoice",
        f"select line, commit_id {_PROMISED} and do_not_invoice_",
        "the postpaid commit '{0}' is not to be invoiced",
        "Leave do_not_invoice blank; is_trueup_disabled lets go of what is left.",
    )
    findings.rows(
        COMMITS,
        "invoice_amount",
        f"select line, commit_id {_PROMISED} and invoice_amount is not null",
        "the postpaid commit '{0}' has a price, and costs what usage leaves of its "
        "amount",
        "Leave invoice_amount blank, or make the commit_type PREPAID.",
    )
    # Segments beside an amount or a window are a mistake of any grant.
    findings.rows(
        COMMITS,
        "amount",
        f"select line, commit_id {_PROMISED} and has_segments "
        "and coalesce(amount, starting_at, ending_before) is null",
        "the postpaid commit '{0}' has access segments",
        "Give it one amount and one window here; a promise of several parts is "
        "several commits.",
    )


def _trueups(findings: Findings) -> None:
    findings.rows(
        COMMITS,
        "commit_id",
        f"select line, commit_id {_PROMISED} and {_HAS_TRUEUP} "
        "and invoice_count is null and not some_row_is_lost "
        "and not coalesce(do_not_invoice_, false)",
        "the postpaid commit '{0}' does not say when its true-up is invoiced",
        "Add its row to catalog/invoice_schedules.csv, or set is_trueup_disabled.",
    )
    findings.rows(
        SCHEDULES,
        "commit_id",
        f"select last_line, commit_id, invoice_count {_PROMISED} and invoice_count > 1",
        "the postpaid commit '{0}' has {1} invoices",
        "Leave it one row: its amount, and the date of its true-up.",
    )
    findings.rows(
        SCHEDULES,
        "amount",
        f"select last_line, commit_id, invoiced_shown, amount {_PROMISED} "
        "and invoice_count = 1 and amount_ > 0 and invoiced <> amount_",
        "the postpaid commit '{0}' is invoiced for {1} and promises {2}",
        "Make both amounts the same.",
    )
    findings.rows(
        SCHEDULES,
        "invoice_at",
        """
        select s.line, s.commit_id, s.invoice_at, c.ending_before
        from invoice_schedules as s
        join invoiced_commits as c on s.commit_id = c.commit_id
        where c.commit_type = 'POSTPAID' and c.invoice_count = 1
            and s.invoice_at_ < c.ending_before_
        """,
        "the true-up of '{0}' is invoiced at {1}, before the commit ends",
        "Date it {2} or later.",
    )
