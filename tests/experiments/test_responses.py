"""Pictures of frequency responses."""

import matplotlib.figure
import numpy as np
import pytest

from nonlocal_zoo.experiments.responses import draw_responses, linear_filters


def test_each_linear_filter_has_a_panel(tmp_path, monkeypatch):
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda figure, *args, **kw: figures.append(figure) or save(figure, *args, **kw),
    )
    path = draw_responses(tmp_path / "all.png")
    assert path.stat().st_size > 10_000
    titles = [axis.get_title().split(":")[0] for axis in figures[0].axes if axis.get_visible()]
    assert titles == linear_filters() and {"cayley", "arma", "heat", "spectral"} <= set(titles)


def test_the_curves_are_the_functions(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda figure, *args, **kw: figures.append(figure)
    )
    draw_responses(tmp_path / "some.png", ["chebyshev"])
    x = np.linspace(-1, 1, 201)
    for k, line in enumerate(figures[0].axes[0].lines):
        expected = np.cos(k * np.arccos(-x))
        assert np.allclose(line.get_ydata(), expected, atol=1e-4)


def test_filters_without_one(tmp_path):
    with pytest.raises(ValueError, match=r"graph_conv.*allowed.*chebyshev"):
        draw_responses(tmp_path / "no.png", ["graph_conv"])
