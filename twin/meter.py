"""The exact integral of a quantity that changes in steps."""

from __future__ import annotations


class Meter:
    """Integrates a piecewise-constant power without sampling it.

    Energy is accumulated at every change, so a burst shorter than any heartbeat
    is still paid for.
    """

    __slots__ = ("_energy_j", "_since_s", "power_w")

    def __init__(self, at_s: float = 0.0, power_w: float = 0.0) -> None:
        self.power_w = power_w
        self._since_s = at_s
        self._energy_j = 0.0

    def set(self, at_s: float, power_w: float) -> None:
        """Let the power be *power_w* from *at_s* on."""
        self._energy_j += self.power_w * (at_s - self._since_s)
        self._since_s = at_s
        self.power_w = power_w

    def add(self, at_s: float, delta_w: float) -> None:
        """Change the power by *delta_w* from *at_s* on."""
        self.set(at_s, self.power_w + delta_w)

    def take(self, at_s: float) -> float:
        """Return the energy since the last call [J] and start again from zero."""
        energy_j = self._energy_j + self.power_w * (at_s - self._since_s)
        self._energy_j = 0.0
        self._since_s = at_s
        return energy_j
