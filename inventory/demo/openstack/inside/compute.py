"""`compute.py nova=PORT` runs Nova's API, conductor, scheduler and compute in one process.

They communicate through the transport `fake://`, in memory.
"""

from nova import monkey_patch

monkey_patch.patch(backend="threading")

import os  # noqa: E402
import shlex  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402

from serve import serve  # noqa: E402

PORT = int(sys.argv[1].partition("=")[2])
sys.argv = ["nova"]

import nova.conf  # noqa: E402
import os_vif  # noqa: E402
from nova import context, objects, service, utils  # noqa: E402
from nova.api.openstack import wsgi_app  # noqa: E402
from nova.compute import rpcapi as compute  # noqa: E402
from nova.conductor import rpcapi as conductor  # noqa: E402
from nova.objects import host_mapping  # noqa: E402
from nova.scheduler import rpcapi as scheduler  # noqa: E402
from nova.virt import fake, node  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402
from oslo_utils.fixture import uuidsentinel  # noqa: E402

API = "osapi_compute"


def start(binary, topic, **kwargs):
    server = service.Service.create(binary=binary, topic=topic, **kwargs)
    if binary == "nova-compute":
        remind(server.manager.driver)
    server.start()
    return server


def remind(hypervisor):
    """Restore the servers of the fake hypervisor, which only has them in memory."""
    for server in objects.InstanceList.get_by_host(context.get_admin_context(), nova.conf.CONF.host):
        hypervisor.instances[server.uuid] = fake.FakeInstance(server.name, server.power_state, server.uuid)


def main():
    wsgi_app.init_global_data(wsgi_app._get_config_files(), API, "nova")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    # Nova refuses a hypervisor whose id has changed, and this one would get a new id at each start.
    uuidsentinel._sentinels[f"node_{nova.conf.CONF.host}"] = node.get_local_node_uuid()
    services = [
        start("nova-conductor", conductor.RPC_TOPIC),
        start("nova-scheduler", scheduler.RPC_TOPIC),
        start("nova-compute", compute.RPC_TOPIC, topic_alt=compute.RPC_TOPIC_ALT),
    ]
    cells = objects.CellMappingList.get_all(context.get_admin_context())
    # The cell with hosts. Another one is down.
    [uuid] = [cell.uuid for cell in cells if cell.name == "cell1"]
    host_mapping.discover_hosts(context.get_admin_context(), cell_uuid=uuid)
    serve([("nova", PORT, wsgi_app.init_application(API, "nova"))])
    return services


try:
    main()
except BaseException:
    traceback.print_exc()
    os._exit(1)
