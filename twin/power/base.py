"""The contract of a power feed: from the meter to the rack inlets, loss by loss.

Served in two calls each beat, because cooling needs the losses of the IT branch
before its own power is known: :meth:`PowerFeed.serve_it`, then
:meth:`PowerFeed.serve_all`. Losses of elements in cooled space that are only
known in the second call (a transformer indoors) are first taken to be those of the last
beat; what they were more or less is counted in ``stored_j`` and handed over afterwards.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.physics.steps import StepSeries
from twin.records import Sunshine
from twin.rng import RngFor

Load = Literal["it", "mechanical", "aux", "movers"]
"""What a feed carries: IT, the cooling plant, auxiliaries, and fans and pumps of the plant that
hang elsewhere than the rest of it."""


ElementLoads = dict[str, tuple[float, NDArray[np.float64]]]
"""Element that passes power on -> (rating of the units in service, load) [W]."""

OverLimit = Literal["ignore", "refuse", "cap", "shed"]
"""What is done when servers want more than the feed can carry; ``ignore`` leaves it to breakers."""


@dataclass(frozen=True, slots=True)
class FeedDesign:
    """What a feed is sized for: nameplate powers."""

    it_w: float
    mechanical_w: float
    aux_w: float
    movers_w: float = 0.0
    """Fans and pumps on the UPS, not part of ``mechanical_w``."""
    connected_w: float = 0.0
    """What all machines on the mechanical branch draw at once, spares included; its own cables
    and switchgear are built for that, everything above them for ``mechanical_w``."""


@dataclass(slots=True)
class FeedState:
    """What the feed did in one beat; means over the beat."""

    utility_w: float
    """Power at the meter. [W]"""
    loss_w: float
    """Sum of all element losses. [W]"""
    ambient_heat_w: float
    """Losses of elements outdoors, straight to ambient. [W]"""
    stored_j: float
    """Change of heat held for later beats and of battery charge, as heat-ledger storage. [J]"""
    battery_j: float | None
    """Energy in batteries at the end of the beat; None where there is none modelled. [J]"""
    unserved_w: float = 0.0
    """Power asked for that no live path could carry; it was not drawn. [W]"""
    generator_w: float | None = None
    """Power from generators on site; None where there are none. [W]"""
    pv_w: float | None = None
    """Power from PV on site that is used; None where there is none. [W]"""


class Change(NamedTuple):
    """Something that happened in the feed; the caller knows when."""

    kind: str
    where: str
    detail: str


@dataclass
class PowerFeed(Component):
    """A feed; subclasses are one file each in ``twin/power``."""

    family: ClassVar[str] = "power"
    over_limit: OverLimit = field(default="ignore", kw_only=True)
    movers_on_ups: list[Literal["air", "water"]] = field(default_factory=list, kw_only=True)
    """Which fans and pumps of the cooling plant hang on the UPS: those that move air, water, both
    or none. Compressors, towers and dry coolers never do."""
    warnings: list[str] = field(init=False, default_factory=list)

    @abstractmethod
    def size(self, design: FeedDesign) -> None:
        """Fix ratings for *design*."""

    def seed(self, rng: RngFor) -> None:
        """Take what is needed of the run's randomness; a feed without chance takes nothing."""

    @abstractmethod
    def serve_it(self, it_w: float, dt_s: float) -> float:
        """Carry *it_w* to the racks; return the losses released into cooled space [W].

        The heat of the IT itself is not among them.
        """

    @abstractmethod
    def serve_all(
        self, mechanical_w: float, aux_w: float, dt_s: float, movers_w: float = 0.0
    ) -> FeedState:
        """Carry cooling and auxiliaries too and close the beat; *movers_w* are those on the UPS."""

    @abstractmethod
    def one_line(self) -> Any:
        """Return the one-line diagram, a ``networkx.DiGraph`` with load and rating per node."""

    def know_prices(self, prices: StepSeries) -> None:
        """Take the prices of the run, as they are published; a feed may look ahead."""

    def wants_sun(self) -> bool:
        """Return whether it must be told of the sun."""
        return False

    def know_sun(self, sun: Sunshine) -> None:
        """Take the sun of the run."""

    def wants_price(self) -> bool:
        """Return whether it must be told of price and time each beat."""
        return False

    def tell_price(self, price_per_kwh: float, at_s: float = 0.0) -> None:
        """Take the price of the beat to come, and when it begins."""

    def until_change_s(self) -> float:
        """Return how long a beat may be before something changes by itself; ``inf`` at rest."""
        return inf

    def take_changes(self) -> list[Change]:
        """Return what has happened since the last call: transfers, trips, empty batteries."""
        return []

    def fed_fraction(self, load: Load) -> float:
        """Return the part of a kind of load that has voltage now, 0-1; the rest must be off."""
        return 1.0

    def rack_groups(self) -> list[tuple[str, float, bool]]:
        """Return (name, share of the IT load, whether it has voltage) of each rack group."""
        return [("racks", 1.0, True)]

    def battery_lasts_s(self, element: str) -> float:
        """Return how long the battery of *element* carries its present load; ``inf``: none [s]."""
        return inf

    def headroom_w(self, *, steady: bool = True) -> float:
        """Return how much more IT power fits; *steady* keeps the redundancy [W]."""
        return inf

    @abstractmethod
    def loads_w(self, it_w: NDArray[np.float64]) -> tuple[NDArray[np.float64], ElementLoads]:
        """Return what the meter and each element would carry at these IT powers, time standing.

        Everything else (cooling, auxiliaries, batteries) stays as in the last beat.
        """

    @abstractmethod
    def it_loss_j(self) -> float:
        """Return the losses on the path to IT since it was sized (for ELC) [J]."""

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Return what storage and sources on site did since the start, by name."""
        return {}

    def fuel(self) -> tuple[float | None, float | None]:
        """Return what was burnt so far [L], and what that emits [kg CO2]; None: not known."""
        return None, None

    @property
    def standby_w(self) -> float:
        """What the auxiliaries draw to keep the feed's own reserves ready [W]."""
        return 0.0

    @property
    def storage_w(self) -> float:
        """Return the rating of storage at the meter [W]."""
        return 0.0

    @abstractmethod
    def installed(self) -> dict[str, int]:
        """Return the units installed of each thing that can break, by name."""

    @abstractmethod
    def set_available(self, element: str, units: int) -> None:
        """Let *units* of *element* be in service from now on (a trip, a fault or a repair)."""

    @abstractmethod
    def switches(self) -> list[str]:
        """Return the elements that can stick on one of their feeders."""

    @abstractmethod
    def set_stuck(self, element: str, stuck: bool) -> None:
        """Let a switch stay on the feeder it is on, or free it again."""
