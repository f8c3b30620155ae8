"""One more block, affinity and filter, from a package of somebody else: one file or row each."""

import importlib.util
import subprocess
import sys
import textwrap

PACKAGE = {
    "affinity.py": '''
        import torch
        from nonlocal_zoo.affinities import Affinity
        from nonlocal_zoo.operators import LowRank, Structure
        from nonlocal_zoo.registry import AFFINITIES


        @AFFINITIES.register("cosine")
        class Cosine(Affinity):
            """A_ij = (1 + cos(x_i, x_j)) / 2, of rank C + 1."""

            formula = "(1 + cos(x_i, x_j))/2"

            def __init__(self, symmetrize=False, normalize=None):
                known = Structure(symmetric=True, nonnegative=True, low_rank=True)
                super().__init__(symmetrize, normalize, known)

            def kernel(self, signal):
                x = torch.nn.functional.normalize(signal.x, dim=-1)
                x = signal.zero_padding(torch.cat([x, torch.ones_like(x[..., :1])], dim=-1))
                return LowRank(x / 2, x, symmetric=True, nonnegative=True)
    ''',
    "graph_filter.py": '''
        from nonlocal_zoo.filters import LinearFilter
        from nonlocal_zoo.registry import FILTERS


        @FILTERS.register("two_hops")
        class TwoHops(LinearFilter):
            """y = A^2 z W + b."""

            formula = "A² z W"

            def __init__(self, in_channels, out_channels, bias=True):
                super().__init__(in_channels, out_channels, terms=1, bias=bias)

            def terms(self, operator, z):
                yield operator.matmul(operator.matmul(z))

            def basis(self, eigenvalues):
                return eigenvalues.unsqueeze(-1) ** 2
    ''',
    "row.py": """
        from nonlocal_zoo.blocks import Preset

        Preset(
            "cosine_hops", "CosineHopsBlock", "Two hops of cosine", "this test", "this test",
            dict(affinity=dict(type="cosine", normalize="rw"), graph_filter="two_hops",
                 zero_init=True),
        )
    """,
    "__init__.py": "from . import affinity, graph_filter, row\n",
}

USE = """
    import mine, torch
    import nonlocal_zoo as nlz
    from nonlocal_zoo.__main__ import main
    from nonlocal_zoo.registry import FILTERS
    from nonlocal_zoo.testing import (
        AFFINITY_CHECKS, BLOCK_CHECKS, check_filter_gradients, check_filter_response,
    )
    from nonlocal_zoo.registry import AFFINITIES

    assert "cosine_hops" in nlz.list_blocks("cos*")
    for check in BLOCK_CHECKS:
        check(lambda: nlz.build_block("cosine_hops", in_channels=16, inner_channels=8))
    x = torch.randn(2, 8, 6, dtype=torch.float64)
    for check in AFFINITY_CHECKS:
        check(AFFINITIES.build("cosine").double(), x)
    hops = FILTERS.build("two_hops", in_channels=3, out_channels=4).double()
    check_filter_response(hops, lambda eigenvalues: [eigenvalues**2])
    check_filter_gradients(hops)
    nlz.build_block(affinity="cosine", graph_filter="chebyshev", in_channels=8)
    nlz.build_block("snl", in_channels=8, graph_filter="two_hops")
    main(["list", "cos*", "--shape", "16", "9", "9"])
"""
PLUGIN = """
    import nonlocal_zoo.adapters.mm  # imported after: the plugin is there too
    from mmengine.registry import MODELS
    assert MODELS.build(dict(type="CosineHopsBlock", in_channels=8)).starts_at_zero
"""


def test_a_package_of_somebody_else(tmp_path):
    package = tmp_path / "mine"
    package.mkdir()
    for name, text in PACKAGE.items():
        (package / name).write_text(textwrap.dedent(text))
    code = USE + PLUGIN if importlib.util.find_spec("mmcv") else USE
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for word in ("cosine_hops", "CosineHopsBlock", "two_hops", "(1 + cos(x_i, x_j))/2"):
        assert word in done.stdout
