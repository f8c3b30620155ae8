"""Converts the non-local blocks in a network's checkpoint into ours, or back.

Each block is named: the path of its module, what class it is, and the arguments that the class was
built with. All other keys are copied as they are and counted; nothing is guessed, and nothing is
dropped but what is printed. With --back the same line turns ours into the published ones.

  python tools/convert_checkpoint.py nlnet.pth ours.pth \\
      --block decode_head.nl_block:decode_head.block NonLocal2d in_channels=512 norm_cfg.type=BN

PATH is theirs:ours, or one path where ours takes the same place. A * stands for one name:
backbone.layer3.*.nonlocal_block:backbone.layer3.*.nl_block is one block in each bottleneck.

Classes, and where heads have them (decode_head. before it):
  NLHead    nl_block          NonLocal2d              in NonLocalHead: block
  DNLHead   dnl_block         DisentangledNonLocal2d  block; temperature=0.05
  GCHead    gc_block          ContextBlock            block; ratio=0.25
  CCHead    cca               mmcv.CrissCrossAttention  block; recurrence=2
  SNLHead   SNL               SNLStage                block; stage_num=1 relu=True
  ANNHead   context.stages.0  mmseg.APNB.stage        no equal: its bottleneck joins two inputs
  EMAHead   ema_module        EMAModule               no equal: convolutions before and behind
  DAHead    pam, cam          PAM, CAM                no equal: two branches with losses each
  A backbone has NonLocal2d as nonlocal_block and ContextBlock as context_block, with the
  plugin's postfix; LatentGNNV1, Stage, APNB, SpatialCGNLx and CrissCrossAttention are the
  official classes.

NonLocalHead takes all weights of the first five, the block's under block. Where it has no equal,
the block alone is converted and the head's other keys are copied: set our block in the place of
the published module (head.ema_module = build_block(...)).

No way back: Stage with nl_type=caylay (W_1 and W_h W_2 are one matrix). APNB goes back without
conv_bn_dropout, LatentGNNV1 without_residual without gamma: declared and never used.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .conversion import convert_file, parse_block


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", help=".pth, .pt (weights only: nothing in it is run) or .safetensors"
    )
    parser.add_argument("target", help="a new file, .pth, .pt or .safetensors")
    parser.add_argument(
        "--block",
        nargs="+",
        action="append",
        required=True,
        metavar=("PATH CLASS", "KEY=VALUE"),
        help="a published block; may be given several times",
    )
    parser.add_argument("--back", action="store_true", help="from ours to the published blocks")
    args = parser.parse_args(argv)
    try:
        print(convert_file(args.source, args.target, map(parse_block, args.block), args.back))
    except (ValueError, TypeError, LookupError, OSError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    return 0
