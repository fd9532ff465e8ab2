"""A real OpenStack control plane on this machine: Keystone, Placement, Neutron, Glance and Nova, on loopback.

It runs on SQLite with a fake hypervisor, without broker, agents and containers. It carries no packets, so rules
are stored but not enforced.
"""
