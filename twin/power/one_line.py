"""The one-line diagram as it stands: what each element is, carries and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx

from twin.power.diagram import Element
from twin.power.loads import Loads
from twin.power.stores import Stores
from twin.power.supply import Supply


def draw(
    elements: Mapping[str, Element],
    graph: nx.DiGraph,
    unit_w: Sequence[float],
    supply: Supply,
    stores: Stores,
    loads: Loads,
) -> nx.DiGraph:
    """Return the diagram with what each element is, may carry, carries and loses.

    Parameters
    ----------
    elements : mapping of str to Element
        By name.
    graph : networkx.DiGraph
        Who may feed whom.
    unit_w : sequence of float
        Rating of one unit of each, leaf to root. [W]
    supply, stores, loads
        Who has voltage, what batteries do, and what the last beat carried.

    Returns
    -------
    networkx.DiGraph
        Node attributes: ``kind``, ``state`` (see supply.py), ``bypassed``, ``units`` (in
        service), ``installed``, ``rated_w`` (of units with voltage), ``installed_w`` (of all
        units), ``load_w`` (output), ``peak_w`` (highest so far), ``loss_w`` (recharging
        included), ``battery_w`` (into the battery, negative out of it), ``x`` (load over
        rating; None without rating), ``fuel`` (level of the tank, 0-1), ``heat_to``. Edge
        attribute: ``load_w``, what flows along it. Storage at the meter is a node of its own,
        with ``kind``, ``load_w`` 0, ``loss_w``, ``battery_w``.
    """
    drawn, names, routes = nx.DiGraph(), loads.names, loads.routes
    for i in reversed(range(len(names))):
        name, rated_w = names[i], routes.rated_w[i]
        drawn.add_node(
            name,
            kind=elements[name].type,
            state=supply.state[i],
            bypassed=supply.bypassed[i],
            units=supply.units[i],
            installed=supply.installed[i],
            rated_w=rated_w,
            installed_w=supply.installed[i] * unit_w[i],
            load_w=loads.load_w[i],
            peak_w=loads.peak_w[i],
            loss_w=loads.loss_w[i] + stores.heat_w[i],
            battery_w=stores.into_w[i],
            x=loads.load_w[i] / rated_w if rated_w else None,
            fuel=tank.level if (tank := elements[name].fuel) else None,
            heat_to=elements[name].heat_to,
        )
    for feeder, fed in graph.edges:
        drawn.add_edge(feeder, fed, load_w=0.0)
    for i, *_, feeders in routes.it_rows + routes.other_rows:
        out_w = loads.load_w[i] + loads.loss_w[i]
        entering_w = out_w if supply.taken[i] else out_w + stores.heat_w[i] + stores.into_w[i]
        for j, part in feeders:  # in a walk-in parts of all, be it from feeders or the battery
            drawn.edges[names[j], names[i]]["load_w"] = part * entering_w
    if stores.bess is not None:
        taken_w, heat_w = stores.bess_w
        drawn.add_node("bess", kind="bess", load_w=0.0, loss_w=heat_w, heat_to="outdoor")
        drawn.nodes["bess"]["battery_w"] = taken_w - heat_w
        drawn.add_edge(stores.bess.at, "bess", load_w=taken_w)
    return drawn
