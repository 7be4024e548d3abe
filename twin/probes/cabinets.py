"""Power of a machine in cabinets with rectifiers of their own, as ExaDigiT's RAPS adds it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import Design, read, size
from twin.errors import ConfigError
from twin.power.elements import loss_w
from twin.power.feed import Feed


def power_mw(
    config: Mapping[str, Any], activity: float, units: float, unit_kw: float, nodes: float = 0
) -> float:
    """Return what enters cabinets and distribution units [MW].

    Every GPU works at *activity*, or those of the first *nodes* alone, the rest idle;
    *units* coolant distribution units draw *unit_kw* each.
    """
    design = _sized(config)
    inside_w, _ = _inside_w(design, activity, nodes)
    return (inside_w + _rectifier_loss_w(design, inside_w) + units * unit_kw * 1e3) / 1e6


def conversion_efficiency(
    config: Mapping[str, Any], activity: float, units: float, unit_kw: float
) -> float:
    """Return 1 - conversion losses / that power, the losses of node converters and rectifiers."""
    design = _sized(config)
    inside_w, behind_w = _inside_w(design, activity, 0)
    lost_w = inside_w - behind_w + _rectifier_loss_w(design, inside_w)
    return 1.0 - lost_w / 1e6 / power_mw(config, activity, units, unit_kw)


def _sized(config: Mapping[str, Any]) -> Design:
    design = read(config)
    size(design)
    return design


def _inside_w(design: Design, activity: float, nodes: float) -> tuple[float, float]:
    """Return what nodes and switches take, before and behind the converters of the nodes [W]."""
    server, servers = design.gpu, design.cluster.servers
    busy = nodes or servers
    drive = server.drive(activity)
    node_w = busy * server.power_w(drive)[0] + (servers - busy) * server.power_w(0.0)[0]
    behind_w = busy * server.output_w(drive) + (servers - busy) * server.output_w(0.0)
    switches_w = design.network.power_w()
    return node_w + switches_w, behind_w + switches_w


def _rectifier_loss_w(design: Design, inside_w: float) -> float:
    feed = design.power
    if not isinstance(feed, Feed) or "rectifiers" not in feed.elements:
        raise ConfigError("power.elements.rectifiers: is required for this figure")
    element = feed.elements["rectifiers"]
    units, unit_w = element.build(inside_w)
    return loss_w(inside_w, units * unit_w, element.loss)
