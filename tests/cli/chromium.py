"""Chromium without a window, spoken to over a pipe: a page at a width, in the dark or in the light, and what it
asked for and complained of."""

import base64
import json
import os
import shutil
import subprocess
import tempfile

import pytest


class Page:
    """What was seen of a page after its scripts ran."""

    def __init__(self, browser, session, requests, complaints):
        self.browser, self.session = browser, session
        self.requests, self.complaints = requests, complaints

    def value(self, expression):
        result = self.browser.call("Runtime.evaluate", self.session, expression=expression,
                                   returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def point_at(self, x, y):
        for kind in ("mouseMoved", "mouseMoved"):
            self.browser.call("Input.dispatchMouseEvent", self.session, type=kind, x=x, y=y)
            x += 0.5

    def text(self):
        return self.value("document.body.innerText")

    def screenshot(self, file, whole=True):
        shot = self.browser.call("Page.captureScreenshot", self.session, format="png",
                                 captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


class Chromium:
    def __init__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            pytest.skip("no chromium here: scripts/setup installs it")
        self.profile = tempfile.TemporaryDirectory(prefix="longhaul-chromium-")
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()
        # Chromium reads descriptor 3 and writes 4. What is passed keeps its number, so a shell moves it.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "bash", program, "--headless", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(to_child, from_child), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.number, self.held, self.events = 0, b"", []

    def close(self):
        os.close(self.to)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.back)
        shutil.rmtree(self.profile.name, ignore_errors=True)

    def message(self):
        while b"\0" not in self.held:
            got = os.read(self.back, 1 << 20)
            assert got, "chromium ended"
            self.held += got
        text, self.held = self.held.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self.to, json.dumps(command).encode() + b"\0")
        while (message := self.message()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, path, width, height=900, scheme="light"):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        self.call("Emulation.setDeviceMetricsOverride", session, width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", session,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", session, url=path.resolve().as_uri())
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.events.append(self.message())
        page = Page(self, session, [], [])
        page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        for one in self.events:
            method, told = one.get("method"), one.get("params", {})
            if method == "Network.requestWillBeSent":
                page.requests.append(told["request"]["url"])
            elif method == "Runtime.exceptionThrown" or method == "Page.javascriptDialogOpening":
                page.complaints.append(told)
            elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
                page.complaints.append(told)
            elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                page.complaints.append(told["entry"])
        return page
