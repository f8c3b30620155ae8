"""Published cost columns, counted anew."""

from statistics import mean

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo.experiments.published import NAMES, get_table, latentgnn_coco
from nonlocal_zoo.experiments.published.command import main
from nonlocal_zoo.experiments.published.report import deviations, measure, nearest
from nonlocal_zoo.testing import refuses

TABLE = get_table("latentgnn_coco")


@pytest.fixture(scope="module")
def counted():
    return measure(TABLE)


def off(counted, column, setting):
    return [abs(value) for value in deviations(TABLE, counted, column)[setting].values()]


def test_rows_are_the_papers():
    labels = [row.label for row in TABLE.rows]
    assert len(set(labels)) == len(labels) == 17
    row = TABLE.rows[labels.index("ResNet-50 + LatentGNN, stage 345, 3 kernels")]
    assert row.added == (1.89e6, 5.13e9) and row.scores["ap mask"] == "35.7"
    assert sum(row.added is None for row in TABLE.rows) == 4


@pytest.mark.parametrize("kernels", [1, 3])
@pytest.mark.parametrize("stage", "345")
def test_parameters_of_the_released_class(stage, kernels):
    """Its modules by hand: down twice, two maps a kernel, up from all kernels; and their norms."""
    channels, d = latentgnn_coco.CHANNELS[stage], latentgnn_coco.DIMS[stage]
    c = channels // 16
    weights = 2 * channels * c + kernels * (2 * c * d + c * channels)
    norms = 2 * (2 * c + kernels * 2 * d + channels)
    cost = TABLE.settings[0].cost("LatentGNN", stage, kernels)
    assert cost.parameters == weights + norms + 1  # gamma


def test_the_formula_is_that_of_a_network():
    """Convolutions and products, run by torch and counted by its counter."""
    c, d, kernels = 128, 100, 2
    x = torch.empty(1, 1024, 50, 71, device="meta")
    with FlopCounterMode(display=False) as counter:
        z = nn.Conv2d(1024, c, 1, device="meta")(x)
        y = 0
        for _ in range(kernels):
            to, back = (nn.Conv2d(c, d, 1, device="meta")(z).flatten(2) for _ in range(2))
            y = y + back.mT @ (to @ z.flatten(2).mT)
        nn.Conv2d(c, 1024, 1, device="meta")(y.mT.unflatten(2, (50, 71)))
    cost = latentgnn_coco.by_formula()("LatentGNN", "4", kernels)
    assert cost.multiply_adds == counter.get_total_flops() // 2


def test_what_the_page_says(counted):
    assert nearest(TABLE, counted, "parameters") == "stride 16, weights"
    assert mean(off(counted, "parameters", "stride 16")) < 0.03
    assert max(off(counted, "parameters", "stride 16, weights")) < 0.05
    assert nearest(TABLE, counted, "multiply_adds") == "formula"
    assert max(off(counted, "multiply_adds", "formula")) < 0.021
    nl = [label for label in counted["formula"] if "NL" in label]
    assert all(
        abs(deviations(TABLE, counted, "multiply_adds")["formula"][label]) < 0.005 for label in nl
    )


def test_no_other_size_is_nearer():
    rows = [row for row in TABLE.rows if row.added]

    def deviation(width):
        cost = latentgnn_coco.by_formula((800, width))
        return mean(abs(cost(**r.block)[1] / r.added[1] - 1) for r in rows)

    assert min(range(800, 1344, 16), key=deviation) == latentgnn_coco.SIZE[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_command(name, tmp_path, capsys):
    assert main([name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    page = (tmp_path / f"{name.replace('_', '-')}.md").read_text()
    assert said.strip() in page and page.startswith("<!-- python tools/published.py")
    for row in get_table(name).rows:
        assert row.label in page
    with pytest.raises(SystemExit):
        main(["latentgn_coco"])
    refuses(LookupError, lambda: get_table("latentgn_coco"), "latentgnn_coco")
