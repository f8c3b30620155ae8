"""An inference copy of a block: batch norms folded, projections joined, products re-associated."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .affinities import Affinity
from .affinities.pair import Pair
from .blocks import NonLocalBlock
from .blocks.embedding import UnitEmbedding, unit
from .blocks.stage import Stage
from .filters import GraphFilter, LinearFilter
from .filters.adjacency import Adjacency
from .layers import GroupedLinear, Projection
from .operators import GraphOperator, require
from .precision import autocasts, cast
from .signal import GraphSignal


@torch.no_grad()
def fuse(model: nn.Module, verbose: bool = True) -> nn.Module:
    """A copy of a block, or of a network with blocks in it, that computes the same in less time.

    - A batch norm goes into the weights before it: bn(x W' + b) = x (s W)' + s (b - mean) + shift.
      So does a learnt scale gamma that follows without an activation in between.
    - Two embeddings of the same features become one product, x [theta, phi]'.
    - The terms of a filter are added up in one result that lies as the image does, sum_k W_k z_k'.
    - Where A = D G goes through a few nodes, the values and the last layer are applied to these,
      G (x V' + v) = (G x) V' + (G 1) v, also where the plain path may not call them there.

    Equal to rounding: 1e-5 of the largest output in float32, 1e-12 in float64. Layers that were
    folded or joined have other names: the copy is for inference, not for its state dict.

        fused = nlz.fuse(nlz.build_block("snl", 64).eval())

    Args:
        model: a block or a network, in eval mode; it stays as it is.
        verbose: print what was done, a line for each block.

    Raises:
        ValueError: the model has no block, or one that is in training mode.
    """
    fused = copy.deepcopy(model)
    blocks = {path: m for path, m in fused.named_modules() if isinstance(m, NonLocalBlock)}
    if not blocks:
        raise ValueError(f"{type(model).__name__} has no block to fuse; allowed: what has one")
    for path, block in blocks.items():
        if any(module.training for module in block.modules()):
            raise ValueError(
                f"fuse: {path or 'the block'} is in training mode, where batch norms take the "
                "batch's statistics; allowed: model.eval()"
            )
    for path, block in blocks.items():
        done = list(_fuse_block(block))
        if verbose:
            print(f"fuse {path or type(block).__name__}: {'; '.join(done) or 'nothing to do'}")
    return fused


def _fuse_block(block: NonLocalBlock) -> Iterator[str]:
    folded = 0
    for layer in block.modules():
        if isinstance(layer, (Projection, GroupedLinear)) and (affine := _affine(layer.norm)):
            _scale_rows(layer, *affine)
            layer.norm = None
            folded += 1
    folded += sum(_fold_stage(stage) for stage in block.units)
    if folded:
        yield f"{folded} norms and scales folded"
    joined = 0
    for affinity in block.modules():
        pair = getattr(affinity, "pair", None)
        if isinstance(pair, Pair):
            affinity.pair = _JointPair(pair)
            joined += 1
    if isinstance(block.embedding, UnitEmbedding) and (layers := _apart(block.embedding)):
        block.embedding = _JointEmbedding(*layers)
        joined += 1
    if joined:
        yield f"{joined} pairs of embeddings joined"
    for number, stage in enumerate(block.units, start=1):
        if _moves_past(stage, block.affinities[0]):
            stage.__class__, stage.filters[0].__class__ = _GatherFirst, _LayerFirst
            yield f"stage {number} applies its layers to the nodes that A gathers, if few"
    added = 0
    for stage in block.units:
        for k, graph_filter in enumerate(stage.filters):
            if _adds_up(graph_filter):
                stage.filters[k] = _AddedUp(graph_filter)
                added += 1
    if added:
        yield f"{added} filters added up as an image"


def _moves_past(stage: Stage, affinity: Affinity) -> bool:
    """Whether layers with a bias stand on both sides of an A that may go through a few nodes."""
    values, first = stage.values, stage.filters[0]
    plain = stage.may_gather_first and type(first) is Adjacency
    if values is None or not (plain and affinity.structure.low_rank):
        return False
    (last,) = _last_layers(first)
    return type(last) is nn.Linear and not (values.bias is None and last.bias is None)


def _apart(embedding: UnitEmbedding) -> tuple[Projection, Projection] | None:
    """Its two layers, if it has two and nothing is left between them and the lengths."""
    send, receive = embedding.send, embedding.receive
    if receive is None or send.norm is not None or receive.norm is not None:
        return None
    return send, receive


def _adds_up(graph_filter: GraphFilter) -> TypeGuard[LinearFilter]:
    """Whether it is a sum of layers of all nodes, to be written in one piece."""
    layers = getattr(graph_filter, "weights", ())
    linear = isinstance(graph_filter, LinearFilter) and all(type(m) is nn.Linear for m in layers)
    return linear and not isinstance(graph_filter, _LayerFirst)


def _affine(norm: nn.Module | None) -> tuple[Tensor, Tensor] | None:
    """scale and shift, (C,), with norm(y) = scale y + shift.

    None where it is no batch norm, or one that does not use its running statistics.
    """
    if not isinstance(norm, _BatchNorm) or norm.running_var is None or norm.running_mean is None:
        return None
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    shift = -norm.running_mean * scale
    return scale, shift if norm.bias is None else shift + norm.bias


def _scale_rows(layer: nn.Linear | GroupedLinear, scale: Tensor, shift: Tensor | None) -> None:
    """x W' + b becomes scale (x W' + b) + shift, in place."""
    weight, bias = layer.weight * scale.unsqueeze(1), layer.bias
    bias = None if bias is None else bias * scale
    if shift is not None:
        bias = shift if bias is None else bias + shift
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)


def _fold_stage(stage: Stage) -> bool:
    """The norm, and a gamma right after it, into the last layers of all filters."""
    last, affine = [_last_layers(f) for f in stage.filters], _affine(stage.norm)
    if not all(last) or (stage.norm is not None and affine is None):
        return False
    first = last[0][0]
    scale, shift = affine or (first.weight.new_ones(len(first.weight)), None)
    if stage.gamma is not None and stage.activation is None:
        scale = scale * stage.gamma
        shift = None if shift is None else shift * stage.gamma
        stage.gamma = None
    elif stage.norm is None:
        return False
    stage.norm = None
    for layers in last:
        for layer in layers:
            _scale_rows(layer, scale, shift if layer is first else None)
    return True


def _last_layers(graph_filter: nn.Module) -> Sequence[nn.Linear | GroupedLinear]:
    """The layers whose sum a filter gives; none where it has no layer of its own."""
    return list(getattr(graph_filter, "weights", ()))


def _joint(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """One layer with the outputs of both, one after the other."""
    bias = not (first.bias is second.bias is None)
    layer = nn.Linear(first.in_features, first.out_features + second.out_features, bias)
    layer.to(first.weight)
    layer.weight.copy_(torch.cat([first.weight, second.weight]))
    zero = first.weight.new_zeros(first.out_features)
    biases = [zero if m.bias is None else m.bias for m in (first, second)]
    if bias:
        layer.bias.copy_(torch.cat(biases))
    return layer


def _halves(layer: nn.Linear, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The first outputs of the first features, and the others of the second ones."""
    if first is second:
        return layer(first).chunk(2, dim=2)
    return layer(first).chunk(2, dim=2)[0], layer(second).chunk(2, dim=2)[1]


class _JointPair(nn.Module):
    """theta and phi through one product where both read the same."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.both = _joint(pair.theta, pair.phi)
        self.activation, self.pool = pair.activation, pair.pool

    def forward(self, signal: GraphSignal) -> tuple[Tensor, Tensor]:
        theta, phi = _halves(self.both, signal.receivers, signal.x)
        if self.activation is not None:
            theta, phi = self.activation(theta), self.activation(phi)
        theta, phi = signal.zero_padding(theta), signal.zero_padding(phi)
        return theta, phi if self.pool is None else self.pool(phi, signal.grid)


class _JointEmbedding(nn.Module):
    """Senders and receivers of unit length, through one product where both read the same."""

    def __init__(self, send: Projection, receive: Projection) -> None:
        super().__init__()
        self.both = _joint(send, receive)

    def forward(self, signal: GraphSignal) -> GraphSignal:
        send, receive = _halves(self.both, signal.x, signal.receivers)
        return signal.with_x(unit(send), unit(receive))


class _AddedUp(nn.Module):
    """y = sum_k W_k (f_k(A) z)' + b, in one result (B, C, N): one filter of a stage."""

    def __init__(self, plain: LinearFilter) -> None:
        super().__init__()
        self.plain = plain

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        plain = self.plain
        if autocasts(z.device.type) or not operator.square:
            return plain(operator, z, mask)
        require(operator, plain.needs, plain.label)
        terms = (cast(term, z.dtype).transpose(1, 2) for term in plain.terms(operator, z))
        first, *others = plain.weights
        weight, few = first.weight.expand(z.shape[0], -1, -1), next(terms)
        y = torch.bmm(weight, few)
        if first.bias is not None:
            y += first.bias.unsqueeze(1)
        for layer, term in zip(others, terms, strict=True):
            y.baddbmm_(layer.weight.expand(z.shape[0], -1, -1), term)
        return y.transpose(1, 2)


# Classes that a copy's stage and filter get, as torch.nn.utils.parametrize swaps classes: what they
# hold, their hooks and their place in the network stay.


class _GatherFirst(Stage):
    """A stage whose values are applied to the gathered nodes, whatever their bias is."""

    def values_of(
        self, signal: GraphSignal, operators: Sequence[GraphOperator]
    ) -> tuple[Tensor, Sequence[GraphOperator]]:
        factors, layer = operators[0].factors(), self.values
        if layer is None or factors is None or not self._is_less(layer, factors[1]):
            return super().values_of(signal, operators)
        distribute, gather = factors
        few = F.linear(gather.matmul(signal.x), layer.weight)
        if layer.bias is not None:
            few = few + gather.degree().to(few.dtype) * layer.bias
        return few, [distribute]


class _LayerFirst(Adjacency):
    """A z W' + b with W before A where that is less work, whatever the bias is."""

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        (layer,) = self.weights
        if operator.square or not self.is_less(operator, layer):
            return super().forward(operator, z, mask)
        y = operator.matmul(F.linear(z, layer.weight))
        return y if layer.bias is None else y + layer.bias
