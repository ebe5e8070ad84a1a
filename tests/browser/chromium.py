"""A headless Chromium, driven over its DevTools protocol.

    with chromium.Chromium() as browser:
        with browser.tab(width=360, height=740, dark=True, scripts=False) as tab:
            tab.open("http://127.0.0.1:51339/")
            assert tab.evaluate("document.title").startswith("ESDDNS")

The protocol goes through two pipes (--remote-debugging-pipe): no port, no driver, and no library.
"""

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

LIMIT = 30      # seconds; generous, for a busy machine
# nothing but the pages under test; as root there is no sandbox to be had
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--no-proxy-server", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en",
         "--remote-debugging-pipe")


class ProtocolError(Exception):
    """Chromium refused a command, or an expression threw."""


def program():
    found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("chromium is missing: apt-get install chromium")
    return found


class Chromium:
    """One browser with a profile of its own, which is gone afterwards."""

    def __init__(self, **environment):
        command = [program(), *FLAGS]
        self._profile = tempfile.mkdtemp(prefix="esddns-chromium-")
        self._number = 0
        self._buffer = b""
        self._replies = {}
        self._tabs = {}
        # above those that the browser wants to have as 3 and 4
        theirs_in, self._out = self._pipe()
        self._in, theirs_out = self._pipe()
        try:
            self._log = open(f"{self._profile}/log", "wb")
            self._process = subprocess.Popen(
                [*command, f"--user-data-dir={self._profile}/data", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, pass_fds=(3, 4),
                env=os.environ | {"HOME": self._profile, "TZ": "UTC"} | environment,
                preexec_fn=lambda: (os.dup2(theirs_in, 3), os.dup2(theirs_out, 4)))
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    @staticmethod
    def _pipe():
        ends = os.pipe()
        high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
        for end in ends:
            os.close(end)
        return high

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(ProtocolError, OSError, TimeoutError):
            self.call("Browser.close", limit=5)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._profile, ignore_errors=True)

    # --- the protocol ----------------------------------------------------------------

    def call(self, method, session=None, limit=LIMIT, **params):
        """One command and its result; events that come meanwhile go to their tabs."""
        self._number += 1
        number, end = self._number, time.monotonic() + limit
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data):]
        while number not in self._replies:
            if not self.pump(end - time.monotonic()):
                raise TimeoutError(f"{method}: no answer within {limit} s")
        reply = self._replies.pop(number)
        if "error" in reply:
            raise ProtocolError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def pump(self, seconds):
        """Takes what has come, or comes within the time; False if there is nothing."""
        if not select.select([self._in], [], [], max(0, seconds))[0]:
            return False
        part = os.read(self._in, 1 << 20)
        if not part:
            raise ProtocolError(f"chromium has ended:\n{self._last_words()}")
        *messages, self._buffer = (self._buffer + part).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._replies[message["id"]] = message
            elif message.get("sessionId") in self._tabs:
                self._tabs[message["sessionId"]].take(message["method"], message["params"])
        return True

    def _last_words(self):
        with open(self._log.name, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    @contextlib.contextmanager
    def tab(self, **how):
        """A tab with storage and cache of its own, see Tab."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        try:
            target = self.call("Target.createTarget", url="about:blank",
                               browserContextId=context)["targetId"]
            session = self.call("Target.attachToTarget", targetId=target,
                                flatten=True)["sessionId"]
            self._tabs[session] = tab = Tab(self, session, **how)
            tab.prepare()
            yield tab
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)


class Tab:
    """One page: a screen of this size, with or without scripts, dark or light."""

    def __init__(self, browser, session, width=1280, height=900, dark=False, scripts=True):
        self._browser, self._session = browser, session
        self.width, self.height, self.dark, self.scripts = width, height, dark, scripts
        self.requests = []      # URLs, as they are asked for
        self.complaints = []    # of scripts, the console, the network and the security policy

    def call(self, method, **params):
        return self._browser.call(method, session=self._session, **params)

    def prepare(self):
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(self.width, self.height)
        self.media(dark=self.dark)
        self.call("Emulation.setScriptExecutionDisabled", value=not self.scripts)
        # headless windows are not in front of anybody, yet focus must be as if they were
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def take(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or
                                   details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str([a.get("value") for a in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            entry = params["entry"]
            self.complaints.append(f"{entry['text']} ({entry.get('url', 'no URL')})")

    def resize(self, width, height):
        self.width, self.height = width, height
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def media(self, dark):
        """The colours that the user prefers."""
        self.dark = dark
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        """The page at the URL, complete with its style and its scripts' first run."""
        error = self.call("Page.navigate", url=url).get("errorText")
        if error:
            raise ProtocolError(f"{url}: {error}")
        self.wait("document.readyState === 'complete'", f"{url} is loaded")

    def show(self, document):
        """This HTML, in place of a page with a URL."""
        frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self.call("Page.setDocumentContent", frameId=frame, html=document)
        self.wait("[...document.images].every((i) => i.complete)", "its pictures are loaded")

    def evaluate(self, expression):
        """Its value (JSON); a promise is awaited. Works where the page's scripts are off, too."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise ProtocolError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, expression, what, limit=LIMIT):
        """The first true value of the expression."""
        end = time.monotonic() + limit
        while True:
            try:
                value = self.evaluate(expression)
                if value:
                    return value
            except ProtocolError as error:      # in the middle of a navigation
                value = error
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {limit} s: {what} (last: {value!r})\n{self.text()}")
            self._browser.pump(0.05)

    def text(self):
        """What a reader sees."""
        return self.evaluate("document.body.innerText")

    def press(self, key, code=None, **more):
        """One key, as from a keyboard: press("Tab", code=9)."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code or 0, **more)

    def picture(self, whole=False):
        """PNG of the screen, or of the whole page."""
        params = {}
        if whole:
            height = self.evaluate("document.documentElement.scrollHeight")
            params = {"captureBeyondViewport": True,
                      "clip": {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **params)["data"])
