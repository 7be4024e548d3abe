"""Arithmetic on nameplates: what is installed, not what it draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read, size


def servers(config: Mapping[str, Any]) -> float:
    """Return how many servers the facility's GPUs fill."""
    design = read(config)
    return float(-(-design.facility.gpus // design.gpu.gpus_per_server))


def servers_mw(config: Mapping[str, Any]) -> float:
    """Return the nameplate power of all servers, without network and storage [MW]."""
    return servers(config) * read(config).gpu.nameplate_w / 1e6


def pflops(config: Mapping[str, Any]) -> float:
    """Return the dense FP16/BF16 peak of all GPUs [PFLOPS]."""
    design = read(config)
    return design.facility.gpus * design.gpu.peak_flops / 1e15


def storage_tb_per_s(config: Mapping[str, Any]) -> float:
    """Return the bandwidth of the shared storage [TB/s]."""
    storage = config["storage"]
    return float(storage["nodes"]) * float(storage["node_gb_per_s"]) / 1e3


def server_network_gbps(config: Mapping[str, Any]) -> float:
    """Return the network bandwidth of one server [Gb/s]."""
    network = config["network"]
    return float(network["nics_per_server"]) * float(network["port_gbps"])


def servers_gwh(config: Mapping[str, Any], days: float) -> float:
    """Return what all servers use in *days* at their nameplate power [GWh]."""
    return servers_mw(config) * days * 24.0 / 1e3


def scale_up_domain_kw(config: Mapping[str, Any], peak_over_nominal: float) -> float:
    """Return the peak of one scale-up domain with its share of the fabric beyond it [kW].

    Servers and the switches of the domain draw *peak_over_nominal* times their nominal power
    at their electrical design peak; the fabric is that of the whole facility.
    """
    design = read(config)
    network, per_server = design.network, design.gpu.gpus_per_server
    number = -(-design.facility.gpus // per_server)
    network.size(number, per_server)
    joined = network.servers_joined()
    trays_w = network.among_servers_w()
    fabric_w = network.power_w() - trays_w
    inside_w = joined * design.gpu.nameplate_w + trays_w * joined / number
    return (inside_w * peak_over_nominal + fabric_w * joined / number) / 1e3


def servers_million_dollars(config: Mapping[str, Any], dollars_per_server: float) -> float:
    """Return what all servers cost to buy [million dollars]."""
    return servers(config) * dollars_per_server / 1e6


def energy_dollars(config: Mapping[str, Any], days: float, dollars_per_kwh: float) -> float:
    """Return what that energy costs [dollars]."""
    return servers_gwh(config, days) * 1e6 * dollars_per_kwh


def wh_per_request(config: Mapping[str, Any], requests_per_day: float) -> float:
    """Return that energy for each of so many requests a day [Wh]."""
    return servers_gwh(config, 1.0) * 1e9 / requests_per_day


def it_mw(config: Mapping[str, Any]) -> float:
    """Return the nameplate power of servers, network and storage [MW]."""
    design = read(config)
    size(design)
    return design.it_nameplate_w / 1e6
