"""A headless Chromium, driven over a pipe: what a page does, shows and complains about."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--mute-audio"),
    *("--remote-debugging-pipe", "--no-first-run", "--autoplay-policy=no-user-gesture-required"),
)


class Page:
    """One page; commands are those of the DevTools protocol."""

    def __init__(self, send, receive):
        self._send, self._receive = send, receive
        self._number = 0
        self._session = None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._send(message)
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        message = self._receive()
        method, params = message.get("method"), message.get("params", {})
        bad_word = method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}
        if bad_word or method in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.complaints.append(json.dumps(params))
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("file:", "data:", "about:")):
                self.complaints.append(f"asked for {address}")
        return message

    def open(self, path, width=1100, height=800, **media):
        """Show a file at a size; `dark` or `print` of the media features may be True."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if media.get("dark") else "light"}
        kind = "print" if media.get("print") else "screen"
        self.call("Emulation.setEmulatedMedia", media=kind, features=[scheme])
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script):
        """The value of a JavaScript expression; promises are waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, x, y, *more):
        """Press the mouse at a place, move through others, let go."""
        self._mouse("mousePressed", x, y)
        for place in more:
            self._mouse("mouseMoved", *place)
        self._mouse("mouseReleased", *(more[-1] if more else (x, y)))

    def _mouse(self, kind, x, y):
        self.call(
            "Input.dispatchMouseEvent",
            **{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1},
        )

    def screenshot(self, path, whole=True):
        """Write what is shown, or the whole page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def _clip(self, whole):
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {
            "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        }

    def print(self, path):
        """Write the page as PDF."""
        made = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        Path(path).write_bytes(base64.b64decode(made["data"]))


@contextmanager
def page():
    """A page of a browser of its own."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def wire():
        # The protocol wants to be read at 3 and written at 4; the pipes may be either.
        read, write = os.dup(to_read), os.dup(from_write)
        os.dup2(read, 3)
        os.dup2(write, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=wire,  # noqa: PLW1509 - it takes no lock
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        with os.fdopen(to_write, "wb") as output, os.fdopen(from_read, "rb") as source:
            rest = bytearray()

            def send(message):
                output.write(json.dumps(message).encode() + b"\0")
                output.flush()

            def receive():
                while b"\0" not in rest:
                    part = source.read1(1 << 20)
                    assert part, "the browser has gone"
                    rest.extend(part)
                text, _, more = bytes(rest).partition(b"\0")
                rest[:] = more
                return json.loads(text)

            try:
                yield Page(send, receive)
            finally:
                process.terminate()
                process.wait(30)
