"""What was already paid or given. Drafts are built by the step in `rating`, ledger and
balances, which read the books, by the step in `invoicing`."""
