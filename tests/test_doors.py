"""What a user hands over is checked, or converted, once, where it comes in."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import GraphSignal, build_block, list_blocks
from nonlocal_zoo.functions import heat_kernel, resolvent
from nonlocal_zoo.operators import Dense
from nonlocal_zoo.testing import assert_near, randomize_, refuses, uses_grid

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
HALVES = (torch.float16, torch.bfloat16)
EDGES = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 8, 3, 3], [1, 2, 3, 0, 4]])


def block_of(affinity, **settings):
    block = build_block(affinity=affinity, graph_filter="polynomial", in_channels=8, **settings)
    return randomize_(block).eval()


def nodes(**others):
    return GraphSignal(torch.randn(2, 9, 8), **others)


def test_images():
    block = block_of("relu_dot")
    image = torch.randn(2, 8, 3, 4)
    for wrong in ([1], None, image.numpy()):
        refuses(ValueError, lambda w=wrong: block(w), type(wrong).__name__, "(B, 8, *spatial)")
    for dtype in (torch.int32, torch.uint8, torch.bool, torch.complex64):
        refuses(ValueError, lambda d=dtype: block(image.to(d)), str(dtype), "x.float()")
    for dtype in (*HALVES, torch.float64):
        refuses(ValueError, lambda d=dtype: block(image.to(d)), "input", str(dtype), "float32")
    refuses(ValueError, lambda: block(image.to("meta")), "on meta", "on cpu", "one device")
    with torch.autocast("cpu", torch.bfloat16):
        assert block(image.bfloat16()).isfinite().all()


def test_what_is_no_matter_of_dtypes_stays_an_error_of_its_own():
    block = block_of("relu_dot")
    block.affinities[0].register_forward_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent"):
        block(torch.randn(2, 8, 3, 4))


def test_features_of_nodes():
    block, x = block_of("relu_dot"), torch.randn(2, 9, 8)
    for wrong in (x[0], x[None]):
        for enter in (block.on_nodes, block.operators_of):
            refuses(ValueError, lambda w=wrong, e=enter: e(GraphSignal(w)), "(B, N, C)")
    for wrong in (x[:, :8], x.double()):
        refuses(ValueError, lambda w=wrong: block.on_nodes(GraphSignal(x, receiver=w)), "receiver")


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(2, 9),
        torch.ones(2, 9, dtype=torch.uint8),  # of which torch makes ~1 = 254, and that is true
        torch.ones(2, 9, dtype=torch.int64),
        torch.ones(9, dtype=torch.bool),
        torch.ones(1, 9, dtype=torch.bool),
        torch.ones(2, 9, 1, dtype=torch.bool),
        torch.ones(2, 8, dtype=torch.bool),
        torch.ones(2, 9, dtype=torch.bool, device="meta"),
    ],
    ids=lambda m: f"{m.dtype}-{tuple(m.shape)}-{m.device}",
)
def test_masks(mask):
    for name in ("relu_dot", "graph", "knn"):
        signal = nodes(mask=mask, edges=EDGES, pos=torch.rand(2, 9, 3))
        run = lambda n=name, s=signal: block_of(n).on_nodes(s)  # noqa: E731
        refuses(ValueError, run, "mask has", str(mask.dtype), "(2, 9), torch.bool")


def test_a_mask_beside_an_image():
    signal = GraphSignal.from_grid(torch.randn(2, 8, 3, 3))
    signal.mask = torch.ones(2, 9, dtype=torch.bool)
    refuses(ValueError, lambda: block_of("relu_dot").on_nodes(signal), "mask", "a set of nodes")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_edges_are_the_same_edges(dtype):
    block, signal = block_of("graph"), nodes()
    expected = block.on_nodes(GraphSignal(signal.x, edges=EDGES))
    assert torch.equal(block.on_nodes(GraphSignal(signal.x, edges=EDGES.to(dtype))), expected)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_indices_out_of_range(place, masked):
    """A row of 9 in a graph of 9 nodes would be the first node of the next graph."""
    mask = torch.ones(2, 9, dtype=torch.bool) if masked else None
    for size, value in (((2, 9, 9)[place], None), (1000, 1000), (-1, -1), (-(10**12), -(10**12))):
        edges = EDGES.clone()
        edges[place, 2] = size if value is None else value
        word = ("graph", "row", "column")[place]
        allowed = f"0 to {(1, 8, 8)[place]}"
        run = lambda e=edges: block_of("graph").on_nodes(nodes(edges=e, mask=mask))  # noqa: E731
        refuses(ValueError, run, word, str(int(edges[place, 2])), allowed)


def test_edges_and_weights_of_another_kind():
    def refused(edges, *words, weight=None, **settings):
        block = block_of(dict(type="graph", **settings))
        refuses(ValueError, lambda: block.on_nodes(nodes(edges=edges, edge_weight=weight)), *words)

    for wrong in (EDGES.float(), EDGES.bool(), EDGES[:2], EDGES[0], EDGES.to("meta")):
        refused(wrong, "edges have", str(wrong.dtype), "(3, E), integers, on cpu")
    weight = torch.rand(5)
    for wrong in (weight[:4], weight[:, None], weight.to(torch.complex64), weight.to("meta")):
        refused(EDGES, "edge_weight has", str(wrong.dtype), "(5,)", weight=wrong)
    for value in (torch.nan, torch.inf, -torch.inf):
        wrong = weight.clone()
        wrong[3] = value
        refused(EDGES, f"edge_weight has {value}", "finite", weight=wrong)
        refused(EDGES, f"edge_weight has {value}", "finite", weight=wrong, normalize="rw")
    for kind in ("rw", "sym"):
        refused(EDGES, "-0.5", f"'{kind}'", "normalize=None", weight=weight - weight.min() - 0.5,
                normalize=kind)  # fmt: skip
    signed = block_of("graph").on_nodes(nodes(edges=EDGES, edge_weight=weight - 0.5))
    assert signed.isfinite().all()


@pytest.mark.parametrize("dtype", [*HALVES, torch.float64, torch.bool, *INTEGERS])
def test_weights_of_any_dtype(dtype):
    """By the dense matrix in float64. Two edges that are the same add up."""
    block, x = block_of("graph", values=False).double(), torch.randn(2, 9, 8).double()
    weight = (torch.rand(5) * 9 - 1).clamp(min=0).to(dtype)
    dense = torch.zeros(2, 9, 9).double()
    dense.index_put_(tuple(EDGES), weight.double(), accumulate=True)
    (operator,) = block.operators_of(GraphSignal(x, edges=EDGES, edge_weight=weight))
    assert_near(operator.to_dense(), dense)
    (operator,) = block.operators_of(GraphSignal(x.float(), edges=EDGES, edge_weight=weight))
    assert_near(operator.to_dense(), dense, 1e-6)
    assert operator.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def bells(pos, neighbours, sigma):
    """The affinity "knn" of positions in float64, pair by pair."""
    squares = (pos[:, :, None] - pos[:, None]).square().sum(3)
    far = squares + torch.diag(torch.full(squares.shape[1:2], torch.inf)).double()
    last = far.sort(dim=2).values[..., neighbours - 1 : neighbours]
    return torch.where(far <= last, (-squares / (2 * sigma**2)).exp(), 0)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64, *INTEGERS])
@pytest.mark.parametrize("size", [3, 100, 30000])
def test_positions_of_any_dtype(dtype, size):
    """Squares of 100 leave int8, of 300 float16, and 30000**2 * 3 leaves int32."""
    size = size if dtype.is_floating_point else min(size, torch.iinfo(dtype).max)
    pos = (torch.rand(2, 9, 3) * size).to(dtype)
    settings = dict(type="knn", neighbours=4, sigma=size / 3)
    x = torch.randn(2, 9, 8)
    (operator,) = block_of(settings).operators_of(GraphSignal(x, pos=pos))
    assert_near(operator.to_dense(), bells(pos.double(), 4, size / 3), 1e-5)
    assert operator.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_large_integers_differ_by_little():
    """2^24 + 1 is no float32, and no float16 has room for 2^24."""
    pos = torch.tensor([0, 1, 3, 6, 10])[None, :, None] + 2**24
    (operator,) = block_of(dict(type="knn", neighbours=2, sigma=2.0)).operators_of(
        GraphSignal(torch.randn(1, 5, 8), pos=pos)
    )
    assert_near(operator.to_dense(), bells(pos.double(), 2, 2.0), 1e-6)


@pytest.mark.parametrize("dtype", HALVES)
def test_cells_of_a_wide_picture_in_half_precision(dtype):
    """bfloat16 counts to 256 and float16 to 2048; the cells are as far apart beyond."""
    block = block_of(dict(type="knn", neighbours=2, sigma=1.0))
    image = torch.zeros(1, 8, 1, 2100)
    (expected,), (operator,) = block.operators(image), block.operators(image.to(dtype))
    assert torch.equal(operator.edges, expected.edges)
    assert_near(operator.weights, expected.weights, 1e-6)


def test_positions_of_another_kind():
    block, pos = block_of(dict(type="knn", neighbours=3)), torch.rand(2, 9, 3)

    def refused(pos, *words, mask=None):
        refuses(ValueError, lambda: block.on_nodes(nodes(pos=pos, mask=mask)), *words)

    wrong = [pos[0], pos[:1], pos[:, :8], pos[..., :0], pos > 0.5, pos.to(torch.complex64)]
    for given in (*wrong, pos.to("meta")):
        refused(given, "pos has", str(given.dtype), "(2, 9, D)", "on cpu")
    for value in (torch.nan, torch.inf):
        given = pos.clone()
        given[1, 4, 2] = value
        refused(given, "pos of node 4 of graph 1", str(value), "finite")
        mask = torch.ones(2, 9, dtype=torch.bool)
        mask[1, 4] = False
        assert block.on_nodes(nodes(pos=given, mask=mask)).isfinite().all()
        mask[1, 4], mask[1, 5] = True, False
        refused(given, "pos of node 4 of graph 1", mask=mask)


UNDER = (torch.nan, torch.inf, -torch.inf, 1e30)
POINTED = {  # affinities that read more than features
    "knn": dict(affinity=dict(type="knn", neighbours=3, sigma=0.5), graph_filter="polynomial"),
    "graph": dict(affinity=dict(type="graph", symmetrize=True, normalize="sym"),
                  graph_filter="polynomial"),
}  # fmt: skip
PADDED = [
    n for n in list_blocks() if not uses_grid(build_block(n, 8, **BLOCK_OVERRIDES.get(n, {})))
]


@pytest.mark.parametrize("norm", [None, "batch", "group", "layer"])
@pytest.mark.parametrize("name", [*PADDED, *POINTED])
def test_what_lies_under_a_mask(name, norm):
    """Outputs and all gradients are what they are with zeros there, bit for bit."""
    settings = POINTED.get(name) or dict(name=name, **BLOCK_OVERRIDES.get(name, {}))
    settings = {**settings, **({} if norm is None else {"norm": norm})}
    block = randomize_(build_block(**{"in_channels": 8, "inner_channels": 4, **settings})).train()
    state = {k: v.clone() for k, v in block.state_dict().items()}
    mask = torch.arange(9) < torch.tensor([9, 6])[:, None]
    features, places, back = torch.randn(2, 9, 8), torch.rand(2, 9, 3), torch.randn(2, 9, 8)
    ring = torch.arange(9)
    edges = torch.cat([torch.stack([ring * 0 + b, ring, (ring + 1) % 9]) for b in (0, 1)], 1)
    real = mask[edges[0], edges[1]] & mask[edges[0], edges[2]]
    results = []
    for value in (0.0, *UNDER):
        block.load_state_dict(state)
        x = torch.where(mask[..., None], features, value).requires_grad_()
        pos = torch.where(mask[..., None], places, value)
        weight = torch.where(real, 0.5, value)
        y = block.on_nodes(GraphSignal(x, mask=mask, pos=pos, edges=edges, edge_weight=weight))
        gradients = torch.autograd.grad((y * back).sum(), [x, *block.parameters()],
                                        allow_unused=True)  # fmt: skip
        tensors = [y, *(g for g in gradients if g is not None), *block.buffers()]
        assert all(t.isfinite().all() for t in tensors), value
        assert (y[~mask] == 0).all() and (gradients[0][~mask] == 0).all()
        results.append(tensors)
    for value, tensors in zip(UNDER, results[1:], strict=True):
        for a, b in zip(tensors, results[0], strict=True):
            assert torch.equal(a, b), value


@pytest.mark.parametrize("t", [-1.0, -1e-9, float("nan"), torch.tensor([[[1.0]], [[-2.0]]])])
def test_times(t):
    operator = Dense(torch.rand(2, 3, 3))
    refuses(ValueError, lambda: heat_kernel(operator, t), "t has", "allowed: >= 0")


@pytest.mark.parametrize("name", ["relu_dot", "inner_product", "knn"])
def test_receivers_under_a_mask(name):
    block = block_of(name)
    mask = torch.arange(9) < torch.tensor([9, 6])[:, None]
    x, receiver, pos = torch.randn(2, 9, 8), torch.randn(2, 9, 8), torch.rand(2, 9, 3)
    results = []
    for value in (0.0, *UNDER):
        hears = torch.where(mask[..., None], receiver, value).requires_grad_()
        y = block.on_nodes(GraphSignal(x, mask=mask, receiver=hears, pos=pos))
        gradients = torch.autograd.grad(y.square().sum(), [hears, *block.parameters()])
        results.append([y, *gradients])
    for tensors in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(tensors, results[0], strict=True))


@pytest.mark.parametrize("function", [heat_kernel, resolvent])
def test_limits_of_an_iteration(function):
    operator = Dense(torch.rand(2, 3, 3)) @ Dense(torch.rand(2, 3, 3))
    for tolerance in (0.0, -1.0, 1.0, float("nan")):
        run = lambda t=tolerance: function(operator, 0.5, tolerance=t)  # noqa: E731
        refuses(ValueError, run, f"tolerance={tolerance}", "between 0 and 1")
    for steps in (0, -3):
        refuses(ValueError, lambda s=steps: function(operator, 0.5, steps=s), f"steps={steps}")


def test_factors_and_rows_that_are_no_numbers():
    operator = Dense(torch.rand(2, 3, 3))
    for a in (float("nan"), float("inf")):
        refuses(ValueError, lambda a=a: resolvent(operator, a), f"a={a}", "finite")
    for row in (0.5, -1, 3):
        refuses(ValueError, lambda r=row: operator.rows([r]), f"rows [{row}]", "0 to 2")
