"""Names and arguments: what is wrong is named, with what is near and what is allowed."""

import pytest

from nonlocal_zoo.registry import Registry, UnknownNameError, choose, near
from nonlocal_zoo.testing import refuses


@pytest.fixture
def registry():
    registry = Registry("kernel")

    @registry.register("gaussian")
    class Gaussian:
        def __init__(self, channels, scale=1.0, bias=True):
            self.channels, self.scale, self.bias = channels, scale, bias

    @registry.register("laplace")
    class Laplace:
        def __init__(self):
            pass

    return registry


def test_names(registry):
    assert registry.names() == ["gaussian", "laplace"]
    assert registry.names("g*") == ["gaussian"] and registry.names("x*") == []
    assert registry.get("laplace").__name__ == "Laplace"


def test_a_name_is_taken_once(registry):
    refuses(ValueError, lambda: registry.register("laplace")(object), "kernel", "laplace", "twice")


def test_wrong_name(registry):
    for call in (registry.get, registry.build):
        refuses(UnknownNameError, lambda c=call: c("gausian"), "kernel='gausian'", "'gaussian'?")
        refuses(UnknownNameError, lambda c=call: c("xyz"), "'xyz'", "['gaussian', 'laplace']")
    assert issubclass(UnknownNameError, LookupError)


def test_build(registry):
    """Context is passed where it is taken; the config has the last word."""
    built = registry.build(dict(type="gaussian", scale=2), channels=4, bias=False, nodes=9)
    assert (built.channels, built.scale, built.bias) == (4, 2, False)
    assert registry.build(dict(type="gaussian", channels=5), channels=4).channels == 5
    assert registry.build("gaussian", channels=4).scale == 1.0
    registry.build("laplace", channels=4)


def test_build_does_not_change_the_config(registry):
    config = dict(type="gaussian", scale=2)
    registry.build(config, channels=4)
    assert config == dict(type="gaussian", scale=2)


def test_wrong_arguments(registry):
    wrong = dict(type="gaussian", scales=2)
    refuses(
        TypeError,
        lambda: registry.build(wrong, channels=4),
        "kernel 'gaussian'",
        "'scales'",
        "mean 'scale'",
        "['channels', 'scale', 'bias']",
    )
    refuses(TypeError, lambda: registry.build("gaussian"), "kernel 'gaussian'", "'channels'")
    refuses(TypeError, lambda: registry.build(dict(scale=2)), "no 'type'", "laplace")


def test_choose():
    assert choose("norm", None, [None, "batch"]) is None
    refuses(UnknownNameError, lambda: choose("norm", "bach", [None, "batch"]), "'batch'?", "None")
    refuses(UnknownNameError, lambda: choose("order", 3, [1, 2]), "order=3", "[1, 2]")


def test_near():
    assert near("snll", ["snl", "nl", "mixture"]) == " Did you mean 'snl' or 'nl'?"
    assert near("qqq", ["snl"]) == "" and near(3, ["snl"]) == ""
