"""tools/benchmark.py at sizes of a few nodes."""

import sys
from types import SimpleNamespace

import pytest
import torch

from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.experiments.benchmark import command, machine, run
from nonlocal_zoo.experiments.benchmark.measure import Options, measure_case
from nonlocal_zoo.experiments.benchmark.rows import read_csv
from nonlocal_zoo.formulas import NoFormula


@pytest.fixture(scope="module")
def tool():
    return command


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    machine.roofs.cache_clear()
    monkeypatch.setattr(machine, "SHAPES", ((64, 64, 64),))
    monkeypatch.setattr(machine, "COPIED", 2**16)
    yield
    machine.roofs.cache_clear()


def call(tool, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["tools/benchmark.py", *map(str, words)])
    return tool.main()


SMALL = ("--channels", 8, "--rounds", 3, "--time-limit", 0.1)


def test_files(tool, monkeypatch, tmp_path, capsys):
    words = ("snl", "gc", "--sizes", "4x4", "4x8", "8x8", *SMALL, "--peers", "dense", "sdpa",
             "--modes", "forward", "train", "--no-memory", "--out", tmp_path)  # fmt: skip
    assert call(tool, monkeypatch, *words) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "benchmark.csv", "benchmark.md", "benchmark.png"
    ]  # fmt: skip
    table = read_csv(tmp_path / "benchmark.csv")
    assert len(table) == 2 * 3 * 2 * 2  # blocks, sizes, modes, contenders: neither has a softmax
    assert (table.status == "ok").all() and (table.rounds == 3).all() and (table.seconds > 0).all()
    assert (table[table.contender == "block"].ratio == 1).all()
    ours = table[table.contender == "block"]
    assert (ours.gemm_fraction > 0).all() and (ours.multiply_adds > 0).all()
    assert set(ours.checked_at) == {"4x4", "4x8", "8x8"}
    text = (tmp_path / "benchmark.md").read_text()
    assert "--sizes 4x4 4x8 8x8" in text and "multiply-adds/s" in text
    assert text.count("| snl |") == 2 * (3 + 2)  # a line a size, a line a curve
    assert "## train, float32, cpu, 1 threads" in text
    assert (tmp_path / "benchmark.png").read_bytes()[1:4] == b"PNG"
    assert "[12/12]" in capsys.readouterr().out


def test_a_wrong_block_gets_no_time(tool, monkeypatch, tmp_path, capsys):
    """The others are measured, and the exit status is 1."""
    right = NonLocalBlock.forward

    def wrong(self, x):
        return right(self, x) * (
            1.001 if isinstance(self.units[0].norm, torch.nn.BatchNorm1d) else 1
        )

    monkeypatch.setattr(NonLocalBlock, "forward", wrong)
    words = ("snl", "nl", "--sizes", "4x4", *SMALL, "--no-memory", "--out", tmp_path)
    assert call(tool, monkeypatch, *words) == 1
    table = read_csv(tmp_path / "benchmark.csv").set_index(["block", "contender"])
    assert table.loc[("snl", "block")].status == "wrong: output is off by 0.001"
    assert table.loc[("snl", "block")].isna().seconds and ("snl", "dense") not in table.index
    assert table.loc[("nl", "dense")].seconds > 0
    assert "snl at 4x4, block: wrong" in (tmp_path / "benchmark.md").read_text()


def test_a_peer_with_another_answer_gets_no_time(tool, monkeypatch):
    from nonlocal_zoo.experiments.benchmark import peers

    wrong = SimpleNamespace(block=lambda settings, weights, x, *rest: x + 1, NoFormula=NoFormula)
    monkeypatch.setattr(peers, "formulas", wrong)
    case = tool.Case("snl", 8, (4, 4))
    ours, theirs = measure_case(case, Options(rounds=3, time_limit=0.1, memory=False))
    assert ours.status == "ok" and ours.seconds > 0
    assert theirs.status.startswith("wrong: differs from the block") and theirs.rounds == 0


def test_what_does_not_fit_is_not_run(tool):
    case = tool.Case("nl_concat", 64, (64, 64))
    options = Options(rounds=3, time_limit=0.1, memory=False, memory_limit=10**8)
    ours, theirs = measure_case(case, options)
    assert theirs.status == "needs 8.6 GB or more" and theirs.rounds == 0 < ours.rounds


def test_a_block_that_takes_too_long_runs_once(tool):
    """And the time is that of the process that measures its memory."""
    options = Options(rounds=3, time_limit=1e-9)
    (ours,) = measure_case(tool.Case("gc", 8, (4, 4), peers=()), options)
    assert ours.rounds == 1 and ours.seconds > 0 and ours.resident > 2**25


def test_what_was_finished_stays(tool, monkeypatch, tmp_path):
    real = run.measure_case

    def interrupted(case, options):
        if case.block == "nl":
            raise KeyboardInterrupt
        return real(case, options)

    monkeypatch.setattr(run, "measure_case", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call(tool, monkeypatch, "gc", "nl", "--sizes", "4x4", *SMALL, "--no-memory", "--out",
             tmp_path)  # fmt: skip
    assert list(read_csv(tmp_path / "benchmark.csv").block) == ["gc", "gc"]


def test_cases_of_the_command_line(tool):
    def cases(*words):
        return tool.cases_from(tool.arguments().parse_args(words))

    asked = cases("snl", "--sizes", "4x4", "5x5", "--dtypes", "float32", "bfloat16", "--threads",
                  "1", "2", "--reduction", "4")  # fmt: skip
    assert len(asked) == 8 and {case.overrides["reduction"] for case in asked} == {4}
    assert {(c.dtype, c.threads) for c in asked} == {
        (dtype, threads) for dtype in ("float32", "bfloat16") for threads in (1, 2)
    }
    speed = cases("snl", "--preset", "speed")
    assert {case.shape for case in speed} == {(1, 512, 32, 64), (1, 512, 97, 97)}
    assert speed[0].peers == ("dense", "installed", "official", "fused")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("snll",), "Did you mean 'snl'"),
        (("snl", "--sizes", "9,9"), "allowed: 97x97"),
        (("snl", "--official", "snl"), "allowed: NAME=PATH"),
        (("snl", "--channels", "0"), ">= 1"),
        *([] if torch.cuda.is_available() else [(("snl", "--devices", "cuda"), "not available")]),
    ],
)
def test_refused(tool, monkeypatch, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        call(tool, monkeypatch, *words, "--out", tmp_path / "new")
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_table_for_the_readme(tool, monkeypatch, tmp_path):
    from nonlocal_zoo.experiments.benchmark.readme import HEADER, speed_table

    call(tool, monkeypatch, "gc", "nl", "--sizes", "4x4", *SMALL, "--peers", "dense", "fused",
         "--modes", "forward", "train", "--no-memory", "--out", tmp_path)  # fmt: skip
    lines = speed_table(tmp_path / "benchmark.csv").splitlines()
    assert len(lines) == 2 + 2 + 2 and lines[0].count("|") == len(HEADER) + 1
    table = read_csv(tmp_path / "benchmark.csv")
    for line, name in zip(lines[2:4], ("gc", "nl"), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows = table[(table.block == name) & (table.contender == "dense")].set_index("mode")
        assert cells[:3] == [name, "8 x 4x4", "dense"]
        assert cells[5] == f"{rows.ratio['forward']:.1f} x"
        fused = table[(table.block == name) & (table.contender == "fused")]
        assert list(fused["mode"]) == ["forward"]  # it is for inference
        assert cells[6] == f"{rows.ratio['forward'] / fused.ratio.item():.1f} x"
        assert cells[8] == f"{rows.ratio['train']:.1f} x"


def test_small_inputs_in_words(tool, monkeypatch, tmp_path):
    from nonlocal_zoo.experiments.benchmark.readme import in_short

    call(tool, monkeypatch, "gc", "danet_channel", "--sizes", "4x4", *SMALL, "--peers", "dense",
         "--no-memory", "--compile", "--out", tmp_path)  # fmt: skip
    table = read_csv(tmp_path / "benchmark.csv").set_index(["contender", "block"])
    words = in_short(tmp_path / "benchmark.csv")
    for suffix in ("", ", compiled"):
        ratios = table.seconds[f"dense{suffix}"] / table.seconds[f"block{suffix}"]
        assert f"{ratios.min():.1f} to {ratios.max():.1f}, median {ratios.median():.1f}" in words
    assert "- 8 x 4x4, forward: " in words and words.index("torch.compile") > words.index("- 8")
    speed = table.reset_index()
    speed[~speed.contender.str.endswith(", compiled")].to_csv(tmp_path / "plain.csv", index=False)
    assert in_short(tmp_path / "plain.csv").endswith("under torch.compile not measured\n")
