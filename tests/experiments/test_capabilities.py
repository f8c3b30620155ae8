"""The tasks of capabilities: labels by an independent rule, chance, what carries information."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from nonlocal_zoo import list_blocks
from nonlocal_zoo.experiments.capabilities import cell, measure
from nonlocal_zoo.experiments.capabilities.cell import run, settle
from nonlocal_zoo.experiments.capabilities.network import NodeNetwork
from nonlocal_zoo.experiments.capabilities.tasks import TASKS
from nonlocal_zoo.experiments.capabilities.tasks.base import UNLABELLED, Prediction

RESULTS = Path(__file__).parents[2] / "docs/results/capabilities"


def nodes(task, seed=0, batch=16):
    """Lists of (features, label) of each sample's nodes, row by row of the grid."""
    features, labels = task.draw(torch.Generator().manual_seed(seed), batch)
    assert features.shape == (batch, task.width, *task.grid) and features.dtype == torch.float32
    assert labels.shape == (batch, *task.grid) and labels.dtype == torch.int64
    rows = features.flatten(2).mT.tolist()
    return [
        list(zip(*pair, strict=True)) for pair in zip(rows, labels.flatten(1).tolist(), strict=True)
    ]


def which(part):
    """The index of the one in a one-hot code; None where all are zero."""
    assert sorted(part) in ([0.0] * (len(part) - 1) + [1.0], [0.0] * len(part))
    return part.index(1.0) if 1.0 in part else None


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("recall")])
def test_recall(name):
    task = TASKS[name]
    for sample in nodes(task, batch=4):
        table, asked = {}, []
        for features, label in sample:
            key, value = which(features[: task.keys]), which(features[task.keys : -1])
            assert (value is None) == (features[-1] == 1.0) == (label != UNLABELLED)
            if value is None:
                asked.append((key, label))
            else:
                table.setdefault(key, []).append(value)
        assert len(asked) == max(task.keys // 2, task.nodes // 8)
        for key, label in asked:
            assert table[key] == [label], "one node, and no other, has the key"
        assert len({key for key, _ in asked}) == task.keys // 2


def test_majority():
    for sample in nodes(TASKS["majority"], batch=200):
        votes = Counter(which(features) for features, _ in sample)
        assert votes.pop(None) == 32
        (winner, most), *others = votes.most_common()
        assert not others or most >= others[0][1] + 2
        for features, label in sample:
            assert label == (winner if which(features) is None else UNLABELLED)


def test_counting():
    for sample in nodes(TASKS["counting"], batch=50):
        marked = sum(features[0] for features, _ in sample)
        for features, label in sample:
            assert label == (UNLABELLED if features[0] else marked / 2 - 1)


@pytest.mark.parametrize("name", ["mirror", "mirror, positions"])
def test_mirror(name):
    for sample in nodes(TASKS[name], batch=4):
        for place, (features, label) in enumerate(sample):
            row, column = divmod(place, 8)
            assert label == which(sample[8 * row + 7 - column][0][:4])
            if name != "mirror":
                assert (which(features[4:12]), which(features[12:])) == (row, column)


@pytest.mark.parametrize("name", ["denoise", "contrast", "contrast, added"])
def test_clusters(name):
    for sample in nodes(TASKS[name], batch=20):
        numbers = {}
        for features, _ in sample:
            numbers.setdefault(which(features[:4]), []).append(features[4])
        assert sorted(map(len, numbers.values())) == [16] * 4
        for features, label in sample:
            mean = sum(numbers[which(features[:4])]) / 16
            assert label == (mean > 0 if name == "denoise" else features[4] > mean)


def test_two_hops():
    for sample in nodes(TASKS["two hops"], batch=20):
        leads, values, asked = {}, {}, []
        for features, label in sample:
            ask, origin, target, key = (which(features[6 * k : 6 * k + 6]) for k in range(4))
            if origin is not None:
                leads[origin] = target
            if key is not None:
                values[key] = which(features[24:])
            if ask is not None:
                asked.append((ask, label))
            assert (ask is None) == (label == UNLABELLED)
        assert len(leads) == len(values) == len(asked) == 6
        assert all(label == values[leads[ask]] for ask, label in asked)


def test_channels():
    features, labels = TASKS["channels"].draw(torch.Generator().manual_seed(0), 200)
    numbers = features.flatten(2)
    products = (numbers[:, :1] * numbers[:, 1:]).mean(2)
    assert (products.argmax(1) == labels[:, 0, 0]).double().mean() > 0.99
    assert (labels == labels[:, :1, :1]).all()
    assert ((numbers.std(2) - 1).abs().mean(0) < 0.1).all(), "no channel stands out by itself"


@pytest.mark.parametrize("name", TASKS)
def test_draws_are_those_of_the_seed(name):
    first, again, other = (
        TASKS[name].draw(torch.Generator().manual_seed(seed), 3) for seed in (0, 0, 1)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1]) or not torch.equal(first[0], other[0])


@pytest.mark.parametrize("name", TASKS)
def test_without_a_block_it_is_chance(name):
    """And no label is much commoner than the others."""
    outcome = run(name, "none", 0, iterations=200)
    assert not outcome.solved and outcome.iterations == 200
    assert abs(outcome.accuracy - TASKS[name].chance) < 0.04
    labels = TASKS[name].draw(torch.Generator().manual_seed(1), 200)[1]
    counts = labels[labels != UNLABELLED].bincount(minlength=TASKS[name].classes)
    assert counts.min() > 0.75 * counts.sum() / TASKS[name].classes


@pytest.mark.parametrize("block", ["none", "nl", "gc", "cc"])
def test_a_block_alone_carries_anything_between_nodes(block):
    torch.manual_seed(0)
    task = TASKS["recall"]
    network = NodeNetwork(task, block)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    features = task.draw(torch.Generator().manual_seed(0), 1)[0].requires_grad_()
    network(features)[0, :, 2, 3].sum().backward()
    elsewhere = features.grad.abs().amax((0, 1))
    elsewhere[2, 3] = 0
    assert bool(elsewhere.max() > 0) == (block != "none")


def test_what_the_block_adds():
    network = NodeNetwork(TASKS["contrast, added"], "nl").eval()
    features = TASKS["contrast, added"].draw(torch.Generator().manual_seed(0), 2)[0]
    x = network.embed(features)
    assert torch.allclose(network(features), network.read(network.block(x) - x))


def test_theory_speaks_of_registered_blocks():
    """Every pattern of a prediction names a block, and no block comes under two of them."""
    from fnmatch import fnmatch

    for task in TASKS.values():
        for names in [*task.prediction.fails, *task.prediction.open]:
            for pattern in names.split():
                assert any(fnmatch(block, pattern) for block in list_blocks()), pattern
        for block in list_blocks():
            answer, why = task.prediction.of(block)
            assert answer in (True, False, None) and len(why) > 10


def test_a_prediction_looks_in_order():
    prediction = Prediction("all", fails={"nl a2*": "no"}, open={"nl_* a2": "open"})
    assert prediction.of("nl") == (False, "no") and prediction.of("a2_relu") == (False, "no")
    assert prediction.of("nl_dot") == (None, "open") and prediction.of("gc") == (True, "all")


def test_a_cell_is_solved_and_again_the_same():
    first, second = (run("counting", "nl", 1) for _ in range(2))
    assert first.solved and first.iterations < 600 and first.accuracy >= 0.85
    assert (first.iterations, first.accuracy) == (second.iterations, second.accuracy)


def test_the_tables_of_the_docs_are_those_of_their_cells():
    """And what README.md says of them."""
    report = pytest.importorskip("nonlocal_zoo.experiments.capabilities.report")
    outcomes = measure.read(RESULTS / "cells.csv")
    assert (RESULTS / "tables.md").read_text() == report.tables(outcomes)
    found = report.squares(outcomes)
    readme = (RESULTS.parents[2] / "README.md").read_text()
    for task, words in (
        ("recall", "of 36 blocks find a node by"),
        ("mirror, positions", "find the"),
    ):
        always = sum(s.solved == s.seeds for (_, name), s in found.items() if name == task)
        assert f"{always} {words}" in " ".join(readme.split())
    said = [square for square in found.values() if square.predicted is not None]
    wrong = sum(square.wrong for square in said)
    assert f"{wrong} of {len(said)} predictions were wrong" in readme


def test_workers_end_with_their_parent(tmp_path):
    """Killed, it cannot tell them; they would go on with what waits in their queue."""
    code = f"""
from pathlib import Path
from nonlocal_zoo.experiments.capabilities import measure
import multiprocessing
if __name__ == "__main__":
    cells = measure.cells(50, ["majority"], ["none"])
    for _ in measure.measure(Path({str(tmp_path / "cells.csv")!r}), cells, 1):
        print(multiprocessing.active_children()[0].pid, flush=True)
"""
    (tmp_path / "run.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "run.py"], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it is there
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the worker outlived its parent")


def test_batch_norms_are_scored_with_the_weights_as_they_are():
    """latentgnn counts right in training mode long before its running averages follow."""
    outcome = run("counting", "latentgnn", 0, iterations=300)
    assert outcome.solved
    torch.manual_seed(0)
    network, task = NodeNetwork(TASKS["counting"], "snl"), TASKS["counting"]
    features = task.draw(torch.Generator().manual_seed(0), 32)[0]
    for _ in range(3):
        network(features)
    settle(network, [features])
    norm = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d))
    assert norm.momentum == 0.1 and network.training
    expected = network(features)
    assert torch.allclose(network.eval()(features), expected, rtol=0.02, atol=0.02)


def test_one_good_score_is_not_enough(monkeypatch):
    scores = iter([0.9, 0.2, 0.9, 0.9, 0.1])
    monkeypatch.setattr(cell, "accuracy", lambda *args: next(scores))
    outcome = run("counting", "none", 0, iterations=1000)
    assert outcome.solved and outcome.iterations == 4 * cell.EVERY


def test_a_measurement_goes_on_where_it_was_stopped(tmp_path):
    path, wanted = tmp_path / "cells.csv", measure.cells(2, ["majority"], ["none", "gc"])
    assert wanted == [("majority", b, s) for s in (0, 1) for b in ("none", "gc")]
    first = next(measure.measure(path, wanted[:1], 1, iterations=2))
    assert measure.read(path) == [first]
    rest = list(measure.measure(path, wanted, 1, iterations=2))
    assert sorted((o.block, o.seed) for o in rest) == [("gc", 0), ("gc", 1), ("none", 1)]
    assert [(o.block, o.seed) for o in measure.read(path)] == [
        ("none", 0), ("none", 1), ("gc", 0), ("gc", 1)
    ]  # fmt: skip
    assert not list(measure.measure(path, wanted, 1))
