"""Damaged and hostile files, and official constructor arguments."""

import os
import random
import struct
from typing import Any

import pytest
import torch

from facegen.importers.nvidia import build_network, load_pickle, read_pickle
from facegen.networks.stylegan2 import Discriminator, Generator
from tests.importers import pickle_writer as write

TINY: dict[str, Any] = {"z_dim": 4, "c_dim": 2, "w_dim": 4, "img_resolution": 8, "img_channels": 3}
PARTS: dict[str, Any] = {
    "mapping_kwargs": {"num_layers": 1},
    "synthesis_kwargs": {"channel_base": 32, "channel_max": 4},
}


def _stored(network, **arguments):
    """A network as NVIDIA's snapshots hold it."""
    return write.stored_module(network, _init_args=(), _init_kwargs=arguments)


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return Generator(**TINY, **PARTS).eval()


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Write bytes to a file, demand a one-line ValueError from reading it, and return the message."""
    monkeypatch.chdir(tmp_path)

    def attempt(data: bytes, reader=load_pickle) -> str:
        path = tmp_path / "network.pkl"
        path.write_bytes(data)
        with pytest.raises(ValueError) as caught:
            reader(path)
        assert os.listdir(tmp_path) == ["network.pkl"]
        message = str(caught.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        assert len(message) < 800
        return message

    return attempt


def test_round_trip(tiny, tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(write.file({"G_ema": _stored(tiny, **TINY, **PARTS), "step": 3, "name": "x", "none": None}))
    loaded = load_pickle(path)
    assert (loaded["step"], loaded["name"], loaded["none"]) == (3, "x", None)
    network = loaded["G_ema"]
    assert isinstance(network, Generator) and not network.training
    z, c = torch.randn(2, 4), torch.randn(2, 2)
    assert torch.equal(network(z, c, noise_mode="const"), tiny(z, c, noise_mode="const"))
    assert all(parameter.is_contiguous() for parameter in network.parameters())


@pytest.mark.parametrize(
    "extra",
    [
        {"num_fp16_res": 2, "conv_clamp": 256, "fp16_channels_last": True},
        {"num_fp16_res": 0, "channels_last": True, "fused_modconv_default": "inference_only"},
        {"architecture": "resnet", "use_noise": False, "activation": "relu", "resample_filter": [1, 2, 1]},
        {"architecture": "orig"},
    ],
)
def test_official_arguments_of_generators(extra, tmp_path):
    parts = {**PARTS, "synthesis_kwargs": {**PARTS["synthesis_kwargs"], **extra}}
    kwargs = {key: entry for key, entry in {**TINY, **parts}.items() if key not in ("z_dim", "c_dim")}
    network = build_network("training.networks_stylegan2.Generator", (4, 2), kwargs)
    assert network(torch.randn(1, 4), torch.randn(1, 2)).shape == (1, 3, 8, 8)
    path = tmp_path / "network.pkl"
    path.write_bytes(write.file({"G": write.stored_module(network, _init_args=(4, 2), _init_kwargs=kwargs)}))
    again = load_pickle(path)["G"]
    assert isinstance(again, Generator)
    state = network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())


def test_official_arguments_of_discriminators():
    network = build_network(
        "Discriminator",
        (),
        {
            **{"c_dim": 2, "img_resolution": 8, "img_channels": 3, "architecture": "skip", "cmap_dim": 5},
            **{"channel_base": 32, "channel_max": 4, "num_fp16_res": 4, "conv_clamp": 256},
            "block_kwargs": {"freeze_layers": 2, "fp16_channels_last": True, "activation": "lrelu"},
            "mapping_kwargs": {"num_layers": 2, "embed_features": 3, "lr_multiplier": 0.1},
            "epilogue_kwargs": {"mbstd_group_size": None, "mbstd_num_channels": 2, "activation": "relu"},
        },
    )
    assert isinstance(network, Discriminator)
    assert network(torch.randn(4, 3, 8, 8), torch.randn(4, 2)).shape == (4, 1)


def test_networks_that_facegen_has_not():
    with pytest.raises(ValueError, match="'SomethingElse', which facegen cannot build; expected Generator"):
        build_network("SomethingElse", (), {})
    with pytest.raises(ValueError, match="does not take the stored arguments"):
        build_network("Generator", (), {**TINY, "magnitude_ema_beta": 0.999})


def test_damaged_files(tiny, refused):
    data = write.file({"G": _stored(tiny, **TINY, **PARTS)})
    for cut in [1, 2, 50, len(data) // 3, len(data) // 2, len(data) - 1]:
        refused(data[:cut])
    refused(random.Random(0).randbytes(5000))
    refused(b"PK\x03\x04 a zip file")
    refused(b"\x80\x03]" + b"a" * 1000 + b".")


def test_an_empty_file(refused):
    assert "empty" in refused(b"")


def test_every_flipped_byte_is_refused_or_harmless(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = bytearray(write.file({"G": _stored(tiny, **TINY, **PARTS)}))
    path, choose = tmp_path / "network.pkl", random.Random(1)
    for _ in range(150):
        place = choose.randrange(len(data))
        broken = bytearray(data)
        broken[place] ^= 1 << choose.randrange(8)
        path.write_bytes(broken)
        try:
            load_pickle(path)
        except ValueError as error:
            assert "\n" not in str(error)
    assert os.listdir(tmp_path) == ["network.pkl"]


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x8e" + struct.pack("<Q", 2**62),  # bytes of an impossible length
        b"\x8d" + struct.pack("<Q", 2**63 - 1),  # text likewise
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x95" + struct.pack("<Q", 2**63) + b"}",  # a frame
        b"]r" + struct.pack("<I", 2**32 - 1) + b".",  # a huge index of remembered values
        b"\x8b" + struct.pack("<I", 2**31 - 1),  # a number of two gigabytes
        b"(" * 300_000 + b"t" * 300_000 + b".",  # deep nesting
        b")" + b"\x85" * 300_000 + b"}" + b")" + b"\x85" * 1000 + b"Ns.",  # nested keys
        b"I" + b"9" * 100_000 + b"\n.",
        b"N" * 2_100_000 + b".",
    ],
)
def test_bombs(bomb, refused):
    refused(b"\x80\x04" + bomb, read_pickle)


@pytest.mark.parametrize(
    "function",
    [
        ("os", "system"),
        ("builtins", "exec"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "__builtins__"),
        ("torch_utils.persistence", "_reconstruct_persistent_obj.__globals__"),
        ("numpy", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("training.networks", "Generator"),
    ],
)
def test_names_outside_the_list(function, refused):
    name = ".".join(function)
    assert name in refused(write.file({"G": write.call(function, write.value("echo > pwned.txt"))}))
    stacked = write.value(function[0]) + write.value(function[1]) + b"\x93"
    assert name in refused(b"\x80\x04" + stacked + b")R.")
    refused(b"\x80\x02(i" + "\n".join(function).encode() + b"\n.")


def test_objects_of_other_kinds(refused):
    refused(write.file(b"\x82\x01"))  # a registered extension
    refused(write.file(write.value("key") + b"Q"))  # an object outside the file
    refused(write.file(write.name("dnnlib.util", "EasyDict") + write.many(write.value(1)) + b"\x81"))
    refused(write.file(write.value("text") + b")R"))
    refused(write.file(write.value({}) + write.value({"__class__": "x"}) + b"b"))
    refused(write.file(write.value([1])), read_pickle)


class TestTensors:
    """Storages and views that do not add up."""

    def _refuse(self, refused, tensor: bytes) -> str:
        return refused(write.file({"t": tensor}), read_pickle)

    def test_views_of_every_layout(self, tmp_path):
        base = torch.arange(12.0)
        path = tmp_path / "t.pkl"
        path.write_bytes(write.file({"t": write.tensor(base, size=(2, 3), stride=(1, 4), offset=2)}))
        assert torch.equal(read_pickle(path)["t"], base.as_strided((2, 3), (1, 4), 2))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64, torch.bool, torch.bfloat16])
    def test_other_types(self, dtype, tmp_path):
        path = tmp_path / "t.pkl"
        path.write_bytes(write.file({"t": write.tensor(torch.tensor([0, 1, 2]).to(dtype)), "e": torch.empty(0)}))
        assert torch.equal(read_pickle(path)["t"], torch.tensor([0, 1, 2]).to(dtype))
        assert read_pickle(path)["e"].shape == (0,)

    def test_views_outside(self, refused):
        base = torch.arange(4.0)
        for size, stride, offset in [((5,), (1,), 0), ((2,), (4,), 0), ((4,), (1,), 1), ((-1,), (1,), 0)]:
            self._refuse(refused, write.tensor(base, size, stride, offset))
        assert "outside" in self._refuse(refused, write.tensor(base, (100_000, 100_000), (0, 0)))
        self._refuse(refused, write.tensor(base, (2, 2), (1,)))

    def test_storages_that_disagree(self, refused):
        base = torch.arange(4.0)
        stored = write.storage(base)
        self._refuse(refused, write.tensor(base, stored=stored[:-1]))
        self._refuse(refused, write.tensor(base, stored=stored + b"more"))
        self._refuse(refused, write.tensor(base, stored=stored.replace(b"FloatStorage", b"OtherStorage")))
        self._refuse(refused, write.tensor(base, stored=b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00:\x85R."))
        count = struct.pack("<q", 4)
        assert count in stored
        self._refuse(refused, write.tensor(base, stored=stored.replace(count, struct.pack("<q", 2**60))))

    def test_one_storage_named_many_times(self, refused):
        stored = write.blob(write.storage(torch.zeros(1000))) + b"q\x00"
        load = write.name("torch.storage", "_load_from_bytes")
        again = b"".join(load + b"h\x00\x85R" for _ in range(10))
        assert "larger than the file" in refused(b"\x80\x03]" + stored + b"(" + again + b"te.", read_pickle)


class TestNetworks:
    """Well-formed files whose networks do not add up."""

    def test_missing_and_misshapen_tensors(self, tiny, refused):
        state = {**write.module_state(tiny), "_init_kwargs": {**TINY, **PARTS}}
        del state["_modules"]["mapping"]
        assert "mapping" in refused(write.file({"G": write.persistent("Generator", state)}))
        wider = Generator(**{**TINY, "z_dim": 6}, **PARTS)
        message = refused(write.file({"G": _stored(wider, **TINY, **PARTS)}))
        assert "'mapping.fc0.weight' of shape (4, 10), expected (4, 8)" in message

    @pytest.mark.filterwarnings("ignore:divide by zero")
    @pytest.mark.parametrize(
        "change",
        [
            {"img_resolution": 2**20},
            {"w_dim": 2**30},
            {"mapping_kwargs": {"num_layers": 2**30}},
            {"img_resolution": -4},
            {"z_dim": "many"},
            {"synthesis_kwargs": {"architecture": "other"}},
            {"synthesis_kwargs": None, "mapping_kwargs": 3},
        ],
    )
    def test_arguments_that_the_tensors_contradict(self, tiny, change, refused):
        refused(write.file({"G": _stored(tiny, **{**TINY, **PARTS, **change})}))

    def test_a_module_that_contains_itself(self, refused):
        children = b"}q\x05"  # remembered, and filled after the module was made
        state = b"}(" + write.value("_modules") + children + b"u"
        module = write.persistent("Generator", state) + b"q\x06"
        filled = b"h\x05" + write.value("again") + b"h\x06s"
        contents = b"}(" + write.value("G") + module + write.value("children") + filled + b"u"
        assert "nested more than" in refused(write.file(contents))

    def test_attributes_of_the_wrong_kind(self, refused):
        for state in (
            {"_parameters": {"weight": 3}},
            {"_modules": {"fc": 3}},
            {"_parameters": []},
            {"_init_kwargs": 1},
        ):
            refused(write.file({"G": write.persistent("Generator", state)}))
        refused(write.file({"G": write.persistent("Generator", write.value([1]))}))
        refused(write.file({"G": write.call(write.PERSISTENT, write.value({"type": "function"}))}))
