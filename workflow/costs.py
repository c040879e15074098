"""Work, memory and time of training and measuring the networks of an ensemble. Imports no torch.

Work is counted from hyper-parameters and the shape of the dataset, and takes as long as the rates
of a machine say, see ``rates``. A multiplication and an addition are one FLOP each.

Args:
    one: Hyper-parameters of the ensemble.
    sized: The same, with the sizes that costs follow from.
    settings: Settings of what is measured, with all defaults.
    networks: Number of networks of a job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product
from math import ceil, prod
from typing import Any, NamedTuple

from rates import Rates

from generalization.catalog import DATASETS, Shape
from generalization.derivatives.row_counts import computed_rows
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import architecture_of
from generalization.networks.training_flops import layer_products, training_flops
from generalization.regions.crossing_costs import (
    MOST_MODULE_WORK,
    SMOOTH_FUNCTIONS,
    are_layers_followed,
    convolutional_layers,
    costs_of_layers,
    is_curvature_followed,
    is_followed,
    loop_costs,
)

FLOAT = 4  # Bytes of a number.
MIB = 2**20
ITERATIONS = 2684  # As in ``training.lbfgs``, which imports torch.
LINE_SEARCH = 1.25  # ASSUME: evaluations of the loss per iteration of L-BFGS.
# ASSUME: a network that may stop early stops after so many epochs; 28 to 145 were seen.
EPOCHS_TO_FIT = 100
# Processes of a job: Snakemake's, the one that has imported packages, and its fork. A cluster that
# adds their sizes, shared pages and all, saw 1,225 MiB at most.
PROCESS = 1000 * MIB
COPIES_OF_DATA = 3  # As read, normalized, and of one experiment.
COPIES_OF_NETWORKS = 5  # As read, trained, folded, initial, and of those that are measured.
ITS_OWN = 600  # ASSUME: operations of whatever is measured of a network, beside its products.
# Tensors in the shape of the weights: weights and gradient, and what the optimizer remembers.
LIVE = {"sgd": 2, "momentum": 2, "adam": 4, "rmsprop": 4, "lbfgs": 26}
# Numbers read or written per weight by an update.
UPDATES = {"sgd": 12, "momentum": 12, "adam": 64, "rmsprop": 48, "lbfgs": 240}


class Size(NamedTuple):
    """Size of a network.

    Attributes:
        stored: Numbers in a file, of one network at one step.
        products: Multiplications of weights in a forward pass of one sample.
        first: Those of the first layer, whose inputs need no gradient.
        units: Hidden units.
        inputs: Inputs.
        widths: Units per layer, from inputs to logits.
        layers: Layers with weights.
        convolutional: Whether it is not fully connected.
        followed: Operations and units of layers whose crossings on loops can be solved for, see
            ``costs_of_layers``; of fully connected networks ``loop_costs`` says them.
        convolves: Whether some layers are convolutions.
    """

    stored: int
    products: int
    first: int
    units: int
    inputs: int
    widths: tuple[int, ...]
    layers: int
    convolutional: bool
    followed: tuple[tuple[float, float], ...] = ()
    convolves: bool = True


class Work(NamedTuple):
    """Work of a network.

    Attributes:
        flops: Operations of matrix products in single precision.
        numbers: Numbers that elementwise operations read or write in order; others count more.
        calls: Operations started, whatever their size.
        slower: Ratio of the rate of large products to that of these.
    """

    flops: float = 0
    numbers: float = 0
    calls: float = 0
    slower: float = 1

    def __add__(self, other: Work) -> Work:  # type: ignore[override]
        """Work of both."""
        flops = self.flops + other.flops
        slow = self.flops * self.slower + other.flops * other.slower
        numbers, calls = self.numbers + other.numbers, self.calls + other.calls
        return Work(flops, numbers, calls, slow / flops if flops else 1)

    def times(self, factor: float) -> Work:
        """Work repeated."""
        return Work(factor * self.flops, factor * self.numbers, factor * self.calls, self.slower)

    def seconds(self, rates: Rates) -> float:
        """Return how long it takes at these rates."""
        products = self.flops * self.slower / rates.flops
        return products + self.numbers / rates.numbers + self.calls * rates.call


class Sized(NamedTuple):
    """Hyper-parameters with the sizes that their costs follow from.

    Attributes:
        one: Hyper-parameters.
        images: Numbers of images and their size, as they are in the file of the dataset.
        about: The same as the networks see them.
        size: Size of a network.
    """

    one: Hyperparameters
    images: Shape
    about: Shape
    size: Size


def sized(
    one: Hyperparameters, images: Shape | None = None, built: Mapping[str, Any] | None = None
) -> Sized:
    """Return hyper-parameters with their sizes.

    Args:
        images: Numbers of images and their size, of a dataset that is the user's own.
        built: Counts of a network that a user builds, see ``describe_architecture``.
    """
    images = images or DATASETS[one.dataset]
    sides = {} if one.crop is None else {"height": one.crop, "width": one.crop}
    about = images._replace(train=one.train_size or images.train, **sides)
    return Sized(one, images, about, _counted(one, about) if built is None else _built(built))


def _built(counts: Mapping[str, Any]) -> Size:
    """Return the size of a network that a user builds."""
    return Size(
        **{key: counts[key] for key in ("stored", "products", "first", "units", "inputs")},
        widths=tuple(counts["widths"]),
        layers=counts["calls"],
        convolutional=True,
        followed=tuple(map(tuple, counts["followed"])),
        convolves=counts["convolves"],
    )


def _counted(one: Hyperparameters, about: Shape) -> Size:
    """Return the size of a network of one of the architectures of the project."""
    image = (about.channels, about.height, about.width)
    followed = ()
    if one.architecture == "fully_connected":
        widths = (prod(image), *[one.width] * (one.depth - 1), about.classes)
        weights = [below * above for below, above in pairwise(widths)]
        channels = widths[1:]
    else:
        found = architecture_of(one, image, about.classes)
        widths = found.widths
        weights = [prod(layer.weight_shape) for layer in found.weighted]
        channels = [shape[0] for shape in found.shapes]
        followed = () if one.activation in SMOOTH_FUNCTIONS else tuple(convolutional_layers(found))
    products = layer_products(one, image, about.classes)
    return Size(
        stored=sum(weights)
        + sum(channels) * one.biases
        + 4 * sum(channels[:-1]) * (one.normalization == "batch"),
        products=sum(products),
        first=products[0],
        units=sum(widths[1:-1]),
        inputs=widths[0],
        widths=tuple(widths),
        layers=len(weights),
        convolutional=one.architecture != "fully_connected",
        followed=followed,
    )


# Training.


def steps_of(one: Hyperparameters) -> int:
    """Return the most steps that a network is trained for."""
    return min(one.max_steps, ITERATIONS) if one.optimizer == "lbfgs" else one.max_steps


def steps_per_epoch(sized: Sized) -> int:
    """Return the number of batches per epoch."""
    one = sized.one
    return 1 if one.optimizer == "lbfgs" else ceil(sized.about.train / one.batch_size)


def expected_steps(sized: Sized) -> int:
    """Return the number of steps after which a network that may stop early probably stops."""
    one = sized.one
    if one.stop_at_accuracy is None and one.stop_at_loss is None:
        return steps_of(one)
    epochs = EPOCHS_TO_FIT + one.stop_epochs - 1
    return min(steps_of(one), epochs * steps_per_epoch(sized))


def kept_of(sized: Sized) -> int:
    """Return the number of steps at which a network is kept, its last one included."""
    one = sized.one
    limit = steps_of(one)
    if one.kept_steps == "powers_of_two":
        return limit.bit_length() + 2 - (limit.bit_count() == 1)
    if one.kept_steps == "every_epoch":
        return len(range(0, limit, steps_per_epoch(sized))) + 1
    return len({step for step in one.kept_steps if step < limit}) + 1


def keeps_start(one: Hyperparameters) -> bool:
    """Return whether networks are kept before training."""
    return isinstance(one.kept_steps, str) or 0 in one.kept_steps


def step_work(sized: Sized) -> Work:
    """Return the work of one step of one network.

    Of every weight there are a product forward, one for its gradient, and one for the gradient of
    what lies below, but for the first layer: 6 FLOPs and 4.
    """
    one, size = sized.one, sized.size
    full = one.optimizer == "lbfgs"
    samples = sized.about.train * LINE_SEARCH if full else one.batch_size
    per_unit = 40 + 115 * (one.normalization == "batch") + 200 * (one.dropout > 0)
    per_input = 20 + 100 * (one.augmentation != "none") + 15 * (one.augmentation == "crop_flip")
    return Work(
        flops=samples * (6 * size.products - 2 * size.first),
        numbers=samples * (per_unit * size.units + per_input * size.inputs)
        + UPDATES[one.optimizer] * size.stored,
        calls=(10 * size.layers + 15) / (1 if full else stack_of(sized, 4)),
        slower=2.0 if size.convolutional else 1 + 10 / one.batch_size,
    )


def training_work(sized: Sized, *, steps: int | None = None) -> Work:
    """Return the work of training one network, its evaluations on both sets included.

    Args:
        steps: Steps of training; by default all.
    """
    one, about = sized.one, sized.about
    steps = steps_of(one) if steps is None else steps
    looks = min(kept_of(sized) + steps.bit_length(), steps + 2)
    # Most evaluations of a stopping criterion end after a few samples.
    may_stop = one.stop_at_accuracy is not None or one.stop_at_loss is not None
    criterion = 0.05 * about.train * may_stop * steps / steps_per_epoch(sized)
    samples = looks * (about.train + about.test) + criterion
    looked_at = Measured(one, sized.size, about, {})
    trained = step_work(sized).times(steps)
    if one.freeze_layers != "none":
        products = layer_products(one, (about.channels, about.height, about.width), about.classes)
        trained = trained._replace(flops=training_flops(one, products, steps))
    return trained + forward(looked_at, samples / about.train)


def training_bytes(sized: Sized, networks: int, *, together: bool = False) -> float:
    """Return the peak memory of a training job.

    Args:
        together: Whether all networks train at once, as on a GPU, and not one by one.
    """
    one, size = sized.one, sized.size
    stored, stack = FLOAT * size.stored, networks if together else stack_of(sized, networks)
    batch = sized.about.train if one.optimizer == "lbfgs" else one.batch_size
    per_sample = FLOAT * (size.inputs + 3 * size.units)
    activations = min(batch, 1024) * per_sample if one.optimizer == "lbfgs" else batch * per_sample
    live = stack * (LIVE[one.optimizer] * stored + activations)
    kept = kept_of(sized) * networks * stored
    # What was kept is stacked when it is written.
    return PROCESS + data_bytes(sized.images) + kept + max(live, kept)


def stack_of(sized: Sized, networks: int) -> int:
    """Return the number of networks that train as one stack on a CPU, as ``networks_at_once``."""
    one, size = sized.one, sized.size
    if one.optimizer == "lbfgs" or one.is_foreign:
        return 1  # ASSUME: modules of a user are computed one by one, as convolutions are.
    if size.convolutional:
        return networks
    per_network = 2 * FLOAT * (size.products + one.batch_size * sum(size.widths))
    return min(networks, max(1, 2**22 // per_network))


def stored_bytes(images: Shape) -> int:
    """Return the size of the file of a dataset."""
    pixels = images.channels * images.height * images.width
    return FLOAT * (images.train + images.test) * pixels


def data_bytes(images: Shape) -> int:
    """Return the memory that a dataset takes in a job."""
    return COPIES_OF_DATA * stored_bytes(images)


def networks_bytes(sized: Sized, networks: int) -> int:
    """Return the size of networks in their file, at all kept steps."""
    return kept_of(sized) * networks * FLOAT * sized.size.stored


# Measures.


class Measured(NamedTuple):
    """What is measured: networks, images, settings.

    Attributes:
        one: Hyper-parameters.
        size: Size of a network.
        about: Numbers of images, as the networks see them.
        settings: Settings, with all defaults.
    """

    one: Hyperparameters
    size: Size
    about: Shape
    settings: Mapping[str, Any]

    def samples(self) -> int:
        """Return the number of test or training images that are measured."""
        given = self.settings.get
        if given("samples"):
            return min(given("samples"), self.about.test)
        if given("train_samples"):
            return min(given("train_samples"), self.about.train)
        return given("random_samples") or self.about.train

    def rows(self) -> int:
        """Return the number of rows of a Jacobian that are computed."""
        classes = self.size.widths[-1]
        if not self.size.convolutional or "rows" not in self.settings:
            return classes
        return computed_rows(classes, self.settings["rows"])

    def product(self, *names: str) -> int:
        """Return the product of settings."""
        return prod(self.settings[name] for name in names)


def weights(m: Measured) -> Work:
    """Return the work of norms and singular values of all weights."""
    return Work(0, 40 * m.size.stored, 60 * m.size.layers)


def spectra(m: Measured) -> Work:
    """Return the work of the singular values of all weights."""
    pairs = pairwise(m.size.widths) if not m.size.convolutional else [(m.size.stored**0.5,) * 2]
    return weights(m) + Work(sum(30 * max(pair) * min(pair) ** 2 for pair in pairs))


def forward(m: Measured, repeats: float = 1) -> Work:
    """Return the work of the logits of all samples."""
    samples = repeats * m.samples()
    numbers = samples * (40 * m.size.units + 20 * m.size.inputs + 400)
    return Work(
        2 * samples * m.size.products, numbers, 8 * m.size.layers, 2 if m.size.convolutional else 1
    )


def noise(m: Measured) -> Work:
    """Return the work of logits of noisy copies of all samples."""
    draws = m.settings.get("draws", 1)
    return forward(m, 1 + draws) + Work(0, 100 * draws * m.samples() * m.size.inputs)


def gradients(m: Measured, repeats: float = 1) -> Work:
    """Return the work of gradients of a loss by the weights, summed over samples."""
    more = Work(4 * m.samples() * m.size.products, 40 * m.samples() * m.size.units)
    return (forward(m) + more).times(repeats)


def jacobian(m: Measured, points: float = 1) -> Work:
    """Return the work of Jacobians of the logits by the inputs."""
    rows, samples = m.rows(), points * m.samples()
    # The first layer enters by a triangular factor of its weights.
    first = min(m.size.inputs, m.size.widths[1]) * m.size.widths[1]
    if m.size.convolutional:
        first = m.size.first
    flops = 2 * rows * samples * (m.size.products - m.size.first + first)
    backward = Work(flops, 20 * rows * samples * m.size.units)
    return forward(m, points) + backward.times(4 if m.size.convolutional else 1)


def tangents(m: Measured, repeats: float = 1) -> Work:
    """Return the work of Jacobians of all hidden layers by the inputs."""
    rank = min(m.size.inputs, m.size.widths[1])
    # Only what belongs to active units is multiplied, about half of the rows and of the columns.
    flops = rank * m.samples() * (m.size.products - m.size.first) / 2
    return (jacobian(m) + Work(flops, 4 * rank * m.samples() * m.size.units)).times(repeats)


def ablations(m: Measured, repeats: float = 1) -> Work:
    """Return the work of logits with units ablated: the layers above them are evaluated again."""
    times = m.product("orders", "increments") * m.samples() * repeats
    return forward(m) + Work(
        0.7 * times * (m.size.products - m.size.first), 8 * times * m.size.units
    ).times(2 if m.size.convolutional else 1)


def loops(m: Measured) -> Work:
    """Return the work of transitions around loops, solved for or sampled."""
    if m.size.convolutional:
        # Of the parts of a measure that have no such setting, the default holds.
        most_work = m.settings.get("most_work", MOST_MODULE_WORK)
        layers = m.size.followed
        if not (layers and are_layers_followed(layers, m.about.width, most_work)):
            return sampled_loops(m)
        return followed_loops(m)
    if not is_followed(m.size.widths, m.about.width, m.one.activation):
        return sampled_loops(m)
    costs = loop_costs(m.size.widths, m.about.width)
    thresholds = m.samples() * (1 if m.one.activation == "relu" else 2)
    return Work(
        thresholds * costs.flops,
        100 * thresholds * costs.numbers,
        100 * m.size.layers,
    )


def followed_loops(m: Measured) -> Work:
    """Return the work of transitions of modules, see ``MODULES_SLOWER``."""
    costs = costs_of_layers(m.size.followed, m.about.width)
    thresholds = m.samples() * (1 if m.one.activation == "relu" else 2)
    return Work(thresholds * costs.flops, 300 * thresholds * costs.numbers, slower=10)


def curvatures(m: Measured) -> Work:
    """Return the work of curvatures: of modules, Jacobians in every linear region or point."""
    if not m.size.convolutional:
        return loops(m).times(4)
    layers, most_work = m.size.followed, m.settings["most_work"]
    chosen = layers, m.about.width, m.rows(), most_work
    if not (layers and is_curvature_followed(*chosen, convolves=m.size.convolves)):
        return jacobian(m, 1.2 * m.settings["grid_points"])
    regions = costs_of_layers(layers, m.about.width).regions
    return followed_loops(m) + jacobian(m, regions).times(5 if m.size.convolves else 1)


def sampled_loops(m: Measured) -> Work:
    """Return the work of transitions between points of loops."""
    points = m.settings.get("grid_points", 4096)
    return forward(m, 1.1 * points) + Work(0, 40 * points * m.samples() * m.size.units)


def ellipses(m: Measured) -> Work:
    """Return the work of transitions and Jacobians on three kinds of ellipses."""
    # Three coefficients in double precision; a unit crosses a threshold some ten times.
    costs = loop_costs(m.size.widths, 28)
    curves = 3 * m.settings["ellipses"] * (1 if m.one.activation == "relu" else 2)
    points = m._replace(settings={"samples": m.settings["angles"]})
    crossings = Work(3 * curves * costs.flops, 250 * curves * costs.numbers)
    return crossings + jacobian(points, 3 * m.settings["ellipses"])


def plane(m: Measured) -> Work:
    """Return the work of the codes of the pixels of planes, whose inputs are linear in two."""
    pixels = m.settings["planes"] * m.settings["grid"] ** 2
    return Work(2 * pixels * (m.size.products - m.size.first), 40 * pixels * m.size.units)


def clouds(m: Measured) -> Work:
    """Return the work of noisy copies of a few images, and of their spectra in every layer."""
    settings, copies = m.settings, m.settings["copies"]
    count = settings["images_per_class"] * m.about.classes * len(settings["noise_stds"])
    spectrum = 20 * copies * sum(min(copies, units) * units for units in m.size.widths[1:])
    return forward(m._replace(settings={"random_samples": count * copies}), 2) + Work(
        count * spectrum
    )


def chains(m: Measured) -> Work:
    """Return the work of Langevin chains, one gradient of a batch a step."""
    steps = m.product("chains", "chain_steps")
    batch = m._replace(settings={"samples": m.settings["batch_size"]})
    return gradients(batch, steps) + Work(0, 200 * steps * m.size.stored)


Counted = Callable[[Measured], Work]


def _repeated(count: Counted, repeats: float) -> Counted:
    return lambda m: count(m).times(repeats)


def _per_unit(numbers: float) -> Counted:
    """Return a count of numbers per hidden unit and sample."""
    return lambda m: forward(m) + Work(0, numbers * m.samples() * m.size.units)


# ASSUME: what is not listed takes the logits of its samples ten times.
UNLISTED = _repeated(forward, 10)
COUNTED: dict[str, Counted] = {}
for _count, _names in {
    weights: "weight_norm distance_from_initialization number_of_parameters random_number "
    "steps_to_loss steps_between_losses frobenius_product frobenius_sum path_norm layerwise_norm",
    spectra: "spectral_product spectral_sum stable_rank_sum spectral_distance power_law_exponent "
    "weighted_power_law_exponent log_alpha_norm bartlett_complexity "
    "bartlett_complexity_from_initialization",
    forward: "training_loss output_entropy confidence_error thresholded_confidence_error "
    "prediction_nuclear_norm training_calibration_error training_brier_score training_margin "
    "inverse_squared_margin frobenius_product_over_margin frobenius_sum_over_margin "
    "path_norm_over_margin neural_collapse davies_bouldin_index "
    "label_wise_mixup_error davies_bouldin_mixup class_selectivity output_distances "
    "prediction_errors disagreement agreement_gap independent_error seed_similarity",
    noise: "output_sensitivity output_sensitivity_per_output centered_output_sensitivity "
    "softmax_output_sensitivity",
    gradients: "sample_gradient_norm gradient_norm gradient_variance gradient_noise_scale "
    "fisher_rao_norm empirical_fisher_rao_norm",
    jacobian: "jacobian_norm train_jacobian_norm gaussian_jacobian_norm logit_jacobian_norm "
    "lower_normalized_margin median_normalized_margin upper_normalized_margin gauss_newton_trace "
    "tic_of_traces tic_of_diagonals",
    tangents: "tangent_sensitivity tangent_bounds balanced_tangent_sensitivity",
    ablations: "ablation_auc normalized_ablation_auc",
    loops: "transitions normalized_transitions transitions_per_layer",
    sampled_loops: "sampled_transitions",
    ellipses: "ellipses",
    plane: "boundaries",
    chains: "local_learning_coefficient",
}.items():
    COUNTED |= dict.fromkeys(_names.split(), _count)
COUNTED |= {
    "translation_jacobian_norm": lambda m: jacobian(m, m.settings["grid_points"]),
    "image_errors": lambda m: forward(m._replace(settings={"random_samples": m.about.test})),
    "points": _repeated(jacobian, 2),
    "train_test_sensitivity": _repeated(jacobian, 2.5),
    "mean_tangent_sensitivity": _repeated(tangents, 14),
    "noise_to_signal_slope": _repeated(tangents, 10),
    "output_sensitivities": _repeated(noise, 10),
    "curvature": curvatures,
    "effective_rank": lambda m: forward(m) + Work(16 * m.samples() * max(m.size.widths[1:]) ** 2),
    "class_information": _per_unit(3_500),
    "activation_regions": _per_unit(10_000),
    "projection_accuracy": _per_unit(8_000),
    # Rows times squared columns of a layer, its channels, are at most its products.
    "canonical_spectra": lambda m: forward(m) + Work(30 * m.samples() * m.size.products),
    "single_units": _per_unit(18_000),
    "gauss_newton_eigenvalue": lambda m: gradients(m, 60),
    "stiffness": lambda m: gradients(m, 4) + Work(4 * m.samples() ** 2 * m.size.layers),
    "takeuchi_criterion": lambda m: (
        jacobian(m) + Work(20 * (m.samples() * (m.about.classes - 1)) ** 3)
    ),
    "adaptive_sharpness": lambda m: gradients(m, 2 * m.settings["ascent_steps"]),
    "ablation_curves": lambda m: ablations(m, 4),
    "noise_cloud_slope": lambda m: forward(m, 3 * m.settings["copies"]),
    "noise_clouds": clouds,
    "translation_trajectory": lambda m: jacobian(m._replace(settings={"samples": 100}), 3),
}
COUNTED |= {
    f"{norm}_over_margin": lambda m: spectra(m) + forward(m._replace(settings={}))
    for norm in ("spectral_product", "spectral_sum", "bartlett_complexity")
}
COUNTED |= {
    f"spectral_complexity_from_{place}": _repeated(spectra, 2)
    for place in ("origin", "initialization")
}
COUNTED |= {
    bound: _repeated(forward, 2)
    for bound in (
        "theorem_3_1_bound",
        "layerwise_bound",
        "layerwise_active_bound",
        "theorem_3_2_bound",
    )
}
COUNTED |= dict.fromkeys(("sign_stiffness", "within_class_stiffness"), COUNTED["stiffness"])
COUNTED |= {
    f"{kind}worst_case_{rest}": lambda m: gradients(m, 25 * m.settings["ascent_steps"])
    for kind in ("", "magnitude_aware_")
    for rest in ("flatness", "from_initialization", "from_origin")
}
COUNTED |= {
    f"{kind}_{rest}": lambda m: forward(m, 25 * m.settings["draws"])
    for kind in ("pac_bayes", "magnitude_aware")
    for rest in ("flatness", "from_initialization", "from_origin")
}


def measuring_work(name: str, sized: Sized, settings: Mapping[str, Any]) -> Work:
    """Return the work of a measure or profile of one network at one step."""
    measured = Measured(sized.one, sized.size, sized.about, settings)
    return COUNTED.get(name, UNLISTED)(measured) + Work(calls=ITS_OWN)


def forward_work(sized: Sized, samples: int) -> Work:
    """Return the work of the activations of one network."""
    return forward(Measured(sized.one, sized.size, sized.about, {"random_samples": samples}))


class Compared(NamedTuple):
    """A layer as it is compared.

    Attributes:
        matrices: Number of matrices: one per frequency, else 1.
        rows: Datapoints of a matrix.
        columns: Units of a matrix.
        exchanges: Number of comparisons of a pair of layers, those for its chance level included.
    """

    matrices: int
    rows: int
    columns: int
    exchanges: int = 1

    @property
    def slower(self) -> int:
        """Ratio to operations on one matrix in single precision: these are double, or complex."""
        return 2 if self.matrices == 1 else 4 * self.matrices


# Operations u² (u + SMALL) times these, for the basis of a layer of u columns and for a pair of
# bases; measured on layers of 16 to 400 columns. Linear CKA needs products only.
OF_BASES = {"svcca": 60, "mean_cca": 15, "pwcca": 15, "linear_cka": 0}
OF_PAIRS = {"svcca": 40, "mean_cca": 40, "pwcca": 50, "linear_cka": 0}
SMALL = 350  # Decompositions of fewer columns do not reach the rate of products.
EXCHANGES = 4  # As in ``representations.layers``, which imports torch.


def compared_shapes(sized: Sized, samples: int, convolution: str) -> list[Compared]:
    """Return the shapes in which layers are compared.

    Args:
        samples: Samples of the record of activations.
        convolution: Layout of feature maps, see ``representations.convolutions``.
    """
    size, about = sized.size, sized.about
    if not size.convolutional:
        return [Compared(1, samples, units) for units in size.widths[1:]]
    image = (about.channels, about.height, about.width)
    shapes = architecture_of(sized.one, image, about.classes).shapes
    maps = [(shape[0], prod(shape[1:])) for shape in shapes if len(shape) == 3]
    smallest = min(positions for _, positions in maps)
    found = []
    for channels, *sides in shapes:
        positions = prod(sides)
        if not sides or convolution == "mean":
            found.append(Compared(1, samples, channels))
        elif convolution == "dft":
            found.append(Compared(positions, samples, channels))
        else:
            resized = smallest if convolution == "interpolate" else positions
            found.append(Compared(1, samples * resized, channels, 1 + EXCHANGES * (resized > 1)))
    return found


def representation_work(similarity: str, layers: Sequence[Compared], *, numbers: int) -> Work:
    """Return the work on one network that all its comparisons share.

    Args:
        numbers: Numbers that are read from the record of activations.
    """
    # ASSUME: similarities that are not listed take as long as the slowest.
    of_bases = OF_BASES.get(similarity, max(OF_BASES.values()))
    flops = sum(
        layer.slower * (2 * layer.rows * layer.columns**2 + of_bases * _decomposed(layer.columns))
        for layer in layers
    )
    # Passes over the few columns of all positions are many times slower than those over units.
    tall = sum(600 * layer.rows * layer.columns for layer in layers if layer.exchanges > 1)
    return Work(flops, 20 * numbers + tall, 200 * sum(layer.matrices for layer in layers))


def similarity_work(similarity: str, layers: Sequence[Compared], *, every: bool) -> Work:
    """Return the work of comparing two networks, in addition to that on each of them.

    Args:
        every: Whether every layer is compared with every other one, and not with its like.
    """
    of_pairs = OF_PAIRS.get(similarity, max(OF_PAIRS.values()))
    pairs = product(layers, layers) if every else zip(layers, layers, strict=True)
    work = Work()
    for a, b in pairs:
        # Layers of different numbers of datapoints are not comparable.
        if (a.matrices, a.rows) != (b.matrices, b.rows):
            continue
        rank = min(a.rows, a.columns, b.columns)
        flops = a.slower * (2 * a.rows * a.columns * b.columns + of_pairs * _decomposed(rank))
        numbers = 40 * a.matrices * a.rows * (a.columns + b.columns)
        work += Work(flops, numbers, 100 * a.matrices).times(a.exchanges)
    return work


def _decomposed(columns: int) -> int:
    return columns**2 * (columns + SMALL)
