"""Random customers with a parent: who may draw on what, and what must be drawn."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.credits.random_wallets import random_account
from tests.credits.reference_slices import hourly_days
from tests.credits.reference_wallet import NEVER, Charge, Grant, Segment
from tests.credits.wallet_accounts import Account, Contract, Given, charges_of
from tests.credits.wallet_company import company_of
from tests.rating.random_contracts import CURRENCIES, Tables

# What the catalog says of a grant: child_access ("" is blank) and the list.
Access = tuple[str, frozenset[str]]


@dataclass
class Family:
    """Customers, of whom the first may be the parent of the others."""

    accounts: dict[str, Account]
    # Child contract -> the contract that it names as its parent.
    parents: dict[str, str]
    # Type and id of a grant of the parent -> who else may draw on it.
    access: dict[tuple[str, str], Access]

    @property
    def parent(self) -> str:
        return next(iter(self.accounts))

    def contract(self, contract_id: str) -> Contract:
        return next(
            contract
            for account in self.accounts.values()
            for contract in account.contracts
            if contract.contract_id == contract_id
        )

    def customer_of(self, charge: Charge) -> str:
        return charge.contract_id.split("-")[0]

    def shared(self, customer: str, grant: Grant) -> Grant:
        """The grant with all that may draw on it."""
        own = {one.contract_id for one in self.accounts[customer].contracts}
        children = [
            (child, self.contract(parent))
            for child, parent in self.parents.items()
            if customer == self.parent
            and (not grant.contract_ids or parent in grant.contract_ids)
        ]
        word, listed = self.access.get(
            (grant.grant_type, grant.grant_id), ("", frozenset())
        )
        return replace(
            grant,
            customer_contracts=frozenset(own),
            children=tuple(
                (child, parent.starting_at, parent.ending_before or NEVER)
                for child, parent in children
                if word == "ALL" or (word == "CONTRACT_IDS" and child in listed)
            ),
        )

    def segments(self, customer: str) -> list[tuple[str, Segment]]:
        """Currency and segment of each grant."""
        return [
            (given.currency, replace(one, grant=self.shared(customer, given.grant)))
            for given in self.accounts[customer].grants
            for one in given.segments()
        ]

    def charges(self, customer: str) -> list[tuple[str, Charge]]:
        """Currency and charge of each contract, cut where what pays them may begin or
        end: grants of the customer and of its parent, and the parent's contract."""
        account = self.accounts[customer]
        named = {
            self.parents[one.contract_id]
            for one in account.contracts
            if one.contract_id in self.parents
        }
        windows = [segment for _, segment in self.segments(customer)]
        if named:
            windows += [segment for _, segment in self.segments(self.parent)]
            nothing = Grant("CREDIT", "", account.contracts[0].starting_at)
            windows += [
                Segment(nothing, 0, one.starting_at, one.ending_before)
                for one in map(self.contract, named)
            ]
        return [
            (contract.currency, charge)
            for contract in account.contracts
            for charge in charges_of(contract, hourly_days(windows))
        ]

    def wallets(self) -> dict[str, tuple[list[Charge], list[Segment]]]:
        """Currency -> charges and segments of all."""
        charges = [one for name in self.accounts for one in self.charges(name)]
        segments = [one for name in self.accounts for one in self.segments(name)]
        return {
            currency: (
                [charge for money, charge in charges if money == currency],
                [segment for money, segment in segments if money == currency],
            )
            for currency in CURRENCIES
        }


def random_family(dice: random.Random, name: str) -> Family:
    parent = f"{name}a"
    accounts = {parent: random_account(dice, parent, dice.randint(1, 5))}
    parents: dict[str, str] = {}
    for letter in "bcd"[: dice.randint(1, 3)]:
        child = f"{name}{letter}"
        accounts[child], named = random_child(dice, child, accounts[parent])
        parents |= named
    family = Family(accounts, parents, {})
    for given in accounts[parent].grants:
        key = given.grant.grant_type, given.grant.grant_id
        family.access[key] = random_access(dice, given, parents)
    return family


def random_child(
    dice: random.Random, child: str, parent: Account
) -> tuple[Account, dict[str, str]]:
    """A customer of whom a contract, or two, have a parent that they may have."""
    while True:
        account = random_account(dice, child, dice.randint(0, 3))
        named = {
            one.contract_id: dice.choice(fitting).contract_id
            for one in account.contracts
            if (fitting := [two for two in parent.contracts if fit(one, two)])
            and dice.random() < 0.9
        }
        if named:
            return account, named


def fit(child: Contract, parent: Contract) -> bool:
    """Are they in one currency, and in force together?"""
    return (
        child.currency == parent.currency
        and child.starting_at < (parent.ending_before or NEVER)
        and parent.starting_at < (child.ending_before or NEVER)
    )


def random_access(
    dice: random.Random, given: Given, parents: Mapping[str, str]
) -> Access:
    contracts = given.grant.contract_ids
    children = sorted(
        child
        for child, parent in parents.items()
        if not contracts or parent in contracts
    )
    word = dice.choice(("", "NONE", "ALL", "ALL", "ALL", "CONTRACT_IDS"))
    if word != "CONTRACT_IDS":
        return word, frozenset()
    if not children:
        return "ALL", frozenset()
    return word, frozenset(dice.sample(children, dice.randint(1, len(children))))


def company_of_families(
    families: Mapping[str, Family],
) -> tuple[Tables, list[dict[str, Any]]]:
    """Catalog and events of all customers."""
    accounts = {
        customer: account
        for family in families.values()
        for customer, account in family.accounts.items()
    }
    tables, events = company_of(accounts)
    parents = {k: v for family in families.values() for k, v in family.parents.items()}
    access = {k: v for family in families.values() for k, v in family.access.items()}
    for row in tables["contracts"]:
        row["parent_contract_id"] = parents.get(row["contract_id"], "")
    for table, key in (("commits", "commit_id"), ("credits", "credit_id")):
        for row in tables[table]:
            grant_type = "CREDIT"
            if table == "commits":
                grant_type = f"{row['commit_type']}_COMMIT"
            word, listed = access.get((grant_type, row[key]), ("", frozenset()))
            row["child_access"] = word
            row["child_contract_ids"] = "|".join(sorted(listed))
    return tables, events
