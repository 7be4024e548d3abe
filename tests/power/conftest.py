"""Ready feeds, and a driver that lets time pass in one as a facility would."""

from dataclasses import dataclass, field

import pytest

from tests.support.power_files import read_power
from twin.config import parse
from twin.power.base import FeedDesign
from twin.power.feed import Feed
from twin.rng import rng_for

DESIGN = FeedDesign(it_w=1.9e6, mechanical_w=0.7e6, aux_w=0.02e6)


@pytest.fixture
def ready():
    """Return a function that gives the feed of a file in conf/power, sized."""

    def feed(name, design=DESIGN, **changes):
        data = read_power(name)
        for element, keys in changes.items():
            data["elements"][element] |= keys
        made = parse(Feed, data, "power")
        made.size(design)
        made.seed(rng_for(0))
        return made

    return feed


@dataclass
class Drive:
    """Runs a feed at constant wishes; what has no voltage draws nothing."""

    feed: Feed
    it_w: float = 0.9e6
    mechanical_w: float = 0.3e6
    aux_w: float = 0.02e6
    beat_s: float = 60.0
    at_s: float = 0.0
    log: list = field(default_factory=list)
    """(instant, kind, where) of each change."""
    residual_j: float = 0.0
    """Worst imbalance of a beat."""
    unserved_j: float = 0.0

    def run(self, for_s):
        """Let *for_s* pass, each beat ending where something changes."""
        end_s = self.at_s + for_s
        while self.at_s < end_s - 1e-6:
            self._beat(min(self.beat_s, self.feed.until_change_s(), end_s - self.at_s))
        return self

    def _beat(self, dt_s):
        feed = self.feed
        it_w = self.it_w * feed.fed_fraction("it")
        mechanical_w = self.mechanical_w * feed.fed_fraction("mechanical")
        aux_w = self.aux_w * feed.fed_fraction("aux")
        heat_w = feed.serve_it(it_w, dt_s)
        state = feed.serve_all(mechanical_w, aux_w, dt_s)
        self.at_s += dt_s
        self.unserved_j += (self.it_w - it_w) * dt_s
        taken_w = it_w + mechanical_w + aux_w + heat_w + state.ambient_heat_w
        given_w = state.utility_w + (state.generator_w or 0.0) + (state.pv_w or 0.0)
        error_j = abs((given_w - taken_w) * dt_s - state.stored_j)
        self.residual_j = max(self.residual_j, error_j / max(taken_w * dt_s, 1e3))
        assert state.unserved_w == 0.0
        self.note()

    def note(self):
        """Write down what has changed until now."""
        self.log += [(round(self.at_s, 3), c.kind, c.where) for c in self.feed.take_changes()]

    def set(self, element, units):
        """Take *units* of an element into service, now."""
        self.feed.set_available(element, units)
        self.note()
        return self

    def when(self, kind, where):
        """Return all instants at which this happened."""
        return [at_s for at_s, k, w in self.log if (k, w) == (kind, where)]


@pytest.fixture
def drive():
    """Return the driver."""
    return Drive
