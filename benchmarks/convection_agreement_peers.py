"""Energies and shear by MetPy, column by column: called by convection_agreement.py in MetPy's environment."""

import sys
import time

import metpy
import metpy.calc as mpcalc
import numpy as np
from metpy.units import units

KINDS = {
    "surface": mpcalc.surface_based_cape_cin,
    "mixed_layer": mpcalc.mixed_layer_cape_cin,
    "most_unstable": mpcalc.most_unstable_cape_cin,
}


def column(pressure, temperature, humidity, height, eastward, northward):
    pressure, temperature = pressure * units.hPa, temperature * units.K
    dewpoint = mpcalc.dewpoint_from_specific_humidity(pressure, humidity * units("kg/kg"))
    found = []
    for energies in KINDS.values():
        found += [own.magnitude for own in energies(pressure, temperature, dewpoint)]
    wind = eastward * units("m/s"), northward * units("m/s")
    shear = mpcalc.bulk_shear(pressure, *wind, height=height * units.m, depth=6 * units.km)
    return [*found, np.hypot(*(own.magnitude for own in shear))]


def main(given, result):
    with np.load(given) as file:
        columns = {name: file[name].astype(np.float64) for name in file.files}
    pressure = columns.pop("pressure")
    order = ("temperature", "humidity", "height", "eastward", "northward")
    began = time.process_time()
    found = [column(pressure, *(columns[name][number] for name in order)) for number in range(len(columns["height"]))]
    seconds = (time.process_time() - began) / len(found)
    np.savez(result, found=found, seconds=seconds, version=metpy.__version__)


main(*sys.argv[1:])
