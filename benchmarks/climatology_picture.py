"""Draw the picture of the page on statistics from the climatologies of that page.

python benchmarks/climatology_picture.py docs/images/climatology.png
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
PLACE = {"latitude": 0, "longitude": 0}


def main():
    output, names = Path(sys.argv[1]).resolve(), {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec("\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)), names)
        draw(names).savefig(output, dpi=80)


def draw(names):
    values = names["analyses"]["2m_temperature"].isel(PLACE)
    noons = values.isel(time=values["time"].dt.hour == 12)
    harmonic, windowed, quantiles = (names[name].isel(PLACE) for name in ("harmonic", "windowed", "quantiles"))
    days = harmonic["time"].dt.dayofyear
    figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
    ax.plot(noons["time"].dt.dayofyear, noons, ".", color="0.75", markersize=3, label="12 UTC of five years")
    low, high = quantiles.sel(quantile=0.05), quantiles.sel(quantile=0.95)
    ax.fill_between(days, low, high, color="tab:blue", alpha=0.15, label="5th to 95th percentile, all hours")
    ax.plot(days, windowed, color="tab:orange", label="mean over windows of 61 days")
    ax.plot(days, harmonic, color="tab:blue", label="harmonics")
    ax.set(xlabel="day of the year", ylabel="2 m temperature, K", xlim=(1, 365))
    ax.legend(ncols=2, frameon=False, fontsize=8, loc="upper left")
    ax.set_ylim(top=ax.get_ylim()[1] + 6)
    return figure


if __name__ == "__main__":
    main()
