"""Faults to order: what the network and Stripe do on a bad day."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal[
    "rate_limit",  # 429, nothing executed, nothing stored
    "lock_timeout",  # 429 with code lock_timeout
    "conflict",  # 409: the key is in use by another request
    "error_before",  # 500, nothing executed, the 500 is stored for the key
    "error_after",  # 500 although executed, the 500 is stored for the key
    "drop_before",  # no answer, nothing executed
    "drop_after",  # no answer although executed
    "die_before",  # the caller's process ends before the request arrives
    "die_after",  # … after it was executed
]
KINDS: tuple[FaultKind, ...] = (
    "rate_limit",
    "lock_timeout",
    "conflict",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "die_before",
    "die_after",
)


class SimulatedDeath(BaseException):
    """The calling process "dies" here; no ``except Exception`` may survive it."""


@dataclass
class Fault:
    """One ordered fault: it strikes matching requests number nth … nth+times-1."""

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    nth: int = 1
    times: int = 1
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def strikes(self, method: str, path: str) -> bool:
        """Count the request; whether this is one to spoil."""
        if self.method and self.method.upper() != method:
            return False
        if self.path and not re.search(self.path, path):
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.struck += 1
        return True


class FaultPlan:
    """The faults a sandbox object will play; not part of its lasting state."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(
        self,
        kind: FaultKind,
        *,
        method: str | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> Fault:
        """Order a fault; ``path`` is a regular expression searched in the path."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")
        fault = Fault(kind, method, path, nth, times)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def next(self, method: str, path: str) -> FaultKind | None:
        """The fault for this request, if any; every fault counts the request."""
        kinds = [fault.kind for fault in self._faults if fault.strikes(method, path)]
        return kinds[0] if kinds else None
