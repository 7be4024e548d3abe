"""Catalogue of chillers: real water-cooled ones as published curve sets, and three others.

A curve set is data with a source, shared by every plant that has a compressor.
Any plant's YAML may give its own set in place of a name.
"""

from __future__ import annotations

from dataclasses import replace

from twin.cooling.air_cooled import AirCooledMachine
from twin.cooling.chiller import ChillerCurves, Machine
from twin.cooling.warm_water import WarmWaterMachine

# No curve: 0.575 of Carnot, the middle of 0.55-0.60 at 60-90 % load, with the part-load
# shape of the Carrier machine. Gives 11.9 at 18 degC chilled / 24 degC condenser water and
# 8.4 at 20 / 32 degC. Least lift assumed: no compressor runs against less than about 10 K.
_WARM_WATER = WarmWaterMachine(
    name="warm_water",
    reference_w=1500.0e3,
    carnot_fraction=0.575,
    pinch_k=1.5,
    condenser_rise_k=5.0,
    least_lift_k=10.0,
    part_load_min=0.20,
    part_load_max=1.04,
    part_load=(0.118888, 0.6723542, 0.2068754),
    chilled_range_c=(10.0, 32.0),
    condenser_range_c=(12.0, 50.0),
)

# Source of the first four: EnergyPlus datasets/Chillers.idf (CoolTools measurements, 1991-2001).
MACHINES: dict[str, Machine] = {
    "carrier_19xr": ChillerCurves(
        name="carrier_19xr",
        reference_w=1406.6e3,
        cop=6.04,
        part_load_min=0.20,
        part_load_max=1.04,
        chilled_range_c=(4.44, 10.0),
        condenser_range_c=(12.78, 32.22),
        capacity=(1.042261, 2.644821e-3, -1.468026e-3, 1.366256e-2, -8.302334e-4, 1.573579e-3),
        input_ratio=(1.026340, -1.612819e-2, -1.092591e-3, -1.784393e-2, 7.961842e-4, -9.586049e-5),
        part_load=(0.118888, 0.6723542, 0.2068754),
    ),
    "trane_cvhf": ChillerCurves(
        name="trane_cvhf",
        reference_w=2317.4e3,
        cop=6.33,
        part_load_min=0.10,
        part_load_max=1.04,
        chilled_range_c=(4.44, 8.89),
        condenser_range_c=(12.78, 29.44),
        capacity=(0.7277716, 1.018101e-2, -6.282438e-4, 1.337701e-2, -5.050352e-4, 1.527259e-3),
        input_ratio=(0.3502330, -2.301510e-2, 5.749596e-4, 1.902421e-2, 3.109974e-4, -4.714517e-4),
        part_load=(0.09861441, 0.5297727, 0.3707229),
    ),
    "york_yk": ChillerCurves(
        name="york_yk",
        reference_w=2771.1e3,
        cop=6.84,
        part_load_min=0.20,
        part_load_max=1.02,
        chilled_range_c=(4.44, 8.89),
        condenser_range_c=(12.78, 29.44),
        capacity=(0.7734286, 4.848829e-2, -1.859209e-3, 2.611971e-2, -1.243562e-3, 7.210181e-4),
        input_ratio=(0.7203736, 1.030460e-2, -7.854237e-4, -1.206349e-3, 8.210060e-4, -1.455414e-3),
        part_load=(0.08653354, 0.1737382, 0.7403679),
    ),
    # Inlet vanes instead of a variable-speed drive. Published from 4.44 degC, but below 7 degC
    # its power falls with a hotter condenser, which no machine does, so the range is cut there;
    # below half load the same happens near the hot end, so a run that goes there says so.
    "york_yk_vanes": ChillerCurves(
        name="york_yk_vanes",
        reference_w=4969.0e3,
        cop=7.14,
        part_load_min=0.16,
        part_load_max=1.07,
        chilled_range_c=(7.0, 8.89),
        condenser_range_c=(12.78, 29.44),
        capacity=(0.7817577, -0.1012013, -1.584389e-3, 7.928475e-2, -3.674093e-3, 7.999392e-3),
        input_ratio=(0.7382162, -5.847442e-2, 1.117191e-3, 2.168089e-2, -2.189722e-4, 1.036877e-3),
        part_load=(0.2259512, 0.2320151, 0.5423771),
        doubtful_below=0.5,
    ),
    "warm_water": _WARM_WATER,
    # The same against outdoor air. Assumed: the refrigerant condenses 13.5 K above the air, fans
    # draw 0.04 kW/kW; 4.6 at 20 degC water and 35 degC air, inside the 4.5-6 of such machines.
    "warm_water_dry": replace(
        _WARM_WATER,
        name="warm_water_dry",
        reference_w=1000.0e3,
        condenser_rise_k=12.0,
        rejects_to="air",
        fan_kw_per_kw=0.04,
    ),
    # EnergyPlus Chiller:Electric example (COP 3.0 at 35 degC air, 6.67 degC water), rating fans
    # assumed 0.04 kW/kW. Below 22 degC air its power would rise again, so condensing pressure
    # is held there, as head-pressure control does.
    "air_cooled": AirCooledMachine(
        name="air_cooled",
        reference_w=1000.0e3,
        cop=3.0,
        fan_kw_per_kw=0.04,
        rated_air_c=35.0,
        rated_chilled_c=6.67,
        rise_coefficient=2.778,
        capacity=(0.944836, -0.0570088, 0.00185486),
        power=(2.333, -1.975, 0.6121),
        part_load=(0.03303, 0.6852, 0.2818),
        part_load_min=0.10,
        part_load_max=1.0,
        chilled_range_c=(5.0, 10.0),
        condenser_range_c=(22.0, 46.0),
    ),
}
