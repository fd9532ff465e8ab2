"""Adding and removing security groups, from the list and the page of instances."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import cast, get_args

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from inventory import admin as base
from inventory.admin.base import LinkFilter, Tool
from inventory.admin.columns import Counted, ids, visible_rows, with_named, within_reach
from inventory.admin.task import show_tasks
from inventory.models import Instance, Task, Vm
from inventory.querysets import reaches
from inventory.services import QueueFull
from secgroups import messages
from secgroups.admin.explained import ExplainedAdmin
from secgroups.admin.inventory import PortInline
from secgroups.admin.previews import preview
from secgroups.arguments import Ending
from secgroups.forms import AddGroupsForm, RemoveGroupsForm
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.services import (
    MAY_CHANGE,
    Accepted,
    GroupReference,
    Refused,
    keep_refused_change,
    request_changes,
)

FORMS: dict[Action, type[AddGroupsForm | RemoveGroupsForm]] = {"add": AddGroupsForm, "remove": RemoveGroupsForm}
#: Most instances in one action: their ids are in the URL, and each is a separate request.
MAX_SELECTED = 200

admin.site.unregister([Vm, Instance])


@admin.register(Vm, Instance)
class VmAdmin(ExplainedAdmin[Vm], base.VmAdmin):
    list_filter = [*base.VmAdmin.list_filter, ("security_groups", LinkFilter)]
    counts = [Counted(SecurityGroup, "vms")]
    inlines = [PortInline]
    actions = ["add_groups", "remove_groups", "refresh"]

    def has_change_groups_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(MAY_CHANGE)

    @admin.action(description="Add security groups…", permissions=["change_groups"])
    def add_groups(self, request: HttpRequest, vms: QuerySet[Vm]) -> HttpResponse | None:
        return self._choose_groups(request, "add", vms)

    @admin.action(description="Remove security groups…", permissions=["change_groups"])
    def remove_groups(self, request: HttpRequest, vms: QuerySet[Vm]) -> HttpResponse | None:
        return self._choose_groups(request, "remove", vms)

    def _choose_groups(self, request: HttpRequest, action: Action, vms: QuerySet[Vm]) -> HttpResponse | None:
        pks = list(vms.values_list("pk", flat=True)[: MAX_SELECTED + 1])
        if len(pks) > MAX_SELECTED:
            notices.error(request, messages.too_many_instances(MAX_SELECTED))
            return None
        return redirect(self._groups_url(action, pks))

    def _groups_url(self, action: Action, pks: Sequence[int]) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{action}_groups"
        return reverse(name, query={"ids": ",".join(map(str, pks))})

    def get_tools(self, request: HttpRequest, row: Vm) -> list[Tool]:
        changes = [
            Tool(f"{action} security groups…", self._groups_url(action, [row.pk]))
            for action in get_args(Action)
            if self.has_change_groups_permission(request)
            and reaches(request.user, MAY_CHANGE, Vm, row.pk, is_seen=True)
        ]
        return [*changes, *super().get_tools(request, row)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.change_groups_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        pages = [
            path(f"security-groups/{action}/", view, {"action": action}, name=f"{name}_{action}_groups")
            for action in get_args(Action)
        ]
        return [*pages, *super().get_urls()]

    def change_groups_view(self, request: HttpRequest, action: Action) -> HttpResponse:
        """Choose groups for the instances in `?ids=1,2`, look at what the changes would do, then request them."""
        if not self.has_change_groups_permission(request):
            raise PermissionDenied
        pks = ids(request.GET.get("ids", ""))[:MAX_SELECTED]
        prefetch = Prefetch("security_groups", visible_rows(SecurityGroup, request).distinct().order_by("name"))
        selected = within_reach(self.get_queryset(request).filter(pk__in=pks), request, MAY_CHANGE)
        vms = selected.prefetch_related(prefetch)
        if not vms:
            raise Http404
        # Changes depend on the provider, whether or not the page may show it.
        targets = self.model._default_manager.visible_to(request.user, MAY_CHANGE)
        targets = targets.filter(pk__in=pks).select_related("provider").defer("provider__credentials")
        data = request.POST if request.method == "POST" else None
        form = FORMS[action](_choices(request, action, targets), data)
        groups = form.cleaned_data["groups"] if form.is_valid() else []
        references = [_reference(group, form.ending) for group in groups]
        if references and "confirm" in request.POST:
            return self._request_changes(request, action, targets, references)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action} security groups".capitalize(),
            "opts": self.opts,
            "media": self.media + form.media,
            "action": action,
            "preposition": messages.PREPOSITIONS[action],
            "vms": vms,
            "form": form,
        }
        if references:
            context["changes"] = preview(request, action, list(targets), references)
            return TemplateResponse(request, "admin/secgroups/confirm_groups.html", context)
        return TemplateResponse(request, "admin/secgroups/change_groups.html", context)

    def _request_changes(
        self, request: HttpRequest, action: Action, vms: QuerySet[Vm], references: Sequence[GroupReference]
    ) -> HttpResponseRedirect:
        user = cast(User, request.user)
        tasks: list[Task] = []
        refused = 0
        for vm in vms:
            for reference, answer in zip(references, _answers(vm, action, references, user), strict=True):
                if isinstance(answer, Accepted):
                    tasks.append(answer.task)
                    continue
                refused += 1
                reason = answer.message
                tasks.append(
                    keep_refused_change(vm=vm, action=action, reference=reference, reason=reason, user=user)
                )
        if accepted := len(tasks) - refused:
            notices.success(request, messages.accepted_changes(accepted))
        if refused:
            notices.warning(request, messages.refused_changes(refused))
        return show_tasks(tasks, fallback=self.model)


def _reference(group: SecurityGroup, ending: Ending | None) -> GroupReference:
    """A group that was chosen. Several of them may have the same name."""
    return GroupReference(id=group.pk, called=f"{group.name} ({group.ems_ref})", ending=ending)


def _answers(
    vm: Vm, action: Action, references: Sequence[GroupReference], user: User
) -> Sequence[Accepted | Refused]:
    try:
        return request_changes(vm=vm, action=action, references=references, user=user)
    except (QueueFull, ObjectDoesNotExist) as error:
        return [
            Refused(messages.cannot(action, messages.change_of(action, reference.label, vm.name), f"{error}."))
            for reference in references
        ]


def _choices(request: HttpRequest, action: Action, vms: QuerySet[Vm]) -> QuerySet[SecurityGroup]:
    """The groups that at least one of these instances can get or lose."""
    groups = with_named(
        SecurityGroup.objects.visible_to(request.user), request, "cloud_network", "cloud_tenant", "provider"
    )
    if action == "remove":
        return groups.filter(vms__in=vms.values("pk")).distinct()
    return reduce(or_, (groups.available_to(vm) for vm in vms), groups.none())
