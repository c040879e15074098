import numpy as np
import pytest
from oracles.cloud_tables import made_clouds

from generalization.experiments.noise_clouds.cloud_blocks import MOST, NOTHING
from generalization.experiments.noise_clouds.cloud_components import cloud_components


@pytest.fixture
def study():
    return made_clouds(np.random.default_rng(0))


def means(clouds, quantity, **about):
    chosen = np.logical_and.reduce([clouds[key] == value for key, value in about.items()])
    return clouds[chosen].groupby("step")[quantity].mean()


def line(axes, label, style=None):
    """The one with this label, and this style if there are several."""
    found = [one for one in axes.lines if one.get_label() == label]
    return found[0] if style is None else next(o for o in found if o.get_linestyle() == style)


def test_one_block_per_ensemble_with_a_column_per_scale(study):
    figure = cloud_components(*study)
    assert [part.get_suptitle() for part in figure.subfigs] == [
        f"mnist, label corruption {corruption}" for corruption in ("0", "0.1", "0.2")
    ]
    for part in figure.subfigs:
        assert [axes.get_title("left") for axes in part.axes[:2]] == ["σ = 0.01", "σ = 0.1"]
        assert len(part.axes) == 6 * 2


def test_lines_are_means_over_seeds_and_classes(study):
    clouds, _ = study
    clouds["noise"] = 1 - clouds["ev_1"]
    panels = cloud_components(*study).subfigs[1].axes
    for row, quantity in enumerate(["ev_1", "noise", "ev_2", "ev_rest"]):
        for column, sigma in enumerate([0.01, 0.1]):
            for part in ("train", "test"):
                for layer in (0, 1, 2):
                    drawn = line(panels[2 * row + column], f"{part} {layer}")
                    expected = means(
                        clouds, quantity, ensemble="e1", part=part, layer=layer, sigma=sigma
                    )
                    assert drawn.get_xdata().tolist() == expected.index.tolist()
                    assert drawn.get_ydata() == pytest.approx(expected.to_numpy())


def test_parts_differ_in_style_and_layers_in_color(study):
    axes = cloud_components(*study).subfigs[0].axes[0]
    assert line(axes, "test 1").get_linestyle() == "-"
    assert line(axes, "train 1").get_linestyle() == "--"
    colors = {line(axes, f"test {layer}").get_color() for layer in (0, 1, 2)}
    assert len(colors) == 3
    assert line(axes, "train 1").get_color() == line(axes, "test 1").get_color()


def test_closed_form_is_dotted(study):
    axes = cloud_components(*study).subfigs[0].axes[2]
    expected = means(study[0], "predicted_noise", ensemble="e0", part="test", layer=2, sigma=0.01)
    assert line(axes, "test 2", ":").get_ydata() == pytest.approx(expected.to_numpy())


def test_losses_and_where_the_test_loss_is_minimal(study):
    panels = cloud_components(*study).subfigs[0].axes
    course = study[1][study[1]["ensemble"] == "e0"].groupby("step").mean(numeric_only=True)
    for part in ("train", "test"):
        assert line(panels[-3], part).get_ydata() == pytest.approx(course[f"{part}_loss"])
    for axes in panels:
        assert axes.lines[0].get_xdata() == [40, 40]


def test_accuracy_is_that_under_the_noise_of_the_column(study):
    panels = cloud_components(*study).subfigs[0].axes
    for axes, sigma in zip(panels[-2:], (0.01, 0.1), strict=True):
        assert set(line(axes, "test 0").get_ydata()) == {0.75 - sigma}


def test_headline_counts_networks(study):
    assert cloud_components(*study).get_suptitle() == "Noise in layers: means over 6 networks"


def test_blocks_say_what_ensembles_differ_in():
    rows, training = made_clouds(np.random.default_rng(0), ensembles=2)
    second = training["ensemble"] == "e1"
    training["architecture"] = np.where(second, "fully_connected", "vgg")
    training["kept_steps"] = np.where(second, "every_epoch", "last")
    blocks = cloud_components(rows, training).subfigs
    assert [block.get_suptitle() for block in blocks] == [
        "mnist, vgg, label corruption 0",
        "mnist, fully connected, label corruption 0.1",
    ]


def test_of_many_ensembles_the_first_are_drawn():
    figure = cloud_components(*made_clouds(np.random.default_rng(0), ensembles=5, seeds=1))
    assert len(figure.subfigs) == MOST == 4
    assert figure.get_suptitle() == "Noise in layers: 4 networks of 4 of 5 ensembles"


def test_architectures_take_turns():
    rows, training = made_clouds(np.random.default_rng(0), ensembles=5, seeds=1)
    training.loc[training["ensemble"] == "e4", "architecture"] = "convolutional"
    blocks = cloud_components(rows, training).subfigs
    words = [block.get_suptitle() for block in blocks]
    assert words[-1] == "mnist, convolutional, label corruption 0.4"
    assert [word.split("corruption ")[1] for word in words] == ["0", "0.1", "0.2", "0.4"]


def test_convolutional_networks_on_true_labels_are_drawn_first():
    rows, training = made_clouds(np.random.default_rng(0), ensembles=6, seeds=1)
    as_in_the_blog = training["ensemble"].isin(["e3", "e5"])
    training["architecture"] = np.where(as_in_the_blog, "convolutional", "fully_connected")
    training.loc[as_in_the_blog, "label_corruption"] = 0
    training["width"] = training["ensemble"].str[1:].astype(int)
    blocks = cloud_components(rows, training).subfigs
    widths = [block.get_suptitle().split("width ")[1][0] for block in blocks]
    assert widths == ["3", "5", "0", "1"]


def test_convolutional_networks_on_shuffled_pixels_are_not_those_of_the_blog():
    rows, training = made_clouds(np.random.default_rng(0), ensembles=2, seeds=1)
    training["architecture"] = "convolutional"
    training["label_corruption"] = 0.0
    first = training["ensemble"] == "e0"
    training["randomization"] = np.where(first, "shuffled_pixels", "none")
    blocks = cloud_components(rows, training).subfigs
    words = [block.get_suptitle() for block in blocks]
    assert [word.split(", ")[1] for word in words] == [
        "randomization none",
        "randomization shuffled_pixels",
    ]


def test_layer_that_died_has_no_line(study):
    clouds, training = study
    quantities = ["ev_1", "ev_2", "ev_rest", "predicted_noise"]
    clouds.loc[clouds["layer"] == 2, quantities] = np.nan
    labels = [
        one.get_label() for one in cloud_components(clouds, training).subfigs[0].axes[0].lines
    ]
    assert "test 1" in labels
    assert "test 2" not in labels


@pytest.mark.parametrize("rows", [slice(0), lambda clouds: clouds["step"] == 0])
def test_missing_courses_are_stated(study, rows):
    clouds, training = study
    assert cloud_components(clouds[rows], training).texts[0].get_text() == NOTHING
