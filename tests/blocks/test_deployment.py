"""torch.compile, torch.export and ONNX of every block: what docs/deployment.md says."""

import pytest
import torch
from deployment import CASES, REFUSED, dynamic_shapes, prove
from packaging.version import Version
from torch.library import opcheck

from nonlocal_zoo import build_block
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.testing import assert_no_square
from nonlocal_zoo.testing.compare import assert_near

DYNAMO = pytest.mark.skipif(
    Version(torch.__version__).release < (2, 13),
    reason="torch 2.6's dynamo cannot trace torch.Size(...), dataclasses.replace, or match",
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch, tmp_path):
    """Several blocks of rows at sizes that are fast to test; nothing compiled is kept."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with scores_at_once(256):
        yield


# tools/make_deployment.py proves every cell before it writes the page; here is what is fast.
CELLS = [(name, way) for way in ("torch.compile", "torch.export") for name in CASES]
CELLS += [(name, "ONNX") for name in CASES if (name, "ONNX") in REFUSED]
CELLS += [("snl", "its inductor"), *((name, "ONNX") for name in ("snl", "nearest", "anl"))]


@DYNAMO
@pytest.mark.parametrize(("name", "way"), CELLS)
def test_cell(name, way):
    if way == "ONNX":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    prove(name, way)


@DYNAMO
@pytest.mark.parametrize("name", ["snl", "nl", "latentgnn"])
def test_autocast(name):
    block, x = CASES[name]().eval(), torch.randn(2, 16, 6, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = block(x)
        compiled = torch.compile(block, fullgraph=True, dynamic=True, backend="aot_eager")
        assert_near(compiled(x), expected, 2e-2)
    assert not torch.equal(expected, block(x)), "autocast changed nothing"


@DYNAMO
@pytest.mark.parametrize("name", ["snl", "nl", "latentgnn", "mixture", "nearest"])
def test_no_square(name):
    """A graph traced where N x N is the cheapest way does not take it where N is large."""
    block, side = CASES[name]().eval(), 32
    with torch.no_grad():
        small = torch.randn(2, 16, 2, 2)
        program = torch.export.export(block, (small,), dynamic_shapes=dynamic_shapes())
    x = torch.randn(2, 16, side, side)
    assert_no_square(lambda: program.module()(x), side**2)


@DYNAMO
def test_saved_program(tmp_path):
    block = CASES["snl"]().eval()
    with torch.no_grad():
        example = torch.randn(2, 16, 6, 5)
        program = torch.export.export(block, (example,), dynamic_shapes=dynamic_shapes())
    torch.export.save(program, tmp_path / "snl.pt2")
    x = torch.randn(3, 16, 4, 7)
    loaded = torch.export.load(tmp_path / "snl.pt2").module()
    assert_near(loaded(x), block(x), 1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_own_operators(masked):
    """What torch asks of an operator, and the gradients of dense scores."""
    query, key, bias = (
        torch.randn(2, n, d, dtype=torch.float64) for n, d in ((70, 3), (5, 3), (5, 1))
    )
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    if masked:
        bias = bias.masked_fill(~mask.unsqueeze(2), -torch.inf)
    inputs = [x.requires_grad_() for x in (query, key, bias)]
    own = torch.ops.nonlocal_zoo
    opcheck(own.log_sum_exp.default, tuple(inputs))
    opcheck(own.nearest.default, (query.detach(), key.detach(), 2, mask if masked else None))
    weight = torch.randn(2, 70, 1, dtype=torch.float64)

    def dense(query, key, bias):
        scores = torch.einsum("bnd,bmd->bnm", query, key) + bias.mT
        return scores.exp().sum(2, keepdim=True).log()

    results = []
    for log_sum_exp in (own.log_sum_exp, dense):
        y = log_sum_exp(*inputs)
        results.append([y, *torch.autograd.grad((weight * y).sum(), inputs)])
    for actual, expected in zip(*results, strict=True):
        assert_near(actual, expected)


@DYNAMO
@pytest.mark.parametrize("graph_filter", ["arma", "cayley", "heat"])
def test_iterations_refuse(graph_filter):
    """They stop when their numbers say so."""
    block = build_block(
        in_channels=16, affinity="symmetric_gaussian", graph_filter=graph_filter
    ).eval()
    with pytest.raises(NotImplementedError, match="allowed there: an affinity of low rank"):
        torch.export.export(block, (torch.randn(2, 16, 3, 3),))
