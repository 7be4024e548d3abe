"""Figures that no summary holds, for published outcomes: ``probe: module.function``.

A probe is a public function ``(config) -> float`` of a module in this folder. It gets
the plain, resolved configuration of its scenario and returns the figure in the unit
of the published value.
"""
