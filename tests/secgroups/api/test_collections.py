"""Each collection of this app keeps the contract of collections."""

from __future__ import annotations

from tests.contracts import CollectionContract


class TestSecurityGroups(CollectionContract):
    collection = "security_groups"


class TestAddressLists(CollectionContract):
    collection = "address_lists"


class TestFirewallRules(CollectionContract):
    collection = "firewall_rules"


class TestExpirations(CollectionContract):
    collection = "expirations"
    one_of_several = {"end": "inventory.change_vm_security_groups"}  # the others take one of these as well


class TestExposures(CollectionContract):
    collection = "exposures"
