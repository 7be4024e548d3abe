"""All stored energy of a feed: the batteries of its elements, and storage at the meter."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from twin.power.bess import Bess
from twin.power.diagram import Element
from twin.power.routes import Routes
from twin.power.supply import BATTERY, LIVE, Supply


class Stores:
    """Batteries act where their element lives: they carry it, or are refilled through it.

    Lists run over elements, leaf to root, like those of the feed.
    """

    def __init__(
        self, ordered: Sequence[Element], rated_w: Sequence[float], bess: Bess | None, bess_at: int
    ) -> None:
        """Take elements with the rating of all their units; everything is full."""
        self._ordered = ordered
        self.batteries = [(i, e.battery) for i, e in enumerate(ordered) if e.battery]
        self.bess, self.bess_at = bess, bess_at
        self.exist = bool(self.batteries) or bess is not None
        self.at_rest = False
        """Whether all is full and nothing gives, until the supply of some element changes."""
        self.into_w = [0.0] * len(ordered)
        """What a battery stores; negative: what it gives."""
        self.heat_w = [0.0] * len(ordered)
        """What recharging loses."""
        self.bess_w = (0.0, 0.0)
        """(Drawn by storage at the meter, negative: given; of which heat)."""
        for i, battery in self.batteries:
            battery.size(rated_w[i])
        if bess is not None:
            bess.size(rated_w[bess_at])
        self.energy_j = self._energy_j()

    def _energy_j(self) -> float:
        energy_j = self.bess.stored_j if self.bess else 0.0
        for _, battery in self.batteries:
            energy_j += battery.energy_j()
        return energy_j

    def recharge(
        self, load_w: list[float], routes: Routes, supply: Supply, dt_s: float
    ) -> tuple[float, float]:
        """Refill batteries of fed elements, as load on their feeders.

        Returns
        -------
        heat_w, outdoors_w : float
            What is lost in doing so, and the part of it lost outdoors. [W]
        """
        heat_w = outdoors_w = 0.0
        self.at_rest = self.bess is None
        for i, battery in self.batteries:
            self.into_w[i] = self.heat_w[i] = 0.0
            if battery.missing_j > 0.0 or supply.state[i] == BATTERY:
                self.at_rest = False
            charging = supply.state[i] == LIVE and not supply.bypassed[i]
            if not charging or battery.missing_j <= 0.0:
                continue
            drawn_w = battery.recharge_w(routes.rated_w[i], dt_s)
            lost_w = battery.store(drawn_w, dt_s)
            self.into_w[i], self.heat_w[i] = drawn_w - lost_w, lost_w
            for j, part in supply.draws(i):
                load_w[j] += part * drawn_w
            heat_w += lost_w
            if self._ordered[i].heat_to == "outdoor":
                outdoors_w += lost_w
        return heat_w, outdoors_w

    def carry(
        self,
        load_w: Sequence[float],
        loss_w: Sequence[float],
        routes: Routes,
        supply: Supply,
        dt_s: float,
    ) -> None:
        """Let batteries give what their elements deliver and lose and do not draw."""
        for i, battery in self.batteries:
            if supply.state[i] == BATTERY:
                power_w = (1.0 - supply.taken[i]) * (load_w[i] + loss_w[i])
                battery.discharge(power_w, routes.rated_w[i], dt_s)
                self.into_w[i] = -power_w

    def trade(
        self, load_w: list[float], supply: Supply, price_per_kwh: float | None, dt_s: float
    ) -> float:
        """Let storage at the meter act on what its utility carries; return its heat [W]."""
        self.bess_w = (0.0, 0.0)
        if self.bess is not None and supply.energised(self.bess_at):
            self.bess_w = self.bess.step(load_w[self.bess_at], price_per_kwh, dt_s)
            load_w[self.bess_at] += self.bess_w[0]
        return self.bess_w[1]

    def close(self) -> float:
        """Return the change of all stored energy since the last call [J]."""
        before_j, self.energy_j = self.energy_j, self._energy_j()
        return self.energy_j - before_j

    def lasts_s(
        self, load_w: Sequence[float], loss_w: Sequence[float], routes: Routes, supply: Supply
    ) -> float:
        """Return the time until the first battery that carries its element is empty."""
        soonest_s = inf
        for i, battery in self.batteries:
            if supply.state[i] == BATTERY:
                power_w = (1.0 - supply.taken[i]) * (load_w[i] + loss_w[i])
                soonest_s = min(soonest_s, battery.lasts_s(power_w, routes.rated_w[i]))
        return soonest_s

    def tell(self, supply: Supply) -> bool:
        """Tell *supply* which batteries are empty; return whether that is news."""
        news = False
        for i, battery in self.batteries:
            empty = battery.charge <= 0.0
            if empty != supply.empty[i]:
                supply.empty[i], news = empty, True
        return news
