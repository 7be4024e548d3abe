"""How large each element is built, from the loads it is designed for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twin.power.base import FeedDesign, Load
from twin.power.diagram import SINKS, Element
from twin.power.elements import loss_w


@dataclass(slots=True)
class _Duty:
    """What an element must be able to deliver, in parts that add up differently [W]."""

    normal_w: float = 0.0
    """In normal operation; adds up."""
    outage_w: float = 0.0
    """In addition when the utility fails: all switches turn at once, so it adds up."""
    reserve_w: float = 0.0
    """In addition when one thing fails elsewhere: the largest counts."""


def build(
    elements: Mapping[str, Element],
    order: Sequence[str],
    design: FeedDesign,
    oversubscription: float = 1.0,
) -> dict[str, tuple[int, float]]:
    """Return name -> (units installed, rating of one [W]), each sized for what is below it.

    Parameters
    ----------
    elements : mapping of str to Element
        A checked diagram.
    order : sequence of str
        All names, leaf to root.
    design : FeedDesign
        Loads at the sinks, by nameplate.
    oversubscription : float
        Nameplate IT power over what everything above the racks is built for, >= 1. [-]

    Returns
    -------
    dict of str to (int, float)
        Units and unit rating, in the given order.

    Notes
    -----
    Losses at the design load are carried too. The first feeder of a switch is sized for
    normal operation. Later feeders of an ``ats`` (a change of source) are sized for all
    switches turning at once, as when the utility fails; those of any other switch (a
    reserve block) for the largest that may turn. Contracts and generator sets are not
    enlarged for a reserve block: its load only moves.
    """
    wanted: dict[Load, float] = {
        "it": design.it_w,
        "mechanical": design.mechanical_w,
        "aux": design.aux_w,
        "movers": design.movers_w,
    }
    duties = {name: _Duty() for name in order}
    built: dict[str, tuple[int, float]] = {}
    for name in order:
        element, duty = elements[name], duties[name]
        if element.type in SINKS:
            duty.normal_w = element.share * wanted[SINKS[element.type]]
        if element.type in ("utility", "generator"):
            duty.reserve_w = 0.0
        carried_w = duty.normal_w + duty.outage_w + duty.reserve_w
        if element.type == "mechanical":
            together_w = element.share * design.connected_w  # short, so up to the full rating
            carried_w = max(carried_w, together_w * element.design_loading)
        units, unit_w = built[name] = element.build(carried_w)
        if element.type == "racks":
            duty.normal_w /= oversubscription
        _pass_on(element, duty, units * unit_w, duties)
    return built


def _pass_on(element: Element, duty: _Duty, rated_w: float, duties: Mapping[str, _Duty]) -> None:
    """Add what an element draws for its duty to the duties of its feeders."""
    if not element.feeders():
        return
    normal_w = _drawn_w(duty.normal_w, element, rated_w)
    outage_w = _drawn_w(duty.normal_w + duty.outage_w, element, rated_w) - normal_w
    all_w = _drawn_w(duty.normal_w + duty.outage_w + duty.reserve_w, element, rated_w)
    reserve_w = all_w - normal_w - outage_w
    first, *later = map(duties.__getitem__, element.feeders())
    if element.draw == "equal":
        part = 1.0 / (1 + len(later))
        for feeder in (first, *later):
            feeder.normal_w += part * normal_w
            feeder.outage_w += part * outage_w
            feeder.reserve_w = max(feeder.reserve_w, part * reserve_w)
        return
    first.normal_w += normal_w
    first.outage_w += outage_w
    first.reserve_w = max(first.reserve_w, reserve_w)
    for feeder in later:
        if element.type == "ats":
            feeder.outage_w += normal_w + outage_w
            feeder.reserve_w = max(feeder.reserve_w, reserve_w)
        else:
            feeder.reserve_w = max(feeder.reserve_w, all_w)


def _drawn_w(output_w: float, element: Element, rated_w: float) -> float:
    """Return output plus loss; an element sized for nothing draws nothing."""
    return output_w + loss_w(output_w, rated_w, element.loss) if rated_w > 0.0 else output_w
