from __future__ import annotations

from django.db import models

from inventory.models import NetworkPort, Provider, Task, Vm
from inventory.models.base import index_of_many
from secgroups.models.firewall_rule import FirewallRule
from secgroups.models.security_group import SecurityGroup
from secgroups.querysets import ExpirationQuerySet


class Expiration(models.Model):
    """When memberships of a group on an instance, or a rule, are taken back.

    It is written before the cloud is asked for anything, so that whatever a worker leaves behind ends. Until its
    task is done, `noted` has what that may write: the ports (ems_refs) that lacked the group, or the rule. Then
    its memberships or its rule are known. It goes with the last of them.
    """

    # An index below begins with each of these.
    provider = models.ForeignKey(Provider, models.CASCADE, db_index=False, related_name="expirations")
    vm = models.ForeignKey(Vm, models.SET_NULL, null=True, db_index=False, related_name="expirations")
    security_group = models.ForeignKey(SecurityGroup, models.CASCADE, db_index=False, related_name="expirations")
    firewall_rule = models.ForeignKey(
        FirewallRule, models.CASCADE, null=True, db_index=False, related_name="expirations"
    )
    expires_on = models.DateTimeField()
    reason = models.TextField(null=True, blank=True)
    #: Who asked for it, and the task that did it.
    userid = models.CharField(max_length=255)
    task = models.ForeignKey(Task, models.SET_NULL, null=True, related_name="expirations")
    created_on = models.DateTimeField(auto_now_add=True)

    #: When to queue the next task that takes it back, the last such task, and how many there were.
    due_on = models.DateTimeField(editable=False)
    removal = models.ForeignKey(Task, models.SET_NULL, null=True, related_name="+", editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    #: Whether that task has begun. From then on it is too late to change the end.
    is_ending = models.BooleanField(default=False, editable=False)
    noted = models.JSONField(null=True, editable=False)

    objects = ExpirationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["firewall_rule"], name="expiration_rule_unique")]
        indexes = [
            index_of_many("provider", "expiration_provider"),
            index_of_many("vm", "expiration_vm"),
            index_of_many("security_group", "expiration_group"),
            models.Index(fields=["due_on"], name="expiration_due"),
        ]

    def __str__(self) -> str:
        # Without the group, which whoever lists expirations may not see.
        return f"expiration {self.pk}"

    @property
    def is_of_rule(self) -> bool:
        return self.firewall_rule_id is not None or isinstance(self.noted, dict)

    def port_refs(self) -> set[str]:
        """The ports (ems_refs) that it is about, also those that are only noted."""
        return {*self.memberships.values_list("network_port__ems_ref", flat=True), *(self.noted or ())}


class TemporaryMembership(models.Model):
    """A group that a port has until an expiration ends. What the port had before is none."""

    expiration = models.ForeignKey(Expiration, models.CASCADE, related_name="memberships")
    network_port = models.ForeignKey(
        NetworkPort, models.CASCADE, db_index=False, related_name="temporary_memberships"
    )
    security_group = models.ForeignKey(SecurityGroup, models.CASCADE, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["network_port", "security_group"], name="temporary_membership_unique")
        ]

    def __str__(self) -> str:
        return f"{self.expiration} of {self.network_port_id}"
