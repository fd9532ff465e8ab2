"""An ML2 mechanism driver for a Neutron without agents: every port is bound and active at once."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BoundAtOnce(api.MechanismDriver):
    """Without it Nova would take a port that nobody binds for a failure."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self):
        """There is nothing to prepare."""

    def bind_port(self, context):
        segment = context.segments_to_bind[0]
        details = {portbindings.CAP_PORT_FILTER: True}
        context.set_binding(
            segment[api.ID], portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE
        )
