"""Official code of papers cannot be installed: its formulas, written down anew, and its outputs in
tests/golden_zoo."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nonlocal_zoo import build_block, from_reference
from nonlocal_zoo.registry import FILTERS

GOLDEN = Path(__file__).parents[1] / "golden_zoo"


def golden(name):
    entry = next(e for e in json.loads((GOLDEN / "index.json").read_text()) if e["name"] == name)
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    return entry["reference"], entry["args"], state, arrays


def test_snl_adds_in_place():
    """official SNL, SNL-MMSeg/snl_head.py
    | att += att.permute(0, 2, 1) reads what it writes: torch refuses it
    | snl is the sum out of place, and never formed
    """
    att = torch.rand(1, 3, 3)
    with pytest.raises(RuntimeError, match=r"refer to a single memory location|overlap"):
        att += att.permute(0, 2, 1)
    operator = build_block("snl", 8).operator(torch.randn(1, 8, 3, 3)).to_dense()
    torch.testing.assert_close(operator, operator.mT)


def test_gsnl_third_term_adds_nothing():
    """SNL paper, gSNL
    | its third term (2A - I) z W_2 lies in the span of z W_0 and A z W_1: parameters, no order
    | snl with order=n has powers of A up to n
    """
    a, z = torch.rand(6, 6).double(), torch.randn(6, 2).double()
    w0, w1, w2 = torch.randn(3, 2, 4).double().unbind()
    three = z @ w0 + a @ z @ w1 + (2 * a - torch.eye(6).double()) @ z @ w2
    torch.testing.assert_close(three, z @ (w0 - w2) + a @ z @ (w1 + 2 * w2))
    block = build_block("snl", 8, graph_filter=dict(order=2))
    third = block.units[0].filters[0].basis(torch.tensor([0.5]).double())[0, 2]
    assert third == 0.25


def test_caylay_is_no_cayley_filter():
    """official SNL, SNL-Classification/model/nls/caylay.py
    | no Cayley transform: (I - A)^2, a polynomial of order 2
    | snl_squared_laplacian has its numbers and says so in the table
    """
    eigenvalues = torch.linspace(-1, 1, 9).double()
    basis = FILTERS.build("squared_laplacian", in_channels=1, out_channels=1).basis(eigenvalues)[
        :, 1
    ]
    differences = basis
    for _ in range(3):
        differences = differences.diff()
    assert differences.abs().max() < 1e-12  # a polynomial of order 2; a rational function has more
    reference, args, state, data = golden("snlcls_caylay_stage1")
    block = from_reference(reference, args, state).eval()
    torch.testing.assert_close(block(data["x"]), data["y"], rtol=1e-9, atol=1e-9)


def test_criss_cross_runs_on_cuda_only():
    """official code in the SNL repository, cc.py, cgnl.py and caylay.py
    | .cuda() inside forward: an error on CPU
    | blocks follow their input's device
    """
    scores = torch.zeros(3, 3)
    with pytest.raises((AssertionError, RuntimeError)):
        scores - torch.diag(torch.tensor(float("inf")).cuda().repeat(3))
    for name in ("cc", "cgnl_rbf", "snl_squared_laplacian"):
        assert build_block(name, 8)(torch.randn(1, 8, 3, 3)).isfinite().all()


def test_latentgnn_symmetric_is_not():
    """official LatentGNN, mode="symmetric"
    | one bipartite graph for both ways, but a row softmax between latent nodes: A is not symmetric
    | named latentgnn_shared; symmetrize=True makes A symmetric
    """
    args = dict(in_channels=16, affinity=dict(type="latent", dim=5, shared=True))
    x = torch.randn(1, 16, 4, 4)
    dense = build_block("latentgnn_shared", **args).operator(x).to_dense()
    assert (dense - dense.mT).abs().max() > 1e-4 * dense.abs().max()
    args["affinity"]["symmetrize"] = True
    dense = build_block("latentgnn_shared", **args).operator(x).to_dense()
    torch.testing.assert_close(dense, dense.mT)


def test_latentgnn_parameters():
    """official LatentGNN, channel_stride=4 by default
    | 4 times the paper's parameters: .24, .84, 3.2 M for stages 3 to 5 against .06, .20, .81
    | latentgnn has stride 16: .061, .212, .804 M
    """
    paper = torch.tensor([0.06, 0.20, 0.81])

    def millions(stride):
        blocks = [
            build_block(
                "latentgnn", channels, reduction=stride, affinity=dict(type="latent", dim=dim)
            )
            for channels, dim in ((512, 150), (1024, 100), (2048, 50))
        ]
        return torch.tensor([sum(p.numel() for p in b.parameters()) / 1e6 for b in blocks])

    assert (millions(4) / paper).min() > 3.5
    torch.testing.assert_close(millions(16), paper, rtol=0.07, atol=0)
    assert (millions(16) * 1000).round().tolist() == [61, 212, 804]


def test_apnb_declares_what_it_never_uses():
    """official ANL in the SNL repository, APNB
    | conv_bn_dropout is in the state dict and in no output
    | anl has no such weights; the converter lists them
    """
    reference, args, state, data = golden("anl_apnb")
    extra = [key for key in state if key.startswith("conv_bn_dropout.")]
    assert len(extra) == 7 and all(state[key].abs().sum() > 0 for key in extra if "num" not in key)
    torch.testing.assert_close(
        from_reference(reference, args, state).eval()(data["x"]), data["y"], rtol=1e-9, atol=1e-9
    )


def test_cgnl_rounds_to_float32():
    """official CGNL, SpatialCGNLx
    | its gamma is a float32 tensor: a float64 block is as exact as float32
    | cgnl_rbf computes in the dtype of its input
    """
    gamma, order = torch.Tensor(1).fill_(1e-4), 2
    rounded = ((2 * gamma) ** order / 2 * torch.exp(-2 * gamma)).sqrt()
    exact = ((2e-4) ** order / 2 * torch.tensor(-2e-4).double().exp()).sqrt()
    assert rounded.dtype == torch.float32
    assert (rounded / exact - 1).abs() > 1e-9
    reference, args, state, data = golden("cgnl_g4")
    block = from_reference(reference, args, state).eval()
    torch.testing.assert_close(block(data["x"]), data["y"], rtol=1e-5, atol=1e-5)
    assert block(data["x"]).dtype == torch.float64
