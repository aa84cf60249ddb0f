"""A data store on loopback: the protocol of the service as its own client meets it, its faults, and real GRIB."""

import hashlib
import io
import json
import re
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, product
from pathlib import Path

import numpy as np
import pandas as pd
import source_layouts as layouts
import xarray as xr

from weatherml.variables import find

KEY = "7d2f1b0e-a-secret-of-these-tests"
ETAG = "etag-of-a-store"

SHORT_NAMES = {  # by the service's names, as its documentation lists them
    "geopotential": "z",
    "temperature": "t",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "relative_humidity": "r",
    "specific_humidity": "q",
    "10m_u_component_of_wind": "10u",
    "10m_v_component_of_wind": "10v",
    "2m_temperature": "2t",
    "mean_sea_level_pressure": "msl",
    "sea_surface_temperature": "sst",
    "total_precipitation": "tp",
    "land_sea_mask": "lsm",
    "maximum_2m_temperature_since_previous_post_processing": "mx2t",
}


@dataclass(frozen=True)
class Seen:
    """A request that came: route, its dataset or job, the first byte asked for, and when (seconds)."""

    route: str
    name: str
    first_byte: int
    at: float
    headers: dict


@dataclass
class Fault:
    """An answer in place of the right one."""

    status: int
    content: dict | bytes = field(default_factory=dict)
    headers: dict = field(default_factory=dict)


@dataclass
class Job:
    """What was asked for, what it will say of itself, and its file."""

    name: str
    dataset: str
    inputs: dict
    statuses: deque
    reason: str = "MARS returned an error"
    content: bytes | None = None


def values(short_name, level, moment, latitude, longitude):
    """Return a plausible field `[lat, lon]` that no other variable, level or time has."""
    variable = find("geopotential" if short_name == "z" and level is None else short_name)
    middle, half = (variable.minimum + variable.maximum) / 2, (variable.maximum - variable.minimum) / 2
    seed = hashlib.sha256(f"{short_name} {level} {pd.Timestamp(moment).isoformat()}".encode()).digest()
    phase = np.frombuffer(seed[:6], np.uint16) / 2**16 * 2 * np.pi
    rows, columns = np.radians(latitude)[:, None], np.radians(longitude)[None]
    wave = np.cos(rows * 2 + phase[0]) * np.cos(columns + phase[1]) + 0.5 * np.sin(3 * columns + phase[2])
    return middle + 0.2 * half * wave


def grid_of(inputs):
    north, west, south, east = inputs.get("area", [90, 0, -90, 360])
    step = inputs.get("grid", [0.25, 0.25])[0]
    n_columns = int((east - west) / step + (0 if east - west == 360 else 1))
    return north - step * np.arange(int((north - south) / step) + 1), west + step * np.arange(n_columns)


def moments_of(inputs):
    months = product(inputs["year"], inputs["month"])
    return [
        pd.Timestamp(f"{year}-{month}-{day}T{hour}").to_datetime64()
        for year, month in months
        for day in inputs["day"]
        for hour in inputs["time"]
    ]


def fields_of(inputs, keep=lambda name, level, moment: True):
    """Yield what a request asks for: short name, level or None, time, values."""
    levels = [int(level) for level in inputs.get("pressure_level", [])] or [None]
    for name, level, moment in product(inputs["variable"], levels, moments_of(inputs)):
        if keep(SHORT_NAMES[name], level, moment):
            yield SHORT_NAMES[name], level, moment, values(SHORT_NAMES[name], level, moment, *grid_of(inputs))


def grib(inputs, preliminary=lambda moment: False, **choice):
    """Write what a request asks for as the service does: ECMWF's section with the version of the experiment."""
    import eccodes

    file = io.BytesIO()
    latitude, longitude = grid_of(inputs)
    place = xr.DataArray(np.zeros((latitude.size, longitude.size)), {"latitude": latitude, "longitude": longitude})
    for name, level, moment, field_values in fields_of(inputs, **choice):
        hour = np.timedelta64(1, "h") if name in ("tp", "mx2t") else np.timedelta64(0, "h")
        where = {"time": moment - hour} | ({} if level is None else {"level": level})
        handle = eccodes.codes_grib_new_from_samples(f"regular_ll_{'sfc' if level is None else 'pl'}_grib1")
        keys = {"setLocalDefinition": 1, "expver": "0005" if preliminary(moment) else "0001"}
        keys |= layouts._grib_keys(place, where) | {"shortName": name}
        keys |= {"timeRangeIndicator": 4, "P2": 1} if name == "tp" else {"P1": int(hour > 0)}
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set(handle, "bitsPerValue", 16)
        eccodes.codes_set_values(handle, field_values.ravel())
        file.write(eccodes.codes_get_message(handle))
        eccodes.codes_release(handle)
    return file.getvalue()


def netcdf(inputs, preliminary=lambda moment: False, **choice):
    """Write what a request asks for as the service converts it."""
    found = defaultdict(dict)
    for name, level, moment, field_values in fields_of(inputs, **choice):
        found[name][(moment, level)] = field_values
    latitude, longitude = grid_of(inputs)
    moments, levels = moments_of(inputs), [int(level) for level in inputs.get("pressure_level", [])]
    dims = ("valid_time", *(["pressure_level"] if levels else []), "latitude", "longitude")
    coords = {"valid_time": moments, "pressure_level": levels, "latitude": latitude, "longitude": longitude}
    dataset = xr.Dataset(coords={dim: coords[dim] for dim in dims})
    for name, fields in found.items():
        stacked = np.stack([fields[m, level] for m in moments for level in levels or [None]])
        stacked = stacked.reshape([dataset.sizes[dim] for dim in dims])
        variable = find(name)
        dataset[variable.short_name] = (dims, stacked.astype(np.float32), {"units": variable.units})
    versions = ["0005" if preliminary(moment) else "0001" for moment in moments]
    dataset = dataset.assign_coords(expver=("valid_time", versions), number=0)
    if levels:
        dataset["pressure_level"].attrs = {"units": "hPa"}
    with tempfile.TemporaryDirectory() as folder:
        dataset.to_netcdf(Path(folder) / "data.nc")
        return (Path(folder) / "data.nc").read_bytes()


def zipped(**members):
    """Pack files as the service packs the streams of one request."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"data_stream-{name}.nc", content)
    return file.getvalue()


class DataStore:
    """The service: answers rightly, but for the faults that a test has put in its way.

    Attributes:
        faults: By route (messages, process, submit, job, results, file), answers to give first.
        statuses: What the next jobs will say of themselves, one list a job; `successful` at once without.
        make: Returns the file of a request.
        cuts: After how many bytes the next transfers break off.
        damage: What to do to the next files on their way: functions of bytes.
        checksum: Returns what the service says of a file.
        ranges: Whether parts of a file may be asked for.
        hold: Blocks transfers half-way while it is clear.
    """

    def __init__(self):
        self.seen, self.jobs, self._ids = [], {}, count(1)
        self.faults, self.statuses = defaultdict(deque), deque()
        self.make, self.cuts, self.damage = grib, deque(), deque()
        self.checksum = lambda content: hashlib.md5(content).hexdigest()
        self.ranges, self.hold, self.sent = True, threading.Event(), Counter()
        self.reasons = deque()
        self.hold.set()
        self._lock = threading.Lock()

    def submit(self, dataset, inputs):
        with self._lock:
            name = f"job-{next(self._ids)}"
            statuses = deque(self.statuses.popleft() if self.statuses else ["successful"])
            self.jobs[name] = Job(name, dataset, inputs, statuses)
            if self.reasons:
                self.jobs[name].reason = self.reasons.popleft()
        return name

    def content(self, name):
        job = self.jobs[name]
        with self._lock:
            if job.content is None:
                job.content = self.make(job.inputs)
        return job.content

    def count(self, route):
        return sum(seen.route == route for seen in self.seen)

    @property
    def inputs(self):
        return [job.inputs for job in self.jobs.values()]


@contextmanager
def serving(store):
    """Yield the URL of the service while it runs."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        store.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """One thread a connection; those whom it serves may be killed."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    store = None
    _routes = (
        ("messages", "GET", re.compile(r"/api/catalogue/v1/messages")),
        ("process", "GET", re.compile(r"/api/retrieve/v1/processes/([^/]+)")),
        ("submit", "POST", re.compile(r"/api/retrieve/v1/processes/([^/]+)/execution")),
        ("job", "GET", re.compile(r"/api/retrieve/v1/jobs/([^/]+)")),
        ("results", "GET", re.compile(r"/api/retrieve/v1/jobs/([^/]+)/results")),
        ("file", "GET", re.compile(r"/files/([^/]+)")),
        ("head", "HEAD", re.compile(r"/files/([^/]+)")),
    )

    def log_message(self, *words):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_HEAD(self):
        self._answer("HEAD")

    def _answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        for route, of_method, pattern in self._routes:
            match = pattern.fullmatch(path)
            if match and of_method == method:
                name = match[1] if pattern.groups else ""
                first = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
                seen = Seen(route, name, int(first[1]) if first else 0, time.monotonic(), dict(self.headers))
                self.store.seen.append(seen)
                return self._act(route, name, body)
        return self._json(404, {"title": "not found", "detail": path})

    def _act(self, route, name, body):
        faults = self.store.faults[route]
        if faults:
            fault = faults.popleft()
            return self._json(fault.status, fault.content, fault.headers)
        if route not in ("messages", "file", "head") and self.headers.get("PRIVATE-TOKEN") != KEY:
            return self._json(401, {"title": "operation not allowed", "detail": "authentication failed"})
        return getattr(self, f"_{route}")(name, body)

    def _messages(self, name, body):
        self._json(200, {"messages": []})

    def _process(self, name, body):
        self._json(200, {"id": name, "links": []})

    def _submit(self, name, body):
        job = self.store.submit(name, json.loads(body)["inputs"])
        self._json(201, self._status(job, "accepted"))

    def _job(self, name, body):
        job = self.store.jobs.get(name)
        if job is None:
            return self._json(404, {"title": "job not found", "detail": f"job {name} not found"})
        status = job.statuses[0]
        if len(job.statuses) > 1 and "log=True" in self.path:
            job.statuses.popleft()
        return self._json(200, self._status(name, status))

    def _results(self, name, body):
        job = self.store.jobs[name]
        if job.statuses[0] != "successful":
            told = {"type": "job results failed", "title": "The job has failed", "traceback": job.reason}
            return self._json(400, told)
        content = self.store.content(name)
        asset = {"href": f"{self._base}/files/{name}", "file:size": len(content), "type": "application/x-grib"}
        asset["file:checksum"] = self.store.checksum(content)
        return self._json(200, {"asset": {"value": asset}})

    @property
    def _base(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def _status(self, job, status):
        place = f"{self._base}/api/retrieve/v1/jobs/{job}"
        links = [{"rel": "monitor", "href": place}, {"rel": "self", "href": place}]
        stamp = "2026-01-01T00:00:00"
        told = {"processID": "", "jobID": job, "status": status, "created": stamp, "updated": stamp}
        return told | {"links": links}

    def _head(self, name, body):
        self._file(name, body, with_content=False)

    def _file(self, name, body, with_content=True):
        content = self.store.content(name)
        first = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(first[1]) if first and self.store.ranges else 0
        if self.headers.get("If-Range", ETAG) != ETAG:
            start = 0
        if start >= len(content):
            return self._json(416, {}, {"Content-Range": f"bytes */{len(content)}"})
        part = (self.store.damage.popleft()(content) if self.store.damage and with_content else content)[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", ETAG)
        self.send_header("Content-Length", str(len(part)))
        if self.store.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if with_content:
            self._send(name, part)
        return None

    def _send(self, name, part):
        cut = self.store.cuts.popleft() if self.store.cuts else len(part)
        half = len(part) // 2 if not self.store.hold.is_set() else 0
        self.wfile.write(part[: min(half, cut)])
        self.store.sent[name] += min(half, cut)
        self.wfile.flush()
        self.store.hold.wait()
        self.wfile.write(part[half:cut])
        self.store.sent[name] += max(min(cut, len(part)) - half, 0)
        if cut < len(part):
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(1)

    def _json(self, status, content, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
