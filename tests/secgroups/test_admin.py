"""Every list of the admin, and adding and removing groups from it."""

from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from inventory.admin import refreshable
from inventory.models import CloudNetwork, CloudTenant, Instance, Lease, NetworkPort, Provider, Task, Vm
from secgroups.admin import vm as vm_admin
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup
from tests.cast import AMAZON

pytestmark = pytest.mark.django_db

FROM_CLOUDS = [
    CloudTenant, CloudNetwork, Vm, Instance, NetworkPort, SecurityGroup, FirewallRule, AddressList, Membership
]  # fmt: skip
EVERYTHING = [*FROM_CLOUDS, Provider, Task]


@dataclass
class Network:
    """A network with the groups `web` and `db`, and an instance with two ports, both of which have `web`."""

    web: SecurityGroup
    db: SecurityGroup
    vm: Vm


@pytest.fixture
def provider() -> Provider:
    return Provider.objects.create(name="Meadow", vendor=AMAZON)


@pytest.fixture
def prod(provider) -> Network:
    return make_network(provider, "prod")


@pytest.fixture
def shop(provider) -> Network:
    return make_network(provider, "shop")


@pytest.fixture
def staff() -> User:
    user = User.objects.create_user("sam", password="pw", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_vm", "view_instance"]))
    return user


@pytest.fixture
def staff_client(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def make_network(provider: Provider, name: str) -> Network:
    tenant, _ = CloudTenant.objects.get_or_create(provider=provider, ems_ref="1234", name="acme")
    place = {"provider": provider, "cloud_tenant": tenant}
    network = CloudNetwork.objects.create(ems_ref=f"vpc-{name}", name=name, **place)
    web, db = (
        SecurityGroup.objects.create(ems_ref=f"sg-{name}-{group}", name=group, cloud_network=network, **place)
        for group in ("web", "db")
    )
    FirewallRule.objects.create(
        provider=provider, ems_ref=f"sgr-{name}", security_group=db, direction="inbound", source_security_group=web
    )
    AddressList.objects.create(ems_ref=f"pl-{name}", name=f"list-{name}", **place)
    vm = Vm.objects.create(ems_ref=f"i-{name}", name=f"vm-{name}", vendor="amazon", **place)
    for number in (1, 2):
        port = NetworkPort.objects.create(
            ems_ref=f"eni-{name}-{number}", vm=vm, cloud_network=network, ipaddresses=[f"10.0.0.{number}"], **place
        )
        Membership.objects.create(security_group=web, network_port=port, vm=vm)
    Task.objects.create(name="Adding web", state="Finished", userid="sam", queue=f"vms/{vm.pk}", vm=vm)
    return Network(web, db, vm)


def url(model: type, page: str = "changelist", *args: object, **query: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args, query=query)


def change(
    client: Client, action: str, vms: list[Vm], groups: list[SecurityGroup], model: type = Instance, **more: str
) -> object:
    """What the page says after its button; without `confirm`, that is the preview."""
    ids = ",".join(str(vm.pk) for vm in vms)
    target = url(model, f"{action}_groups", ids=ids)
    return client.post(target, {"groups": [group.pk for group in groups], "confirm": "Add", **more}, follow=True)


def said(answer: object) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


# --- Every list ---


@pytest.mark.parametrize("model", [*EVERYTHING, Lease])
def test_every_list_and_page_can_be_looked_at(admin_client, prod, model):
    Lease.objects.create(queue="vms/1", owner=prod.vm.guid, ends_on=prod.vm.created_on)
    assert admin_client.get(url(model)).context["cl"].result_count
    assert admin_client.get(url(model, "change", model.objects.first().pk)).status_code == 200


@pytest.mark.parametrize("model", [Vm, Instance, NetworkPort])
def test_public_addresses_are_shown_in_lists_and_on_pages(admin_client, prod, model):
    port = prod.vm.network_ports.first()
    NetworkPort.objects.filter(pk=port.pk).update(
        public_ipaddresses=["198.51.100.7"], allowed_address_pairs=["10.7.0.0/16"]
    )
    page = admin_client.get(url(model, "change", port.pk if model is NetworkPort else prod.vm.pk)).content
    assert b"198.51.100.7" in admin_client.get(url(model)).content
    assert b"198.51.100.7" in page
    assert b"10.7.0.0/16" in page


@pytest.mark.parametrize("model", EVERYTHING)
def test_no_list_and_no_page_needs_the_credentials(admin_client, prod, model, settings):
    page = url(model, "change", model.objects.first().pk)
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    assert admin_client.get(url(model)).status_code == 200
    assert admin_client.get(page).status_code == 200


@pytest.mark.parametrize("model", EVERYTHING)
def test_every_list_can_be_searched(admin_client, prod, model):
    assert admin_client.get(url(model, q="nothing of the kind")).context["cl"].result_count == 0


@pytest.mark.parametrize("model", EVERYTHING)
def test_every_list_can_be_sorted_by_each_of_its_columns(admin_client, prod, shop, model):
    columns = admin_client.get(url(model)).context["cl"].list_display
    for number in range(len(columns)):
        assert admin_client.get(url(model, o=f"-{number}")).context["cl"].result_count


@pytest.mark.parametrize("model", [*FROM_CLOUDS, Lease])
def test_what_comes_from_the_clouds_can_only_be_looked_at(admin_client, admin_user, model):
    model_admin = site.get_model_admin(model)
    request = admin_client.get(url(model)).wsgi_request
    assert model_admin.get_model_perms(request) == {"add": False, "change": False, "delete": False, "view": True}


@pytest.mark.parametrize("model", EVERYTHING)
def test_a_list_takes_no_more_queries_for_more_rows(
    admin_client, provider, prod, model, django_assert_max_num_queries
):
    admin_client.get(url(model))
    for number in range(5):
        make_network(provider, f"net-{number}")
    with django_assert_max_num_queries(7):  # session, user, two counts, rows, ports, providers to filter by
        admin_client.get(url(model))


@pytest.mark.parametrize(("model", "most"), [(Vm, 15), (SecurityGroup, 18), (NetworkPort, 14)])
def test_a_page_takes_no_more_queries_for_more_rows(
    admin_client, provider, prod, model, most, django_assert_max_num_queries
):
    row = Vm.objects.get() if model is Vm else model.objects.last()
    for number in range(5):
        other = make_network(provider, f"net-{number}")
        NetworkPort.objects.filter(vm=other.vm).update(vm=prod.vm)
        FirewallRule.objects.filter(security_group=other.db).update(security_group=prod.db)
    ContentType.objects.get_for_model(model)  # which a process reads once
    with django_assert_max_num_queries(most):
        admin_client.get(url(model, "change", row.pk))


@pytest.mark.parametrize("model", EVERYTHING)
def test_every_count_leads_to_as_many_rows(admin_client, prod, shop, model):
    model_admin = site.get_model_admin(model)
    [row, *_] = admin_client.get(url(model)).context["cl"].result_list
    for related in getattr(model_admin, "counts", ()):
        assert getattr(row, related.__name__) == admin_client.get(related.url(row)).context["cl"].result_count


def test_a_group_on_two_ports_is_counted_once(admin_client, prod):
    [row] = admin_client.get(url(Instance)).context["cl"].result_list
    assert row.securitygroup_count == 1


def test_the_page_of_an_instance_shows_the_groups_of_its_ports(admin_client, prod):
    body = admin_client.get(url(Instance, "change", prod.vm.pk)).content.decode()
    assert "eni-prod-1" in body
    assert body.count(url(SecurityGroup, "change", prod.web.pk)) == 2


def test_the_page_of_a_group_shows_its_rules(admin_client, prod):
    body = admin_client.get(url(SecurityGroup, "change", prod.db.pk)).content.decode()
    assert "sgr-prod" in body
    assert url(SecurityGroup, "change", prod.web.pk) in body


@pytest.mark.parametrize(
    ("port", "end_port", "shown"),
    [(None, None, "any"), (443, 443, "443"), (443, None, "443"), (8000, 8100, "8000-8100")],
)
def test_the_ports_of_a_rule_read_as_one(port, end_port, shown):
    assert site.get_model_admin(FirewallRule).ports(FirewallRule(port=port, end_port=end_port)) == shown


@pytest.mark.parametrize("number", ["9" * 30, "0"])
def test_a_link_to_what_is_not_there_shows_nothing(admin_client, prod, number):
    assert admin_client.get(url(Vm, security_groups__id__exact=number)).context["cl"].result_count == 0


def test_a_vm_of_another_kind_of_provider_is_no_instance(admin_client, prod):
    Vm.objects.update(cloud=False)
    assert admin_client.get(url(Instance)).context["cl"].result_count == 0
    assert admin_client.get(url(Vm)).context["cl"].result_count == 1


# --- Choosing groups ---


@pytest.mark.parametrize("model", [Vm, Instance])
@pytest.mark.parametrize("action", ["add", "remove"])
def test_the_action_leads_to_a_page_to_choose_from(admin_client, prod, shop, model, action):
    chosen = {"action": f"{action}_groups", "_selected_action": [prod.vm.pk, shop.vm.pk]}
    answer = admin_client.post(url(model), chosen, follow=True)
    assert answer.status_code == 200
    assert list(answer.context["vms"]) == [prod.vm, shop.vm]


@pytest.mark.parametrize("model", [Vm, Instance])
def test_the_page_of_an_instance_leads_there_too(admin_client, prod, model):
    tools = admin_client.get(url(model, "change", prod.vm.pk)).context["tools"]
    assert [tool.label for tool in tools][:2] == ["add security groups…", "remove security groups…"]
    assert all(admin_client.get(tool.url).status_code == 200 for tool in tools)


def offered(client: Client, action: str, *vms: Vm) -> dict[int, str]:
    ids = ",".join(str(vm.pk) for vm in vms)
    form = client.get(url(Instance, f"{action}_groups", ids=ids)).context["form"]
    return {choice.value: label for choice, label in form.fields["groups"].choices}


def test_only_groups_of_its_networks_can_be_added_to_an_instance(admin_client, prod, shop):
    assert set(offered(admin_client, "add", prod.vm)) == {prod.web.pk, prod.db.pk}


def test_only_groups_that_an_instance_has_can_be_removed(admin_client, prod, shop):
    assert set(offered(admin_client, "remove", prod.vm)) == {prod.web.pk}


def test_several_instances_are_offered_what_any_of_them_can_have(admin_client, prod, shop):
    assert set(offered(admin_client, "add", prod.vm, shop.vm)) == {
        prod.web.pk,
        prod.db.pk,
        shop.web.pk,
        shop.db.pk,
    }
    assert set(offered(admin_client, "remove", prod.vm, shop.vm)) == {prod.web.pk, shop.web.pk}


def test_groups_of_the_same_name_can_be_told_apart(admin_client, prod, shop):
    labels = offered(admin_client, "add", prod.vm, shop.vm)
    assert labels[prod.web.pk] == "web · prod · Meadow · sg-prod-web"
    assert labels[shop.web.pk] == "web · shop · Meadow · sg-shop-web"


def test_a_group_on_two_ports_of_an_instance_is_named_once(admin_client, prod):
    answer = admin_client.get(url(Instance, "add_groups", ids=prod.vm.pk))
    assert [list(vm.security_groups.all()) for vm in answer.context["vms"]] == [[prod.web]]


def test_choosing_needs_no_credentials(admin_client, prod, settings):
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    assert prod.web.pk in offered(admin_client, "add", prod.vm)


def test_choosing_takes_no_more_queries_for_more_instances(
    admin_client, provider, prod, shop, django_assert_max_num_queries
):
    vms = [prod.vm, shop.vm, *(make_network(provider, f"net-{number}").vm for number in range(5))]
    with django_assert_max_num_queries(7):
        admin_client.get(url(Instance, "add_groups", ids=",".join(str(vm.pk) for vm in vms)))


def test_it_refuses_more_instances_than_one_action_may_change(admin_client, prod, shop, monkeypatch):
    monkeypatch.setattr(vm_admin, "MAX_SELECTED", 1)
    chosen = {"action": "add_groups", "_selected_action": [prod.vm.pk, shop.vm.pk]}
    assert said(admin_client.post(url(Instance), chosen, follow=True)) == ["Select at most 1 at once."]


@pytest.mark.parametrize("ids", ["", "0", "x", "9" * 30])
def test_there_is_no_page_for_no_instance(admin_client, prod, ids):
    assert admin_client.get(url(Instance, "add_groups", ids=ids)).status_code == 404


# --- Changing groups ---


@pytest.mark.parametrize("model", [Vm, Instance])
@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_change_is_queued_and_its_task_is_shown(admin_client, admin_user, prod, model, action):
    answer = change(admin_client, action, [prod.vm], [prod.web], model)
    queued = Task.objects.get(state="Queued")
    assert (queued.vm, queued.owner) == (prod.vm, admin_user)
    assert queued.context_data["action"] == action
    assert queued.context_data["security_group"] == {"name": "web", "ems_ref": "sg-prod-web"}
    assert list(answer.context["cl"].result_list) == [queued]
    assert said(answer) == ["1 change accepted."]


def test_what_an_instance_cannot_have_is_told_and_the_rest_is_done(admin_client, prod, shop):
    answer = change(admin_client, "add", [prod.vm, shop.vm], [prod.web, shop.web])
    queued = {
        task.vm: task.context_data["security_group"]["ems_ref"] for task in Task.objects.filter(state="Queued")
    }
    assert queued == {prod.vm: "sg-prod-web", shop.vm: "sg-shop-web"}
    assert said(answer) == ["2 changes accepted.", "2 changes refused. The tasks say why."]
    refused = {task.vm: task for task in Task.objects.filter(state="Finished", status="Error")}
    assert "Cannot add web (sg-shop-web) to vm-prod" in refused[prod.vm].message
    assert "Cannot add web (sg-prod-web) to vm-shop" in refused[shop.vm].message
    assert len(answer.context["cl"].result_list) == 4


def test_every_refused_change_is_a_task_that_is_shown(admin_client, admin_user, provider):
    networks = [make_network(provider, f"net-{number}") for number in range(8)]
    answer = change(admin_client, "add", [one.vm for one in networks], [one.web for one in networks])
    refused = Task.objects.filter(state="Finished", status="Error")
    assert refused.count() == 8 * 7
    assert {(task.userid, task.owner, task.pct_complete) for task in refused} == {("admin", admin_user, 100)}
    assert answer.context["cl"].result_count == 8 * 8


def test_with_everything_refused_the_tasks_say_so(admin_client, prod):
    Provider.objects.update(vendor="nowhere")
    answer = change(admin_client, "add", [prod.vm], [prod.web])
    [task] = answer.context["cl"].result_list
    assert (task.name, task.state) == ("Adding security group web (sg-prod-web) to vm-prod", "Finished")
    assert "vm-prod" in task.message


def test_what_a_full_queue_does_not_take_is_a_task_with_the_reason(admin_client, prod, settings):
    settings.QUEUE_LIMIT = 0
    change(admin_client, "add", [prod.vm], [prod.web])
    [task] = Task.objects.filter(status="Error")
    assert "Retry when some have finished" in task.message


def test_a_group_that_was_not_offered_is_refused(admin_client, prod, shop):
    answer = change(admin_client, "add", [prod.vm], [shop.web])
    assert answer.context["form"].errors
    assert not Task.objects.filter(state="Queued").exists()


def test_choosing_no_group_changes_nothing(admin_client, prod):
    answer = change(admin_client, "add", [prod.vm], [])
    assert answer.context["form"].errors
    assert not Task.objects.filter(state="Queued").exists()


def test_changing_groups_asks_for_its_permission(staff, staff_client, prod):
    assert "Add security groups" not in staff_client.get(url(Instance)).content.decode()
    assert staff_client.get(url(Instance, "change", prod.vm.pk)).context["tools"] == [("tasks", tasks_of(prod.vm))]
    assert change(staff_client, "add", [prod.vm], [prod.web]).status_code == 403
    assert not Task.objects.filter(state="Queued").exists()


def test_whoever_may_change_groups_need_not_see_the_tasks_of_others(staff, staff_client, prod):
    staff.user_permissions.add(Permission.objects.get(codename="change_vm_security_groups"))
    answer = change(staff_client, "add", [prod.vm], [prod.web])
    assert [task.owner for task in answer.context["cl"].result_list] == [staff]


def tasks_of(vm: Vm) -> str:
    return url(Task, vm__id__exact=vm.pk)


# --- Refreshing ---


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (CloudTenant, "cloud_tenant"),
        (Vm, "instance"),
        (Instance, "instance"),
        (SecurityGroup, "security_group"),
    ],
)
class TestRefresh:
    def act(self, client: Client, model: type, *rows: object) -> object:
        chosen = [row.pk for row in rows]
        return client.post(url(model), {"action": "refresh", "_selected_action": chosen}, follow=True)

    def queued(self) -> QuerySet[Task]:
        return Task.objects.filter(queue__startswith="providers/", arguments__scope__has_key="kind")

    def test_what_is_chosen_is_read_from_its_cloud(self, admin_client, admin_user, prod, model, kind):
        row = model.objects.first()
        answer = self.act(admin_client, model, row)
        queued = self.queued().get()
        assert (queued.owner, queued.queue) == (admin_user, f"providers/{row.provider_id}")
        assert queued.arguments["scope"] == {"kind": kind, "ref": row.ems_ref}
        assert list(answer.context["cl"].result_list) == [queued]

    def test_it_asks_for_its_permission(self, staff, staff_client, prod, model, kind):
        row = model.objects.first()
        staff.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
        self.act(staff_client, model, row)
        assert not self.queued().exists()
        staff.user_permissions.add(Permission.objects.get(codename="refresh_provider"))
        self.act(staff_client, model, row)
        assert self.queued().get().owner == staff

    def test_many_are_better_read_with_all_of_their_provider(
        self, admin_client, prod, shop, model, kind, monkeypatch
    ):
        monkeypatch.setattr(refreshable, "MAX_SELECTED", 0)
        answer = self.act(admin_client, model, model.objects.first())
        assert said(answer) == ["Select at most 0 at once, or refresh their provider."]
        assert not self.queued().exists()


# --- Address lists ---


@pytest.mark.parametrize(
    ("entries", "shown"), [(["10.0.0.0/8", "::1"], "10.0.0.0/8, ::1"), ([], "none"), (None, "not known")]
)
def test_a_list_without_entries_is_told_from_one_that_is_not_known(admin_client, prod, entries, shown):
    AddressList.objects.update(entries=entries)
    page = admin_client.get(url(AddressList, "change", AddressList.objects.get().pk)).content.decode()
    assert f'<div class="readonly">{shown}</div>' in page


def test_a_rule_leads_to_the_list_that_it_names(admin_client, prod):
    named = AddressList.objects.get()
    FirewallRule.objects.update(source_security_group=None, source_address_list=named, source_ip_range="pl-prod")
    link = f'<a href="{url(AddressList, "change", named.pk)}">list-prod</a>'
    rule = FirewallRule.objects.get()
    pages = [url(FirewallRule), url(FirewallRule, "change", rule.pk), url(SecurityGroup, "change", prod.db.pk)]
    for page in pages:
        assert link in admin_client.get(page).content.decode()
    assert (
        url(FirewallRule, source_address_list__id__exact=named.pk)
        in admin_client.get(url(AddressList, "change", named.pk)).content.decode()
    )
