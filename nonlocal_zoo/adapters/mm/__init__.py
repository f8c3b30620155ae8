"""mmengine's world: importing this registers blocks, head and backbone for mmseg and mmdet.

In a config: ``custom_imports = dict(imports=["nonlocal_zoo.adapters.mm"])``.
Everything is in mmengine's root registry, which mmseg and mmdet both search.
"""

from ...extras import install_line

try:
    import mmcv  # noqa: F401
    import mmengine  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"{error}. The mm adapters need OpenMMLab's packages, {install_line('seg')}, or their "
        f"maintained forks, {install_line('onedl')}"
    ) from error

from .ops import install

install()  # before the first import of mmseg or mmdet

from . import backbone, flops, plugins  # noqa: E402, F401

try:
    import mmseg  # noqa: F401
except ImportError:
    pass  # mmdet alone: no decode heads
else:
    from . import chain, head, pyramid_head  # noqa: F401
