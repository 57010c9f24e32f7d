"""Debian's chromium, driven by playwright; without either the tests here are skipped and say what to install."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser, one for each worker."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="there is no playwright here: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the text of a page, or a file, in a fresh context. When the test ends nothing may have gone wrong in the page: no error, no word on the
    console, no dialog, and nothing asked of anybody but the files themselves."""
    contexts, wrong = [], []

    def opened(page: str | Path, part: str = "", **options: Any) -> Any:
        file = page if isinstance(page, Path) else tmp_path / f"page{len(contexts)}.html"
        if isinstance(page, str):
            file.write_text(page, encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: wrong.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        folder = file.parent.as_uri()
        tab.on("request", lambda r: wrong.append(f"request: {r.url}") if not r.url.startswith((folder, "data:")) else None)
        tab.goto(file.as_uri() + part)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
