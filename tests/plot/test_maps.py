from itertools import combinations

import cartopy
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cartopy.crs import PlateCarree
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.text import Annotation, Text

from weatherml import plot
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

GREY = [0xD3] * 3
REGIONS = {
    "globe": LatLonGrid.gaussian(14, 24),
    "tall": LatLonGrid(tuple(np.arange(-18.0, -57, -2)), tuple(np.arange(284.0, 293, 2))),
    "strip": LatLonGrid((50.0, 49.0, 48.0, 47.0), tuple(np.arange(0.0, 61, 4))),
    "tiny": LatLonGrid((54.25, 54.0, 53.75), (4.0, 4.25, 4.5)),
}
"""Of the shapes that a picture must suit; the strip is the smallest one to draw."""


def samples(figure, panel=0):
    return figure.axes[panel].images[0].get_array()


def degrees_of(ax):
    """Return the words along the edges of a map."""
    return [text for artist in ax.artists for text in getattr(artist, "label_artists", ())]


def place_of_maximum(figure):
    """Return latitude and longitude of the middle of the highest samples of the first map."""
    ax, values = figure.axes[0], samples(figure).filled(-np.inf)
    rows, columns = np.nonzero(values > values.max() - 1e-3 * np.ptp(values[np.isfinite(values)]))
    west, east, south, north = ax.images[0].get_extent()
    x = west + (east - west) * columns.mean() / (values.shape[1] - 1)
    y = south + (north - south) * rows.mean() / (values.shape[0] - 1)
    longitude, latitude = PlateCarree().transform_point(x, y, ax.projection)
    return latitude, longitude % 360


def test_a_field_even_about_greenwich_has_no_seam_there(make_field):
    field = make_field(lambda lat, lon: 280 + 20 * np.cos(np.radians(lon)) * np.cos(np.radians(lat)))
    values = samples(plot.map(field))
    middle = values[values.shape[0] // 2]
    np.testing.assert_allclose(values, values[:, ::-1], atol=1e-3)
    assert np.abs(np.diff(middle)).max() < 0.2  # one step of the samples, nowhere a jump


@pytest.mark.parametrize(("row", "column"), [(3, 0), (9, 17), (6, 23)])
def test_a_hot_cell_is_drawn_at_its_own_latitude_and_longitude(make_field, row, column):
    field = make_field(lambda lat, lon: 0 * lat + 280)
    field[row, column] = 310
    latitude, longitude = place_of_maximum(plot.map(field))
    assert latitude == pytest.approx(float(field.latitude[row]), abs=0.5)
    assert (longitude - float(field.longitude[column]) + 180) % 360 - 180 == pytest.approx(0, abs=0.5)


def test_a_region_across_greenwich_is_drawn_in_one_piece(make_field):
    grid = LatLonGrid(tuple(np.arange(60.0, 39, -2)), (0.0, 3.0, 6.0, 351.0, 354.0, 357.0))
    figure = plot.map(make_field(lambda lat, lon: 280 + np.where(lon == 354, 9, 0) + 0 * lat, grid=grid))
    west, east, south, north = figure.axes[0].get_extent(PlateCarree())
    assert (west, east, south, north) == pytest.approx((-9, 6, 40, 60))  # the outermost points: nothing is made up
    assert place_of_maximum(figure)[1] == pytest.approx(354, abs=0.3)


def test_a_band_around_the_earth_is_drawn_without_a_gap(make_field):
    grid = LatLonGrid(tuple(np.arange(80.0, 39, -10)), tuple(np.arange(0.0, 360, 20)))
    wave = make_field(lambda lat, lon: np.cos(np.radians(lon)) + 0 * lat, "10m_u_component_of_wind", grid)
    figure = plot.map(wave, coastlines=False)
    west, east, south, north = figure.axes[0].get_extent(PlateCarree())
    assert (west, east, south, north) == pytest.approx((-180, 180, 40, 80))
    values = samples(figure)
    np.testing.assert_allclose(values, values[:, ::-1], atol=1e-3)
    assert float(values[0, 0]) == pytest.approx(-1, abs=0.01)


def test_coasts_of_a_region_lie_where_they_are_on_the_globe(make_field, paint):
    grid = LatLonGrid(tuple(np.arange(-30.0, -51, -2)), tuple(np.arange(165.0, 196, 3)))
    field = make_field(lambda lat, lon: 280 + 0 * lat * lon, grid=grid)
    figure = plot.map(field)
    bare, drawn = paint(plot.map(field, coastlines=False)), paint(figure)
    rows, columns = np.nonzero(np.any(bare != drawn, axis=-1))
    places = figure.axes[0].transData.inverted().transform(np.stack([columns, bare.shape[0] - rows], axis=-1))
    places[:, 0] += 180  # of the middle of the map
    assert places.min(axis=0) == pytest.approx((166.4, -47.3), abs=0.5)  # south-west of New Zealand
    assert places.max(axis=0)[1] == pytest.approx(-34.4, abs=0.5)  # its northern cape


@pytest.mark.parametrize(
    ("longitude", "degrees"),
    [
        (np.arange(140.0, 231, 5), {"150°E", "180°", "150°W"}),
        (np.r_[0.0:40:5, 320.0:360:5], {"30°W", "0°", "30°E"}),
        (np.arange(70.0, 110, 5), {"80°E", "100°E"}),
    ],
    ids=["across 180", "across 0", "within"],
)
def test_degrees_are_written_wherever_a_region_lies(make_field, paint, longitude, degrees):
    grid = LatLonGrid(tuple(np.arange(10.0, -31, -5)), tuple(longitude))
    figure = plot.map(make_field(lambda lat, lon: lat + 0 * lon, grid=grid), coastlines=False)
    paint(figure)
    assert degrees <= {text.get_text() for text in degrees_of(figure.axes[0]) if text.get_visible()}


def test_a_region_is_true_to_scale_in_its_middle(make_field, paint):
    grid = LatLonGrid(tuple(np.arange(68.0, 51, -2)), tuple(np.arange(4.0, 25, 3)))
    figure = plot.map(make_field(lambda lat, lon: lat + lon, grid=grid))
    paint(figure)
    (left, bottom), (right, top) = figure.axes[0].transData.transform([(0, 60), (1, 61)])
    assert (right - left) / (top - bottom) == pytest.approx(0.5, rel=0.01)  # cosine of 60 degrees


def test_missing_values_are_light_grey_and_others_are_not(make_field, colour_at):
    field = make_field(lambda lat, lon: np.where((lat > 20) & (lon > 60) & (lon < 150), np.nan, 280 + lat / 9))
    masked, valid = colour_at(plot.map(field, coastlines=False), (50, 100), (-50, 100))
    np.testing.assert_array_equal(masked, GREY)
    assert np.ptp(valid) > 30


def test_sea_surface_temperature_is_grey_over_land(shared, colour_at):
    with xr.open_dataset(shared("reanalysis/erainterim_sst_daily_2p5deg_2012.nc")) as file:
        field = next(v for v in file.data_vars.values() if v.ndim == 3)[10].load()
    field = field.rename(dict(zip(field.dims, ("latitude", "longitude"), strict=True))).rename(
        "sea_surface_temperature"
    )
    figure = plot.map(field.sortby("latitude", ascending=False))
    sahara, siberia, pacific = colour_at(figure, (22, 10), (63, 97), (-10, -140))
    np.testing.assert_array_equal([sahara, siberia], [GREY, GREY])
    assert np.ptp(pacific) > 30


def test_coastlines_need_no_network_and_no_downloaded_file(make_field, paint, colour_at, monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a map asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    for directory in ("data_dir", "pre_existing_data_dir", "repo_data_dir"):
        monkeypatch.setitem(cartopy.config, directory, tmp_path)
    field = make_field(lambda lat, lon: 0 * lat + 280)
    bare, drawn = plot.map(field, coastlines=False), plot.map(field)
    changed = np.any(paint(bare) != paint(drawn), axis=-1)
    assert 0.005 < changed.mean() < 0.1
    open_ocean, desert = (-25.5, -125.5), (22.5, 10.5)
    np.testing.assert_array_equal(colour_at(bare, open_ocean, desert), colour_at(drawn, open_ocean, desert))


def test_the_colour_bar_names_the_units_people_use(make_field):
    for name, si, shown, units, coords in (
        ("2m_temperature", 290.0, 16.85, "°C", {}),
        ("mean_sea_level_pressure", 101325.0, 1013.25, "hPa", {}),
        ("geopotential", 54000.0, 54000 / 98.0665, "gpdam", {"level": 500}),
        ("10m_u_component_of_wind", 7.0, 7.0, "m s⁻¹", {}),
    ):
        field = make_field(
            lambda lat, lon, si=si: si * (1 + 2e-4 * (lat - 48.5)) + 0 * lon, name, REGIONS["strip"], **coords
        )
        figure = plot.map(field, coastlines=False)
        assert f"({units})" in figure.axes[1].get_xlabel()
        assert float(np.ma.median(samples(figure))) == pytest.approx(shown, rel=2e-3)


def test_a_difference_is_symmetric_and_has_no_offset(make_field):
    figure = plot.map(make_field(lambda lat, lon: 3 + lat / 30, "2m_temperature"), difference=True)
    steps = figure.axes[0].images[0].norm.boundaries
    np.testing.assert_allclose(steps, -steps[::-1])
    assert "(K)" in figure.axes[1].get_xlabel()
    assert float(np.ma.median(samples(figure))) == pytest.approx(3, abs=0.1)


def test_the_title_tells_valid_time_init_time_and_lead(make_field):
    init, lead = np.datetime64("2021-09-01T12", "ns"), np.timedelta64(60, "h").astype("timedelta64[ns]")
    field = make_field(lambda lat, lon: lat + 0 * lon, init_time=init, lead_time=lead, valid_time=init + lead)
    words = " ".join(text.get_text() for text in plot.map(field).axes[0].texts)
    assert words == "valid 2021-09-04 00 UTC · forecast from 2021-09-01 12 UTC · lead 2.5 d"


def test_mountains_of_a_simulated_planet_are_contoured_where_they_are(make_field):
    def hill(lat, lon):
        return 9.80665 * 3000 * np.exp(-(((lat - 30) / 14) ** 2) - ((lon - 90) / 20) ** 2)

    figure = plot.map(
        make_field(lambda lat, lon: lat + 0 * lon),
        coastlines=False,
        orography=make_field(hill, "geopotential_at_surface"),
    )
    contours = figure.axes[0].collections[-1]
    points = PlateCarree().transform_points(
        figure.axes[0].projection, *np.concatenate(contours.get_paths()[-2].vertices[None]).T
    )
    assert points[:, 0].mean() == pytest.approx(90, abs=5) and points[:, 1].mean() == pytest.approx(30, abs=5)
    assert contours.levels.min() > 0 and 1500 < contours.levels.max() < 3500


def test_forecast_and_truth_share_their_colours_and_the_difference_is_their_own(make_field):
    forecast, truth = (make_field(lambda lat, lon, a=a: 280 + a * np.sin(np.radians(lat)) + 0 * lon) for a in (10, 25))
    figure = plot.forecast_vs_truth(forecast, truth)
    left, right, error = (ax.images[0] for ax in figure.axes[:3])
    np.testing.assert_array_equal(left.norm.boundaries, right.norm.boundaries)
    np.testing.assert_allclose(error.norm.boundaries, -error.norm.boundaries[::-1])
    np.testing.assert_allclose(error.get_array(), left.get_array() - right.get_array(), atol=1e-3)


def test_the_error_in_the_title_is_weighted_by_area(make_field):
    grid = LatLonGrid.gaussian(14, 24)
    truth = make_field(lambda lat, lon: 280 + lat / 9 + 0 * lon)
    forecast = truth + xr.where(abs(truth.latitude) > 60, 4.0, 0.0)
    share = 1 - np.sin(np.radians(60))  # of the sphere that lies beyond 60 degrees
    weights = np.broadcast_to(grid.cell_areas()[:, None], grid.shape)
    exact = np.sqrt(np.average((forecast - truth).values ** 2, weights=weights))
    assert exact == pytest.approx(4 * np.sqrt(share), rel=0.15)
    texts = plot.forecast_vs_truth(forecast.rename("temperature"), truth).axes[2].texts
    assert any(text.get_text() == f"root mean square {exact:.3g} K" for text in texts)


def test_a_truth_of_another_time_is_refused(make_field):
    time = np.datetime64("2021-09-04", "ns")
    forecast, truth = (make_field(lambda lat, lon: lat + 0 * lon) for _ in range(2))
    with pytest.raises(UserError, match=r"truth at 2021-09-05 00 UTC; select truth\.sel"):
        plot.forecast_vs_truth(
            forecast.assign_coords(valid_time=time), truth.assign_coords(time=time + np.timedelta64(1, "D"))
        )


def test_spread_is_the_unbiased_standard_deviation_of_the_members(make_field):
    members = [
        make_field(lambda lat, lon, a=a: 5e4 + 900 * np.sin(np.radians(lat)) + a + 0 * lon, "geopotential")
        for a in (0, 100, 500)
    ]
    figure = plot.spread(xr.concat(members, "number").assign_coords(level=500))
    np.testing.assert_allclose(samples(figure), np.std([0, 100, 500], ddof=1) / 98.0665, rtol=1e-4)
    assert "spread (gpdam)" in figure.axes[1].get_xlabel()


def test_one_member_has_no_spread(make_field):
    with pytest.raises(UserError, match="two members or more"):
        plot.spread(make_field(lambda lat, lon: lat + 0 * lon).expand_dims("number"))


def test_a_field_with_more_dimensions_is_refused_with_what_can_be_done(make_field):
    field = make_field(lambda lat, lon: lat + 0 * lon)
    with pytest.raises(UserError, match=r"the field has time besides; select one of them, field\.isel\(time=0\)$"):
        plot.map(field.expand_dims(time=2))
    with pytest.raises(UserError, match=r"field\.isel\(number=0\), or see all members with plot\.spread\(field\)"):
        plot.map(field.expand_dims(number=3))


def test_a_field_without_any_value_is_refused(make_field):
    with pytest.raises(UserError, match="every value is NaN"):
        plot.map(make_field(lambda lat, lon: np.nan * lat))


@pytest.fixture(scope="module")
def members_of(make_field):
    """Return a function that makes three members of a region, with all that a heading can tell."""
    init, lead = np.datetime64("2021-09-01T12", "ns"), np.timedelta64(60, "h").astype("timedelta64[ns]")
    told = {"init_time": init, "lead_time": lead, "valid_time": init + lead, "level": 500}

    def wave(lat, lon, shift):
        return 5.5e4 + 900 * np.sin(np.radians(3 * lat + shift)) + 700 * np.cos(np.radians(lon + 2 * shift))

    def make(region):
        fields = [
            make_field(lambda lat, lon, n=n: wave(lat, lon, 4 * n), "geopotential", REGIONS[region], number=n, **told)
            for n in range(3)
        ]
        return xr.concat(fields, "number")

    return make


@pytest.fixture(scope="module", params=REGIONS)
def pictures(request, members_of, paint):
    """Return a spread, a map and a comparison of a region, each painted, with where its axes were meant to be."""
    members = members_of(request.param)
    one = members.isel(number=1)
    figures = (
        plot.spread(members, coastlines=False),
        plot.map(one, title="A title of many words, which no picture of a small region has room for", coastlines=False),
        plot.forecast_vs_truth(one, members.isel(number=2), coastlines=False),
    )
    meant = [[ax.get_position(original=True).bounds for ax in figure.axes] for figure in figures]
    for figure in figures:
        paint(figure)
    return dict(zip(figures, meant, strict=True))


def test_no_words_are_cut_off_nor_hidden_by_others(pictures):
    for figure in pictures:
        degrees = [text for ax in figure.axes for text in degrees_of(ax)]
        seen = [text for text in (*figure.findobj(Text), *degrees) if text.get_visible() and text.get_text().strip()]
        for text in seen:
            place = text.get_window_extent()
            assert place.x0 >= 0 and place.y0 >= 0, text
            assert place.x1 <= figure.bbox.x1 and place.y1 <= figure.bbox.y1, text
        headings = [text for text in seen if isinstance(text, Annotation) or text.get_fontweight() == "bold"]
        assert len(headings) == 2 * sum(isinstance(ax, GeoAxes) for ax in figure.axes)
        for one, another in combinations([text.get_window_extent() for text in headings], 2):
            assert not one.padded(-1).overlaps(another.padded(-1))


def test_a_map_fills_the_room_that_it_is_given(pictures):
    for figure, meant in pictures.items():
        maps = [(ax, place) for ax, place in zip(figure.axes, meant, strict=True) if isinstance(ax, GeoAxes)]
        for ax, place in maps:
            np.testing.assert_allclose(ax.get_position().bounds, place, atol=5e-3)
            assert min(ax.bbox.size) / figure.dpi >= 0.3


def test_numbers_of_contours_are_whole(pictures):
    ax = next(iter(pictures)).axes[0]
    outline = ax.patch.get_path().transformed(ax.patch.get_transform())
    for number in [text for text in ax.texts if not isinstance(text, Annotation)]:
        assert outline.contains_points(number.get_window_extent().corners()).all(), number


def test_coastlines_are_seen_on_dark_colours_and_on_light_ones(make_field, paint):
    for level, has_changed in ((-1.0, np.greater), (0.0, np.less)):
        field = make_field(lambda lat, lon, level=level: level + np.sign(lat) * 1e-3 + 0 * lon, "vertical_velocity")
        bare, drawn = (paint(plot.map(field, coastlines=coastlines)) for coastlines in (False, True))
        inner = np.s_[bare.shape[0] // 3 : 2 * bare.shape[0] // 3, bare.shape[1] // 3 : 2 * bare.shape[1] // 3]
        change = (drawn[inner] - bare[inner]).mean(axis=-1)
        assert has_changed(change[np.abs(change).argmax() == np.arange(change.size).reshape(change.shape)], 0).all()
        assert np.abs(change).max() > 60


def test_a_probability_is_in_steps_of_ten_per_cent_whatever_its_values(make_field):
    share = make_field(lambda lat, lon: 0.3 + 0 * lat * lon, "temperature_850_exceedance", REGIONS["strip"])
    figure = plot.probability(share, title="Probability of frost", coastlines=False)
    np.testing.assert_allclose(figure.axes[0].images[0].norm.boundaries, np.arange(0, 101, 10))
    assert float(np.ma.median(samples(figure))) == pytest.approx(30, abs=0.5)
    assert figure.axes[1].get_xlabel() == "Probability (%)"


def test_a_deviation_has_no_offset(make_field):
    figure = plot.deviation(
        make_field(lambda lat, lon: 2 + 0 * lat * lon, "2m_temperature", REGIONS["strip"]),
        title="Spread",
        coastlines=False,
    )
    assert float(np.ma.median(samples(figure))) == pytest.approx(2, abs=0.1)
    assert "spread (K)" in figure.axes[1].get_xlabel()


@pytest.mark.parametrize(
    ("name", "shown", "label", "title"),
    [
        ("rmse", 15, "Root mean square error (gpdam)", "Root mean square error of 500 hPa geopotential"),
        ("bias", 15, "Bias (gpdam)", "Bias of 500 hPa geopotential"),
        ("csi(threshold=3)", 1471, "Critical success index (threshold 3)", None),
    ],
)
def test_a_score_is_in_words_and_in_units_of_a_difference(make_field, name, shown, label, title):
    field = make_field(lambda lat, lon: 150 * 9.80665 + 0 * lat * lon, name, REGIONS["strip"])
    figure = plot.score(field.assign_coords(channel="geopotential_500"), coastlines=False)
    assert float(np.ma.median(samples(figure))) == pytest.approx(shown if title else 150 * 9.80665, rel=1e-3)
    assert figure.axes[1].get_xlabel() == label
    assert title is None or title in figure.axes[0].get_title("left")


def test_a_score_of_no_channel_is_refused(make_field):
    field = make_field(lambda lat, lon: 0 * lat * lon, "rmse", REGIONS["strip"])
    with pytest.raises(UserError, match=r"a map of a score is of one channel; select it, scores\['rmse'\]"):
        plot.score(field)


def test_drawing_leaves_no_figure_open(make_field):
    before = plt.get_fignums()
    plot.map(make_field(lambda lat, lon: lat + 0 * lon))
    assert plt.get_fignums() == before
