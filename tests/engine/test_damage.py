"""Damaged checkpoints: refused by their hash, and the one before taken."""

import io
import random
import struct

import pytest
import torch
from counts import count
from mmengine.runner import CheckpointLoader

from nonlocal_zoo.engine.arguments import resume
from nonlocal_zoo.engine.disk import SealedBackend
from nonlocal_zoo.engine.errors import CheckpointError
from nonlocal_zoo.engine.loading import load_plain
from nonlocal_zoo.engine.work_dir import checkpoints, latest_checkpoint
from nonlocal_zoo.seal import damage, seal

pytestmark = [pytest.mark.mm, pytest.mark.trust]

FILES = count(200, 1000)


def content(iteration):
    file = io.BytesIO()
    torch.manual_seed(iteration)
    weights = {f"layer{i}": torch.randn(16, 16) for i in range(3)}
    torch.save({"meta": {"iter": iteration, "seed": 0}, "state_dict": weights}, file)
    return file.getvalue()


def damaged(whole, draw):
    """The bytes cut off somewhere, or with one or more bits flipped, or a stretch of zeros."""
    kind = draw.choice(["cut", "flip", "flips", "zeros", "empty"] if draw.random() < 0.05 else
                       ["cut", "flip", "flips", "zeros"])  # fmt: skip
    if kind == "empty":
        return b""
    if kind == "cut":
        return whole[: draw.randrange(1, len(whole))]
    data = bytearray(whole)
    if kind == "zeros":
        start = draw.randrange(len(data))
        data[start : start + 512] = bytes(len(data[start : start + 512]))
    for _ in range({"flip": 1, "flips": draw.randrange(2, 9), "zeros": 0}[kind]):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def test_a_sealed_file_opens_as_before(tmp_path):
    SealedBackend().put(content(3), tmp_path / "iter_3.pth")
    assert damage(tmp_path / "iter_3.pth") is None
    for load in (lambda p: torch.load(p, weights_only=True), load_plain):
        assert load(str(tmp_path / "iter_3.pth"))["meta"]["iter"] == 3
    with pytest.raises(ValueError, match="no zip file"):
        seal(seal(content(3)))


def test_each_bit_of_the_seal_counts(tmp_path):
    """The end of the zip file, the length of its comment, the comment: seldom hit by chance."""
    whole, path = seal(content(3)), tmp_path / "iter_3.pth"
    for place in range(len(whole) - 22 - 71, len(whole)):
        for bit in range(8):
            wrong = bytearray(whole)
            wrong[place] ^= 1 << bit
            path.write_bytes(wrong)
            assert damage(path), (place - len(whole), bit)
    for more in (whole + b"\0", whole + whole[-71:], whole[:-1], whole[: -71 - 2] + whole[-71:]):
        path.write_bytes(more)
        assert damage(path)


def test_none_of_many_damaged_files_is_loaded(tmp_path, capsys):
    """Each is refused by name, and a resumption takes the one before."""
    draw, whole = random.Random(0), seal(content(8))
    SealedBackend().put(content(4), tmp_path / "iter_4.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_8.pth"))
    newest, left = tmp_path / "iter_8.pth", 0
    for _ in range(FILES):
        wrong = damaged(whole, draw)
        if wrong == whole:
            continue  # zeros where zeros were
        newest.write_bytes(wrong)
        left += 1
        with pytest.raises(CheckpointError, match=r"iter_8\.pth' is damaged: "):
            CheckpointLoader.load_checkpoint(str(newest), map_location="cpu")
        config = type("Config", (), {"work_dir": str(tmp_path)})()
        resume(config, "auto")
        assert config.load_from == str(tmp_path / "iter_4.pth") and config.resume
    assert left > 0.9 * FILES
    assert "iter_8.pth' is damaged" in capsys.readouterr().out
    print(f"{left} damaged files, none loaded")


def test_files_of_other_programs_are_held_to_their_own_checksums(tmp_path):
    """They have no hash of ours: each is refused, or what is loaded is what was saved."""
    draw, whole, path = random.Random(1), content(8), tmp_path / "other.pth"
    path.write_bytes(whole)
    right = load_plain(str(path))
    refused = 0
    for _ in range(FILES // 2):
        path.write_bytes(damaged(whole, draw))
        try:
            loaded = load_plain(str(path))
        except CheckpointError:
            refused += 1
            continue
        assert loaded["meta"] == right["meta"]
        for name, value in right["state_dict"].items():
            assert torch.equal(loaded["state_dict"][name], value)
    assert refused > 0.8 * (FILES // 2)


def test_all_damaged_is_an_error_and_no_new_run(tmp_path):
    for iteration in (4, 8):
        (tmp_path / f"iter_{iteration}.pth").write_bytes(seal(content(iteration))[:-1])
    with pytest.raises(CheckpointError, match=r"iter_8.*iter_4.*no other to go on from"):
        resume(type("Config", (), {"work_dir": str(tmp_path)})(), "auto")


def test_which_checkpoints_are_the_ones_before(tmp_path):
    """Higher numbers than the noted one are of an earlier run; without a note all count."""
    for name in ("iter_2", "iter_12", "iter_40", "best_mIoU_iter_4", "weights"):
        (tmp_path / f"{name}.pth").touch()
    (tmp_path / "iter_50.pth.tmp").touch()
    names = lambda: [path.name for path in checkpoints(tmp_path)]  # noqa: E731
    assert names() == ["iter_40.pth", "iter_12.pth", "iter_2.pth"]
    note = tmp_path / "last_checkpoint"
    for text in ("", "\0\x12\xff", "/gone/iter_33.pth"):
        note.write_text(text)
        assert names() == ["iter_40.pth", "iter_12.pth", "iter_2.pth"]
    note.write_text(str(tmp_path / "iter_12.pth"))
    assert names() == ["iter_12.pth", "iter_2.pth"]
    note.write_text("/moved/from/iter_2.pth")
    assert latest_checkpoint(tmp_path) == str(tmp_path / "iter_2.pth")
    note.write_text(str(tmp_path / "weights.pth"))  # filename_tmpl of the hook's
    assert names()[0] == "weights.pth"


@pytest.mark.parametrize(
    "text",
    ["", "\0\x12\xff", "x" * 5000, "/" + "y" * 5000 + ".pth", "last_checkpoint", "curves.png", "..",
     "/etc/hostname", "{work_dir}/curves.png", "{work_dir}/jobs.pth", "{other}/iter_4.pth",
     "{other}/iter_99.pth", "{other}/curves.png", "{other}", "iter_4.pth\niter_8.pth"],
)  # fmt: skip
def test_a_note_that_means_nothing_here_hides_no_checkpoint(tmp_path, monkeypatch, text):
    work_dir, other = tmp_path / "w", tmp_path / "other"
    for folder, iterations in ((work_dir, (4, 8)), (other, (4, 99))):
        folder.mkdir()
        (folder / "curves.png").write_text("picture")
        for iteration in iterations:
            (folder / f"iter_{iteration}.pth").write_bytes(seal(content(iteration)))
    (work_dir / "jobs.pth").mkdir()
    text = text.format(work_dir=work_dir, other=other)
    (work_dir / "last_checkpoint").write_text(text)
    monkeypatch.chdir(other)
    assert latest_checkpoint(work_dir) == str(work_dir / "iter_8.pth")
    config = type("Config", (), {"work_dir": str(work_dir)})()
    resume(config, "auto")
    assert config.load_from == str(work_dir / "iter_8.pth")
    (work_dir / "last_checkpoint").unlink()
    (work_dir / "last_checkpoint").mkdir()  # nor one that cannot be read
    assert latest_checkpoint(work_dir) == str(work_dir / "iter_8.pth")


def test_the_folder_of_out_dir(tmp_path):
    """CheckpointHook's: then there are none in the work dir, and the note says where they are."""
    (tmp_path / "out").mkdir()
    for iteration in (4, 8, 12):
        (tmp_path / f"out/iter_{iteration}.pth").touch()
    (tmp_path / "w").mkdir()
    (tmp_path / "w/last_checkpoint").write_text(str(tmp_path / "out/iter_8.pth"))
    assert [path.name for path in checkpoints(tmp_path / "w")] == ["iter_8.pth", "iter_4.pth"]


def test_old_files_without_any_checksum_still_open(tmp_path):
    """torch < 1.6, and published weights long after."""
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_plain(str(tmp_path / "old.pth"))["a"], torch.ones(2))
    (tmp_path / "old.pth").write_bytes(struct.pack("<q", 7))
    with pytest.raises(CheckpointError, match="no file that"):
        load_plain(str(tmp_path / "old.pth"))
