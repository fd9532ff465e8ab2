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


class TestExposures(CollectionContract):
    collection = "exposures"
