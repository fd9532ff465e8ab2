"""The admin of providers and tasks; `tests/secgroups/test_admin.py` looks at every list of both apps."""

import json

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.forms import CharField
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.admin import task as task_admin
from inventory.admin.columns import link_to
from inventory.drivers.values import Check, Connection
from inventory.models import CloudTenant, Provider, Task, Vm
from tests.cast import AMAZON, FILE
from tests.clouds import MemoryCloud

pytestmark = pytest.mark.django_db

PROVIDERS = "/admin/inventory/provider/"
TASKS = "/admin/inventory/task/"


@pytest.fixture
def provider() -> Provider:
    stored = {"userid": "AKIAOLD", "password": "old-secret"}
    return Provider.objects.create(name="Meadow", vendor=AMAZON, provider_region="eu-west-1", credentials=stored)


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("sam", password="pw", is_staff=True)


@pytest.fixture
def staff_client(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def allow(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def typed(**fields: str) -> dict[str, str]:
    """The provider form as a browser sends it."""
    return {
        "name": "Meadow",
        "vendor": AMAZON,
        "enabled": "on",
        "provider_region": "eu-west-1",
        "interface": "public",
    } | fields


def page(provider: Provider) -> str:
    return f"{PROVIDERS}{provider.pk}/change/"


def task(owner: User | None = None, **fields: object) -> Task:
    values = {"name": "Refresh of Meadow", "message": "Refreshing", "userid": "sam", "queue": "providers/1"}
    return Task.objects.create(owner=owner, **values | fields)


def act(client: Client, action: str, *providers: Provider, **extra: object) -> object:
    chosen = [provider.pk for provider in providers]
    return client.post(PROVIDERS, {"action": action, "_selected_action": chosen}, **extra)


# --- Credentials ---


def test_credentials_are_stored_as_they_were_typed(admin_client, provider):
    admin_client.post(page(provider), typed(userid="AKIANEW", password=" new secret "))
    assert Provider.objects.get().credentials == {"userid": "AKIANEW", "password": " new secret "}


def test_credentials_are_never_shown_again(admin_client, provider):
    for url in (PROVIDERS, page(provider), f"{PROVIDERS}{provider.pk}/history/"):
        body = admin_client.get(url).content.decode()
        assert "old-secret" not in body
        assert "AKIAOLD" not in body


def test_what_was_typed_is_not_sent_back_with_an_error_and_asked_for_again(admin_client, provider):
    answer = admin_client.post(page(provider), typed(name="", userid="AKIANEW", password="new-secret"))
    assert "new-secret" not in answer.content.decode()
    assert "AKIANEW" not in answer.content.decode()
    assert "again" in str(answer.context["adminform"].form.errors["password"])


def test_the_page_says_whether_there_are_credentials(admin_client, provider):
    without = Provider.objects.create(name="Brook", vendor=AMAZON)
    state = '<div class="readonly">{}</div>'
    assert state.format("Yes") in admin_client.get(page(provider)).content.decode()
    assert state.format("No") in admin_client.get(page(without)).content.decode()


def test_leaving_the_credentials_empty_keeps_them(admin_client, provider):
    admin_client.post(page(provider), typed(name="Meadow 2", verify_ssl="on"))
    changed = Provider.objects.get()
    assert changed.name == "Meadow 2"
    assert changed.credentials == {"userid": "AKIAOLD", "password": "old-secret"}


@pytest.mark.parametrize("half", [{"userid": "AKIANEW"}, {"password": "new-secret"}])
def test_half_of_the_credentials_is_refused(admin_client, provider, half):
    answer = admin_client.post(page(provider), typed(**half))
    assert answer.context["adminform"].form.errors
    assert Provider.objects.get().credentials["userid"] == "AKIAOLD"


def test_credentials_of_a_lost_key_can_be_kept_or_replaced(admin_client, provider, settings):
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    assert admin_client.get(PROVIDERS).status_code == 200
    assert "another key" in admin_client.get(page(provider)).content.decode()
    before = ciphertext()
    admin_client.post(page(provider), typed(name="Meadow 2", verify_ssl="on"))
    assert ciphertext() == before
    admin_client.post(page(provider), typed(userid="AKIANEW", password="new-secret"))
    assert Provider.objects.get().credentials["userid"] == "AKIANEW"


def ciphertext() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM inventory_provider")
        return cursor.fetchone()[0]


# --- Providers ---


def test_a_new_provider_is_refreshed_at_once(admin_client, admin_user):
    answer = admin_client.post(f"{PROVIDERS}add/", typed(userid="AKIA", password="secret"), follow=True)
    provider = Provider.objects.get()
    assert provider.credentials == {"userid": "AKIA", "password": "secret"}
    assert provider.provider_region == "eu-west-1"
    queued = provider.tasks.get()
    assert queued.owner == admin_user
    assert f"/admin/inventory/task/{queued.pk}/change/" in answer.content.decode()


def test_text_is_kept_as_it_was_typed(admin_client):
    texts = {name: f" {name} " for name in ("name", "provider_region", "project", "uid_ems", "hostname")}
    secrets = {"userid": " AKIA ", "password": " secret "}
    admin_client.post(f"{PROVIDERS}add/", typed(**texts, **secrets))
    assert Provider.objects.values(*texts).get() == texts
    assert Provider.objects.get().credentials == secrets


def test_every_text_of_every_form_of_ours_is(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    ours = [one for model, one in site._registry.items() if model._meta.app_label in ("inventory", "secgroups")]
    forms = [one.get_form(request)() for one in ours if one.has_change_permission(request)]
    fields = [field for form in forms for field in form.fields.values()]
    texts = [field for field in fields if isinstance(field, CharField)]
    assert len(texts) > 5
    assert not [field.label for field in texts if field.strip]


def test_lines_that_nobody_changed_are_no_other_authority(admin_client, provider):
    """A browser ends each with a carriage return."""
    lines = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    Provider.objects.update(certificate_authority=lines)
    shown = typed(verify_ssl="on", certificate_authority=lines.replace("\n", "\r\n"))
    assert admin_client.post(page(provider), shown).status_code == 302
    assert Provider.objects.get().certificate_authority == lines
    assert not Task.objects.exists()


def test_a_new_provider_needs_credentials(admin_client):
    answer = admin_client.post(f"{PROVIDERS}add/", typed())
    assert "requires a user id" in str(answer.context["adminform"].form.errors["password"])
    assert not Provider.objects.exists()


def test_a_new_provider_of_a_file_needs_none(admin_client):
    answer = admin_client.post(f"{PROVIDERS}add/", typed(vendor=FILE, url="file:///acme.json"), follow=True)
    assert answer.status_code == 200
    provider = Provider.objects.get()
    assert (provider.vendor, provider.url, provider.credentials) == (FILE, "file:///acme.json", {})
    assert provider.tasks.exists()
    assert admin_client.post(page(provider), typed(name="Picture", url="file:///b.json")).status_code == 302
    assert Provider.objects.get().url == "file:///b.json"


@pytest.mark.parametrize("url", ["ftp://cloud.example", "file:///../acme.json", "cloud.example", "http://"])
def test_an_address_that_is_not_http_is_refused(admin_client, url):
    answer = admin_client.post(f"{PROVIDERS}add/", typed(url=url))
    assert "url" in answer.context["adminform"].form.errors
    assert not Provider.objects.exists()


def test_only_clouds_with_a_driver_can_be_chosen(admin_client):
    answer = admin_client.post(f"{PROVIDERS}add/", typed(vendor="nowhere"))
    assert "vendor" in answer.context["adminform"].form.errors


def test_a_provider_stays_with_its_cloud(admin_client, provider):
    admin_client.post(page(provider), typed(vendor="nowhere"))
    assert Provider.objects.get().vendor == AMAZON


def test_a_provider_without_a_driver_can_still_be_switched_off(admin_client):
    lost = Provider.objects.create(name="Meadow", vendor="nowhere")
    admin_client.post(page(lost), {"name": "Meadow"})
    assert not Provider.objects.get().enabled


def test_another_connection_is_tried_at_once_and_the_task_is_named(admin_client, admin_user, provider):
    answer = admin_client.post(page(provider), typed(provider_region="eu-west-2", verify_ssl="on"), follow=True)
    queued = provider.tasks.get()
    assert (queued.owner, queued.name) == (admin_user, "Refresh of Meadow")
    assert f"/admin/inventory/task/{queued.pk}/change/" in answer.content.decode()
    assert Provider.objects.get().provider_region == "eu-west-2"


def test_a_provider_that_is_switched_on_is_read_at_once(admin_client, provider):
    Provider.objects.update(enabled=False)
    admin_client.post(page(provider), typed(verify_ssl="on"))
    assert provider.tasks.count() == 1


@pytest.mark.parametrize("fields", [{"name": "Brook", "verify_ssl": "on"}, {"enabled": "", "project": "x"}])
def test_another_name_and_switching_off_ask_the_cloud_nothing(admin_client, provider, fields):
    admin_client.post(page(provider), typed(**fields))
    assert not Task.objects.exists()


def test_a_name_that_is_taken_is_refused(admin_client, provider):
    brook = Provider.objects.create(name="Brook", vendor=AMAZON)
    answer = admin_client.post(page(brook), typed(verify_ssl="on"))
    assert "already exists" in str(answer.context["adminform"].form.errors)
    Provider.objects.filter(pk=provider.pk).update(deleted_on=timezone.now())
    assert admin_client.post(page(brook), typed(verify_ssl="on")).status_code == 302


def test_the_list_says_why_the_last_refresh_failed(admin_client, provider):
    Provider.objects.update(last_refresh_error="The cloud did not answer")
    assert "The cloud did not answer" in admin_client.get(PROVIDERS).content.decode()


@pytest.mark.parametrize("listed", [True, False])
def test_a_provider_is_deleted_with_its_inventory_by_a_task(staff, staff_client, provider, listed):
    allow(staff, "view_provider", "delete_provider")
    for name in ("web", "db"):
        Vm.objects.create(provider=provider, ems_ref=name, name=name, vendor="amazon")
    url = PROVIDERS if listed else f"{PROVIDERS}{provider.pk}/delete/"
    asked = {"action": "delete_selected", "_selected_action": [provider.pk]} if listed else {}
    page = staff_client.post(url, asked) if listed else staff_client.get(url)
    assert dict(page.context["model_count"])["VMs"] == 2
    answer = staff_client.post(url, {**asked, "post": "yes"}, follow=True)
    [task] = Task.objects.all()
    assert (task.message, task.owner) == ("Deleting provider Meadow", staff)
    assert list(answer.context["cl"].result_list) == [task]
    assert [str(message) for message in answer.context["messages"]] == [f"Accepted: {link_to(task)}"]
    assert not Provider.objects.connected().exists()
    assert Provider.objects.exists()


def test_the_page_of_a_provider_leads_to_what_it_has(admin_client, provider):
    tools = admin_client.get(page(provider)).context["tools"]
    labels = {"cloud tenants", "cloud networks", "instances", "network ports", "security groups", "tasks"}
    assert labels <= {tool.label.lower() for tool in tools}
    assert all(admin_client.get(tool.url).status_code == 200 for tool in tools)


def test_the_page_of_a_provider_leads_only_to_what_may_be_seen(staff, staff_client, provider):
    allow(staff, "view_provider", "view_cloudtenant")
    tools = staff_client.get(page(provider)).context["tools"]
    assert [tool.label for tool in tools] == ["cloud tenants", "tasks"]


# --- Refresh ---


def test_a_refresh_is_queued_for_each_provider_and_its_tasks_are_shown(admin_client, provider):
    other = Provider.objects.create(name="Brook", vendor=AMAZON)
    answer = act(admin_client, "refresh", provider, other, follow=True)
    queued = list(Task.objects.order_by("id"))
    assert {task.provider for task in queued} == {provider, other}
    assert not any(task.arguments["force"] for task in queued)
    assert set(answer.context["cl"].result_list) == set(queued)
    assert all(
        reverse("admin:inventory_task_change", args=[task.pk]) in answer.content.decode() for task in queued
    )


def test_more_tasks_than_fit_a_url_are_at_the_top_of_the_list(admin_client, provider, monkeypatch):
    task(queue="vms/1")
    monkeypatch.setattr(task_admin, "MAX_IDS", 1)
    answer = act(
        admin_client, "refresh", provider, Provider.objects.create(name="Brook", vendor=AMAZON), follow=True
    )
    assert [task.queue.partition("/")[0] for task in answer.context["cl"].result_list] == ["providers"] * 2 + [
        "vms"
    ]


def test_a_refresh_can_be_forced(admin_client, provider):
    act(admin_client, "refresh_by_force", provider)
    assert Task.objects.get().arguments["force"]


def test_a_refresh_asks_for_its_permission(staff, staff_client, provider):
    allow(staff, "view_provider")
    assert "Refresh from the cloud" not in staff_client.get(PROVIDERS).content.decode()
    act(staff_client, "refresh", provider)
    assert not Task.objects.exists()
    allow(staff, "refresh_provider")
    act(staff_client, "refresh", provider)
    assert Task.objects.get().owner == staff


# --- Tasks ---


def test_tasks_can_only_be_looked_at(admin_client):
    shown = task()
    assert admin_client.get(f"{TASKS}add/").status_code == 403
    assert admin_client.post(f"{TASKS}{shown.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.post(f"{TASKS}{shown.pk}/change/", {"message": "Done"}).status_code == 403
    assert admin_client.get(f"{TASKS}{shown.pk}/change/").status_code == 200


@pytest.mark.parametrize(("state", "reloads"), [("Queued", True), ("Active", True), ("Finished", False)])
def test_a_page_reloads_itself_while_a_task_on_it_is_unfinished(admin_client, state, reloads):
    task(state="Finished")
    shown = task(state=state)
    for url in (TASKS, f"{TASKS}{shown.pk}/change/"):
        assert ("inventory/reload.js" in admin_client.get(url).content.decode()) is reloads


def test_an_unfinished_task_on_another_page_reloads_nothing(admin_client):
    finished = task(state="Finished")
    task()
    assert "reload.js" not in admin_client.get(f"{TASKS}?id__in={finished.pk}").content.decode()


def test_the_status_is_told_once_it_is_known(admin_client):
    assert "task-ok" not in admin_client.get(f"{TASKS}{task(state='Active').pk}/change/").content.decode()
    assert (
        "task-warn"
        in admin_client.get(f"{TASKS}{task(state='Finished', status='Warn').pk}/change/").content.decode()
    )


def test_the_details_of_a_task_are_readable(admin_client):
    details = {"<b>": 1, "action": "add", "before": ["défaut"]}  # in the order that PostgreSQL keeps them in
    answer = admin_client.get(f"{TASKS}{task(context_data=details).pk}/change/")
    shown = json.dumps(details, indent=2, ensure_ascii=False).replace("<b>", "&lt;b&gt;").replace('"', "&quot;")
    assert f"<pre>{shown}</pre>" in answer.content.decode()


def test_whoever_may_not_see_all_tasks_sees_the_own_ones(staff, staff_client):
    mine, other = task(owner=staff), task()
    assert list(staff_client.get(TASKS).context["cl"].result_list) == [mine]
    assert staff_client.get(f"{TASKS}{mine.pk}/change/").status_code == 200
    assert staff_client.get(f"{TASKS}{other.pk}/change/").status_code == 302
    allow(staff, "view_task")
    assert set(staff_client.get(TASKS).context["cl"].result_list) == {mine, other}


@pytest.mark.parametrize("ids", ["abc", ",", "9" * 30])
def test_tasks_that_cannot_be_are_not_found(admin_client, ids):
    task()
    assert not admin_client.get(f"{TASKS}?id__in={ids}").context["cl"].result_list


# --- Lists ---


def test_a_link_says_what_it_narrowed_the_list_to(admin_client, provider):
    acme, umbra = (
        CloudTenant.objects.create(provider=provider, ems_ref=name, name=name) for name in ("acme", "umbra")
    )
    for tenant in (acme, umbra):
        Vm.objects.create(provider=provider, cloud_tenant=tenant, ems_ref=f"i-{tenant}", name=f"vm of {tenant}")
    answer = admin_client.get(f"/admin/inventory/vm/?cloud_tenant__id__exact={acme.pk}")
    assert [vm.name for vm in answer.context["cl"].result_list] == ["vm of acme"]
    [shown] = [spec for spec in answer.context["cl"].filter_specs if spec.title == "cloud tenant"]
    assert shown.lookup_choices == [(acme.pk, "acme")]
    assert "umbra" not in answer.content.decode()


def test_the_site_has_our_name(admin_client):
    assert site.site_header == "Portcullis"
    assert "Portcullis" in admin_client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("field", "address"), [("url", "https://AKIA:top-secret@cloud"), ("hostname", "AKIA:top-secret@cloud")]
)
@pytest.mark.parametrize("place", ["add/", "verify/", "stored", "stored/verify/"])
def test_credentials_in_an_address_are_refused_and_not_sent_back(admin_client, provider, place, field, address):
    path = f"{PROVIDERS}{place}".replace("stored/", f"{provider.pk}/").replace("stored", f"{provider.pk}/change/")
    form = typed(verify_ssl="on", userid="AKIA", password="other", name="new", **{field: address})
    page = admin_client.post(path, form).content.decode()
    assert "must not have a user or a password" in page or "without credentials or a path" in page
    assert "top-secret" not in page
    assert Provider.objects.filter(**{field: None}).count() == Provider.objects.count() == 1


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("https://AKIA:top-secret@cloud:5000/v3", "https://cloud:5000/v3"),
        ("https://cloud/a@b", "https://cloud/a@b"),
        ("https://cloud?a=b@c", "https://cloud?a=b@c"),
    ],
)
def test_a_form_has_a_stored_url_without_credentials(admin_client, provider, stored, sent):
    Provider.objects.update(url=stored)
    body = admin_client.get(page(provider)).content.decode()
    assert f'value="{sent}"' in body
    assert "top-secret" not in body


# --- Testing a connection ---


@pytest.fixture
def asked(settings, monkeypatch) -> list[Connection]:
    """The connections of the clouds that were asked."""
    settings.DRIVERS = {AMAZON: "tests.clouds.MemoryCloud"}
    connections = []

    def verify(cloud):
        connections.append(cloud.connection)
        return (
            Check("list instances", True, "May list instances.", needed=True),
            Check("change", False, "May not change: grant ec2:Change."),
        )

    monkeypatch.setattr(MemoryCloud, "verify", verify)
    return connections


def test_a_new_provider_is_tested_and_not_saved(admin_client, asked):
    form = typed(name="", userid="AKIA", password="secret", url="http://cloud.example")
    page = admin_client.post(f"{PROVIDERS}verify/", form).content.decode()
    [connection] = asked
    assert (connection.userid, connection.password) == ("AKIA", "secret")
    assert (connection.url, connection.region) == ("http://cloud.example", "eu-west-1")
    assert "May list instances." in page
    assert "May not change: grant ec2:Change." in page
    assert "secret" not in page
    assert not Provider.objects.exists()


def test_a_name_that_is_taken_does_not_hinder_a_test(admin_client, provider, asked):
    page = admin_client.post(f"{PROVIDERS}verify/", typed(userid="AKIA", password="secret"))
    assert "May list instances." in page.content.decode()


@pytest.mark.parametrize("stored", [False, True])
def test_the_form_leads_to_the_test(admin_client, provider, stored):
    body = admin_client.get(page(provider) if stored else f"{PROVIDERS}add/").content.decode()
    target = f"{PROVIDERS}{provider.pk}/verify/" if stored else f"{PROVIDERS}verify/"
    assert f'formaction="{target}"' in body


def test_a_stored_provider_is_tested_with_what_is_stored_unless_it_is_typed(admin_client, provider, asked):
    url = f"{PROVIDERS}{provider.pk}/verify/"
    unchanged = typed(verify_ssl="on", security_protocol=provider.security_protocol or "")
    del unchanged["vendor"]  # which the page of a stored provider only shows
    admin_client.post(url, unchanged)
    admin_client.post(url, typed(name="Brook", userid="AKIANEW", password="new", url="http://elsewhere.example"))
    assert [(one.userid, one.password) for one in asked] == [("AKIAOLD", "old-secret"), ("AKIANEW", "new")]
    stored = Provider.objects.get()
    assert (stored.name, stored.url, stored.credentials["password"]) == ("Meadow", None, "old-secret")


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://elsewhere.example"},
        {"hostname": "elsewhere.example"},
        {"port": "8443"},
        {"security_protocol": "non-ssl"},
        {"verify_ssl": ""},
        {"certificate_authority": "theirs"},
        {"interface": "internal"},
    ],
)
def test_stored_credentials_are_not_sent_to_another_address(admin_client, provider, asked, change):
    form = typed(verify_ssl="on", security_protocol=provider.security_protocol or "") | change
    if not form["verify_ssl"]:
        del form["verify_ssl"]
    page = admin_client.post(f"{PROVIDERS}{provider.pk}/verify/", form).content.decode()
    assert "Stored credentials are not sent to a new address. Enter them again." in page
    assert not asked


def test_nor_are_they_saved_for_another_address(admin_client, provider):
    answer = admin_client.post(page(provider), typed(verify_ssl="on", url="http://elsewhere.example"))
    assert "Enter them again" in answer.content.decode()
    assert Provider.objects.get().url is None


def test_a_form_that_is_wrong_is_not_tested(admin_client, asked):
    page = admin_client.post(f"{PROVIDERS}verify/", typed(url="ftp://cloud", userid="AKIA")).content.decode()
    assert "Enter both the user id and the password." in page
    assert not asked


def test_stored_credentials_that_can_not_be_read_are_told(admin_client, provider, asked, settings):
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    form = typed(verify_ssl="on", security_protocol=provider.security_protocol or "")
    page = admin_client.post(f"{PROVIDERS}{provider.pk}/verify/", form).content.decode()
    assert "CREDENTIALS_KEY" in page
    assert not asked


def test_a_test_asks_for_the_permission_to_save(staff, staff_client, provider, asked):
    allow(staff, "view_provider")
    for url in (f"{PROVIDERS}verify/", f"{PROVIDERS}{provider.pk}/verify/"):
        assert staff_client.post(url, typed(userid="A", password="b")).status_code == 403
    assert "formaction" not in staff_client.get(page(provider)).content.decode()
    allow(staff, "change_provider")
    assert staff_client.post(url, typed(userid="A", password="b")).status_code == 200
    assert len(asked) == 1


def test_a_test_is_never_a_link(admin_client, asked):
    assert admin_client.get(f"{PROVIDERS}verify/").status_code == 405
    assert not asked


def test_an_application_credential_is_stored_as_one(admin_client):
    form = typed(userid="id", password="secret", auth_type="application_credential")
    admin_client.post(f"{PROVIDERS}add/", form)
    assert Provider.objects.get().credentials == {
        "userid": "id",
        "password": "secret",
        "auth_type": "application_credential",
    }
