"""The web server with rows to look at, and somebody who looks at them in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.e2e.installation import installation
from tests.e2e.network import Host
from tests.e2e.service import PASSWORD, USER, Service, until
from tests.e2e.test_hosts import Unit
from tests.servers import LOOPBACK, free_port

FILL = "from tests import cast; from django.contrib.auth.models import User; cast.company(User.objects.get())"
#: Sends each violation to the log of the browser, with what it was.
TELL = """addEventListener("securitypolicyviolation", (event) => console.error(
    "VIOLATION", event.effectiveDirective, event.blockedURI, event.sample, document.URL));"""
#: Not a name of this machine, which browsers and pages treat in their own way.
HOST = "portcullis.test"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
    f"--host-resolver-rules=MAP {HOST} {LOOPBACK}",
)


class Browser:
    """Chromium at one site."""

    def __init__(self, chrome: Chrome, url: str) -> None:
        self.chrome, self.url = chrome, url

    def open(self, path: str) -> None:
        self.chrome.get(urljoin(self.url, path))

    def run(self, script: str) -> Any:
        return self.chrome.execute_script(script)

    def find(self, selector: str) -> WebElement:
        """The first visible element, as soon as there is one and nothing moves: a click would miss it."""

        def visible() -> WebElement | None:
            if self.run("return document.getAnimations().length"):
                return None
            with suppress(StaleElementReferenceException):  # another page has come meanwhile
                return next((found for found in self.all(selector) if found.is_displayed()), None)
            return None

        return until(visible)

    def wait_for(self, *texts: str) -> None:
        """Until the page has one of these texts."""
        until(lambda: any(text in self.run("return document.body.innerText") for text in texts))

    def turn_to_the_new_window(self) -> None:
        chrome = self.chrome
        [new] = until(lambda: {*chrome.window_handles} - {chrome.current_window_handle})
        chrome.switch_to.window(new)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def addresses(self) -> list[str]:
        """Where the links of the page lead."""
        script = "return Array.from(document.links, link => link.href.split('#')[0])"
        return list(self.run(script))

    def log_in(self, path: str | None = "/login/", password: str = PASSWORD) -> None:
        """At a page, or at the one that is open."""
        if path:
            self.open(path)
        self.find("[name=username]").clear()
        self.find("[name=username]").send_keys(USER)
        self.find("[name=password]").send_keys(password)
        self.find("[type=submit], form button").click()

    def complaints(self) -> list[str]:
        """What the browser has refused since the last look, and errors of scripts."""
        return [
            entry["message"]
            for entry in self.chrome.get_log("browser")
            if entry["level"] == "SEVERE" and entry["source"] != "network"  # whose errors are statuses
        ]


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the web server."""
    folder, address = tmp_path_factory.mktemp("browser"), f"{LOOPBACK}:{free_port()}"
    hosts = f"{LOOPBACK},{HOST}"
    with installation(folder, WEB_BIND=address, WEB_PROCESSES="1", ALLOWED_HOSTS=hosts) as service:
        service.manage("migrate", "--verbosity=0")
        service.manage("createsuperuser", "--no-input", "--email=admin@example.org")
        service.manage("shell", "-c", FILL)
        web = Unit("portcullis-web.service", Host(LOOPBACK), dict(service.environment), folder / "var")
        service.url = f"http://{address}"
        try:
            web.start()
            until(lambda: _pings(service))
            yield service.url.replace(LOOPBACK, HOST)
        finally:
            web.kill()


def _pings(service: Service) -> bool:
    try:
        return bool(service.get("/api/ping", raw=True) == "pong")
    except OSError:
        return False


@pytest.fixture(scope="package")
def chromium(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("profile")
    secure = f"--unsafely-treat-insecure-origin-as-secure={site}"  # as with TLS
    for argument in (*ARGUMENTS, secure, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, Driver("/usr/bin/chromedriver"))
    try:
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": TELL})
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def browser(chromium: Chrome, site: str) -> Iterator[Browser]:
    """Logged in. Nothing may be refused by the end."""
    browser = Browser(chromium, site)
    chromium.delete_all_cookies()
    browser.log_in()
    until(lambda: chromium.current_url == f"{site}/api")
    browser.complaints()
    yield browser
    assert browser.complaints() == []
