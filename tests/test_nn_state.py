"""State in and out: by name, all or none, and from files that hold no code."""

import json
import os
import pickle

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import DataError, DtypeError, FileError, UsageError

RNG = np.random.default_rng(6)
ENDINGS = (".safetensors", ".npz")


def small(rng=0):
    return nn.Sequential(nn.Conv2d(1, 2, 3, rng=rng), nn.BatchNorm2d(2), nn.ReLU())


def trained():
    network = small()
    network(RNG.standard_normal((4, 1, 5, 5), np.float32))
    return network


def assert_same(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_state_is_listed_module_by_module_parameters_before_buffers():
    assert list(small().state_dict()) == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked",
    ]  # fmt: skip
    assert [name for name, _ in small().named_buffers()] == [
        "1.running_mean", "1.running_var", "1.num_batches_tracked",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_saved_is_loaded(tmp_path, ending):
    network, other = trained(), small(rng=1)
    path = network.save(tmp_path / f"weights{ending}")
    before = other[0].weight

    assert other.load(path) == ((), ())

    assert_same(other.state_dict(), network.state_dict())
    assert other[0].weight is before  # so optimisers made before go on
    assert other[1].num_batches_tracked.item() == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_state_is_the_same_file(tmp_path, ending):
    network = trained()
    one, two = (network.save(tmp_path / f"{n}{ending}").read_bytes() for n in "ab")
    assert one == two


@pytest.mark.parametrize("ending", ENDINGS)
def test_any_name_and_an_axis_order_survive_a_file(tmp_path, ending):
    class Odd(nn.Module):
        def __init__(self, values):
            for name in ("file", "allow_pickle", "a.npy", "größe"):
                setattr(self, name, tg.parameter(values))

    values = np.asfortranarray(RNG.standard_normal((3, 2)))
    path = Odd(values).save(tmp_path / f"odd{ending}")
    other = Odd(np.zeros((3, 2)))
    other.load(path)
    for value in other.state_dict().values():
        np.testing.assert_array_equal(value, values)


def test_state_handed_out_stays_while_training_goes_on():
    network = trained()
    state = network.state_dict()
    copies = {name: np.array(value) for name, value in state.items()}
    x = RNG.standard_normal((4, 1, 5, 5), np.float32)
    network(x).sum().backward()
    tg.optim.SGD(network.parameters(), lr=0.1).step()
    assert_same(state, copies)
    with pytest.raises(ValueError, match="read-only"):
        state["0.weight"][...] = 0


def test_arrays_tensors_lists_and_pytorchs_tensors_are_taken():
    layer = nn.Linear(2, 1, rng=0)
    layer.load_state_dict({"weight": tg.tensor([[1.0, 2.0]]), "bias": [3]})
    assert layer([[1.0, 1.0]]).item() == 6.0
    assert layer.weight.dtype == np.float32
    torch = pytest.importorskip("torch", reason="PyTorch's tensors are taken")
    theirs = torch.nn.Linear(2, 1)
    layer.load_state_dict(dict(theirs.named_parameters()))
    np.testing.assert_array_equal(layer.weight.data, theirs.weight.detach())
    with pytest.raises(DataError, match=r"weight: of dtype torch.bfloat16: .* use \.float"):
        layer.load_state_dict(theirs.bfloat16().state_dict())


def test_all_that_does_not_fit_is_listed_at_once_and_nothing_is_changed():
    network = trained()
    before = network.state_dict()
    given = {
        **before, "0.weight": np.zeros((2, 1, 3, 2)), "1.num_batches_tracked": 1.5,
        "1.weight": np.array([1e300, 1.0]), "fc.weight": [1.0], "0.bias": np.ones(2) * 1j,
    }  # fmt: skip
    del given["1.bias"]

    with pytest.raises(DataError) as told:
        network.load_state_dict(given)

    assert str(told.value).splitlines() == [
        "load_state_dict: Sequential does not fit what is given; nothing was changed",
        "  missing: 1.bias",
        "  unexpected: fc.weight",
        "  0.weight: of shape (2, 1, 3, 2), but must be (2, 1, 3, 3)",
        "  0.bias: of dtype complex128, but must be float32",
        "  1.weight: of dtype float64: values overflow in float32",
        "  1.num_batches_tracked: of dtype float64, but must be int64",
        "strict=False passes over names alone",
    ]
    assert_same(network.state_dict(), before)


def test_loading_that_is_not_strict_says_what_it_passed_over():
    layer = nn.Linear(2, 1)
    found = layer.load_state_dict({"weight": [[1.0, 2.0]], "scale": [1.0]}, strict=False)
    assert found == (("bias",), ("scale",))
    assert found.missing == ("bias",) and found.unexpected == ("scale",)
    np.testing.assert_array_equal(layer.weight.data, [[1, 2]])
    with pytest.raises(DataError, match="weight: of shape"):
        layer.load_state_dict({"weight": [[1.0]]}, strict=False)
    with pytest.raises(UsageError, match="load_state_dict: a list: pass a dict"):
        layer.load_state_dict([1.0])


def test_a_shared_weight_is_saved_under_both_names_and_takes_one_value():
    network = nn.Sequential(nn.Linear(2, 2, False), nn.Linear(2, 2, False))
    network[1].weight = network[0].weight
    state = dict(network.state_dict())
    assert list(state) == ["0.weight", "1.weight"]

    network.load_state_dict({name: np.eye(2) for name in state})
    assert network[1].weight is network[0].weight
    np.testing.assert_array_equal(network[0].weight.data, np.eye(2))

    with pytest.raises(
        DataError, match=r"1.weight: it is the same tensor as 0.weight, and has oth"
    ):
        network.load_state_dict({"0.weight": np.eye(2), "1.weight": np.ones((2, 2))})
    np.testing.assert_array_equal(network[0].weight.data, np.eye(2))


def test_numbers_that_are_not_finite_are_kept_as_they_are():
    layer = nn.Linear(2, 1, bias=False)
    layer.load_state_dict({"weight": np.array([[np.inf, np.nan]])})
    np.testing.assert_array_equal(layer.weight.data, [[np.inf, np.nan]])


def test_a_record_made_before_loading_stays_true():
    layer = nn.Linear(1, 1, bias=False)
    layer.load_state_dict({"weight": [[2.0]]})
    x = tg.tensor([[1.0]], requires_grad=True)
    y = layer(x)
    layer.load_state_dict({"weight": [[5.0]]})
    y.backward([[1.0]])
    assert x.grad.item() == 2.0


def test_safetensors_files_go_to_pytorch_and_come_from_there(tmp_path):
    torch = pytest.importorskip("torch", reason="its tensors are written and read")
    their_files = pytest.importorskip("safetensors.torch")
    network, path = trained(), tmp_path / "ours.safetensors"
    network.save(path)
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    theirs.load_state_dict(their_files.load_file(path))

    back = tmp_path / "theirs.safetensors"
    their_files.save_file(theirs.state_dict(), back)
    other = small(rng=1)
    other.load(back)

    assert_same(other.state_dict(), network.state_dict())


def test_files_of_a_newer_format_are_refused(tmp_path):
    path = small().save(tmp_path / "weights.npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    assert arrays["tinygrad_res.format"] == 1
    np.savez(path, **{**arrays, "tinygrad_res.format": 2})
    with pytest.raises(DataError, match=r"weights.npz' is of format 2, and this version reads up"):
        small().load(path)

    path = small().save(tmp_path / "weights.safetensors")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"]["tinygrad_res.format"].startswith("1 ")
    path.write_bytes(content.replace(b'format":"1 ', b'format":"9 '))
    with pytest.raises(DataError, match="is of format 9"):
        small().load(path)


def test_a_file_without_our_format_is_read_for_its_arrays(tmp_path):
    path = tmp_path / "plain.npz"
    np.savez(path, weight=np.ones((1, 2)), bias=np.zeros(1))
    layer = nn.Linear(2, 1)
    layer.load(path)
    np.testing.assert_array_equal(layer.weight.data, [[1, 1]])


class Boom:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_and_foreign_files_are_refused_and_pickles_never_run(tmp_path, ending):
    path = tmp_path / f"bad{ending}"
    whole = trained().save(tmp_path / f"good{ending}").read_bytes()
    for content in (
        b"",
        b"\x00" * 7,
        whole[:-40],
        pickle.dumps(Boom()),
        b"PK\x05\x06" + b"\x00" * 8,
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"load: .*bad{ending}' is damaged, or holds no arrays"):
            small().load(path)
    if ending == ".npz":
        np.savez(path, weight=np.array([Boom()], dtype=object), allow_pickle=True)
        with pytest.raises(DataError, match="is damaged, or holds no arrays"):
            small().load(path)
        with path.open("wb") as file:
            np.save(file, np.ones(3))
        with pytest.raises(DataError, match="is damaged, or holds no arrays"):
            small().load(path)


def test_files_that_are_not_there_and_unknown_endings_are_named(tmp_path):
    with pytest.raises(DataError, match=r"load: cannot read '.*none.npz' \(No such file"):
        small().load(tmp_path / "none.npz")
    with pytest.raises(
        UsageError, match=r"format: use \.safetensors or \.npz; PyTorch's own files"
    ):
        small().load(tmp_path / "weights.pt")
    with pytest.raises(UsageError, match=r"save: .*weights.pkl' does not end in a known format"):
        small().save(tmp_path / "weights.pkl")
    with pytest.raises(FileError, match="save: cannot write"):
        small().save(tmp_path / "nowhere" / "weights.npz")


def test_a_network_on_a_device_is_saved_and_loaded_there(xp, tmp_path):
    network = trained()
    state = {name: value.copy() for name, value in network.state_dict().items()}
    network.to("cuda")
    assert network[0].weight.device == "cuda"
    path = network.save(tmp_path / "weights.npz")
    other = small(rng=1).to("cuda")
    other.load(path)
    other.load_state_dict(network.state_dict())
    assert other[0].weight.device == other[1].running_mean.device == "cuda"
    assert_same(other.to("cpu").state_dict(), state)


def test_counts_stay_whole_when_a_network_changes_its_dtype():
    network = trained().to(dtype="float64")
    assert network[1].num_batches_tracked.dtype == np.int64
    assert network[1].running_mean.dtype == np.float64


def test_a_trained_network_classifies_the_same_after_a_file(tmp_path):
    network, other = nets.resnet(8, rng=0), nets.resnet(8, rng=1)
    x = RNG.standard_normal((4, 3, 8, 8), np.float32)
    network(x)
    other.load(network.save(tmp_path / "resnet8.safetensors"))
    np.testing.assert_array_equal(network.eval()(x).data, other.eval()(x).data)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_single_changed_bit_of_a_weight_is_noticed(tmp_path, ending):
    path = small().save(tmp_path / f"a{ending}")
    content = bytearray(path.read_bytes())
    content[content.find(small().state_dict()["0.weight"].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        small().load(path)


def test_a_save_that_is_interrupted_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = small().save(tmp_path / "a.npz")
    before = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("dtype", [">f8", "<f4", "f2"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_of_every_byte_order_and_width_come_back(tmp_path, ending, dtype):
    network = nn.Module()
    network.w = tg.parameter(np.arange(6).reshape(2, 3).astype(dtype))
    path = network.save(tmp_path / f"a{ending}")
    network.w.data = np.zeros((2, 3), dtype)
    network.load(path)
    np.testing.assert_array_equal(network.w.data, np.arange(6).reshape(2, 3))


def test_a_dtype_that_safetensors_has_not_is_named(tmp_path):
    network = nn.Module()
    network.w = tg.parameter(np.ones(2, np.longdouble))
    if network.w.dtype.itemsize > 8:
        with pytest.raises(DtypeError, match=r"save: .*float128.* or \.npz"):
            network.save(tmp_path / "a.safetensors")


def test_names_behind_a_prefix_are_said_to_be_there(tmp_path):
    net, other = small(), small()
    wrapped = {f"module.{name}": value for name, value in other.state_dict().items()}
    with pytest.raises(DataError, match=r"all is there behind 'module\.', .*removeprefix\('mod"):
        net.load_state_dict(wrapped)
    net.load_state_dict({k.removeprefix("module."): v for k, v in wrapped.items()})
    wrapped.popitem()
    with pytest.raises(DataError, match="strict=False passes over names alone"):
        net.load_state_dict(wrapped)


def test_names_inside_a_checkpoint_of_pytorchs_users_are_said_to_be_there():
    net = small()
    given = {"epoch": 3, "model": small(rng=1).state_dict()}
    with pytest.raises(DataError, match=r"names are inside 'model', .*: pass state\['model'\]"):
        net.load_state_dict(given)
    assert net.load_state_dict(given["model"]) == ((), ())


def test_names_that_merely_end_alike_are_not_taken_for_a_prefix():
    other = {f"layer1.0.bn{name}": value for name, value in small().state_dict().items()}
    with pytest.raises(DataError, match="strict=False passes over names alone"):
        small().load_state_dict(other)


def test_names_in_a_file_come_in_order(tmp_path):
    network = nn.Sequential(*(nn.Linear(2, 2, rng=0) for _ in range(9)))
    with pytest.raises(DataError, match=", ".join(f"{i}.bias, {i}.weight" for i in range(9))):
        nn.Flatten().load(network.save(tmp_path / "weights.safetensors"))


def written_by_hand(path, dtype, shape, content):
    """Write a safetensors file as its format says: length of the header, header, numbers."""
    part = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(content)]}
    header = json.dumps({"weight": part}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)
    return path


def test_bfloat16_is_read_as_the_numbers_that_it_is(tmp_path):
    """bfloat16 is the upper half of a float32: 1.5 is 0x3FC0, and -2 is 0xC000."""
    path = written_by_hand(tmp_path / "a.safetensors", "BF16", [1, 2], b"\xc0\x3f\x00\xc0")
    layer = nn.Linear(2, 1, bias=False)
    layer.load(path)
    assert layer.weight.data.tolist() == [[1.5, -2.0]] and layer.weight.dtype == np.float32


def test_numbers_that_numpy_lacks_are_refused_with_the_mend(tmp_path):
    path = written_by_hand(tmp_path / "a.safetensors", "F8_E4M3", [1, 2], b"\x00\x00")
    with pytest.raises(DataError, match=r"weight is of dtype F8_E4M3, .* \.float\(\) in PyTorch"):
        nn.Linear(2, 1, bias=False).load(path)
