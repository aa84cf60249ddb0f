"""Draw the picture of the page on regridding from the fields of that page.

python benchmarks/regridding_picture.py docs/images/regridding.png
"""

import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PAGE = Path(__file__).resolve().parents[1] / "docs" / "regridding.md"


def main():
    names = {}
    exec("\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)), names)
    panels = {
        "0.25 degrees": (names["fields"], 1),
        "1.5 degrees, conservative": (names["conservative"], names["kept"]["conservative"]),
        "1.5 degrees, bilinear": (names["bilinear"], names["kept"]["bilinear"]),
    }
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharey=True)
    for ax, (title, (dataset, kept)) in zip(axes, panels.items(), strict=True):
        rain = 1000 * dataset["total_precipitation_6hr"].sel(latitude=slice(33, 17), longitude=slice(126, 144))
        places = rain["longitude"], rain["latitude"]
        drawn = ax.pcolormesh(*places, rain, vmin=0, vmax=25, cmap="YlGnBu", shading="nearest")
        ax.set(
            title=f"{title}\n{100 * kept:.1f} % of the rain",
            xlabel="degrees east",
            xlim=(126.5, 143.5),
            ylim=(17.5, 32.5),
        )
    axes[0].set_ylabel("degrees north")
    figure.colorbar(drawn, ax=axes, label="mm in 6 h")
    figure.savefig(sys.argv[1], dpi=80)


if __name__ == "__main__":
    main()
