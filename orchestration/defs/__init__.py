"""One folder a stage of the path, as in the warehouse and in dbt_project/models.

A stage's assets are found under its group. A Dagster step is longer than a stage where
dbt alone knows the order, because each start of dbt costs more than most stages do:

| step | builds | lies in |
|---|---|---|
| land_usage, staging_models | what came in | staging |
| metering_models | usage by day | metering |
| draft_models | rating, credits and invoicing up to the drafts | rating |
| close | the books | invoicing |
| reader_models | what reads the books: credits, invoicing, publishing | invoicing |
| published_invoices | invoices in Stripe | publishing |
| load_stripe, payment_models | payments, reconciliation, exports | payments |
| finance_copy | finance.duckdb and files | exports |

`operations.py` holds the jobs and schedules over all of them.
"""
