"""Behind nginx on another host, which ends TLS and serves Portcullis below a path."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from http import HTTPStatus
from http.client import HTTPConnection
from http.cookiejar import CookieJar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

import pytest

from tests.e2e.network import Host, hosts
from tests.e2e.service import LOGIN, PASSWORD, USER, Service, clean_environment, until
from tests.e2e.test_hosts import Unit
from tests.inventory.test_configuration import filled_in
from tests.inventory.test_webserver import echo, serving
from tests.servers import Nginx, free_port

pytestmark = pytest.mark.hosts

PREFIX = "/firewalls"
#: The pages of which all links are followed.
PAGES = ("/", "/login/", "/admin/", "/admin/inventory/provider/", "/admin/inventory/provider/add/", "/api/docs")
ADDRESS = re.compile(r'(?:href|src|action|data-schema)="([^"#]+)"')
PEOPLE = "from django.contrib.auth.models import User; [User.objects.create(username=n) for n in ('ada', 'bob')]"


class Site:
    """The service below a path of nginx, and somebody with a browser."""

    def __init__(self, service: Service, web: str, certificate: Path) -> None:
        self.service, self.web = service, web
        self.cookies = CookieJar()
        tls = HTTPSHandler(context=ssl.create_default_context(cafile=certificate))
        self._opener = build_opener(tls, HTTPCookieProcessor(self.cookies))

    @property
    def root(self) -> str:
        return f"{self.service.url}{PREFIX}"

    def get(self, address: str, data: dict[str, str] | None = None) -> tuple[str, str]:
        """The address where it ended, and the text."""
        body = urlencode(data).encode() if data else None
        headers = {"Accept": "text/html", "Referer": self.root}
        request = Request(urljoin(self.root, address), body, headers)  # noqa: S310 - https on this machine
        with self._opener.open(request, timeout=30) as response:
            return response.url, response.read().decode(errors="replace")

    def log_in(self) -> str:
        """Where the login leads."""
        _, page = self.get(f"{PREFIX}/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        return self.get(f"{PREFIX}/login/", form)[0]

    def answer(self, path: str) -> Any:
        request = Request(f"{self.root}{path}", headers={"Authorization": LOGIN})  # noqa: S310
        with self._opener.open(request, timeout=30) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[str, list[Host]]]:
    with hosts(2) as network:
        yield network


@pytest.fixture(scope="module")
def site(network: tuple[str, list[Host]]) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        _, (proxy, host) = network
        web = f"{host.address}:{free_port()}"
        nginx = Nginx(folder, web, proxy.enter, proxy.address, PREFIX)
        defaults = dict.fromkeys(("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "CREDENTIALS_KEY"), "")
        settings = {
            "ALLOWED_HOSTS": proxy.address,
            "DJANGO_SUPERUSER_USERNAME": USER,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "FORWARDED_ALLOW_IPS": proxy.address,
            "PATH_PREFIX": PREFIX,
            "WEB_BIND": web,
        }
        kept = {name: value for name, value in filled_in().items() if name not in defaults}
        environment = clean_environment(**kept | settings)
        service = Service(folder, environment | {"PORTCULLIS_VAR": str(folder / "var")})
        service.manage("migrate", "--verbosity=0")
        service.manage("createsuperuser", "--no-input", "--email=admin@example.org")
        service.manage("shell", "-c", PEOPLE)
        service.url = f"https://{proxy.address}:{nginx.port}"
        server = Unit("portcullis-web.service", host, environment, folder / "var")
        for started in (server, nginx):
            stack.callback(started.kill if isinstance(started, Unit) else started.end)
            started.start()
        site = Site(service, web, nginx.certificate)
        until(lambda: _pings(site))
        yield site


def _pings(site: Site) -> bool:
    try:
        return site.get(f"{PREFIX}/api/ping")[1] == "pong"
    except OSError:
        return False


@contextmanager
def allowing(status: int) -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        if error.code != status:
            raise


def hrefs(data: Any) -> Iterator[str]:
    """Every address in an answer."""
    if isinstance(data, dict):
        data = [value for name, value in data.items() if name not in {"description", "name"}]
    if isinstance(data, list):
        for value in data:
            yield from hrefs(value)
    elif isinstance(data, str) and (data.startswith("/") or "://" in data):
        yield data


@pytest.mark.parametrize("path", ["/api", "/api/v1.0.0", "/api/users?expand=resources&limit=1", "/api/zones/1"])
def test_addresses_in_answers_are_those_of_the_proxy(site: Site, path: str) -> None:
    found = list(hrefs(site.answer(path)))
    assert found
    assert [href for href in found if not href.startswith(f"{site.root}/api")] == []


def test_links_lead_through_all_pages(site: Site) -> None:
    address, names = f"{site.root}/api/users?expand=resources&attributes=userid&limit=1", []
    while address:
        page = site.answer(address.removeprefix(site.root))
        names += [user["userid"] for user in page["resources"]]
        assert page["links"]["last"].startswith(site.root)
        address = page["links"].get("next")
    assert names == [USER, "ada", "bob"]


def test_every_link_of_a_page_leads_somewhere_below_the_path(site: Site) -> None:
    assert site.log_in() == f"{site.root}/api"
    pages = {urljoin(site.root, f"{PREFIX}{page}") for page in PAGES}
    addresses = {
        urljoin(page, unescape(address))
        for page in pages
        for address in ADDRESS.findall(site.get(page)[1])
        if not address.startswith("data:")
    } - {f"{site.root}/logout/", f"{site.root}/admin/logout/"}
    ours = {address for address in addresses if urlsplit(address).netloc == urlsplit(site.root).netloc}
    assert {urlsplit(address).path.startswith(f"{PREFIX}/") for address in ours} == {True}
    assert len(ours) > 20
    for address in ours:
        with allowing(HTTPStatus.METHOD_NOT_ALLOWED):  # of what a button posts to
            site.get(address)


def test_a_page_that_needs_a_login_leads_to_it_and_back(site: Site) -> None:
    site.cookies.clear()
    reached, _ = site.get(f"{PREFIX}/admin/inventory/vm/")
    assert reached == f"{site.root}/admin/login/?next={PREFIX}/admin/inventory/vm/"


def test_cookies_are_for_this_path_and_https_alone(site: Site) -> None:
    site.log_in()
    assert {(cookie.name, cookie.path, cookie.secure) for cookie in site.cookies} == {
        ("sessionid", PREFIX, True),
        ("csrftoken", PREFIX, True),
    }


def test_the_description_names_the_path(site: Site) -> None:
    assert site.answer("/api/schema")["servers"] == [{"url": PREFIX}]


def test_who_is_no_trusted_proxy_is_sent_to_https(site: Site) -> None:
    connection = HTTPConnection(site.web, timeout=30)
    host = urlsplit(site.root).netloc
    connection.request("GET", f"{PREFIX}/api/ping", headers={"Host": host, "X-Forwarded-Proto": "https"})
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (301, f"{site.root}/api/ping")


def test_an_address_that_is_nowhere_is_404_below_the_path_too(site: Site) -> None:
    with pytest.raises(HTTPError, match="404"):
        site.get(f"{PREFIX}{PREFIX}/api/ping")


def test_the_client_is_who_asked_nginx_whatever_they_claim(
    network: tuple[str, list[Host]], tmp_path: Path
) -> None:
    here, (proxy, _) = network
    with ExitStack() as stack:
        port, _, _ = stack.enter_context(serving(echo, host=here, forwarded_allow_ips=proxy.address))
        nginx = Nginx(tmp_path, f"{here}:{port}", proxy.enter, proxy.address)
        stack.callback(nginx.end)
        nginx.start()
        claim = {"X-Forwarded-For": f"198.51.100.1, {proxy.address}", "X-Forwarded-Proto": "http"}
        tls = HTTPSHandler(context=ssl.create_default_context(cafile=nginx.certificate))
        with build_opener(tls).open(Request(f"https://{proxy.address}:{nginx.port}/", headers=claim)) as response:
            assert response.headers["X-REMOTE_ADDR"] == here
            assert response.headers["X-wsgi.url_scheme"] == "https"
