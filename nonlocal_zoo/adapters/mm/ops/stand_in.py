"""A stand-in for ``mmcv._ext``, the compiled half of mmcv that ``mmcv-lite`` leaves out.

``onedl-mmcv`` leaves it out too, where it was built without torch in sight. mmsegmentation 1.2.2
and mmdetection 3.3.0 import ``mmcv.ops`` unguarded (``mmseg/models/losses/focal_loss.py``,
``mmdet/structures/mask/structures.py``, ...), and ``mmcv.ops`` imports ``mmcv._ext`` and asks it
for each op by name. So without the compiled module nothing of theirs can be imported, although
most models never call one of its ops.

The ops of ``OPS`` are here in plain torch; every other one raises when it is called.
"""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

from ....doctor import compile_command, found_versions
from .nms import nms
from .roi_align import roi_align_backward, roi_align_forward

NAME = "mmcv._ext"
# In plain torch, for any device: what Mask R-CNN and its relatives call.
OPS = (nms, roi_align_forward, roi_align_backward)


class MissingOpError(RuntimeError):
    """A compiled op of mmcv was called where mmcv has none.

    Not an ImportError: mmseg guards some of its uses by ``except ImportError`` and would go on
    without a word.
    """


class StandIn(ModuleType):
    """A module that has every op. An op that is not set as an attribute raises when it is called.

    ``mmcv.utils.ext_loader.load_ext`` asserts that each op is there, so all names must be found.
    """

    def __getattr__(self, op: str) -> Callable:
        if op.startswith("__"):  # __path__, __file__, ...: Python asks for these, not mmcv
            raise AttributeError(f"module {self.__name__!r} has no attribute {op!r}")

        def missing(*args: object, **kwargs: object) -> None:
            raise MissingOpError(
                f"the op {op!r} needs the compiled mmcv, and the one here has no compiled ops. "
                f"Install it with: {compile_command(found_versions())}"
            )

        missing.__name__ = op
        return missing


def install() -> ModuleType:
    """Makes ``mmcv._ext`` importable, and returns it: the compiled one where there is one.

    Call it before the first import of mmseg or mmdet. A second call changes nothing.

    Raises:
        ImportError: mmcv is not installed at all, or its compiled module is there and broken.
    """
    try:
        return importlib.import_module(NAME)
    except ModuleNotFoundError as error:
        if error.name != NAME:
            raise
    stand_in = StandIn(NAME, __doc__)
    for op in OPS:
        setattr(stand_in, op.__name__, op)
    # pkgutil.find_loader("mmcv._ext"), mmengine's test for a full mmcv, raises without a spec, and
    # rightly says no to one without a loader. (onedl-mmengine takes the spec for a yes, and then
    # imports classes of mmcv.ops, which can be.)
    stand_in.__spec__ = ModuleSpec(NAME, loader=None, origin=__file__)
    sys.modules[NAME] = stand_in
    return stand_in
