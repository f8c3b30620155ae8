"""nms and RoI Align behind mmcv's names, against loops, and against the compiled ops if there.

The loops take float64 and one number at a time.
"""

import math
import sys

import pytest
import torch

pytest.importorskip("nonlocal_zoo.adapters.mm")  # which puts the ops where mmcv looks
from mmcv.ops import batched_nms, nms, roi_align

from nonlocal_zoo.adapters.mm.ops import nms as plain_nms
from nonlocal_zoo.adapters.mm.ops import roi_align as plain_roi_align
from nonlocal_zoo.adapters.mm.ops import sampling
from nonlocal_zoo.adapters.mm.ops.stand_in import StandIn
from nonlocal_zoo.testing import assert_near, refuses

pytestmark = pytest.mark.mm
EXT = sys.modules["mmcv._ext"]
needs_compiled = pytest.mark.skipif(isinstance(EXT, StandIn), reason="needs a compiled mmcv")


def loop_nms(boxes, scores, threshold, offset):
    """Best first; out with each that overlaps one that stayed."""
    boxes, kept = boxes.double().tolist(), []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i].item()):
        for j in kept:
            (a, b, c, d), (p, q, r, s) = boxes[i], boxes[j]
            width, height = min(c, r) - max(a, p) + offset, min(d, s) - max(b, q) + offset
            shared = max(width, 0) * max(height, 0)
            area = (c - a + offset) * (d - b + offset) + (r - p + offset) * (s - q + offset)
            if shared > threshold * (area - shared):
                break
        else:
            kept.append(i)
    return kept


def pixel(plane, y, x):
    """Bilinear interpolation as in the paper's Figure 3; 0 more than a pixel outside."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return plane.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    value = plane.new_zeros(())
    for row in range(height):
        for column in range(width):
            weight = max(0, 1 - abs(y - row)) * max(0, 1 - abs(x - column))
            if weight:
                value = value + weight * plane[row, column]
    return value


def loop_roi_align(x, rois, size, scale, ratio, mode, aligned):
    """Bin by bin, sample by sample."""
    shift = 0.5 if aligned else 0.0
    boxes = []
    for image, *box in rois.double().tolist():
        left, top, right, bottom = (edge * scale - shift for edge in box)
        width, height = right - left, bottom - top
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        rows = ratio or math.ceil(height / size[0])
        columns = ratio or math.ceil(width / size[1])
        bins = []
        for i in range(size[0]):
            for j in range(size[1]):
                samples = [
                    torch.stack(
                        [
                            pixel(
                                plane,
                                top + (i + (k + 0.5) / rows) * height / size[0],
                                left + (j + (m + 0.5) / columns) * width / size[1],
                            )
                            for plane in x[int(image)]
                        ]
                    )
                    for k in range(rows)
                    for m in range(columns)
                ]
                samples = torch.stack(samples)
                bins.append(samples.mean(0) if mode == "avg" else samples.max(0).values)
        boxes.append(torch.stack(bins, -1).unflatten(-1, size))
    return torch.stack(boxes)


def random_boxes(count, size=60.0, dtype=torch.float32):
    corner = torch.rand(count, 2, dtype=dtype) * size
    return torch.cat([corner, corner + 1 + torch.rand(count, 2, dtype=dtype) * size / 2], 1)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("count", [1, 40, 300, 700])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7])
def test_nms(count, threshold, offset):
    boxes, scores = random_boxes(count), torch.rand(count)
    dets, kept = nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == loop_nms(boxes, scores, threshold, offset)
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_nms_of_a_chain_of_boxes():
    """Each beats the next one only: every other stays, however long the chain."""
    boxes = torch.tensor([[i, 0.0, i + 3.0, 1.0] for i in range(600)])
    kept = nms(boxes, torch.linspace(1, 0, 600), 0.4)[1]
    assert kept.tolist() == list(range(0, 600, 2))


def test_nms_limits():
    boxes, scores = random_boxes(50), torch.rand(50)
    scores[7] = scores[3] = 2  # equal: in their order
    boxes[7] = boxes[3]
    every = nms(boxes, scores, 0.5)[1].tolist()
    assert every[0] == 3 and 7 not in every
    assert nms(boxes, scores, 0.5, max_num=3)[1].tolist() == every[:3]
    high = [i for i in every if scores[i] > 0.6]
    assert nms(boxes, scores, 0.5, score_threshold=0.6)[1].tolist() == high
    assert nms(boxes[:0], scores[:0], 0.5)[1].tolist() == []
    empty = torch.zeros(4, 4)  # no area: no overlap
    assert nms(empty, torch.arange(4.0), 0.5)[1].tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("split", [10000, 20])
def test_batched_nms_keeps_classes_apart(split):
    boxes, scores, labels = random_boxes(90), torch.rand(90), torch.arange(90) % 3
    settings = dict(type="nms", iou_threshold=0.4, split_thr=split)
    kept = batched_nms(boxes, scores, labels, settings)[1]
    expected = []
    for label in range(3):
        (rows,) = (labels == label).nonzero(as_tuple=True)
        expected += rows[loop_nms(boxes[rows], scores[rows], 0.4, 0)].tolist()
    assert kept.tolist() == sorted(expected, key=lambda i: -scores[i].item())


# Outside on every side, thinner than a pixel, as large as the image. No sample at exactly -1: the
# compiled op takes that coordinate of a maximum for "none", and loses its gradient.
ROIS = torch.tensor(
    [[0, 2.2, 3.1, 15.7, 13.3], [1, -6.3, -5.1, 4, 3], [1, 12, 10, 40, 30], [0, 5, 5, 5.4, 5.7],
     [1, 0, 0, 20, 18], [0, 30, 30, 35, 35]]
)  # fmt: skip
SETTINGS = [
    (size, scale, ratio, mode, aligned)
    for size, scale in (((3, 2), 0.5), ((2, 4), 1.0))
    for ratio in (0, 1, 2)
    for mode in ("avg", "max")
    for aligned in (True, False)
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_roi_align(settings):
    x = torch.randn(2, 3, 9, 10, dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = roi_align(ours, ROIS.double(), *settings)
    expected = loop_roi_align(theirs, ROIS, *settings)
    assert_near(y, expected, 1e-12)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    (expected * weight).sum().backward()
    assert_near(ours.grad, theirs.grad, 1e-12)


def test_roi_align_in_parts(monkeypatch):
    """More entries than may be in memory at a time."""
    x = torch.randn(2, 3, 9, 10, dtype=torch.float64)
    whole = roi_align(x, ROIS.double().repeat(3, 1), (3, 2))
    monkeypatch.setattr(sampling, "ENTRIES", 100)
    assert torch.equal(roi_align(x, ROIS.double().repeat(3, 1), (3, 2)), whole)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align_of_nothing(mode):
    x = torch.randn(1, 2, 5, 5, requires_grad=True)
    assert roi_align(x, torch.zeros(0, 5), (2, 2), 1.0, 0, mode).shape == (0, 2, 2, 2)
    point = torch.tensor([[0, 1.0, 1, 1, 1]])
    y = roi_align(x, point, (2, 2), 1.0, 0, "avg")
    y.sum().backward()
    assert not y.any() and not x.grad.any()


def call_forward(x, rois, size, scale, ratio, mode, aligned, ops):
    output = x.new_zeros(len(rois), x.shape[1], *size)
    argmax = [x.new_zeros(output.shape if mode == "max" else 0) for _ in "yx"]
    kind = dict(
        aligned_height=size[0], aligned_width=size[1], spatial_scale=scale, sampling_ratio=ratio,
        pool_mode=int(mode == "avg"), aligned=aligned,
    )  # fmt: skip
    ops.roi_align_forward(x, rois, output, *argmax, **kind)
    gradient = x.new_zeros(x.shape)
    ops.roi_align_backward(output, rois, *argmax, gradient, **kind)
    return output, gradient


@needs_compiled
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_roi_align_against_compiled(settings):
    for _ in range(5):
        x = torch.randn(2, 4, 30, 40)
        rois = torch.cat([torch.arange(20.0)[:, None] % 2, random_boxes(20)], 1)
        ours = call_forward(x, rois, *settings, plain_roi_align)
        theirs = call_forward(x, rois, *settings, EXT)
        for a, b in zip(ours, theirs, strict=True):
            assert_near(a, b, 5e-5)


@needs_compiled
@pytest.mark.parametrize("offset", [0, 1])
def test_nms_against_compiled(offset):
    for count in (1, 50, 400, 1500):
        for threshold in (0.1, 0.3, 0.5, 0.7):
            boxes, scores = random_boxes(count), torch.rand(count)
            arguments = dict(iou_threshold=threshold, offset=offset)
            assert torch.equal(
                plain_nms.nms(boxes, scores, **arguments), EXT.nms(boxes, scores, **arguments)
            )


@pytest.mark.parametrize(
    ("roi", "said"),
    [((3.0, 0, 0, 2, 2), ("3", "0 to 0")), ((0.0, 4, 0, 2, 2), ("negative", "4.0")),
     ((0.0, 1, math.nan, 2, 2), ("nan", "finite"))],
)  # fmt: skip
def test_refusals(roi, said):
    x = torch.randn(1, 2, 5, 5)
    settings = ((2, 2), 1.0, 0, "avg", True, plain_roi_align)
    refuses(ValueError, lambda: call_forward(x, torch.tensor([roi]), *settings), *said)
