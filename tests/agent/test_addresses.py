"""Addresses in a lab's networks follow from the lab alone."""

from ipaddress import IPv4Network
from types import SimpleNamespace

from runtime_agent import addresses
from runtime_agent.addresses import Network
from runtime_agent.bundle import Spec

NETWORKS = (Network("outside", ("client", "proxy"), IPv4Network("10.1.0.0/24")),
            Network("inside", ("server", "proxy"), IPv4Network("10.2.0.0/29")))
MACHINES = {name: SimpleNamespace(hostname=f"{name}-1" if name == "proxy" else name)
            for name in ("server", "client", "proxy")}


def test_the_order_of_a_network_numbers_its_machines():
    outside, inside = addresses.interfaces_of(NETWORKS, "proxy")
    assert (outside.name, outside.address, outside.network, outside.port) == ("eth0", "10.1.0.2/24", 0, 2)
    assert (inside.name, inside.address, inside.network, inside.port) == ("eth1", "10.2.0.2/29", 1, 2)
    assert outside.mac == bytes.fromhex("02420a010002")
    assert [each.name for each in addresses.interfaces_of(NETWORKS, "server")] == ["eth0"]
    assert addresses.interfaces_of(NETWORKS, "alone") == ()


def test_a_name_leads_to_the_near_address_first():
    assert addresses.hosts_of(NETWORKS, MACHINES, "server") == (
        "10.2.0.1 server", "10.1.0.1 client", "10.2.0.2 proxy proxy-1", "10.1.0.2 proxy proxy-1")
    assert addresses.hosts_of((), MACHINES, "server") == ()


def test_a_subnet_has_room_for_all_but_its_ends():
    assert [addresses.room_in(IPv4Network(f"10.0.0.0/{length}")) for length in (24, 30, 31, 32)] == [254, 2, 0, 0]


def test_a_restarted_agent_reads_the_same_interfaces():
    spec = Spec("s", "proxy", "base", "standard", "root", "proxy", 1, 1, 1.0, 1,
                interfaces=addresses.interfaces_of(NETWORKS, "proxy"), hosts=("10.1.0.1 client",))
    assert Spec.from_state(spec.to_state()) == spec
