"""What users of PyTorch rely on works because nothing in a block is special: each of its layers is
called. One test for each kind of tool, over all blocks."""

import copy
import gc
import importlib
import io
import sys
import warnings
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from tables import BLOCK_OVERRIDES
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, prune, weight_norm
from torch.utils.checkpoint import checkpoint

import nonlocal_zoo as nlz
from nonlocal_zoo.affinities import Affinity
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.testing import assert_near

every_block = pytest.mark.parametrize("name", nlz.list_blocks())
every_mode = pytest.mark.parametrize("training", [False, True])
HOME = str(Path(nlz.__file__).parent)


def make(name, channels=16, **more):
    settings = {**BLOCK_OVERRIDES.get(name, {}), **more}
    block = nlz.build_block(name, channels, **settings)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    return block


def image(*shape):
    return torch.randn(shape or (2, 16, 6, 5))


def layers_of(block):
    """Whatever has a weight matrix."""
    return {k: m for k, m in block.named_modules() if getattr(m, "weight", None) is not None
            and m.weight.dim() >= 2}  # fmt: skip


@every_block
@every_mode
def test_hooks_run(name, training):
    """Of every module that has a parameter, forward and backward, once or more a pass."""
    block, fired, back = make(name).train(training), set(), set()
    owners = {k: m for k, m in block.named_modules() if m._parameters and k}
    own = {k for k, m in owners.items() if not any(True for _ in m.children())}
    for key, module in owners.items():
        module.register_forward_hook(lambda m, args, y, key=key: fired.add(key))
        if key in own:
            module.register_full_backward_hook(lambda m, to, of, key=key: back.add(key))
    block(image().requires_grad_()).square().sum().backward()
    assert fired == set(owners)
    assert back == own


@every_block
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool], ids=str)
def test_integers_are_refused(name, dtype):
    """Of images and of nodes, with the dtype in the error."""
    block, x = make(name), torch.ones(1, 16, 4, 4).to(dtype)
    for call in (
        lambda: block(x),
        lambda: block.on_nodes(nlz.GraphSignal(x.flatten(2).mT)),
    ):
        with pytest.raises(ValueError, match=f"{dtype}; allowed: a floating-point one"):
            call()


@every_block
def test_prune_and_train(name):
    block = make(name).train()
    layers = layers_of(block)
    for layer in layers.values():
        prune.l1_unstructured(layer, "weight", 0.5)
    if not layers:
        return
    optimizer = torch.optim.SGD(block.parameters(), 0.1)
    before = [layer.weight.clone() for layer in layers.values()]
    for _ in range(2):
        optimizer.zero_grad()
        (block(image()) - 1).square().mean().backward()
        optimizer.step()
    block(image())
    for layer in layers.values():
        assert ((layer.weight == 0) == (layer.weight_mask == 0)).all()
    moved = [not torch.equal(m.weight, w) for m, w in zip(layers.values(), before, strict=True)]
    assert any(moved), "nothing moves"


@every_block
@pytest.mark.parametrize("how", ["prune", "weight_norm", "spectral_norm"])
def test_reparametrised_weights_load(name, how):
    """A block with the saved one's weights gives the saved one's output."""
    change = {
        "prune": lambda m: prune.l1_unstructured(m, "weight", 0.5),
        "weight_norm": lambda m: weight_norm(m, "weight"),
        "spectral_norm": lambda m: parametrizations.spectral_norm(m, "weight"),
    }[how]
    blocks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        block = make(name).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the old weight_norm is what checkpoints have
            for layer in layers_of(block).values():
                change(layer)
        blocks.append(block)
    saved, new = blocks
    new.load_state_dict(saved.state_dict())
    x = image()
    assert_near(new(x), saved(x), 1e-5)


REPLICAS = [(name, {}) for name in nlz.list_blocks()] + [
    (name, dict(residual_scale=True, norm=norm, zero_init=False))
    for name in ("nl", "gc", "cc")
    for norm in ("batch", "group", "layer")
]


@pytest.mark.parametrize(("name", "more"), REPLICAS, ids=str)
@every_mode
def test_data_parallel_replica(name, more, training, monkeypatch):
    """torch's own replicate, on a CPU: a replica gives what the block gives."""
    replicate = importlib.import_module("torch.nn.parallel.replicate")

    def broadcast(tensors, devices, detach=False):
        return [[tensor.clone() for tensor in tensors] for _ in devices]

    monkeypatch.setattr(replicate, "_get_device_index", lambda device, *_: device)
    monkeypatch.setattr(replicate, "_broadcast_coalesced_reshape", broadcast)
    block, x = make(name, **more).train(training), image()
    replica = replicate.replicate(block, [0], detach=True)[0]
    assert_near(replica(x), block(x), 1e-5)


@every_block
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("scores", [2**22, 256])
def test_activation_checkpointing(name, reentrant, scores):
    """As mm's residual blocks do with ``with_cp``: then something in place. Gradients agree, also
    where sums go in blocks of rows, and what a block remembers moves once."""
    block, results = make(name).train(), []
    state, x = copy.deepcopy(block.state_dict()), image().requires_grad_()
    with scores_at_once(scores):
        for wrapped in (False, True):
            block.load_state_dict(state)
            block.zero_grad()
            x.grad = None
            if wrapped:
                y = checkpoint(lambda t: block(t).add_(t), x, use_reentrant=reentrant)
            else:
                y = block(x) + x
            torch.relu_(y).sum().backward()
            bases = [b.clone() for key, b in block.named_buffers() if key.endswith("bases")]
            results.append([x.grad, *(p.grad for p in block.parameters()), *bases])
    for plain, again in zip(*results, strict=True):
        assert_near(again, plain, 1e-4)


@every_block
@every_mode
def test_nothing_waits_for_the_garbage_collector(name, training):
    block = make(name).train(training)
    block(image())
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        x = image().requires_grad_(training)
        with torch.set_grad_enabled(training):
            y = block(x)
        if training:
            y.sum().backward()
        del x, y
        block.zero_grad()
        gc.collect()
        left = [o for o in gc.garbage if isinstance(o, torch.Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left, f"{sum(t.numel() for t in left)} numbers"


LARGE = [(name, (1, 64, 64, 64)) for name in ("nl", "snl", "gc", "cc", "mixture", "danet_position")]
CASES = [(name, (1, 16, 6, 5)) for name in nlz.list_blocks()] + LARGE


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_functional_gradients(name, shape):
    """torch.func.grad gives what backward() gives, small and in blocks."""
    block, x = make(name, shape[1]).eval(), image(*shape)
    parameters = dict(block.named_parameters())

    def loss(parameters, x):
        return functional_call(block, parameters, (x,)).square().mean()

    found = torch.func.grad(loss, argnums=1)(parameters, x)
    x.requires_grad_()
    loss(parameters, x).backward()
    assert_near(found, x.grad, 1e-4)


@every_block
def test_per_sample_gradients(name):
    """vmap over the batch is a pass of each picture."""
    block, x = make(name).double().eval(), image().double()
    parameters = dict(block.named_parameters())

    def loss(parameters, x):
        return functional_call(block, parameters, (x.unsqueeze(0),)).square().mean()

    if parameters:
        together = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
        for k in range(len(x)):
            alone = torch.func.grad(loss)(parameters, x[k])
            for key, value in alone.items():
                assert_near(together[key][k], value, 1e-7, key)


@pytest.mark.parametrize("name", ["snl", "latentgnn", "a2", "cgnl", "gc", "glore", "nl_dot", "ema"])
def test_forward_mode(name):
    """jvp is the directional derivative, where no fused attention stands in the way."""
    block, x = make(name).double().eval(), image().double()
    direction, back = torch.randn_like(x), torch.randn_like(x)
    _, along = torch.func.jvp(block, (x,), (direction,))
    _, pull = torch.func.vjp(block, x)
    assert_near((along * back).sum(), (pull(back)[0] * direction).sum(), 1e-9)


SOFTMAX = (
    *("nl", "dnl", "ns", "snl_squared_laplacian", "nl_gaussian", "cc", "mixture"),
    "danet_position",
)


@pytest.mark.parametrize("name", [*SOFTMAX, "snl", "latentgnn"])
@pytest.mark.parametrize("side", [6, 32])
def test_second_derivatives(name, side):
    """Against a central difference of first derivatives."""
    block, x = make(name, 8).double().eval(), image(1, 8, side, side).double().requires_grad_()
    direction, step = torch.randn_like(x), 1e-5

    def gradient(x):
        return torch.autograd.grad(block(x).square().sum(), x, create_graph=True)[0]

    (found,) = torch.autograd.grad((gradient(x) * direction).sum(), x)
    moved = [gradient((x + s * step * direction).detach().requires_grad_()) for s in (1, -1)]
    assert_near(found, (moved[0] - moved[1]) / (2 * step), 1e-4)


@every_block
@every_mode
def test_trace(name, training):
    """As it comes, with gradients on; it can be saved, and agrees at another size."""
    block = make(name).train(training)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(block, image(), check_trace=not training)
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    x = image(1, 16, 7, 4)
    block.eval()
    if not training:
        assert_near(torch.jit.load(file)(x), block(x), 1e-5)


# ONNX can neither search in sorted values nor solve a linear system.
NOT_IN_ONNX = ("nl_concat", "snl_arma", "snl_cayley")


@pytest.mark.parametrize("name", [name for name in nlz.list_blocks() if name not in NOT_IN_ONNX])
def test_torchscript_onnx(name):
    """The exporter that most pipelines use."""
    pytest.importorskip("onnx")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO()
        torch.onnx.export(make(name).eval(), (image(),), file, dynamo=False, opset_version=17)
    assert file.tell() > 0


def test_symbolic_trace():
    """torch.fx takes a block as one call: docs/deployment.md."""

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, path):
            return isinstance(module, nlz.NonLocalBlock) or super().is_leaf_module(module, path)

    network = nn.Sequential(nn.Conv2d(16, 16, 3), make("snl"), nn.ReLU()).eval()
    graph = Tracer().trace(network)
    called = [node.target for node in graph.nodes if node.op == "call_module"]
    assert called == ["0", "1", "2"]
    x = image()
    assert_near(torch.fx.GraphModule(network, graph)(x), network(x), 1e-6)


@pytest.mark.skipif(
    Version(torch.__version__).release < (2, 13),
    reason="torch 2.6's FSDP2 records an event, which the stream of a CPU cannot",
)
def test_sharding_by_layer():
    """FSDP2 with every layer a unit of its own: the gradients of the block as it is."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    store = dist.HashStore()
    dist.init_process_group("gloo", rank=0, world_size=1, store=store)
    try:
        mesh = init_device_mesh("cpu", (1,))
        for name in nlz.list_blocks():
            block, x = make(name), image().requires_grad_()
            plain = copy.deepcopy(block)
            for layer in layers_of(block).values():
                if not isinstance(layer, Affinity):  # what it returns is no tensor to wait for
                    fully_shard(layer, mesh=mesh)
            fully_shard(block, mesh=mesh)
            y, expected = block(x), plain(x)
            assert_near(y, expected, 1e-5, name)
            y.sum().backward()
            expected.sum().backward()
            for (key, a), b in zip(block.named_parameters(), plain.parameters(), strict=True):
                assert_near(a.grad.full_tensor(), b.grad, 1e-4, f"{name}, {key}")
    finally:
        dist.destroy_process_group()


# What one pass in eval mode may touch: files of the package, and calls of its functions.
JOURNEYS = [("snl", 12, 62), ("nl", 12, 62), ("latentgnn", 14, 90)]


@pytest.mark.parametrize(("name", "most_files", "most_calls"), JOURNEYS)
def test_the_journey_is_short(name, most_files, most_calls):
    block, x = nlz.build_block(name, 64).eval(), image(1, 64, 24, 32)
    files, calls = set(), 0

    def spy(frame, event, argument):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            files.add(frame.f_code.co_filename)
            calls += 1

    with torch.no_grad():
        block(x)
        sys.setprofile(spy)
        try:
            block(x)
        finally:
            sys.setprofile(None)
    assert 0 < len(files) <= most_files and 0 < calls <= most_calls, f"{len(files)}, {calls}"
