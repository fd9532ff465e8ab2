"""One spelling for each IP protocol: the keyword of IANA's registry in lower case, and `icmpv6` for 58.

The table is IANA's registry "Assigned Internet Protocol Numbers" (RFC 5237). `getprotobyname` reads a file of the
host instead, which differs from host to host. A number without a keyword stays a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Starts at 0; `-` stands for a number without a keyword. Spaces in two keywords are underscores here.
_KEYWORDS = """
    hopopt icmp igmp ggp ipv4 st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos udp mux
    dcn-meas hmp prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt mfe-nsp merit-inp dccp 3pc
    idpr xtp ddp idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag idrp rsvp gre dsr bna esp ah i-nlsp swipe
    narp min-ipv4 tlsp skip icmpv6 ipv6-nonxt ipv6-opts - cftp - sat-expak kryptolan rvd ippc - sat-mon visa
    ipcv cpnx cphb wsn pvp br-sat-mon sun-nd wb-mon wb-expak iso-ip vmtp secure-vmtp vines iptm nsfnet-igp dgp
    tcf eigrp ospfigp sprite-rpc larp mtp ax.25 ipip micp scc-sp etherip encap - gmtp ifmp pnni pim aris scps
    qnx a/n ipcomp snp compaq-peer ipx-in-ip vrrp pgm - l2tp ddx iatp stp srp uti smp sm ptp isis_over_ipv4
    fire crtp crudp sscopmce iplt sps pipe sctp fc rsvp-e2e-ignore mobility_header udplite mpls-in-ip manet
    hip shim6 wesp rohc ethernet aggfrag nsh homa
"""
NAMES = MappingProxyType(
    {number: word.replace("_", " ") for number, word in enumerate(_KEYWORDS.split()) if word != "-"}
)
NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in NAMES.items()})
#: Other names that people and clouds use.
_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "icmp6": "icmpv6",
        "ipv6-icmp": "icmpv6",
        "ipv6-encap": "ipv6",
        "isis": "isis over ipv4",
        "mobility-header": "mobility header",
        "ospf": "ospfigp",
    }
)
#: Names for all protocols. 0 isn't one, because it is a protocol of its own.
ANY = frozenset({"-1", "all", "any"})
#: The protocols whose `port` and `end_port` are a range of ports.
WITH_PORTS = frozenset({"tcp", "udp", "dccp", "sctp", "udplite"})
#: The protocols whose `port` and `end_port` are a type and a code.
WITH_TYPES = frozenset({"icmp", "icmpv6"})


def protocol_named(text: str | None) -> str | None:
    """Normalize the name of a protocol. Returns None for any protocol; an empty text doesn't mean that."""
    if text is None or (name := text.strip().lower()) in ANY:
        return None
    if name.isascii() and name.isdigit() and len(name) <= len("255"):
        return NAMES.get(int(name), str(int(name)))
    return _ALIASES.get(name, name)
