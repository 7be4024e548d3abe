"""The contract of a power feed: from the meter to the rack inlets, loss by loss.

Served in two calls each beat, because cooling needs the losses of the IT branch
before its own power is known: :meth:`PowerFeed.serve_it`, then
:meth:`PowerFeed.serve_all`. Losses of elements in cooled space that are only
known in the second call (a transformer indoors) are handed over with the next
beat's heat and counted in ``stored_j`` until then.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from twin.config import Component


@dataclass(frozen=True, slots=True)
class FeedDesign:
    """What a feed is sized for: nameplate powers."""

    it_w: float
    mechanical_w: float
    aux_w: float


@dataclass(slots=True)
class FeedState:
    """What the feed did in one beat; means over the beat."""

    utility_w: float
    """Power at the meter. [W]"""
    loss_w: float
    """Sum of all element losses. [W]"""
    it_loss_w: float
    """Losses on the IT path (for ELC). [W]"""
    ambient_heat_w: float
    """Losses of elements outdoors, straight to ambient. [W]"""
    stored_j: float
    """Change of heat held for the next beat and of battery charge, as heat-ledger storage. [J]"""
    battery_j: float | None
    """Energy in batteries at the end of the beat; None where there is none modelled. [J]"""
    unserved_w: float = 0.0
    """Power asked for that no live path could carry; it was not drawn. [W]"""


@dataclass
class PowerFeed(Component):
    """A feed; subclasses are one file each in ``twin/power``."""

    family: ClassVar[str] = "power"
    warnings: list[str] = field(init=False, default_factory=list)

    @abstractmethod
    def size(self, design: FeedDesign) -> None:
        """Fix ratings for *design*."""

    @abstractmethod
    def serve_it(self, it_w: float, dt_s: float) -> float:
        """Carry *it_w* to the racks; return the losses released into cooled space [W].

        The heat of the IT itself is not among them.
        """

    @abstractmethod
    def serve_all(self, mechanical_w: float, aux_w: float, dt_s: float) -> FeedState:
        """Carry cooling and auxiliaries too and close the beat."""

    @abstractmethod
    def one_line(self) -> Any:
        """Return the one-line diagram, a ``networkx.DiGraph`` with load and rating per node."""
