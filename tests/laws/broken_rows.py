"""Statements that break a sound warehouse, each with the laws that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """What is done to the data, and which laws must notice: these and no other."""

    name: str
    red: set[str]
    change: Any

    def __str__(self) -> str:
        return self.name


def _entry(
    entry_type: str, amount_minor: int, effective_at: str, grant: str, invoice: str = ""
) -> str:
    """A pending ledger entry beside those of the build."""
    invoice_id = (
        "(select min(invoice_id) from invoicing.draft_invoices"
        f" where customer_id = '{invoice}')"
        if invoice
        else "null"
    )
    return f"""
        insert into credits.draft_ledger_entries by name
        select
            'le_' || md5('{entry_type}{effective_at}{amount_minor}') as entry_id,
            '{entry_type}' as entry_type,
            grant_id, segment_id, customer_id,
            {invoice_id} as invoice_id,
            currency,
            {amount_minor} as amount_minor,
            true as posts_at_close,
            timestamp '{effective_at}' as effective_at
        from credits.credit_grants where grant_id = '{grant}'
    """


# A row of the books that no close wrote.
_VOID = """
    insert into books.voids by name
    select
        close_id, invoice_id, 'i1' as instruction_id, 'why' as reason, 'ann' as actor,
        timestamp '2026-11-02' as voided_at
    from books.invoices where {chosen}
"""
_COUNTED = (
    "update invoicing.draft_invoice_lines set {}"
    " where line_type = 'applied_postpaid_commit' and product_id = 'requests'"
)
_CLOSED_LINE = "select min(line_id) from books.invoice_lines where line_type = 'usage'"
_NOVEMBER = "usage_hour = timestamp '2026-11-01 03:00' and customer_id = 'acme'"

STATEMENTS = [
    Case(
        "metered usage is lost",
        {"law_1_every_event_has_one_fate"},
        "delete from metering.metered_usage where customer_id = 'epsilon'",
    ),
    Case(
        "a duplicate is metered",
        {"law_1_every_event_has_one_fate"},
        "update metering.metered_usage set first_metered_event_count = 2"
        " where customer_id = 'epsilon' and metric_id = 'requests'",
    ),
    Case(
        "usage without a contract is not explained",
        {"law_1_unrated_usage_has_a_reason"},
        "delete from invoicing.unbilled_usage where customer_id = 'epsilon'",
    ),
    Case(
        "an unknown customer's event is not listed",
        {"law_1_unrated_usage_has_a_reason"},
        "delete from invoicing.unbilled_usage where reason = 'unknown_customer'",
    ),
    Case(
        "a metered unit is not rated",
        {"law_2_every_metered_unit_is_rated_once"},
        f"update metering.metered_usage set quantity = quantity + 1 where {_NOVEMBER}"
        " and metric_id = 'tokens'",
    ),
    Case(
        "a slice is rated twice",
        {"law_2_every_metered_unit_is_rated_once", "law_3_line_equals_its_slices"},
        "insert into rating.rated_usage by name select * replace"
        " ('sl_again' as slice_id) from rating.rated_usage"
        " where rating_basis = 'open' and product_id = 'tokens'",
    ),
    Case(
        "an invoice total is off by a cent",
        {"law_3_invoice_equals_its_lines"},
        "update invoicing.draft_invoices set total_minor = total_minor + 1"
        " where customer_id = 'acme'",
    ),
    Case(
        "a slice is off by a cent",
        {"law_3_line_equals_its_slices"},
        "update rating.rated_usage set amount_minor = amount_minor + 1"
        " where rating_basis = 'open' and product_id = 'tokens'",
    ),
    Case(
        "a slice is off by a millionth",
        {"law_3_line_equals_its_slices"},
        "update rating.rated_usage set amount = amount + 0.000001"
        " where rating_basis = 'open' and product_id = 'tokens'",
    ),
    Case(
        "a sub-line is off by a cent",
        {"law_3_line_equals_its_sub_lines"},
        "update invoicing.draft_invoice_sub_lines set amount_minor = amount_minor + 1"
        " where sub_line_id = (select min(sub_line_id)"
        " from invoicing.draft_invoice_sub_lines)",
    ),
    Case(
        "a grant paid more than the line applies",
        {"law_3_applied_equals_covered"},
        "update books.credit_drawdowns set amount_minor = amount_minor - 1,"
        " list_amount_minor = list_amount_minor - 1"
        " where currency = 'JPY'",
    ),
    Case(
        "what counts towards a promise is taken off the invoice",
        {"law_3_invoice_equals_its_lines"},
        _COUNTED.format("line_type = 'applied_commit_or_credit'"),
    ),
    Case(
        "more counts towards a promise than was drawn on it",
        {"law_3_applied_equals_covered", "law_5_deductions_equal_applied_lines"},
        _COUNTED.format("amount_minor = amount_minor - 1"),
    ),
    Case(
        "more counts towards a promise than the line is worth",
        {"law_3_applied_equals_covered"},
        "update credits.credit_drawdowns set amount_minor = amount_minor + 1,"
        " list_amount_minor = list_amount_minor + 1"
        " where customer_id = 'acme' and amount_minor = 10;"
        + _COUNTED.format("amount_minor = amount_minor - 1")
        + ";"
        + "update credits.draft_ledger_entries set amount_minor = amount_minor - 1"
        " where entry_type = 'POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION'"
        " and grant_id = 'acme-promise'",
    ),
    Case(
        "a promise is kept by a cent that no line shows",
        {"law_5_deductions_equal_applied_lines"},
        "update credits.draft_ledger_entries set amount_minor = amount_minor - 1"
        " where entry_type = 'POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION'"
        " and grant_id = 'acme-promise'",
    ),
    Case(
        "a segment is overdrawn",
        {"law_4_no_balance_below_zero"},
        _entry("PREPAID_COMMIT_MANUAL", -1, "2026-11-01 12:00", "acme-commit"),
    ),
    Case(
        "an ended segment keeps a cent",
        {"law_4_ended_segment_sums_to_zero"},
        _entry("CREDIT_MANUAL", 1, "2026-09-19 00:00", "gamma-trial"),
    ),
    Case(
        "an invoice deducts from a segment twice",
        {"law_4_one_deduction_per_segment_and_invoice"},
        _entry("CREDIT_X_DEDUCTION", 0, "2026-11-01", "acme-commit", "acme")
        + ";"
        + _entry("CREDIT_Y_DEDUCTION", 0, "2026-11-01", "acme-commit", "acme"),
    ),
    Case(
        "a wallet is deeper than the ranks that draw",
        {"law_4_wallet_depth_is_not_exceeded"},
        "insert into credits.active_grants by name select segment_id, customer_id,"
        " family_id, currency, amount_minor as opening_balance_minor,"
        " 101 as wallet_rank, starting_at"
        " from credits.credit_grants where grant_id = 'acme-commit'",
    ),
    Case(
        "a commit pays a contract that it is not for",
        {"law_4_draws_are_by_contracts_that_may"},
        "update credits.drawable_charges set contract_id = 'other' where slice_id ="
        " (select min(slice_id) from credits.credit_drawdowns)",
    ),
    Case(
        "a commit pays a sibling",
        {"law_4_draws_are_by_contracts_that_may"},
        "update credits.drawable_charges set contract_id = 'gamma-1' where slice_id ="
        " (select min(slice_id) from credits.credit_drawdowns"
        " where customer_id = 'acme')",
    ),
    Case(
        "a deduction has no applied line",
        {"law_5_deductions_equal_applied_lines"},
        _entry("PREPAID_COMMIT_MANUAL", 1, "2026-10-05", "acme-commit")
        + ";"
        + _entry("PREPAID_X_DEDUCTION", -1, "2026-11-01", "acme-commit", "acme"),
    ),
    Case(
        "a true-up is posted that no line asks for",
        {"law_6_settled_promise_owes_nothing"},
        _entry("POSTPAID_COMMIT_TRUEUP", -1, "2026-11-01 12:00", "acme-promise"),
    ),
    Case(
        "a promise is let go of with a cent left",
        {"law_6_settled_promise_owes_nothing"},
        _entry("POSTPAID_COMMIT_EXPIRATION", -1, "2026-11-01 12:00", "acme-promise"),
    ),
    Case(
        "a void invoice gives nothing back",
        {"law_5_deductions_equal_applied_lines", "law_7_closes_are_unchanged"},
        _VOID.format(chosen="customer_id = 'gamma' and invoice_type = 'USAGE'"),
    ),
    Case(
        "a void true-up stays settled",
        {"law_6_settled_promise_owes_nothing", "law_7_closes_are_unchanged"},
        _VOID.format(chosen="invoice_type = 'TRUEUP'"),
    ),
    Case(
        "a deduction comes back though its invoice stands",
        {"law_5_deductions_equal_applied_lines"},
        _entry("PREPAID_COMMIT_CREDITED", 1, "2026-11-01", "acme-commit", "acme"),
    ),
    Case(
        "a line of a void invoice is recognised",
        {"law_3_line_equals_its_parts"},
        "update invoicing.invoice_lines set status = 'VOID'"
        " where status = 'FINALIZED' and product_id = 'storage'",
    ),
    Case(
        "a part of a line is recognised twice",
        {"law_3_line_equals_its_parts"},
        "insert into invoicing.invoice_line_parts by name select * replace"
        " ('lp_again' as line_part_id) from invoicing.invoice_line_parts"
        " where revenue_category = 'credit_drawdown' limit 1",
    ),
    Case(
        "a line has no parts",
        {"law_3_line_equals_its_parts"},
        "delete from invoicing.invoice_line_parts where revenue_category = 'on_demand'",
    ),
    Case(
        "a unit is covered twice",
        {"law_3_line_equals_its_parts"},
        "update invoicing.invoice_line_parts set quantity = quantity + 1"
        " where revenue_category = 'prepaid_drawdown'",
    ),
    Case(
        "a closed invoice is due on another day",
        {"law_7_closed_invoices_are_unchanged"},
        "update books.invoices set due_at = due_at + interval 1 day"
        " where customer_id = 'beta'",
    ),
    Case(
        "a closed line is renamed",
        {"law_7_closed_invoices_are_unchanged"},
        "update books.invoice_lines set line_name = '?' where product_id = 'storage'",
    ),
    Case(
        "a closed line costs a cent more, with its invoice",
        {
            "law_3_line_equals_its_slices",
            "law_3_line_equals_its_sub_lines",
            "law_7_closed_invoices_are_unchanged",
        },
        "update books.invoice_lines set amount_minor = amount_minor + 1"
        " where line_id = (select min(line_id) from books.invoice_lines"
        " where line_type = 'usage');"
        "update books.invoices set usage_minor = usage_minor + 1,"
        " total_minor = total_minor + 1 where invoice_id = (select min_by("
        "invoice_id, line_id) from books.invoice_lines where line_type = 'usage')",
    ),
    Case(
        "a closed invoice and its hash are rewritten",
        {"law_7_closed_invoices_are_unchanged", "law_7_closes_are_unchanged"},
        "update books.invoices set content_hash = sha256('other')"
        " where customer_id = 'beta'",
    ),
    Case(
        "a posted entry is moved",
        {"law_7_closes_are_unchanged", "law_7_ledger_shows_what_was_posted"},
        "update books.ledger_entries set effective_at = effective_at + interval 1 hour"
        " where grant_id = 'beta-trial' and entry_type like '%DEDUCTION'",
    ),
    Case(
        "the chain of closes is cut",
        {"law_7_closes_are_unchanged"},
        "update books.closes set rolling_digest = sha256('other')"
        " where previous_close_id is null",
    ),
    Case(
        "the first close is gone from the chain",
        {"law_7_closes_are_unchanged"},
        "update books.closes set previous_close_id = 'cl_other'"
        " where previous_close_id is not null",
    ),
    Case(
        "a reader shows another line than was closed",
        {"law_3_line_equals_its_parts", "law_7_readers_show_what_was_hashed"},
        "update invoicing.invoice_lines set quantity = quantity + 1"
        " where status = 'FINALIZED' and product_id = 'storage'",
    ),
    Case(
        "a recorded balance is rewritten",
        {"law_7_closes_are_unchanged"},
        "update books.credit_balance_snapshots set balance_minor = balance_minor + 1",
    ),
    Case(
        "the ledger shows what was never posted",
        {"law_7_ledger_shows_what_was_posted"},
        "update credits.credit_ledger set invoice_id = 'inv_other'"
        " where entry_type like '%DEDUCTION' and grant_id = 'beta-trial'",
    ),
    Case(
        "a balance is not the sum of its entries",
        {
            "check_each_wallet_has_a_runway",
            "check_snapshots_end_at_the_balance",
            "law_7_ledger_shows_what_was_posted",
        },
        "update credits.credit_balances set balance_minor = balance_minor + 1"
        " where grant_id = 'acme-commit'",
    ),
    Case(
        "a wallet is not forecast",
        {"check_each_wallet_has_a_runway"},
        "delete from credits.credit_runway where customer_id = 'acme'",
    ),
    Case(
        "a wallet is forecast twice",
        {"check_each_wallet_has_a_runway"},
        "insert into credits.credit_runway by name select * from credits.credit_runway"
        " where customer_id = 'gamma'",
    ),
    Case(
        "a wallet is forecast with a cent too much",
        {"check_each_wallet_has_a_runway"},
        "update credits.credit_runway set balance_minor = balance_minor + 1"
        " where customer_id = 'acme'",
    ),
    Case(
        "an invoice stands in Stripe twice",
        {"law_8_published_once_as_requested"},
        "insert into payments.stripe_invoices by name select * replace ('in_again' as"
        " stripe_invoice_id) from payments.stripe_invoices limit 1",
    ),
    Case(
        "Stripe charges a cent more than requested",
        {"law_8_published_once_as_requested"},
        "update payments.stripe_invoices set subtotal_minor = subtotal_minor + 1"
        " where currency = 'JPY'",
    ),
    Case(
        "Stripe charges in another currency",
        {"law_8_published_once_as_requested"},
        "update payments.stripe_invoices set currency = 'EUR' where currency = 'JPY'",
    ),
    Case(
        "Stripe has a line too few",
        {"law_8_published_once_as_requested"},
        "update payments.stripe_invoices set line_count = line_count - 1"
        " where currency = 'JPY'",
    ),
    Case(
        "a closed invoice is not in Stripe",
        {"law_8_closed_invoices_are_in_stripe"},
        "update reconciliation.invoice_reconciliation set has_stripe_invoice = false"
        " where publish_action = 'send'",
    ),
    Case(
        "two rates price one hour",
        {"check_one_rate_per_usage_hour"},
        "insert into rating.period_usage by name select * replace"
        f" ('usd-other' as rate_id) from rating.period_usage where {_NOVEMBER}",
    ),
    Case(
        "two rates name equally many values",
        {"check_one_rate_per_usage_hour"},
        "update rating.rate_windows set equal_matches = 2"
        " where rate_id = 'usd-storage'",
    ),
    Case(
        "two contracts bill one hour",
        {"check_one_contract_per_usage_hour"},
        "insert into rating.period_usage by name select * replace ('per_other' as"
        " period_id, 'acme-2' as contract_id) from rating.period_usage"
        f" where {_NOVEMBER}",
    ),
    Case(
        "a posted grant is worth more in the catalog",
        {"check_posted_grants_stand"},
        "update credits.credit_grants set amount_minor = amount_minor + 1"
        " where grant_id = 'acme-commit'",
    ),
    Case(
        "a posted grant is deleted from the catalog",
        {"check_posted_grants_stand"},
        "delete from credits.credit_grants where grant_id = 'acme-commit'",
    ),
    Case(
        "a posted grant is for other seats in the catalog",
        {"check_posted_seats_stand"},
        "update credits.credit_grants set source_id = 'team:2'"
        " where grant_id = 'acme-commit'",
    ),
    Case(
        "a pricing unit with posted entries is deleted from the catalog",
        {
            "check_posted_units_stand",
            "check_posted_grants_stand",
            "law_7_ledger_shows_what_was_posted",
            "law_7_closes_are_unchanged",
        },
        "update books.ledger_entries set pricing_unit_id = 'deleted'"
        " where grant_id = 'acme-commit'",
    ),
    Case(
        "a commit pays a price of its own where a flat amount is charged",
        {"check_commit_prices_are_plain"},
        "update rating.step_charges set charge = 'flat' where slice_id in"
        " (select min(slice_id) from rating.rated_usage where rating_basis = 'open');"
        "insert into rating.grant_prices by name"
        " select slice_id, 'CREDIT' as grant_type from rating.rated_usage"
        " where rating_basis = 'open'",
    ),
    Case(
        "a subscription had seats in closed time, and no line",
        {"check_no_subscription_is_dated_back"},
        "create or replace view staging.stg_catalog__subscriptions as"
        " select 'team' as subscription_id, contract_id, product_id,"
        " timestamp '2026-01-01' as starting_at"
        " from books.invoices inner join books.invoice_lines using (invoice_id)"
        f" where line_id = ({_CLOSED_LINE});"
        " create or replace view rating.subscription_quantities as"
        " select 'team' as subscription_id, 3 as quantity,"
        " timestamp '2026-01-01' as starting_at,"
        " cast(null as timestamp) as ending_before",
    ),
    Case(
        "a subscription had other seats than its line, which no close wrote",
        {
            "check_billed_seats_stand",
            "law_3_invoice_equals_its_lines",
            "law_3_line_equals_its_sub_lines",
            "law_7_closed_invoices_are_unchanged",
        },
        "create table known_lines as select * from staging.stg_books__invoice_lines;"
        " create or replace view staging.stg_books__invoice_lines as"
        " select * from known_lines union all select * replace ("
        " 'il_' || substr(sha256(invoice_id || '|subscription|team'), 1, 24)"
        " as line_id,"
        " 'subscription' as line_type, 2 as quantity, 0 as amount, 0 as amount_minor)"
        f" from known_lines where line_id = ({_CLOSED_LINE});"
        " create or replace view staging.stg_catalog__subscriptions as"
        " select 'team' as subscription_id, contract_id,"
        " cast(null as varchar) as product_id,"
        " cast(null as timestamp) as starting_at from books.invoices"
        " inner join books.invoice_lines using (invoice_id)"
        f" where line_id = ({_CLOSED_LINE});"
        " create or replace view rating.subscription_quantities as"
        " select 'team' as subscription_id, 3 as quantity,"
        " timestamp '2026-01-01' as starting_at,"
        " cast(null as timestamp) as ending_before",
    ),
    Case(
        "two invoices share a number",
        {"check_invoice_numbers_are_unique"},
        "update invoicing.draft_invoices set invoice_number = '2026-11-SAME'",
    ),
    Case(
        "usage of a closed month without a price is not explained",
        {"law_1_unrated_usage_has_a_reason"},
        "delete from invoicing.unbilled_usage where reason = 'no_rate'"
        " and customer_id = 'acme' and usage_hour < timestamp '2026-10-01'",
    ),
    Case(
        "a duplicate is not known as one",
        {"law_1_no_event_counts_twice"},
        "create table known_events as select * from metering.attributed_events;"
        " create or replace view metering.attributed_events as"
        " select * from known_events union all"
        " select * replace (landing_row + 1000 as landing_row) from known_events"
        " where event_date = date '2026-11-01' and customer_id = 'acme'",
    ),
    Case(
        "a line in a unit is turned into no money, and paid by a grant in money",
        {"law_3_applied_equals_covered", "law_3_conversion_equals_its_lines"},
        "update invoicing.draft_invoice_lines set pricing_unit_id = 'credits'"
        " where line_type = 'usage' and product_id = 'tokens'",
    ),
    Case(
        "what is given in a unit is more than 64 bits hold",
        {"check_unit_balances_fit_their_decimal_places"},
        "insert into credits.credit_grants by name select 'seg_more' as segment_id,"
        " 'acme' as customer_id, 'USD' as currency, 'credits' as pricing_unit_id,"
        " 9000000000000000000 as opening_balance_minor",
    ),
    Case(
        "a grant in a unit pays a line in money",
        {"law_4_draws_are_by_contracts_that_may"},
        "update credits.drawable_charges set pricing_unit_id = 'credits'"
        " where slice_id in (select slice_id from credits.credit_drawdowns)",
    ),
    Case(
        "ten dollars are taken off credits",
        {"check_amounts_are_in_one_unit"},
        "create or replace view rating.adjusted_slices as select slice_id,"
        " 'ten' as adjustment_id, cast(null as decimal(18, 12)) as percentage,"
        " cast(null as decimal(32, 12)) as maximum_amount from rating.usage_slices;"
        " update rating.rated_usage set pricing_unit_id = 'credits'"
        " where rating_basis = 'open'",
    ),
    Case(
        "increments are lost",
        {
            "law_2_every_metered_unit_is_rated_once",
            "law_2_increments_add_up_to_the_metered_value",
        },
        "create or replace view rating.usage_by_period as"
        " select * from rating.running_increments",
    ),
]
