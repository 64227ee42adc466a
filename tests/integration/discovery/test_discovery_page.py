"""The demo's page in headless Chromium: it shows the peers, and changes by itself when one comes and goes."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websocket import WebSocket, create_connection

from tests.integration.discovery.conftest import ROOT, Lan, eventually

_START_SECONDS = 60


class Browser:
    """A page of Chromium's, by its debugging protocol (chromedevtools.github.io/devtools-protocol)."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._number = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                result: dict[str, Any] = answer["result"]
                return result

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text(self) -> str:
        """What a reader of the page sees."""
        return str(self.value("document.body.innerText"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The command, installed as the project installs all that its tests need."""
    if not shutil.which("chromium"):
        subprocess.run([ROOT / "scripts" / "install", "browser"], check=True, timeout=900)
    found = shutil.which("chromium")
    assert found
    return found


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[Browser]:
    profile = tmp_path / "profile"
    argv = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    argv += ["--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={profile}", "about:blank"]
    with (tmp_path / "chromium.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        port_file = profile / "DevToolsActivePort"
        # Its first line is there once its second has begun, and a page some time after the browser.
        written = eventually(lambda: _text(port_file), lambda text: "\n" in text, _START_SECONDS)
        page, *_ = eventually(lambda: _pages(written.splitlines()[0]), bool, _START_SECONDS)
        socket = create_connection(page["webSocketDebuggerUrl"], timeout=20)
        yield Browser(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(20)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _pages(port: str) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
            return [item for item in json.loads(answer.read()) if item["type"] == "page"]
    except OSError:
        return []


def test_the_page_updates_by_itself(lan: Lan, browser: Browser) -> None:
    first, second = lan.start("first"), lan.start("second")
    eventually(first.peers, lambda peers: "second" in peers, 20)
    browser.call("Page.navigate", url=first.url)
    shown = eventually(browser.text, lambda text: "1 of 1 peers alive" in text, 20)
    assert shown.startswith("first")
    assert "second" in shown
    assert second.address in shown
    browser.value("window.loadedOnce = true")
    second.end()
    eventually(browser.text, lambda text: "0 of 1 peers alive" in text and "dead" in text, 15)
    lan.start("third")
    eventually(browser.text, lambda text: "1 of 2 peers alive" in text, 20)
    assert browser.value("window.loadedOnce") is True, "the page was loaded anew instead of updating itself"
    first.end()
    eventually(browser.text, lambda text: "no answer" in text, 20)


def test_a_name_from_the_network_stays_text(lan: Lan, browser: Browser) -> None:
    name = "<img src=x onerror=window.broken=1>"
    first = lan.start("first")
    lan.start(name)
    eventually(first.peers, lambda peers: name in peers, 20)
    browser.call("Page.navigate", url=first.url)
    eventually(browser.text, lambda text: name in text, 20)
    assert browser.value("window.broken") is None
    assert browser.value("document.images.length") == 0
