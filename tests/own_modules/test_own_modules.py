"""Everything in the catalog gives every kind of module a right value or one sentence."""

import copy
import inspect
import re
import warnings
from pathlib import Path

import pytest
import torch
from own_modules.cases import (
    CASES,
    CLASSES,
    PIXELS,
    WIDTH,
    Case,
    Inside,
    labels,
    parametrized,
    perceptron,
    plain_parametrized,
)
from own_modules.matrix import (
    OF_MODULES,
    arguments,
    fitted_labels,
    outcome,
    outcome_of,
    state,
    values_of,
)
from own_modules.page import anchor, listed, matrix
from torch import Generator, nn
from torch.nn.functional import cross_entropy

import generalization
from generalization.catalog import (
    ENSEMBLE_MEASURES,
    MEASURES,
    PROFILES,
    SIMILARITIES,
    place_of,
)
from generalization.errors import InputError
from generalization.measures.gauss_newton_eigenvalue import gauss_newton_eigenvalue
from generalization.measures.gradient_norm import gradient_norm
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.mean_tangent_sensitivity import mean_tangent_sensitivity
from generalization.measures.norms import spectral_product
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.measures.transitions import transitions
from generalization.networks.batch_normalization import BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.layer_weights import layer_weights, matrices
from generalization.own_networks import measure
from generalization.signatures import imported
from generalization.similarities.svcca import svcca

BY_NAME = {case.name: case for case in CASES}
# NaN by definition: of a last layer that noise does not reach, or that is constant on the inputs.
NO_NUMBER = {
    *(("noise_cloud_slope", kind) for kind in ("convolutions", "channels last", "Hardshrink")),
    ("noise_cloud_slope", "spectral normalization by hooks"),
    ("noise_cloud_slope", "straight-through estimator"),
    *((name, kind) for name in SIMILARITIES for kind in ("NaN logits", "unused NaN")),
    *((name, "NaN logits") for name in ("disagreement", "agreement_gap", "independent_error")),
    *((name, "infinite logits") for name in ("disagreement", "agreement_gap", "independent_error")),
    ("seed_similarity", "Hardshrink"),
}

# The name, the need and what was found, once each.
REFUSAL = (
    r"{name}(: (?!{name}\b)[^\n]* (must|needs) [^\n]*| needs [^\n]*),? (not|unlike) [^\n]+\."
    r"|{name} has no value: [^\n]+\."
)


def is_refusal(name, sentence):
    """Whether a sentence says what refuses, what it needs and what it was given instead."""
    return re.fullmatch(REFUSAL.format(name=name), sentence) is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "networks must have logits with derivatives, not those of a Without.",
        "points: networks must be finite.",
        "points: points needs a stack of networks, not a Linear.",
        "points: networks must have one logit per class, not one logit",
        "ellipses: networks must have one logit per class, not one logit.",
    ],
)
def test_sentences_that_lack_something_are_no_refusals(sentence):
    assert not is_refusal("points", sentence)


@pytest.mark.parametrize("name", OF_MODULES)
def test_every_kind_of_module_has_a_value_or_a_sentence_and_is_left_as_it_was(name):
    for case in CASES:
        said = outcome(name, case)
        assert not said.error, (case.name, said.error)
        assert not said.changed, (case.name, said.changed)
        if said.values is None:
            assert is_refusal(name, said.refusal), (case.name, said.refusal)
        elif name not in PROFILES and (name, case.name) not in NO_NUMBER and case.name != "narrow":
            assert said.values.isfinite().all(), (case.name, said.values)


def test_functions_that_share_results_say_what_each_says_alone():
    case = BY_NAME["narrow"]
    for name in OF_MODULES:
        said, alone = outcome(name, case), outcome_of(name, case.module(), case)
        assert said.refusal == alone.refusal
        if said.values is None:
            assert alone.values is None
        else:
            assert torch.equal(said.values.nan_to_num(-1), alone.values.nan_to_num(-1)), name


class Scaled(nn.Module):
    """A layer is scaled by a number that is trained."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return self.two(self.scale * torch.relu(self.one(x.flatten(1))))


def test_a_parameter_without_dimensions_has_gradients_as_others():
    case = Case("a number", Scaled)
    for name in OF_MODULES:
        said = outcome(name, case)
        assert not said.error, (name, said.error)
        assert said.values is not None or is_refusal(name, said.refusal), (name, said.refusal)
    module, wanted = case.module().double(), fitted_labels(case)
    loss = cross_entropy(module(case.inputs().double()), wanted)
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    norm = sum(one.square().sum() for one in gradients).sqrt().item()
    found = gradient_norm(module, case.inputs().double(), wanted)
    assert found[0] == pytest.approx(norm, rel=1e-9)


# These read layers themselves, which differ between the two, as initial weights of half the
# parameters do where weights are made of these.
OF_PARAMETERS = {
    "adapter on frozen weights": {"initial_networks"},
    "hook on the container": {"networks", "trained_networks"},
    "parametrizations": {"initial_networks"},
    "parametrizations of recurrent layers": {"initial_networks"},
    "spectral normalization by hooks": {"initial_networks"},
}
OF_FUNCTIONS = ("jacobian_norm", "output_entropy", "training_loss", "output_sensitivity")


@pytest.mark.parametrize("case", [case for case in CASES if case.twin], ids=lambda case: case.name)
def test_a_module_has_the_values_of_a_plain_one_that_is_the_same_function(case):
    for name in OF_MODULES:
        if depends_on_parameters(name, case) or is_drawn_differently(name, case):
            continue
        module = case.twin(case.module()).train()
        own = outcome(name, case).values
        expected = outcome_of(name, module, case, next(module.parameters()).dtype).values
        if own is None or expected is None or has_fewer_layers(name, case):
            continue
        # Similarities are of activations, which have the precision of the module; the weights of
        # PWCCA depend on rounding where correlations are equal.
        rounded = case.dtype.itemsize == 2 and name in {*SIMILARITIES, *ENSEMBLE_MEASURES}
        close = 2e-2 if rounded else 1e-4
        assert torch.allclose(own, expected, rtol=close, atol=1e-6, equal_nan=True), name


def depends_on_parameters(name, case):
    """Whether a function reads parameters or layers that differ between the two."""
    seen = inspect.signature(imported(place_of(name))).parameters.keys()
    if name in ENSEMBLE_MEASURES:
        seen = {"initial_networks"}
    if name == "number_of_parameters" and case.name == "adapter on frozen weights":
        return True
    return bool(OF_PARAMETERS.get(case.name, set()) & seen) and name not in OF_FUNCTIONS


def has_fewer_layers(name, case):
    """Whether one of the two applies functions that the other has as layers."""
    fewer = {"functional activation", "mixed precision", "log-softmax at the end"}
    return name in SIMILARITIES and case.name in fewer


def is_drawn_differently(name, case):
    """Whether one of the two has a closed form and the other is sampled."""
    sampled = {"transitions", "curvature", "tangent_sensitivity", "mean_tangent_sensitivity"}
    return name in sampled and case.name in {"functional activation", "mixed precision"} | {
        "logits in an object"
    }


@pytest.mark.parametrize("kind", ["one layer twice", "tied weights"])
def test_tied_weights_have_the_derivatives_of_their_definition(kind):
    module, inputs = BY_NAME[kind].module().double(), BY_NAME[kind].inputs().double()
    parameters = list(module.parameters())

    def gradients(point):
        out = module(point.unsqueeze(0)).sum()
        found = torch.autograd.grad(out, parameters, create_graph=True)
        return torch.cat([one.flatten() for one in found])

    blocks = torch.stack([
        torch.autograd.functional.jacobian(gradients, point).flatten(1) for point in inputs
    ])
    generator = Generator().manual_seed(0)
    found = tangent_sensitivity(module, inputs, generator, probes=400)[0]
    assert torch.allclose(found, blocks.flatten(1).norm(dim=1), rtol=0.15)
    mean = mean_tangent_sensitivity(module, inputs, generator, probes=400)[0]
    assert mean.item() == pytest.approx(blocks.mean(0).norm().item(), rel=0.1)


# Nothing moves these, measured or not.
UNTRAINABLE = {"logits without a graph", "no parameters"}
TRAINABLE = [case for case in CASES if case.name not in UNTRAINABLE]


@pytest.mark.parametrize("case", TRAINABLE, ids=lambda case: case.name)
def test_an_optimizer_still_moves_every_parameter(case):
    module, inputs = case.module(), case.inputs()
    before = state(module)
    for name in ("tangent_sensitivity", "mean_tangent_sensitivity", "gradient_norm"):
        outcome_function, named = arguments(name, module, case)
        try:
            outcome_function(**named)
        except ValueError:
            continue
    assert state(module) == before
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    out = module(inputs)
    out = getattr(out, "logits", out)
    out.square().sum().backward()
    old = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer.step()
    for parameter, value in zip(module.parameters(), old, strict=True):
        moves = parameter.grad is not None and bool(parameter.grad.any())
        assert torch.equal(parameter, value) != moves


def test_weight_normalization_of_the_former_kind_is_that_of_today():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        plain = perceptron()
        former = copy.deepcopy(plain)
        for layer in (former[1], former[3]):
            nn.utils.weight_norm(layer)
    inputs, case = BY_NAME["perceptron"].inputs(), BY_NAME["perceptron"]
    before = state(former)
    for name in ("weight_norm", "number_of_parameters", "spectral_product", "path_norm"):
        with torch.no_grad():
            former(inputs)
        function, named = arguments(name, former, case)
        former(inputs)  # With a graph, as after a step of training, which deepcopy does not copy.
        found = values_of(function(**named))
        function, named = arguments(name, plain, case)
        assert torch.allclose(found, values_of(function(**named)), rtol=1e-5), name
    assert state(former) == before
    former(inputs).sum().backward()
    assert former[1].weight_g.grad is not None


@pytest.mark.parametrize("normalization", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_normalizations_by_hooks_of_recurrent_layers_leave_values_and_graphs(normalization):
    case = BY_NAME["recurrent"]
    plain, made = case.module().eval(), case.module().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for layer, name in ((made.lstm, "weight_hh_l0"), (made.cell, "weight_ih")):
            normalization(layer, name)
    made(case.inputs()).sum().backward()  # With a graph, as after a step of training.
    with torch.no_grad():
        for layer, name in ((plain.lstm, "weight_hh_l0"), (plain.cell, "weight_ih")):
            of_made = made.lstm if layer is plain.lstm else made.cell
            getattr(layer, name).copy_(getattr(of_made, name))
    before = {name: one.clone() for name, one in made.state_dict().items()}
    names = [
        *("jacobian_norm", "gradient_norm", "tangent_sensitivity", "takeuchi_criterion"),
        *("weight_norm", "spectral_product", "stable_rank_sum", "adaptive_sharpness"),
    ]
    found, expected = (measure(one, case.inputs(), labels(), names) for one in (made, plain))
    assert (expected["status"] == "ok").all()
    assert found["value"].to_list() == pytest.approx(expected["value"].to_list(), rel=1e-4)
    assert all(torch.equal(before[name], one) for name, one in made.state_dict().items())
    made(case.inputs()).sum().backward()


def measures_from_initialization():
    return [
        name
        for name in MEASURES
        if "initial_networks" in inspect.signature(imported(place_of(name))).parameters
    ]


@pytest.mark.parametrize("name", measures_from_initialization())
def test_distances_from_initialization_are_of_the_weights_that_networks_compute_with(name):
    def initial():
        with torch.random.fork_rng():
            torch.manual_seed(5)
            return parametrized().eval()

    case = BY_NAME["parametrizations"]
    made, plain = case.module(), case.twin(case.module())
    plain_initial, found = plain_parametrized(initial()), []
    for network, start in ((made, initial()), (made, plain_initial), (plain, plain_initial)):
        function, named = arguments(name, network, case)
        found.append(values_of(function(**named | {"initial_networks": start})))
    assert found[0].isfinite().all()
    for values in found[:2]:
        assert torch.allclose(values, found[2], rtol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name in MEASURES if MEASURES[name].file in {"norms", "spectral_complexity"}]
)
def test_layer_by_layer_a_layer_under_two_names_is_two(name):
    case, module = BY_NAME["one layer twice"], BY_NAME["one layer twice"].module()
    untied = nn.Sequential(*map(copy.deepcopy, module))
    shared, copied = (arguments(name, one, case) for one in (module, untied))
    for given in (shared[1], copied[1]):
        if "initial_networks" in given:
            start = BY_NAME["one layer twice"].module()
            with torch.no_grad():
                for value in start.parameters():
                    value.mul_(0.5)
            given["initial_networks"] = (
                start if given is shared[1] else nn.Sequential(*map(copy.deepcopy, start))
            )
    found, expected = (values_of(function(**named)) for function, named in (shared, copied))
    assert torch.allclose(found, expected, equal_nan=True)


class Bent(nn.Module):
    """Applies any function between two linear layers, and ReLU after the second."""

    def __init__(self, function, alone):
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.last, self.function, self.alone = nn.Linear(WIDTH, CLASSES), function, alone

    def forward(self, x):
        hidden = self.two(self.function(self.one(x.flatten(1))))
        return self.last(hidden if self.alone else torch.relu(hidden))


BENT = {
    "clamp": lambda x: x.clamp(min=0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "product": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x.gt(0), x, 0.1 * x),
    "sine": torch.sin,
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("function", BENT.values(), ids=BENT)
@pytest.mark.parametrize(
    "name",
    ["transitions", "sampled_transitions", "class_selectivity", "ablation_auc", "mixup_margin"],
)
def test_hidden_layers_that_are_not_known_are_not_left_out(name, function, alone):
    module = Bent(function, alone)
    for one in (module, nn.Sequential(nn.Flatten(), Inside(module))):
        function_of, named = arguments(name, one, BY_NAME["perceptron"])
        with pytest.raises(ValueError, match="networks must"):
            function_of(**named)


def test_a_hook_on_a_layer_is_not_ignored_by_path_norms():
    module = perceptron()
    module[3].register_forward_hook(lambda _, __, output: 2 * output)
    function, named = arguments("path_norm", module, BY_NAME["perceptron"])
    with pytest.raises(InputError, match=r"^path_norm: networks must have layers without hooks"):
        function(**named)


def test_normalizations_of_a_stack_are_not_ignored():
    generator = Generator().manual_seed(0)
    shapes = (1, WIDTH, PIXELS), (1, 3, WIDTH)
    weights = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    parts = [torch.rand(1, WIDTH, generator=generator) + 0.5 for _ in range(4)]
    networks = FullyConnectedNetworks(weights, "relu", (), (BatchNormalization(*parts),))
    inputs = BY_NAME["perceptron"].inputs()
    expected = jacobian_norm(networks.folded(), inputs)
    assert torch.equal(jacobian_norm(networks, inputs), expected)


def test_the_sentences_name_the_measure_the_need_and_what_was_found():
    expected = {
        "batch statistics": "jacobian_norm: networks must normalize batches by running statistics, "
        "since those of a batch couple its points, not by BatchNorm1d without.",
        "hidden batch statistics": "jacobian_norm needs networks whose logits are those of single "
        "inputs in eval mode, not of an InstanceStatistics whose logits change with the other "
        "inputs.",
        "vector output": "jacobian_norm needs networks that map inputs to logits of shape "
        "(samples, classes), not (2, 1, 4, 4) to (6,).",
        "softmax at the end": "jacobian_norm needs networks that return logits, not probabilities: "
        "drop the last softmax.",
        "one logit": "jacobian_norm: The softmax needs at least two logits, not 1.",
        "logits without a graph": "jacobian_norm: networks must have logits with derivatives by "
        "inputs that are those of their values, not those of a Without, which cuts or replaces "
        "gradients.",
        "through numpy": "jacobian_norm: networks must have logits with derivatives, not those of "
        "a ThroughNumpy.",
        "buffers that change": "jacobian_norm: networks must leave their buffers as they are in "
        "eval mode, not change calls as a Counting does.",
    }
    for kind, sentence in expected.items():
        assert outcome("jacobian_norm", BY_NAME[kind]).refusal == sentence
    assert outcome("gradient_norm", BY_NAME["no parameters"]).refusal == (
        "gradient_norm needs networks with parameters, not a WithoutParameters without."
    )


def test_a_measure_that_computes_another_refuses_in_its_own_name():
    case = BY_NAME["no parameters"]
    said = outcome("bartlett_complexity_over_margin", case).refusal
    assert said == (
        "bartlett_complexity_over_margin needs networks with parameters, not a WithoutParameters "
        "without."
    )


def test_a_refusal_keeps_its_class_and_its_cause():
    case = BY_NAME["logits without a graph"]
    with pytest.raises(InputError, match=r"^jacobian_norm: ") as caught:
        jacobian_norm(case.module(), case.inputs())
    assert str(caught.value.__cause__) == (
        "networks must have logits with derivatives by inputs that are those of their values, not "
        "those of a Without, which cuts or replaces gradients."
    )
    with pytest.raises(ValueError, match=r"^transitions: networks must have .* known") as caught:
        transitions(BY_NAME["SELU"].module(), BY_NAME["SELU"].inputs())
    assert type(caught.value) is ValueError


def test_networks_that_are_not_finite_are_counted():
    module = perceptron()
    with torch.no_grad():
        module[1].weight[0, :2] = torch.nan
    sentence = "^spectral_product needs networks with finite weights, not with 2 that are not"
    with pytest.raises(InputError, match=sentence):
        spectral_product(module)


@pytest.mark.parametrize("kind", ["SELU", "buffers that change", "one logit", "no parameters"])
def test_the_table_of_measures_refuses_in_the_same_words(kind):
    case, names = BY_NAME[kind], ["jacobian_norm", "class_selectivity", "path_norm", "transitions"]
    table = measure(case.module(), case.inputs(), fitted_labels(case), names)
    refusals = [outcome(name, case).refusal for name in names]
    assert any(refusals)
    assert [said or "ok" for said in refusals] == list(table["status"])


def test_sentences_speak_of_the_class_that_was_given():
    for name, kind, found in (
        ("path_norm", "logits in an object", "not with Output."),
        ("mixup_margin", "residual", "not Residual, which may have some inside."),
        (
            "mixup_margin",
            "logits without a graph",
            "of a Without, which cuts or replaces gradients.",
        ),
        ("balanced_tangent_sensitivity", "logits in an object", "not an Output."),
    ):
        assert outcome(name, BY_NAME[kind]).refusal.endswith(found)


def test_gradients_of_recurrent_layers_are_those_of_autograd():
    module, inputs = BY_NAME["recurrent"].module(), BY_NAME["recurrent"].inputs()
    loss = cross_entropy(module(inputs), labels())
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    expected = sum(one.square().sum() for one in gradients).sqrt()
    assert gradient_norm(module, inputs, labels()).item() == pytest.approx(expected.item())


def made_in_inference_mode():
    with torch.inference_mode():
        return perceptron()


def test_layers_of_a_script_are_refused():
    module, inputs = perceptron(), BY_NAME["perceptron"].inputs()
    with pytest.raises(InputError, match=r"^networks must be written in Python for hooks"):
        generalization.compare(torch.jit.script(module), module, inputs)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda module: module.to("meta"),
            "jacobian_norm: networks must have parameters that are initialized, not '1.weight' of "
            "Sequential, which is on the device meta.",
        ),
        (
            lambda module: nn.Sequential(module[0], nn.LazyLinear(CLASSES)),
            "jacobian_norm: networks must have parameters that are initialized, not '1.weight' of "
            "Sequential, which is lazy.",
        ),
        (
            lambda module: made_in_inference_mode(),
            "jacobian_norm: networks must have parameters made outside of torch.inference_mode, "
            "not '1.weight' of Sequential.",
        ),
        (
            lambda module: module[1:],
            "jacobian_norm needs networks that map a batch of inputs to logits, not a Sequential, "
            "which fails at inputs of shape (1, 1, 4, 4) (mat1 and mat2 shapes cannot be "
            "multiplied (4x4 and 16x6)).",
        ),
    ],
)
def test_modules_that_give_no_logits_are_refused(change, sentence):
    module = change(perceptron())
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        jacobian_norm(module, BY_NAME["perceptron"].inputs())


class OfComplex(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CLASSES, PIXELS, dtype=torch.complex64))

    def forward(self, x):
        return (x.flatten(1).to(torch.complex64) @ self.weight.mT).abs()


def with_a_parameter(change):
    module = perceptron()
    module[1].weight = nn.Parameter(change(module[1].weight.detach()), requires_grad=False)
    return module


def exported(module, inputs):
    return torch.export.export(module, (inputs,)).module()


def quantized(module, inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(module, {nn.Linear})


NOT_NUMBERS = {
    "complex": (lambda *_: OfComplex(), "'weight' of OfComplex, which is of torch.complex64"),
    "sparse": (
        lambda *_: with_a_parameter(torch.Tensor.to_sparse),
        "'1.weight' of Sequential, which is of torch.float32 and torch.sparse_coo",
    ),
    "integers": (
        lambda *_: with_a_parameter(torch.Tensor.char),
        "'1.weight' of Sequential, which is of torch.int8",
    ),
    "exported": (exported, "an eval mode, not be exported, as by torch.export"),
    "quantized": (quantized, "of floating-point numbers, not quantized ones as those of Linear"),
}


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_weights_that_are_no_plain_numbers_are_refused(kind):
    build, sentence = NOT_NUMBERS[kind]
    inputs = BY_NAME["perceptron"].inputs()
    module = build(perceptron().eval(), inputs)
    for call in (
        lambda: measure(module, inputs),
        lambda: generalization.compare(module, module, inputs),
        lambda: jacobian_norm(module, inputs),
        lambda: generalization.weight_norm(module),
        lambda: generalization.number_of_parameters(module),
    ):
        with pytest.raises(InputError, match=f"networks must have .*{re.escape(sentence)}"):
            call()


def test_parameters_that_are_not_used_have_gradients_of_zero():
    case, sharpness = BY_NAME["perceptron"], imported(place_of("adaptive_sharpness"))
    module, values = case.module(), []
    for unused in (None, nn.Linear(3, 3)):
        if unused is not None:
            module.unused = unused
            module.forward = lambda x: nn.Sequential(*list(module)[:-1])(x)
        values.append(sharpness(module, case.inputs(), fitted_labels(case)))
    assert values[0] > 0
    assert torch.allclose(*values)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_have_one_row_per_output(groups):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    (weight,) = matrices(layer_weights(nn.Sequential(layer)))
    flipped = nn.Conv2d(6, 4, 3, groups=groups, bias=False)
    flipped.weight = layer.weight
    assert weight.shape == (1, 6, 4 // groups * 9)
    for output in range(6):
        one = torch.zeros(1, 6, 3, 3)
        one[0, output, 1, 1] = 1
        # What reaches an output of a transposed convolution is what its flipped twin sends there.
        sent = torch.nn.functional.conv2d(one, layer.weight, padding=2, groups=groups)
        assert torch.allclose(weight[0, output].norm(), sent.double().norm())


def test_labels_without_a_logit_are_refused():
    module, inputs = perceptron(), BY_NAME["perceptron"].inputs()
    sentence = "gradient_norm needs labels from 0 to 2, one for each logit, not from -1 to 1."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        gradient_norm(module, inputs, labels() - 1)


def test_dead_networks_have_no_curvature():
    module = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 6), nn.ReLU(), nn.Linear(6, 3, False))
    nn.init.constant_(module[1].bias, -100)
    inputs = BY_NAME["perceptron"].inputs()
    assert gauss_newton_eigenvalue(module, inputs, Generator().manual_seed(0)).item() == 0


@pytest.fixture
def layers():
    generator = Generator().manual_seed(0)
    shared = torch.randn(60, 4, generator=generator)
    a, b = (shared @ torch.randn(4, 7, generator=generator) for _ in range(2))
    noise = torch.randn(2, 60, 7, generator=generator)
    return a + noise[0], b + noise[1]


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarities_take_activations_as_people_have_them(name, layers):
    similarity = imported(place_of(name))
    a, b = layers
    expected = similarity(a, b).value
    with_graph = similarity(a.clone().requires_grad_() * 1, b.clone().requires_grad_() * 1)
    assert with_graph.value == expected
    backwards = similarity(a.flip(0).numpy()[::-1], b.flip(1).numpy()[:, ::-1])
    assert backwards.value == pytest.approx(expected, rel=1e-5)
    for dtype in (torch.float16, torch.bfloat16):
        half = similarity(a.to(dtype), b.to(dtype)).value
        assert half == similarity(a.to(dtype).float(), b.to(dtype).float()).value
        assert half == pytest.approx(expected, abs=0.01)
    assert similarity(a.half(), b.double()).value == pytest.approx(expected, abs=0.01)
    sentence = rf"^{name}: activations must be of at least 2 samples, not 0\.$"
    with pytest.raises(ValueError, match=sentence):
        similarity(a[:0], b[:0])


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_svcca_refuses_to_keep_nothing(share, layers):
    sentence = f"svcca: explained_variance must be above 0 and at most 1, not {share!r}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        svcca(*layers, explained_variance=share)


def test_narrow_networks_have_a_slope():
    slope = imported(place_of("noise_to_signal_slope"))
    inputs = BY_NAME["perceptron"].inputs()
    found = []
    for seed in range(20):
        torch.manual_seed(seed)
        found.append(slope(perceptron(width=4), inputs).mean())
    assert torch.stack(found).isfinite().sum() >= 15


def test_labels_are_those_of_three_classes():
    assert labels().unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_layer_of_any_module_is_similar_to_itself(name):
    for case in CASES:
        if outcome(name, case).values is None:
            continue
        table = generalization.compare(
            case.module(), case.module(), case.inputs(), similarities=name
        )
        itself = table.loc[table["layer"] == table["other_layer"], "value"].dropna()
        assert len(itself)
        assert itself.to_list() == pytest.approx([1] * len(itself), abs=1e-4), case.name


def test_the_documentation_has_the_matrix_of_today():
    shown = Path("docs/modules.md").read_text(encoding="utf-8")
    for line in matrix(OF_MODULES):
        assert f"{line}\n" in shown, "docs/modules.md must be made anew, as its first lines say."


def test_the_page_leads_to_every_kind():
    shown = Path("docs/modules.md").read_text(encoding="utf-8")
    for case in CASES:
        assert f"[{case.heading}](#{anchor(case.heading)})" in shown
        assert f"\n## {case.heading}\n" in shown


def test_long_lists_are_those_of_the_others():
    names = [f"n{number}" for number in range(40)]
    assert listed(names[:2], names) == "`n0`, `n1`"
    assert listed(names[2:], names) == "all but `n0`, `n1`"
    many = [f"n{number}" for number in range(80)]
    assert listed(many[:40], many).startswith("`n0`, `n1`")
    assert listed(names, names).startswith("`n0`, `n1`")
