"""Rewrites the answers of docs/finance.md and docs/ledger.md from the sample company.

    python -m tests.exports.render_finance_page [--workspace DIR]

Without DIR the sample company of 10 k events is made and billed first (a minute or
two); DIR is such a workspace that is there already.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from orchestration.demo import enter_by_hand
from orchestration.sample_company import generate, stage
from orchestration.workspace import Workspace
from tests.conftest import CLOSINGS
from tests.exports.finance_page import LEDGER_PAGE, PAGE, rendered
from tests.support import instant, run_all


def bill_sample_company(folder: Path) -> Path:
    """A workspace as the fixture `sample_workspace` makes it."""
    sample = generate(folder / "sample", events=10_000)
    company = folder / "company"
    company.mkdir()
    for closing in CLOSINGS:
        stage(sample.directory, company, instant(closing))
        run_all(company, closing)
        enter_by_hand(Workspace.load(company), instant(closing))
    return company


def main() -> None:
    """Rewrite the pages; says which changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args().workspace
    with tempfile.TemporaryDirectory(prefix="meterhouse-finance-") as folder:
        company = given or bill_sample_company(Path(folder))
        for page in (PAGE, LEDGER_PAGE):
            before = page.read_text(encoding="utf-8")
            after = rendered(company / "finance.duckdb", page)
            page.write_text(after, encoding="utf-8")
            print(f"{page}: {'unchanged' if after == before else 'rewritten'}")


if __name__ == "__main__":
    main()
