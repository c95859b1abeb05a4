"""A stateful Stripe sandbox: the real SDK talks to it, no network needed.

::

    sandbox = Sandbox(workspace / "stripe_sandbox.sqlite")
    customer = sandbox.provision_customer(
        "default", "acme", name="Acme", payment_method="pm_card_visa"
    )
    client = sandbox.client("default")          # a stripe.StripeClient
    ...
    sandbox.advance_to(datetime(2026, 11, 2, tzinfo=UTC))
"""

from .client import InProcessClient
from .engine import DEFAULT_START, LoggedRequest, Sandbox
from .faults import KINDS as FAULT_KINDS
from .faults import Fault, FaultKind, FaultPlan, SimulatedDeath

__all__ = [
    "DEFAULT_START",
    "FAULT_KINDS",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "InProcessClient",
    "LoggedRequest",
    "Sandbox",
    "SimulatedDeath",
]
