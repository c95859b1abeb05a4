"""Publishing to Stripe and loading back: rows in, rows out, a client passed in.

Imports neither Dagster nor dbt nor ``orchestration``. The doors::

    rows        InvoiceRequest, LineRequest, PublishResult, Orphan, RawObject,
                RawEvent, LoadCounts: frozen dataclasses
    tables      metadata: publish_journal, publish_attempts, load_cursors,
                load_open_invoices in the operations store
    sandbox     Sandbox(path): Stripe without Stripe; now, advance_to(moment),
                provision_customer(account, customer_id, ...), client(account)
    clients     build_clients(accounts, mode="sandbox", sandbox=...)
    journal     PublishJournal(engine): rows(), get(), reopen(), lock()
    publisher   publish(requests, clients=, journal=, environment=, clock=,
                policy=PublishPolicy()) -> list[PublishResult]
    voids       void(requests, clients=, journal=, environment=, clock=, policy=)
    gate        gate(request, environment=, accounts=) -> list of reasons
    orphans     sweep_orphans(client=, account=, journal=, environment=, ...)
    loader      load_back(client=, account=, cursors=SqlCursorStore(engine),
                sink=ParquetSink(lake), clock=) -> LoadCounts

``clock`` is the time Stripe lives in: real time for Stripe, ``lambda: sandbox.now``
for the sandbox.
"""
