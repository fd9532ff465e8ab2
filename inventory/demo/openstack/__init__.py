"""A real OpenStack control plane on this machine: Keystone, Placement, Neutron, Glance and Nova, on loopback.

On SQLite, with a hypervisor that only pretends, and with no broker, no agent and no container. What it does not do
is carry packets: rules are kept and never enforced.
"""
