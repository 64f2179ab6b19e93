"""Attention and the transformer's block: PyTorch's numbers, and the doors that paths take."""

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import DtypeError, ShapeError, UsageError

RNG = np.random.default_rng(7)
TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"
L, S, N, E, HEADS = 4, 5, 3, 6, 2

CLOSED = np.triu(np.ones((L, S), bool), 1)
LAST_KEY_PADDED = np.eye(N, S, S - 1, dtype=bool)
MASKS = {
    "none": {},
    "closed": {"attn_mask": CLOSED},
    "added": {"attn_mask": RNG.standard_normal((L, S))},
    "by head": {"attn_mask": RNG.standard_normal((N * HEADS, L, S))},
    "padding": {"key_padding_mask": LAST_KEY_PADDED},
    "both": {"attn_mask": CLOSED, "key_padding_mask": LAST_KEY_PADDED},
    "heads apart": {"average_attn_weights": False},
    "weights left out": {"need_weights": False},
}


def taken_from(torch, theirs, ours):
    """Return both modules in float64 and with equal, generic states."""
    for value in theirs.double().state_dict().values():
        value.copy_(torch.tensor(RNG.standard_normal(value.shape) / 2))
    assert ours.to(dtype="float64").load_state_dict(theirs.state_dict()) == ((), ())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_is_pytorchs_with_every_mask(mask, batch_first):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    options = {"bias": not batch_first, "batch_first": batch_first}
    ours, theirs = taken_from(
        torch, torch.nn.MultiheadAttention(E, HEADS, **options),
        nn.MultiheadAttention(E, HEADS, **options),
    )  # fmt: skip
    shapes = [(N, n, E) if batch_first else (n, N, E) for n in (L, S, S)]
    values = [RNG.standard_normal(shape) for shape in shapes]
    x = [tg.tensor(v, requires_grad=True) for v in values]
    u = [torch.tensor(v, requires_grad=True) for v in values]
    given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in MASKS[mask].items()}

    y, weights = ours(*x, **MASKS[mask])
    v, theirs_weights = theirs(*u, **given)

    np.testing.assert_allclose(y.data, v.detach(), rtol=1e-9, atol=1e-11)
    assert (weights is None) == (theirs_weights is None)
    if weights is not None:
        np.testing.assert_allclose(weights.data, theirs_weights.detach(), rtol=1e-9, atol=1e-11)
    cotangent = RNG.standard_normal(v.shape)
    y.backward(cotangent), v.backward(torch.tensor(cotangent))
    for a, b in zip([*x, *ours.parameters()], [*u, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(a.grad.data, b.grad, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("features", [{"kdim": 3, "vdim": 5}, {"kdim": 3}, {"kdim": E, "vdim": E}])
def test_attention_to_keys_and_values_of_other_features_is_pytorchs(features):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs = taken_from(
        torch, torch.nn.MultiheadAttention(E, HEADS, **features),
        nn.MultiheadAttention(E, HEADS, **features),
    )  # fmt: skip
    lengths = ((L, E), (S, features.get("kdim", E)), (S, features.get("vdim", E)))
    values = [RNG.standard_normal((n, N, length)) for n, length in lengths]
    y, weights = ours(*values)
    v, others = theirs(*map(torch.tensor, values))
    np.testing.assert_allclose(y.data, v.detach(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(weights.data, others.detach(), rtol=1e-9, atol=1e-11)
    y.backward(np.ones(y.shape)), v.backward(torch.ones_like(v))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.data, b.grad, rtol=1e-7, atol=1e-9)


def test_attention_to_one_key_of_other_features_is_its_value_through_two_weights():
    attend = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, bias=False, rng=0)
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((1, 1, n)).astype(np.float32) for n in (4, 3, 5))
    names = [name for name, _ in attend.named_parameters()]
    assert names == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]
    expected = value @ attend.v_proj_weight.data.T @ attend.out_proj.weight.data.T
    np.testing.assert_allclose(attend(query, key, value)[0].data, expected, rtol=1e-5)
    with pytest.raises(ShapeError, match="with E = 4, 3 for the key, 5 for the value"):
        attend(query, value, key)
    with pytest.raises(UsageError, match="MultiheadAttention: kdim=0"):
        nn.MultiheadAttention(4, 2, kdim=0)


def test_attention_takes_a_single_sequence_and_hides_what_comes_after():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs = taken_from(
        torch, torch.nn.MultiheadAttention(E, HEADS), nn.MultiheadAttention(E, HEADS)
    )
    x = RNG.standard_normal((L, E))
    u, future = torch.tensor(x), torch.tensor(np.triu(np.ones((L, L), bool), 1))
    found = ours(x, x, x, is_causal=True)
    expected = theirs(u, u, u, attn_mask=future, is_causal=True)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.data, b.detach(), rtol=1e-9, atol=1e-11)
    padded = np.array([False, False, True, False])
    a, b = (
        ours(x, x, x, key_padding_mask=padded)[0],
        theirs(u, u, u, key_padding_mask=torch.tensor(padded))[0],
    )
    np.testing.assert_allclose(a.data, b.detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_transformers_block_is_pytorchs_in_training_and_evaluation(norm_first, activation):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    arguments = E, HEADS, 7, 0.0, activation, 1e-3, True, norm_first
    ours, theirs = taken_from(
        torch, torch.nn.TransformerEncoderLayer(*arguments), nn.TransformerEncoderLayer(*arguments)
    )
    values = RNG.standard_normal((N, L, E))
    closed = np.triu(np.ones((L, L), bool), 1)
    for mode in ("train", "eval"):
        getattr(ours, mode)(), getattr(theirs, mode)()
        ours.zero_grad(), theirs.zero_grad()
        x, u = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        y, v = ours(x, closed), theirs(u, torch.tensor(closed))
        cotangent = RNG.standard_normal(v.shape)
        y.backward(cotangent), v.backward(torch.tensor(cotangent))
        np.testing.assert_allclose(y.data, v.detach(), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(x.grad.data, u.grad, rtol=1e-6, atol=1e-9)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.data, q.grad, rtol=1e-6, atol=1e-9)


def test_initial_values_have_pytorchs_spread():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    torch.manual_seed(0)
    ours = nn.TransformerEncoderLayer(64, 4, 128, rng=0).state_dict()
    theirs = torch.nn.TransformerEncoderLayer(64, 4, 128).state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert ours[key].shape == tuple(value.shape)
        assert ours[key].dtype == np.float32
        for measure in (np.max, np.std):
            other = measure(value.numpy())
            assert measure(ours[key]) == pytest.approx(other, rel=0.2), key


def test_attention_of_equal_keys_is_the_mean_of_the_values():
    """Without PyTorch: with W_Q = 0 all scores are equal, so the output is mean(x W_V) W_O."""
    layer = nn.MultiheadAttention(2, 1, bias=False)
    layer.load_state_dict({
        "in_proj_weight": [[0, 0], [0, 0], [1, 2], [3, 4], [2, 0], [0, 3]],
        "out_proj.weight": [[0, 1], [1, 0]],
    })  # fmt: skip
    x = np.array([[1.0, 10.0], [3.0, 20.0]])
    y, weights = layer(x, x, x)
    np.testing.assert_allclose(y.data, [[45, 4], [45, 4]])
    np.testing.assert_allclose(weights.data, [[0.5, 0.5], [0.5, 0.5]])
    y, weights = layer(x, x, x, is_causal=True)
    np.testing.assert_allclose(y.data, [[30, 2], [45, 4]])
    np.testing.assert_allclose(weights.data, [[1, 0], [0.5, 0.5]])


def test_paths_lead_through_attention_by_three_doors_each_of_two_weight_layers():
    layer = nn.MultiheadAttention(E, HEADS, rng=0)
    x, key, value = (tg.tensor(RNG.standard_normal((L, 1, E)), requires_grad=True) for _ in "qkv")
    y, _ = layer(x, key, value)
    for door in (x, key, value):
        counts = tg.paths(y.sum(), door).count_by("weight")
        assert counts == {2: 1}
    y, _ = layer(x, x, x)
    assert tg.paths(y.sum(), x).count_by("weight") == {2: 3}


@pytest.mark.parametrize("norm_first", [False, True])
def test_paths_of_a_block_cross_its_branches_by_choice(norm_first):
    """(1 + 3 z^2) (1 + z^2): three doors of attention, then the MLP, each beside a shortcut."""
    block = nn.TransformerEncoderLayer(E, HEADS, 8, norm_first=norm_first, rng=0).eval()
    x = tg.tensor(RNG.standard_normal((L, 1, E)).astype("f4"), requires_grad=True)
    p = tg.paths(block(x).sum(), x)
    assert p.count_by("weight") == {0: 1, 2: 4, 4: 3}
    assert p.count_by("block") == {0: 1, 1: 4, 2: 3}


def test_a_plain_wire_goes_round_a_block_that_normalises_first():
    block = nn.TransformerEncoderLayer(E, HEADS, 8, norm_first=True, rng=0)
    x = tg.tensor(RNG.standard_normal((L, 1, E)).astype("f4"), requires_grad=True)
    free = tg.paths(block(x).sum(), x).weight_free().gradient()
    np.testing.assert_array_equal(free, np.ones((L, 1, E)))


def test_dropout_is_drawn_by_the_blocks_own_generator():
    x = tg.tensor(RNG.standard_normal((L, 1, E)).astype("f4"))
    a, b = (nn.TransformerEncoderLayer(E, HEADS, 8, 0.5, rng=1) for _ in "ab")
    first = a(x).numpy()
    np.testing.assert_array_equal(first, b(x).numpy())
    assert (a(x).numpy() != first).any()
    np.testing.assert_array_equal(a.eval()(x).data, a(x).data)


def test_dropout_of_attention_leaves_out_whom_is_attended_to():
    layer, x = nn.MultiheadAttention(E, HEADS, dropout=1.0, rng=0), np.ones((L, N, E), np.float32)
    y, weights = layer(x, x, x)
    assert not y.data.any()  # the output's bias starts at 0
    np.testing.assert_allclose(weights.data, 1 / L, rtol=1e-6)
    assert layer.eval()(x, x, x)[0].data.any()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.MultiheadAttention(6, 4), UsageError, "num_heads=4: must divide embed_dim=6"),
        (lambda: attend(np.ones((4, 5))), ShapeError, r"query \(4, 5\), .* E = 6"),
        (lambda: attend(attn_mask=np.ones((4, 4), int)), DtypeError, "attn_mask of dtype int64"),
        (lambda: attend(attn_mask=np.ones((3, 4))), ShapeError, r"attn_mask \(3, 4\): expected"),
        (
            lambda: attend(key_padding_mask=np.ones((2, 4), bool)),
            ShapeError,
            r"key_padding_mask \(2, 4\): expected \(1, 4\) or \(4,\)",
        ),
        (
            lambda: nn.TransformerEncoderLayer(6, 2, activation="tanh"),
            UsageError,
            "activation='tanh': use relu or gelu, or a function such as tg.silu",
        ),
        (
            lambda: nn.TransformerEncoderLayer(6, 2, activation=nn.GELU),
            UsageError,
            r"activation=<class .*GELU'>: use relu or gelu, or a function such as .* nn.SiLU\(\)",
        ),
        (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 0),
            UsageError,
            "TransformerEncoder: num_layers=0: pass an int of at least 1",
        ),
        (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer, 2),
            UsageError,
            "TransformerEncoder: encoder_layer=<class .*: pass a module",
        ),
        (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 2, norm=tg.relu),
            UsageError,
            "TransformerEncoder: norm=.*: pass a module",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def attend(x=None, **options):
    x = np.ones((4, 6)) if x is None else x
    return nn.MultiheadAttention(6, 2)(x, x, x, **options)


def test_a_block_computes_on_a_device_what_it_computes_on_the_host(xp):
    block = nn.TransformerEncoderLayer(E, HEADS, 8, rng=0).eval()
    values = RNG.standard_normal((L, N, E))
    later = np.triu(np.ones((L, L), bool), 1)
    oracles.check_on_device(xp, block, values, 1e-8, 1e-10, later, is_causal=True)


def test_a_query_that_may_attend_to_nothing_has_weights_and_gradients_of_zero():
    x = tg.tensor(np.random.default_rng(0).standard_normal((3, 8)), requires_grad=True)
    attention = nn.MultiheadAttention(8, 2, bias=False, rng=0).to(dtype="float64")
    closed = np.zeros((3, 3), bool)
    closed[1] = True
    out, weights = attention(x, x, x, attn_mask=closed)
    np.testing.assert_array_equal(out.data[1], 0)
    np.testing.assert_array_equal(weights.data[1], 0)
    out.sum().backward()
    assert np.isfinite(x.grad.data).all()


def test_paths_through_queries_keys_and_values_are_told_apart_by_their_labels():
    x = tg.tensor(np.ones((3, 1, 4)), requires_grad=True)
    for features in ({}, {"kdim": 4, "vdim": 4}):
        y, _ = nn.MultiheadAttention(4, 2, rng=0, **features)(x, x, x)
        words = {"W_Q", "W_K", "W_V", "Q", "K", "V"}
        found = [
            "".join(edge.label for edge in path.edges if edge.label in words)
            for path in tg.paths(y, x, cotangent=np.ones(y.shape))
        ]
        assert sorted(found) == ["VKW_Q", "VQW_K", "W_V"]
    frozen = nn.MultiheadAttention(4, 2, rng=0).requires_grad_(False)
    assert "W_Q" not in {node.name for node in tg.graph(frozen(x, x, x)[0]).nodes}


def assert_same_derivatives(torch, ours, theirs, values, given=(), rtol=1e-6):
    """Hold a module's values and gradients against PyTorch's."""
    ours.zero_grad(), theirs.zero_grad()
    x, u = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, v = ours(x, *given), theirs(u, *(g if g is None else torch.tensor(g) for g in given))
    cotangent = RNG.standard_normal(v.shape)
    y.backward(cotangent), v.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(y.data, v.detach(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(x.grad.data, u.grad, rtol=rtol, atol=1e-9)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad, rtol=rtol, atol=1e-9)


@pytest.mark.parametrize("name", ["silu", "SiLU"])
def test_a_blocks_activation_may_be_any_function_or_module(name):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    mine = getattr(nn, name)() if name == "SiLU" else tg.silu
    other = torch.nn.SiLU() if name == "SiLU" else torch.nn.functional.silu
    ours, theirs = taken_from(
        torch, torch.nn.TransformerEncoderLayer(E, HEADS, 7, 0.0, other),
        nn.TransformerEncoderLayer(E, HEADS, 7, 0.0, mine),
    )  # fmt: skip
    assert_same_derivatives(torch, ours, theirs, RNG.standard_normal((L, N, E)))


def encoder(library, norm_first, normed, layers=3):
    block = library.nn.TransformerEncoderLayer(
        E, HEADS, 7, 0.0, "gelu", batch_first=True, norm_first=norm_first
    )
    norm = library.nn.LayerNorm(E) if normed else None
    options = {} if library is tg else {"enable_nested_tensor": False}
    return library.nn.TransformerEncoder(block, layers, norm, **options)


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_is_pytorchs_with_masks_in_training_and_evaluation(norm_first):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    made = (encoder(library, norm_first, normed=norm_first) for library in (torch, tg))
    ours, theirs = taken_from(torch, *made)
    values = RNG.standard_normal((N, L, E))
    later, padded = np.triu(np.ones((L, L), bool), 1), np.eye(N, L, L - 2, dtype=bool)
    for mode in ("train", "eval"):
        getattr(ours, mode)(), getattr(theirs, mode)()
        for given in ((), (later,), (None, padded), (later, padded)):
            assert_same_derivatives(torch, ours, theirs, values, given)


def test_an_encoder_is_its_blocks_one_by_one_with_equal_weights_of_their_own():
    block = nn.TransformerEncoderLayer(E, HEADS, 8, rng=0).eval()
    network = nn.TransformerEncoder(block, 2, nn.LayerNorm(E))
    names = [name for name, _ in network.named_parameters()]
    assert names[0] == "layers.0.self_attn.in_proj_weight" == network.parameters()[0].name
    assert names[-2:] == ["norm.weight", "norm.bias"] and len(names) == 2 * 12 + 2
    x = RNG.standard_normal((L, 1, E)).astype("f4")
    expected = block(block(x, is_causal=True), is_causal=True)
    found = network(x, is_causal=True)
    np.testing.assert_allclose(found.data, nn.LayerNorm(E)(expected).data, rtol=1e-6)
    network.layers[0].linear1.weight.data = np.zeros((8, E))
    assert network.layers[1].linear1.weight.data.any() and block.linear1.weight.data.any()


def test_an_encoders_blocks_are_told_apart_and_paths_go_round_all_of_them():
    network = encoder(tg, norm_first=True, normed=False, layers=2).eval()
    x = tg.tensor(RNG.standard_normal((1, L, E)).astype("f4"), requires_grad=True)
    p = tg.paths(network(x).sum(), x)
    assert p.count_by("block") == {0: 1, 1: 8, 2: 22, 3: 24, 4: 9}  # (1 + 4 z + 3 z^2)^2
    np.testing.assert_array_equal(p.weight_free().gradient(), np.ones((1, L, E)))
    scopes = {node.scope for node in p.graph.nodes}
    assert {"layers/0/attention/self_attn", "layers/1/feedforward/linear2"} <= scopes


def test_an_encoders_blocks_leave_out_elements_of_their_own():
    class Drop(nn.Module):
        def __init__(self):
            self.dropout = nn.Dropout(0.5, rng=0)

        def forward(self, x, *_):
            return self.dropout(x)

    network = nn.TransformerEncoder(Drop(), 8)
    left = (network(tg.tensor(np.ones(4096))).data != 0).mean()
    assert left == pytest.approx(1 / 2**8, rel=0.8)  # all alike would leave a half


def test_an_encoder_computes_on_a_device_what_it_computes_on_the_host(xp):
    network, values = encoder(tg, True, True).eval(), RNG.standard_normal((N, L, E))
    later = np.triu(np.ones((L, L), bool), 1)
    oracles.check_on_device(xp, network, values, 1e-8, 1e-10, later)
