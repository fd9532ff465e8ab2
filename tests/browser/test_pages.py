"""Every kind of page keeps the Content-Security-Policy, and works with it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.browser.conftest import Browser
from tests.e2e.service import until

pytestmark = pytest.mark.browser

#: Pages of these kinds there have to be, so that a walk that leads nowhere is noticed.
ADMIN = {
    "/admin/",
    "/admin/inventory/",
    "/admin/inventory/provider/",
    "/admin/inventory/provider/add/",
    "/admin/inventory/provider/1/change/",
    "/admin/inventory/provider/1/delete/",
    "/admin/inventory/provider/1/history/",
    "/admin/inventory/task/1/change/",
    "/admin/secgroups/securitygroup/1/change/",
    "/admin/secgroups/securitygroup/reachability/",
    "/admin/auth/user/1/password/",
    "/admin/auth/group/add/",
    "/admin/password_change/",
}
API = {"/api", "/api/providers", "/api/providers/1", "/api/security_groups/1", "/api/users"}


def walk(browser: Browser, start: str) -> set[str]:
    """Open a page of every kind that links lead to from here. The kinds: their paths, with 1 for any number."""
    found, kinds = [f"{browser.url}{start}"], set()
    for address in found:
        path = urlsplit(address).path
        kind = re.sub(r"\d+", "1", path.replace("/api/v1.0.0", "/api"))
        if kind in kinds or not path.startswith(start) or "logout" in path:
            continue
        kinds.add(kind)
        browser.open(address)
        assert browser.complaints() == [], address
        found += browser.addresses()
    return kinds


def test_every_kind_of_page_of_the_admin(browser: Browser) -> None:
    assert walk(browser, "/admin/") >= ADMIN


def test_every_kind_of_page_of_the_api(browser: Browser) -> None:
    assert walk(browser, "/api") >= API


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/nowhere", "/admin/inventory/vm/99999/change/", "/api/vms?limit=x"]
)
def test_pages_of_errors(path: str, browser: Browser) -> None:
    browser.open(path)
    browser.find("body *")


def test_what_breaks_the_policy_is_noticed(browser: Browser) -> None:
    browser.open("/login/")
    browser.run("document.body.setAttribute('onclick', 'alert(1)')")
    browser.run("document.body.setAttribute('style', 'color: red')")
    violations = " ".join(text for text in browser.complaints() if "VIOLATION" in text)
    assert "script-src-attr" in violations
    assert "style-src-attr" in violations


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_a_wrong_password_and_a_form_without_its_token(path: str, browser: Browser) -> None:
    browser.chrome.delete_all_cookies()
    browser.log_in(path, "wrong")
    browser.wait_for("Please enter a correct username", "Please enter the correct username")
    browser.run("document.querySelector('[name=csrfmiddlewaretoken]').value = 'x'")
    browser.log_in(None, "wrong")
    browser.wait_for("CSRF verification failed")


def test_filters_and_actions_of_the_admin(browser: Browser) -> None:
    browser.open("/admin/inventory/vm/")
    browser.find("#nav-filter").send_keys("tasks")
    until(lambda: len([row for row in browser.all("#nav-sidebar tbody tr") if row.is_displayed()]) == 1)
    browser.find("#changelist-filter summary").click()
    until(lambda: browser.all("#changelist-filter details:not([open])"))
    browser.find("#action-toggle").click()
    browser.wait_for("4 of 4 selected")
    Select(browser.find("[name=action]")).select_by_visible_text("Add security groups…")
    browser.find("button[name=index]").click()
    browser.find("#id_groups_input").send_keys("staging-web")
    until(lambda: len(browser.all("#id_groups_from option")) == 1)
    browser.find(".selector-chooseall").click()
    browser.find("#id_groups_to option")


def test_changes_are_looked_at_before_they_are_queued(browser: Browser) -> None:
    browser.open("/admin/inventory/instance/1/change/")
    browser.find(".object-tools a[href*='add/?ids=1']").click()
    browser.find("#id_groups_input").send_keys("db")
    browser.find(".selector-chooseall").click()
    browser.find("#id_groups_to option")
    browser.find(".submit-row [type=submit]").click()
    browser.wait_for("Nothing is changed yet.")
    browser.find(".change .task-ok")
    assert "5432" in browser.find(".change .wide:last-of-type").text
    assert browser.complaints() == []
    browser.find(".submit-row [type=submit]").click()
    browser.wait_for("1 change accepted.")


def test_whether_a_can_reach_b_is_asked_from_the_page_of_an_instance(browser: Browser) -> None:
    browser.open("/admin/inventory/instance/1/change/")
    browser.find("#effective-rules")
    browser.find(".object-tools a[href*='from=instances']").click()
    until(lambda: browser.find("[name=from]").get_attribute("value") == "instances/1")
    browser.find("[name=to]").send_keys("staging-")
    browser.find("[name=protocol]").send_keys("tcp")
    browser.find("[name=port]").send_keys("22")
    browser.find(".submit-row [type=submit]").click()
    browser.wait_for("Choose one of these instances")
    next(link for link in browser.all(".form-row li a") if link.text == "staging-single").click()
    browser.wait_for("production-single can't reach staging-single on tcp 22.")
    assert "to=instances" in browser.chrome.current_url


def test_dates_choices_and_popups_of_the_admin(browser: Browser) -> None:
    browser.open("/admin/auth/user/1/change/")
    browser.find(".datetimeshortcuts a").click()
    until(lambda: browser.find("[name=last_login_0]").get_attribute("value"))
    browser.find(".datetimeshortcuts .date-icon").click()
    browser.find(".calendarbox a")
    page = browser.chrome.current_window_handle
    browser.find("#add_id_groups").click()
    browser.turn_to_the_new_window()
    browser.find("[name=name]").send_keys("people of a popup")
    browser.find("[name=_save]").click()
    until(lambda: len(browser.chrome.window_handles) == 1)
    browser.chrome.switch_to.window(page)
    until(lambda: "people of a popup" in browser.find("#id_groups_to").text)


def test_the_test_of_a_connection_opens_in_a_tab(browser: Browser) -> None:
    browser.open("/admin/inventory/provider/add/")
    browser.find("[name=name]").send_keys("picture")
    Select(browser.find("[name=vendor]")).select_by_value("file")
    browser.find("[name=url]").send_keys("file:///missing.json")
    page = browser.chrome.current_window_handle
    browser.find(".test-connection").click()
    browser.turn_to_the_new_window()
    browser.wait_for("Nothing was saved")
    assert browser.complaints() == []
    browser.chrome.close()
    browser.chrome.switch_to.window(page)


def test_menus_and_filters_of_the_browsable_api(browser: Browser) -> None:
    browser.open("/api/vms")
    browser.find(".format-selection .dropdown-toggle").click()
    browser.find(".format-option")
    browser.find(".filters").click()
    browser.find("#filtersModal [name=name__icontains]").send_keys("staging-single")
    browser.find("#filtersModal [type=submit]").click()
    until(lambda: browser.chrome.current_url == f"{browser.url}/api/vms?name__icontains=staging-single")
    browser.find("[data-method=OPTIONS] button").click()
    browser.wait_for("OPTIONS /api/vms")
    browser.open("/api/providers/1")
    browser.find("[data-target='#deleteModal']").click()
    browser.find("#deleteModal [data-dismiss]").click()
    until(lambda: not browser.chrome.find_element(By.ID, "deleteModal").is_displayed())


def test_the_forms_of_the_browsable_api(browser: Browser) -> None:
    browser.open("/api/providers/1")
    browser.find("details summary").click()
    content = browser.find("details [name=_content]")
    content.clear()
    content.send_keys('{"action": "nothing"}')
    browser.find("details button").click()
    browser.wait_for("HTTP 400 Bad Request")


def test_the_log_out_of_the_browsable_api(browser: Browser) -> None:
    browser.open("/api")
    browser.find(".navbar .dropdown-toggle").click()
    browser.find(".log-out").click()
    browser.wait_for("Log in", "log in")


def test_the_documentation_tries_a_request(browser: Browser) -> None:
    browser.open("/api/docs")
    browser.find("#operations-tag-api").click()
    browser.find("#operations-api-ping .opblock-summary-control").click()
    browser.find("#operations-api-ping .try-out__btn").click()
    browser.find("#operations-api-ping .execute").click()
    until(lambda: "pong" in browser.find("#operations-api-ping .live-responses-table").text)
