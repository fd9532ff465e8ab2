"""An ML2 mechanism driver for Neutron without agents. It binds and activates every port at once."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BoundAtOnce(api.MechanismDriver):
    """Binds ports, because Nova treats an unbound port as a failure."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self):
        """Do nothing; the method is required."""

    def bind_port(self, context):
        segment = context.segments_to_bind[0]
        details = {portbindings.CAP_PORT_FILTER: True}
        context.set_binding(
            segment[api.ID], portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE
        )
