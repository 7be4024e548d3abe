"""Figures that no summary holds, for published outcomes: ``probe: module.function``.

A probe is a public function of a module in this folder. It is called with what its
parameters name: ``config``, the plain, resolved configuration of its scenario; ``run``,
a finished run of it, which is made where it is missing; anything else is given by the
row under ``inputs``. It returns the figure in the unit of the published value.
"""
