"""`make ui` in a real browser: the first page is the path, read from left to right."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.orchestration.server import DagsterUi

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on the path"
    ),
]

PATH = [
    "staging",
    "metering",
    "rating",
    "credits",
    "invoicing",
    "publishing",
    "payments",
    "reconciliation",
    "exports",
]
SECONDS = 120


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--window-size=1600,1000",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(service=Service(str(DRIVER)), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def first_page(ui: DagsterUi) -> str:
    """The address that the command prints for people."""
    page = f"{ui.url}/asset-groups"
    said = ui.log.read_text(errors="replace")
    # The line is wrapped where nobody watches.
    assert page in re.sub(r"\s", "", said), said[:500]
    return page


def group_positions(browser: webdriver.Chrome) -> dict[str, float]:
    """Left edge of each stage's box in the graph, read in one go: the page redraws."""
    labels: list[tuple[str, float]] = browser.execute_script(
        """
        return [...document.querySelectorAll("foreignObject")].map(box => [
            (box.textContent || "").trim(),
            box.getBoundingClientRect().left,
        ]);
        """
    )
    found: dict[str, float] = {}
    for text, left in labels:
        if text in PATH:
            found.setdefault(text, left)
    return found


def foreign_requests(browser: webdriver.Chrome, ui: DagsterUi) -> set[str]:
    """Hosts other than the UI's own that the page asked for anything."""
    entries: list[dict[str, Any]] = browser.get_log("performance")
    events = [json.loads(entry["message"])["message"] for entry in entries]
    addresses = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    hosts = {
        urlsplit(address).netloc
        for address in addresses
        if address.startswith(("http", "ws"))
    }
    return hosts - {urlsplit(ui.url).netloc}


def test_the_first_page_reads_from_left_to_right_as_the_path(
    ui: DagsterUi, browser: webdriver.Chrome
) -> None:
    browser.get(first_page(ui))
    WebDriverWait(browser, SECONDS).until(
        lambda page: set(group_positions(page)) == set(PATH),
        "not all nine stages are shown",
    )
    positions = group_positions(browser)
    assert sorted(PATH, key=positions.__getitem__) == PATH
    assert browser.find_elements(By.CSS_SELECTOR, "[role=dialog]") == []
    assert "error" not in browser.title.lower()
    body = browser.find_element(By.TAG_NAME, "body").text
    for bad in ("Join the Dagster", "An error occurred", "PythonError"):
        assert bad not in body
    assert foreign_requests(browser, ui) == set()


def test_an_asset_page_tells_owner_description_and_columns(
    ui: DagsterUi, browser: webdriver.Chrome
) -> None:
    browser.get(f"{ui.url}/assets/invoicing/invoices")
    WebDriverWait(browser, SECONDS).until(
        lambda page: "Owners" in page.find_element(By.TAG_NAME, "body").text,
        "the asset page does not open",
    )
    body = browser.find_element(By.TAG_NAME, "body").text
    assert "One row per invoice" in body
    assert "dbt_project/models/invoicing/invoices.sql" in body
    assert "invoice_number" in body
