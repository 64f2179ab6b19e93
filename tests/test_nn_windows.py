"""Layers that slide over signals and images: pinned, window by window, and refused without batch."""

import math
import re

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import ShapeError, UsageError


def test_last_windows_that_reach_beyond_an_image_are_pinned_without_pytorch():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    assert nn.MaxPool2d(2)(x).data.tolist() == [[[[4.0]]]]
    assert nn.MaxPool2d(2, ceil_mode=True)(x).data.tolist() == [[[[4.0, 5.0], [7.0, 8.0]]]]
    assert nn.AvgPool2d(2, ceil_mode=True)(x).data.tolist() == [[[[2.0, 3.5], [6.5, 8.0]]]]
    assert nn.MaxPool2d(2, 1, dilation=2)(x).data.tolist() == [[[[8.0]]]]
    for kind in (nn.MaxPool2d, nn.AvgPool2d):
        with pytest.raises(UsageError, match="padding=2: it goes from 0 to half the kernel_size=2"):
            kind(2, padding=2, ceil_mode=True)
    with pytest.raises(ShapeError, match=r"MaxPool2d: input \(3, 3\): expected images"):
        nn.MaxPool2d(2, ceil_mode=True)(x[0, 0])


def pooled(x, size, stride, padding, ceil, padding_counts):
    """Return the maxima and means of windows one by one; no window starts behind the image."""
    starts = []
    for n, k, s, p in zip(x.shape, size, stride, padding, strict=True):
        count = (math.ceil if ceil else math.floor)((n + 2 * p - k) / s) + 1
        starts.append([i * s - p for i in range(count) if not (ceil and i * s - p >= n)])
    found = [np.empty(tuple(map(len, starts))) for _ in range(2)]
    for at in np.ndindex(*found[0].shape):
        corner = [along[i] for along, i in zip(starts, at, strict=True)]
        ends = [c + k for c, k in zip(corner, size, strict=True)]
        part = x[tuple(slice(max(c, 0), e) for c, e in zip(corner, ends, strict=True))]
        reach = [
            min(e, n + p) - c for e, n, p, c in zip(ends, x.shape, padding, corner, strict=True)
        ]
        found[0][at] = part.max()
        found[1][at] = part.sum() / (math.prod(reach) if padding_counts else part.size)
    return found


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [((3, 2), (2, 3), (1, 0)), ((2, 3), (3, 2), (0, 1)), ((3, 3), (1, 2), (1, 1))],
)
def test_windows_are_pooled_one_by_one(size, stride, padding, ceil, counts):
    x = np.random.default_rng(0).standard_normal((6, 8))
    largest, means = pooled(x, size, stride, padding, ceil, counts)
    most = nn.MaxPool2d(size, stride, padding, ceil_mode=ceil)
    mean = nn.AvgPool2d(size, stride, padding, ceil_mode=ceil, count_include_pad=counts)
    np.testing.assert_array_equal(most(x[None, None]).data[0, 0], largest)
    np.testing.assert_allclose(mean(x[None, None]).data[0, 0], means, rtol=1e-12)


@pytest.mark.parametrize("of", [1, 2])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [("Conv", (1, 1, 3)), ("MaxPool", (3,)), ("AvgPool", (3,)), ("AdaptiveAvgPool", (1,))],
)
def test_what_is_no_batch_is_refused_rather_than_seen_as_more_axes(kind, arguments, of):
    layer = getattr(nn, f"{kind}{of}d")(*arguments)
    single, more = np.ones((1, *(5,) * of)), np.ones((1, 1, 5, *(5,) * of))
    expected = ["signals (N, C, L)", "images (N, C, H, W)"][of - 1]
    with pytest.raises(ShapeError, match=rf"{kind}{of}d: input .*: expected .* as x\[None\]"):
        layer(single)
    with pytest.raises(ShapeError, match=f"{kind}{of}d: .*: expected {re.escape(expected)}"):
        layer(more)
    assert layer(single[None]).ndim == of + 2


def test_layers_of_signals_are_pinned_without_pytorch():
    x = np.array([[[1.0, 2.0, 4.0, 8.0, 3.0]]])
    layer = nn.Conv1d(1, 1, 2, stride=2).to(dtype="float64")
    layer.load_state_dict({"weight": [[[-1.0, 1.0]]], "bias": [10.0]})
    assert layer(x).data.tolist() == [[[11.0, 14.0]]]
    assert tg.paths(layer(x).sum(), layer.weight).count() == 1
    assert nn.MaxPool1d(2)(x).data.tolist() == [[[2.0, 8.0]]]
    assert nn.MaxPool1d(2, ceil_mode=True)(x).data.tolist() == [[[2.0, 8.0, 3.0]]]
    assert nn.MaxPool1d(2, 1, dilation=3)(x).data.tolist() == [[[8.0, 3.0]]]
    assert nn.AvgPool1d(2)(x).data.tolist() == [[[1.5, 6.0]]]
    assert nn.AvgPool1d(2, ceil_mode=True)(x).data.tolist() == [[[1.5, 6.0, 3.0]]]
    np.testing.assert_allclose(nn.AdaptiveAvgPool1d(2)(x).data, [[[7 / 3, 5.0]]])


def test_an_axis_that_is_not_averaged_keeps_numbers_that_are_not_finite_in_their_rows():
    x = np.array([[[[np.inf, 1.0], [2.0, 4.0]]]])
    assert nn.AdaptiveAvgPool2d((None, 1))(x).data.tolist() == [[[[np.inf], [3.0]]]]
