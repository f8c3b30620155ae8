"""Keys and arguments of references: nothing is dropped, nothing is guessed."""

import pytest
import torch
from golden import NAMES, load

from nonlocal_zoo import from_reference
from nonlocal_zoo.testing import assert_near, refuses

every_case = pytest.mark.parametrize("name", NAMES)


@every_case
def test_missing_keys(name):
    """Whichever weight is missing, it is said so."""
    case = load(name)
    for key in case.state:
        state = {k: v for k, v in case.state.items() if k != key}
        refuses(ValueError, lambda s=state: from_reference(case.reference, case.args, s), "missing")


@every_case
def test_unknown_keys(name):
    case = load(name)
    state = {**case.state, "extra.weight": torch.zeros(1)}
    refuses(
        ValueError,
        lambda: from_reference(case.reference, case.args, state),
        "unknown keys ['extra.weight']",
    )


def test_left_over_keys():
    """A key of the reference that these arguments have no use for."""
    case = load("snl_mmseg_stage3")
    refuses(
        ValueError,
        lambda: from_reference(case.reference, {**case.args, "stage_num": 2}, case.state),
        "left over",
        "units.2.norm.weight",
    )
    refuses(
        ValueError,
        lambda: from_reference(case.reference, {**case.args, "stage_num": 4}, case.state),
        "missing",
        "units.3.norm.weight",
    )


@every_case
def test_a_wrong_shape(name):
    case = load(name)
    key = next(k for k, v in case.state.items() if v.dim() > 1)
    state = {**case.state, key: case.state[key][:, :1]}
    with pytest.raises((RuntimeError, ValueError)):
        from_reference(case.reference, case.args, state)


@every_case
def test_the_state_is_copied(name):
    """Training ours leaves the reference's weights alone."""
    case = load(name)
    before = {k: v.clone() for k, v in case.state.items()}
    block = from_reference(case.reference, case.args, case.state)
    for parameter in block.parameters():
        parameter.data.add_(1)
    assert all(torch.equal(before[k], v) for k, v in case.state.items())


@pytest.mark.parametrize(
    ("error", "reference", "args", "words"),
    [
        (LookupError, "NonLocal", {}, ["'NonLocal1d'"]),
        (TypeError, "NonLocal2d", dict(reducton=2), ["reducton", "'reduction'"]),
        (LookupError, "NonLocal2d", dict(mode="gausian"), ["mode", "'gaussian'"]),
        (LookupError, "NonLocal2d", dict(norm_cfg=dict(type="GN")), ["norm_cfg", "'GN'", "BN"]),
        (LookupError, "SNLStage", dict(inplanes=8, planes=4, use_scale=True), ["use_scale"]),
        (LookupError, "SNLStage", dict(inplanes=8, planes=4, aff_kernel="rbf"), ["aff_kernel"]),
        (LookupError, "Stage", dict(inplanes=8, planes=4, nl_type="arma"), ["nl_type", "'nl'"]),
        (LookupError, "Stage", dict(inplanes=8, planes=4, aff_kernel="rbf"), ["aff_kernel"]),
        (LookupError, "LatentGNNV1", dict(latent_dims=[5], mode="asym"), ["'asymmetric'"]),
        (ValueError, "LatentGNNV1", dict(latent_dims=[5, 4]), ["latent_dims=[5, 4]"]),
    ],
    ids=str,
)
def test_refused_arguments(error, reference, args, words):
    args = args if "inplanes" in args else {"in_channels": 16, **args}
    refuses(error, lambda: from_reference(reference, args, {}), *words)


@pytest.mark.parametrize("nl_type", ["nl", "ns"])
def test_the_flags_of_the_official_stage(nl_type):
    """is_sys averages the logits, is_norm means the normalised dot product."""
    case = load(f"snlcls_{nl_type}_stage1")
    x = case.data["x"].flatten(2).transpose(1, 2)
    t, p = (x @ case.state[f"{k}.weight"].flatten(1).T for k in "tp")
    logits = t @ p.transpose(1, 2)
    dot = torch.relu(t) @ torch.relu(p).transpose(1, 2)
    for is_sys in (False, True):
        block = from_reference(case.reference, {**case.args, "is_sys": is_sys}, case.state)
        scores = (logits + logits.transpose(1, 2)) / 2 if is_sys else logits
        assert_near(block.operator(case.data["x"]).to_dense(), scores.softmax(2))
        args = {**case.args, "is_sys": is_sys, "is_norm": True}
        block = from_reference(case.reference, args, case.state)
        kernel = (dot + dot.transpose(1, 2)) / 2 if is_sys else dot
        root = kernel.sum(2) ** -0.5
        expected = root[:, :, None] * kernel * root[:, None, :]
        assert_near(block.operator(case.data["x"]).to_dense(), expected)


def test_latentgnn_without_residual():
    """Its gamma is kept and never used."""
    case = load("latentgnn_asymmetric_k3")
    plain = from_reference(case.reference, case.args, case.state).eval()
    args = {**case.args, "without_residual": True}
    bare = from_reference(case.reference, args, case.state).eval()
    x, gamma = case.data["x"], case.state["gamma"]
    assert_near(x + gamma * bare(x), plain(x))


@pytest.mark.parametrize("momentum", [0.1, 0.25, 0.9])
def test_what_no_weight_says_of_ema_comes_over(momentum):
    """bases, rounds and momentum: a block that is trained on goes on as mmseg's would."""
    args = dict(channels=8, num_bases=5, num_stages=2, momentum=momentum)
    block = from_reference("EMAModule", args, {"bases": torch.randn(1, 8, 5)})
    (affinity,) = block.affinities
    assert affinity.bases.shape == (8, 5) and affinity.rounds == 2
    before, x = affinity.bases.clone(), torch.randn(2, 8, 3, 4)
    block.train()(x)
    once = affinity.bases.clone()
    affinity.bases.copy_(before)
    affinity.momentum = 1.0
    block(x)
    assert_near(once, before.lerp(affinity.bases, momentum), 1e-5)
