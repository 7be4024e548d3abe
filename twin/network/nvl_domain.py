"""Racks of NVLink behind a rail-optimised fat-tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx

from twin.config import DeviceWatts, Positive, Units
from twin.network.fat_tree import FatTree


@dataclass(kw_only=True)
class NvlDomain(FatTree):
    """Compute trays joined by NVLink switches in each domain, and by a fabric beyond it.

    The domain is the unit of locality: a job inside one never leaves copper. Each
    domain has all its NVLink switches, also the last one that is not full.
    """

    servers_per_domain: Units
    nvlink_trays_per_domain: Units
    nvlink_tray_w: DeviceWatts
    """One tray of NVLink switches, copper only. [W]"""
    nvlink_gb_per_s: Positive
    """Bandwidth of one GPU into the domain, both directions. [GB/s]"""
    gpus_per_tray: Units

    def _domains(self) -> int:
        self._sized()
        return -(-self._servers // self.servers_per_domain)

    def counts(self) -> dict[str, int]:
        """Return the fat-tree's counts and the NVLink trays."""
        return {**super().counts(), "nvlink_trays": self._domains() * self.nvlink_trays_per_domain}

    def plan(self) -> dict[str, Any]:
        """Return the fat-tree's plan and the size of a domain, for a drawing."""
        return {**super().plan(), "servers_per_domain": self.servers_per_domain}

    def power_w(self) -> float:
        """Return the power of all switches, optics and NVLink trays [W]."""
        return super().power_w() + self.among_servers_w()

    def among_servers_w(self) -> float:
        """Return the power of the NVLink trays [W]."""
        return self.counts()["nvlink_trays"] * self.nvlink_tray_w

    def leaf_of(self) -> list[int]:
        """Return the domain of each server, by server number."""
        self._sized()
        return [server // self.servers_per_domain for server in range(self._servers)]

    def servers_joined(self) -> int:
        """Return how many servers share one scale-up domain: those of a rack."""
        return self.servers_per_domain

    def _build(self) -> nx.Graph:
        graph = super()._build()
        # Half of the two-way bandwidth, in bits, dealt over the trays of the domain.
        share_gbps = 4.0 * self.nvlink_gb_per_s * self.gpus_per_tray / self.nvlink_trays_per_domain
        for server, domain in enumerate(self.leaf_of()):
            for tray in range(self.nvlink_trays_per_domain):
                node = ("nvlink", domain, tray)
                graph.add_node(node, tier=1)
                graph.add_edge(("server", server), node, links=1, gbps=share_gbps)
        return graph
