"""A page in headless Chromium, driven through its DevTools protocol over a pair of pipes.

Nothing but the standard library: Chromium reads messages from file descriptor 3 and answers
on 4, JSON ended by a zero byte.  The browser is offline, and whatever a page asks of the
network, says on the console or throws is kept in ``Page.trouble``.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 30
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
)  # fmt: skip


def program() -> str | None:
    """Return where Chromium is, ``None`` where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running Chromium."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._number, self._rest = 0, b""
        self.heard: list[dict[str, Any]] = []

    def ask(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Send a command and return its answer; what comes in between is kept in ``heard``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next(SECONDS)
            if said.get("id") == self._number:
                break
            self.heard.append(said)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        return said["result"]  # type: ignore[no-any-return]

    def wait(self, method: str, session: str) -> None:
        """Return once the browser has said something."""
        while not any(
            said.get("method") == method and said.get("sessionId") == session for said in self.heard
        ):
            self.heard.append(self._next(SECONDS))

    def _next(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], max(0.0, end - time.monotonic()))
            read = os.read(self._back, 1 << 16) if ready else b""
            if not read:
                raise TimeoutError(f"Chromium said nothing for {seconds} seconds")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)  # type: ignore[no-any-return]


class Page:
    """A file that is open in a browser."""

    def __init__(self, browser: Browser, address: str, width: int, height: int, dark: bool) -> None:
        self._browser = browser
        target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.go(address)

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command to the page."""
        return self._browser.ask(method, self._session, **given)

    def go(self, address: str) -> None:
        """Open an address and wait until it has loaded."""
        self._browser.heard = [
            said for said in self._browser.heard if said.get("method") != "Page.loadEventFired"
        ]
        self.ask("Page.navigate", url=address)
        self._browser.wait("Page.loadEventFired", self._session)

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited; what the script throws is raised."""
        answer = self.ask(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(
                answer["exceptionDetails"].get("exception", {}).get("description", str(answer))
            )
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as a keyboard would."""
        for kind in ("keyDown", "keyUp"):
            text = {"Enter": "\r", " ": " "}.get(key, "")
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text if kind == "keyDown" else "",
                     windowsVirtualKeyCode={"Enter": 13, "Tab": 9, " ": 32}.get(key, 0))  # fmt: skip

    def click(self, x: float, y: float) -> None:
        """Press the mouse at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path, whole: bool = True) -> None:
        """Save what the page looks like as a PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    @property
    def trouble(self) -> list[str]:
        """What the page threw, said on the console, was refused, or asked of the network."""
        self.run("new Promise((done) => setTimeout(done, 30))")
        found = []
        for said in self._browser.heard:
            if said.get("sessionId") != self._session:
                continue
            given = said.get("params", {})
            match said.get("method"):
                case "Runtime.exceptionThrown":
                    thrown = given["exceptionDetails"]
                    found.append(thrown.get("exception", thrown).get("description", str(thrown)))
                case "Runtime.consoleAPICalled":
                    found.append(str(given["args"]))
                case "Log.entryAdded":
                    found.append(str(given["entry"]["text"]))
                case "Network.requestWillBeSent":
                    if given["request"]["url"].partition(":")[0] not in ("file", "about", "data"):
                        found.append(given["request"]["url"])
        return found

    def close(self) -> None:
        """Close the page."""
        self._browser.ask("Target.closeTarget", targetId=self._target)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, and end it."""
    here = program()
    assert here is not None
    into, to = map(_high, os.pipe())
    back, out = map(_high, os.pipe())

    def connect() -> None:
        os.dup2(into, 3)
        os.dup2(out, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        running = subprocess.Popen(
            [here, *_SWITCHES, f"--user-data-dir={home}"], preexec_fn=connect, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(into)
        os.close(out)
        browser = Browser(to, back)
        try:
            yield browser
            with contextlib.suppress(OSError, TimeoutError):
                browser.ask("Browser.close")
        finally:
            os.close(to)
            os.close(back)
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _high(descriptor: int) -> int:
    """Move a file descriptor out of the way of 3 and 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved
