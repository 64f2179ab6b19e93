"""Convolutions equal their definition, NumPy's and PyTorch's; transposes are adjoints."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import check_array, check_close, normal

import tinygrad_res as tg
from tinygrad_res.errors import ShapeError
from tinygrad_res.primitives import patches

draw = normal()


def direct(x, w, stride, padding, dilation, groups):
    """Convolve images by the definition, one output element at a time."""
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    (n, _, *size), (o, c, kh, kw) = x.shape, w.shape
    high, wide = (
        (m - d * (k - 1) - 1) // s + 1
        for m, d, k, s in zip(size, dilation, (kh, kw), stride, strict=True)
    )
    out = np.zeros((n, o, high, wide))
    for b, f, i, j, e, u, v in np.ndindex(n, o, high, wide, c, kh, kw):
        channel = f // (o // groups) * c + e
        at = i * stride[0] + u * dilation[0], j * stride[1] + v * dilation[1]
        out[b, f, i, j] += x[b, channel, *at] * w[f, e, u, v]
    return out


GEOMETRIES = list(
    itertools.product([(1, 1), (2, 3)], [(0, 0), (1, 2), (3, 0)], [(1, 1), (2, 1)], [1, 2])
)


@pytest.fixture(params=[1, patches.LARGEST], ids=["in parts", "at once"], autouse=True)
def _parts(request, monkeypatch):
    """Gather the patches of one image at a time, and of all."""
    monkeypatch.setattr(patches, "LARGEST", request.param)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), GEOMETRIES)
def test_convolutions_equal_their_definition(stride, padding, dilation, groups):
    x, w = draw(2, 4, 5, 6), draw(4, 4 // groups, 3, 2)

    found = tg.conv2d(x, w, None, stride, padding, dilation, groups)
    line = tg.conv1d(x[:, :, 0], w[:, :, 0], None, stride[1], padding[1], dilation[1], groups)

    check_array(found, direct(x, w, stride, padding, dilation, groups))
    geometry = [(1, stride[1]), (0, padding[1]), (1, dilation[1])]
    check_array(line, direct(x[:, :, :1], w[:, :, :1], *geometry, groups)[:, :, 0])


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), GEOMETRIES)
def test_the_cotangent_of_the_filters_is_the_adjoint(stride, padding, dilation, groups):
    """<conv(x, v), g> = <v, w's cotangent> for any filters v, for long and for short rows of images."""
    for channels, wide in ((4, 6), (4, 13), (16, 6)):
        x, w, v = draw(3, channels, 5, wide), *(draw(4, channels // groups, 3, 2) for _ in "wv")
        filters = tg.parameter(w)
        out = tg.conv2d(x, filters, None, stride, padding, dilation, groups)
        g = draw(*out.shape)
        out.backward(g)
        along = (direct(x, v, stride, padding, dilation, groups) * g).sum()
        check_close((filters.grad.numpy() * v).sum(), along)


@pytest.mark.cpu
def test_the_cotangent_of_a_signal_is_the_adjoint_for_every_small_geometry():
    lengths, kernels, strides = range(1, 8), (1, 2, 3, 4), (1, 2, 3, 4)
    for n, k, s, p, d in itertools.product(lengths, kernels, strides, (0, 1, 2), (1, 2)):
        if n + 2 * p < d * (k - 1) + 1:
            continue
        x, v, w = tg.parameter(draw(1, 1, n)), draw(1, 1, 1, n), draw(1, 1, k)
        out = tg.conv1d(x, w, None, s, p, d)
        g = draw(*out.shape)
        out.backward(g)
        along = (direct(v, w[:, :, None], (1, s), (0, p), (1, d), 1)[:, :, 0] * g).sum()
        check_close((x.grad.numpy() * v[0]).sum(), along, atol=1e-12, what=f"{n, k, s, p, d}")


@pytest.mark.cpu
@pytest.mark.parametrize("shape", [(2, 9, 5, 6), (2, 1, 5, 16)], ids=["rows", "columns"])
def test_a_convolution_of_two_precisions_has_the_higher(shape):
    x, w = draw(*shape), draw(2, shape[1], 3, 2)
    for images, filters in ((x.astype(np.float32), w), (x, w.astype(np.float32))):
        out = tg.conv2d(images, tg.parameter(filters))
        assert out.dtype == np.float64
        check_array(
            out, direct(images.astype(float), filters.astype(float), (1, 1), (0, 0), (1, 1), 1)
        )


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), GEOMETRIES)
def test_transposed_convolution_is_the_adjoint(stride, padding, dilation, groups):
    """<conv(x), y> = <x, conv_transpose(y)>, for images of every size that fits y."""
    w = draw(4, 4 // groups, 3, 2)
    for high, wide in itertools.product((7, 8), (6, 7, 8)):
        x = draw(2, 4, high, wide)
        y = draw(*tg.conv2d(x, w, None, stride, padding, dilation, groups).shape)
        least = tg.conv_transpose2d(y, w, None, stride, padding, 0, groups, dilation).shape
        extra = (high - least[2], wide - least[3])

        back = tg.conv_transpose2d(y, w, None, stride, padding, extra, groups, dilation).numpy()

        forward = direct(x, w, stride, padding, dilation, groups)
        check_close(np.vdot(forward, y), np.vdot(x, back), rtol=1e-10)


ENLARGED = [
    (*geometry, output_padding)
    for geometry in GEOMETRIES
    for output_padding in [(0, 0), (1, 0), (1, 2)]
    if all(e < max(s, d) for e, s, d in zip(output_padding, geometry[0], geometry[2], strict=True))
]


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups", "output_padding"), ENLARGED)
def test_transposed_convolutions_equal_pytorch(stride, padding, dilation, groups, output_padding):
    torch = pytest.importorskip("torch", reason="PyTorch is the other engine")
    arrays = [draw(2, 4, 5, 5), draw(4, 3, 3, 2), draw(3 * groups)]
    lines = [arrays[0][:, :, 0], arrays[1][:, :, 0], arrays[2]]
    last = [pair[1] for pair in (stride, padding, output_padding)]

    for n, given, geometry in (
        (2, arrays, (stride, padding, output_padding, groups, dilation)),
        (1, lines, (*last, groups, dilation[1])),
    ):
        ours = [tg.tensor(a, requires_grad=True) for a in given]
        theirs = [torch.tensor(a, requires_grad=True) for a in given]
        y = getattr(tg, f"conv_transpose{n}d")(*ours, *geometry)
        z = getattr(torch.nn.functional, f"conv_transpose{n}d")(*theirs, *geometry)
        check_array(y, z.detach().numpy())
        cotangent = draw(*y.shape)
        y.backward(cotangent)
        z.backward(torch.tensor(cotangent))
        for a, b in zip(ours, theirs, strict=True):
            check_array(a.grad, b.grad.numpy())


@pytest.mark.parametrize("padding", ["same", "valid", 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's, on its speed
def test_padding_by_name_equals_pytorch(padding, size, dilation):
    torch = pytest.importorskip("torch", reason="PyTorch is the other engine")
    x, w, b = draw(2, 2, 7, 9), draw(4, 1, size, 3), draw(4)
    options = {"padding": padding, "dilation": dilation, "groups": 2}

    for n, given in ((2, (x, w, b)), (1, (x[..., 0], w[..., 0], b))):
        ours = [tg.tensor(a, requires_grad=True) for a in given]
        theirs = [torch.tensor(a, requires_grad=True) for a in given]
        y = getattr(tg, f"conv{n}d")(*ours, **options)
        z = getattr(torch.nn.functional, f"conv{n}d")(*theirs, **options)
        check_array(y, z.detach().numpy())
        cotangent = draw(*y.shape)
        y.backward(cotangent)
        z.backward(torch.tensor(cotangent))
        for a, b in zip(ours, theirs, strict=True):
            check_array(a.grad, b.grad.numpy())


def test_convolutions_of_an_empty_batch_are_empty():
    assert tg.conv2d(draw(0, 2, 4, 4), draw(3, 2, 2, 2)).shape == (0, 3, 3, 3)
    assert tg.conv_transpose1d(draw(0, 2, 4), draw(2, 3, 2)).shape == (0, 3, 5)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_one_dimensional_filters_equal_numpy_for_all_lengths(name, mode):
    for n, m in itertools.product(range(1, 6), repeat=2):
        a, v = draw(n), draw(m)

        check_array(getattr(tg, name)(a, v, mode), getattr(np, name)(a, v, mode))


def test_a_filter_that_is_wider_than_the_image_is_refused_at_any_stride():
    for stride in (1, 2, 3):
        with pytest.raises(
            ShapeError, match=r"filters of \(2, 3\) .* do not fit into images of \(2, 2\)"
        ):
            tg.conv2d(draw(1, 1, 2, 2), draw(1, 1, 2, 3), stride=stride)
