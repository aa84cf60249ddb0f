"""A reference of kerchunk, made by hand."""

import base64
import json

import numpy as np


def array(shape, chunks, dtype):
    common = {"zarr_format": 2, "compressor": None, "filters": None, "fill_value": None, "order": "C"}
    return json.dumps({**common, "shape": shape, "chunks": chunks, "dtype": dtype})


def reference(truth, target, content):
    """What kerchunk writes of a classic NetCDF file: where its bytes lie, and small arrays as they are."""
    values = truth["2m_temperature"].values.astype(">f4")
    start, step = content.index(values.tobytes()), values[0].nbytes
    refs = {
        ".zgroup": json.dumps({"zarr_format": 2}),
        "t2m/.zarray": array([len(values), *values[0].shape], [1, *values[0].shape], ">f4"),
        "t2m/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["time", "latitude", "longitude"], "units": "K"}),
        **{f"t2m/{i}.0.0": [target, start + i * step, step] for i in range(len(values))},
    }
    coordinates = {
        "time": 6 * np.arange(len(values)),
        **{name: truth[name].values for name in ("latitude", "longitude")},
    }
    for name, along in coordinates.items():
        units = {"units": "hours since 2017-02-03"} if name == "time" else {}
        refs[f"{name}/.zarray"] = array([len(along)], [len(along)], "<f8")
        refs[f"{name}/.zattrs"] = json.dumps({"_ARRAY_DIMENSIONS": [name], **units})
        refs[f"{name}/0"] = "base64:" + base64.b64encode(np.asarray(along, "<f8").tobytes()).decode()
    return {"version": 1, "refs": refs}
