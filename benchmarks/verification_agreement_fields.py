"""Rows of verification_agreement.py on scores of fields: correlations, events, neighbourhoods, precipitation, spectra.

WeatherBench-X and WeatherBench 2 come from their sources:

PEERS/bin/pip install jax xarray-beam
PEERS/bin/pip install --no-deps git+https://github.com/google-research/weatherbenchX
PEERS/bin/pip install --no-deps git+https://github.com/google-research/weatherbench2
"""

import sys

import numpy as np
import verification_agreement_peers as peers
from verification_agreement_peers import ALL, THRESHOLD, UNWEIGHTED, labelled, row

EDGES = "it leaves out rows next to the poles, and so do we"
OF_ROW = 284.0
"""A threshold that the truth of the one row often exceeds, and often not."""
SQUARES = f"fss(threshold={THRESHOLD}, radius=1, unit='points')"


def of_the_mean(case):
    """Ensemble mean and truth as WeatherBench-X takes them, and areas."""
    import xarray as xr

    times = np.datetime64("2001-01-01", "ns") + np.arange(len(case.truth)) * np.timedelta64(5, "D")
    coords = {"init_time": times, "latitude": case.latitude, "longitude": case.longitude}
    coords["lead_time"] = np.timedelta64(24, "h").astype("timedelta64[ns]")
    return [
        xr.DataArray(own, coords, ("init_time", "latitude", "longitude")) for own in (case.members.mean(0), case.truth)
    ]


class Areas:
    """Weights of WeatherBench-X: exact areas of cells, as ours."""

    def __init__(self, areas):
        self.areas = areas

    def weights(self, statistic):
        import xarray as xr

        del statistic
        return xr.DataArray(self.areas, dims=("latitude", "longitude"))


def of_weatherbench(metric, pair, areas, *, masked=False):
    """Return what a metric of WeatherBench-X makes of a forecast and its truth."""
    from weatherbenchX import aggregation

    aggregator = aggregation.Aggregator(["init_time", "latitude", "longitude"], weigh_by=[Areas(areas)], masked=masked)
    forecast, truth = ({"v": own} for own in pair)
    found = aggregation.compute_metric_values_for_single_chunk({"m": metric}, aggregator, forecast, truth)
    return next(iter(found.data_vars.values()))


def _weatherbench(metric, name):
    @row(metric, "weatherbenchX")
    def compute(case):
        from weatherbenchX.metrics import deterministic

        return of_weatherbench(getattr(deterministic, name)(), of_the_mean(case), case.areas)


_weatherbench("rmse", "RMSE")
_weatherbench("mae", "MAE")
_weatherbench("bias", "Bias")


@row("wind_vector_rmse", "weatherbenchX")
def _(case):
    from weatherbenchX import aggregation
    from weatherbenchX.metrics.deterministic import WindVectorRMSE

    pair = of_the_mean(case)
    others = (case.rain_members.mean(0), case.rain_truth)
    fields = [{"u": own, "v": own.copy(data=other)} for own, other in zip(pair, others, strict=True)]
    aggregator = aggregation.Aggregator(["init_time", "latitude", "longitude"], weigh_by=[Areas(case.areas)])
    metric = {"m": WindVectorRMSE(["u"], ["v"], ["wind"])}
    return aggregation.compute_metric_values_for_single_chunk(metric, aggregator, *fields)["m.wind"]


@row("acc", "weatherbenchX")
def _(case):
    from weatherbenchX.metrics.deterministic import ACC

    pair = of_the_mean(case)
    valid = pair[1].init_time.values + pair[1].lead_time.values
    climatology = pair[1].copy(data=case.climatology).rename(init_time="time").drop_vars("lead_time")
    return of_weatherbench(ACC(climatology.assign_coords(time=valid).to_dataset(name="v")), pair, case.areas)


def _event(metric, name, counted):
    """A score of yes or no in both libraries: by area in the one, in one row of points in the other."""

    @row(f"{metric}(threshold={THRESHOLD})", "weatherbenchX")
    def by_area(case):
        from weatherbenchX.metrics import categorical

        events = [(own > THRESHOLD).astype(float) for own in of_the_mean(case)]
        return of_weatherbench(getattr(categorical, name)(), events, case.areas)

    _in_a_row(metric, counted)


def _in_a_row(metric, counted):
    @row(f"{metric}(threshold={OF_ROW})", "scores", region="row", note=UNWEIGHTED)
    def compute(case):
        from scores.categorical import BinaryContingencyManager

        truth, members, _ = labelled(case)
        events = [(own > OF_ROW).astype(float).isel(lat=case.one_row) for own in (members.mean("member"), truth)]
        return getattr(BinaryContingencyManager(*events), counted)()


_event("pod", "Recall", "probability_of_detection")
_event("far", "FalseAlarmRate", "false_alarm_ratio")  # a ratio, whatever its name
_event("csi", "CSI", "critical_success_index")
_event("ets", "ETS", "equitable_threat_score")
_event("sedi", "SEDI", "symmetric_extremal_dependence_index")
_event("frequency_bias", "FrequencyBias", "frequency_bias")
_in_a_row("pofd", "probability_of_false_detection")


@row(SQUARES, "weatherbenchX, of the truth a column to the east", region="inner", note=EDGES)
def _(case):
    from weatherbenchX.metrics.spatial import FSS

    truth = of_the_mean(case)[1]
    events = [(own > THRESHOLD).astype(float) for own in (truth.roll(longitude=1, roll_coords=False), truth)]
    inner = case.areas * (np.abs(case.latitude) < 90)[:, None]
    return of_weatherbench(FSS(3, wrap_longitude=True), events, inner)


@row(SQUARES, "scores, of the truth a column to the east", region="row", note=UNWEIGHTED)
def _(case):
    from scores.spatial import fss_2d

    truth, _, _ = labelled(case)
    forecast = truth.roll(lon=1)
    near = [
        own.isel(lat=slice(case.one_row - 1, case.one_row + 2)).pad(lon=1, mode="wrap") for own in (forecast, truth)
    ]
    options = {"window_size": (3, 3), "spatial_dims": ("lat", "lon"), "reduce_dims": ["init"]}
    return fss_2d(*near, event_threshold=THRESHOLD, threshold_operator=np.greater, **options)


@row("seeps(dry=0.5)", "weatherbenchX, of rain")
def _(case):
    import xarray as xr
    from weatherbenchX.metrics.categorical import SEEPS

    pair = of_the_mean(case)
    days = xr.DataArray(np.ones((366, 1)), {"dayofyear": np.arange(1, 367), "hour": [0]})
    place = {name: pair[0][name] for name in ("latitude", "longitude")}
    known = {"v_seeps_dry_fraction": case.rain_dry, "v_seeps_threshold": case.rain_heavy}
    climate = xr.Dataset({name: days * xr.DataArray(own, place) for name, own in known.items()})
    rain = [own.copy(data=data) for own, data in zip(pair, (case.rain_members.mean(0), case.rain_truth), strict=True)]
    return of_weatherbench(SEEPS(["v"], climate, dry_threshold_mm=500), rain, case.areas, masked=True)


@row("zonal_spectrum(of='truth')", "weatherbench2", note="its shortest wave counts twice: halved here")
def _(case):
    from weatherbench2.derived_variables import ZonalEnergySpectrum
    from weatherbench2.schema import EARTH_RADIUS_M

    spectrum = ZonalEnergySpectrum("v").compute(of_the_mean(case)[1].to_dataset(name="v"))
    length = 2 * np.pi * EARTH_RADIUS_M * np.cos(np.radians(case.latitude))
    power = spectrum.mean("init_time").transpose("latitude", ...).values / length[:, None]
    power[:, -1] /= 2
    return np.average(power, axis=0, weights=case.areas[:, 0])


@row("rmse", "scores")
def _(case):
    import scores

    truth, members, area = labelled(case)
    return scores.continuous.rmse(members.mean("member"), truth, reduce_dims=ALL, weights=area)


if __name__ == "__main__":
    peers.main(*sys.argv[1:])
