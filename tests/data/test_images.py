import io

import numpy as np
import pytest
from PIL import Image

from facegen.data.headers import ImageError, read_header, unusual
from facegen.data.images import decode, resize
from tests.data.helpers import noise


def encode(image: Image.Image, codec: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, codec, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (64, 64)])
def test_decode_equals_pillow(codec: str, shape: tuple[int, int]) -> None:
    data = encode(Image.fromarray(noise(shape[1], 3, shape[0])), codec)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert decode(data).dtype == np.uint8
    np.testing.assert_array_equal(decode(data), expected)


@pytest.mark.parametrize("options", [{"compress_level": 0}, {"optimize": True}])
def test_decode_png_options(options: dict) -> None:
    np.testing.assert_array_equal(decode(encode(Image.fromarray(noise(33, 1)), "png", **options)), noise(33, 1))


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 30}, {"subsampling": 0}])
def test_decode_jpeg_options(options: dict) -> None:
    data = encode(Image.fromarray(noise(40, 1)), "jpeg", **options)
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("filter", ["box", "lanczos"])
@pytest.mark.parametrize("size, resolution", [(64, 16), (65, 32), (37, 12), (16, 16), (16, 40)])
def test_resize_is_pillows_to_the_bit(filter: str, size: int, resolution: int) -> None:
    resample = {"box": Image.Resampling.BOX, "lanczos": Image.Resampling.LANCZOS}[filter]
    expected = np.asarray(Image.fromarray(noise(size, 5)).resize((resolution, resolution), resample))
    np.testing.assert_array_equal(resize(noise(size, 5), resolution, filter), expected)


def test_box_halving_is_the_mean_of_four() -> None:
    image = noise(8, 2)
    means = image.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize(image, 4, "box") - means).max() <= 1  # Pillow rounds after each of its two passes


def test_filters_differ() -> None:
    assert (resize(noise(64, 1), 16, "box") != resize(noise(64, 1), 16, "lanczos")).any()


def test_resize_crops_the_middle_or_refuses() -> None:
    image = noise(10, 1, 6)
    with pytest.raises(ValueError, match=r"10x6 is not square.*crop=center"):
        resize(image, 6)
    np.testing.assert_array_equal(resize(image, 6, crop="center"), image[:, 2:8])
    np.testing.assert_array_equal(resize(image.transpose(1, 0, 2), 6, crop="center"), image[:, 2:8].transpose(1, 0, 2))


@pytest.mark.parametrize(("filter", "crop"), [("bicubic", None), ("box", "top")])
def test_unknown_transform(filter: str, crop: str | None) -> None:
    with pytest.raises(ValueError, match="unknown"):
        resize(noise(8, 0), 4, filter, crop)


RAMP = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
UNUSUAL = {
    "greyscale": (Image.fromarray(RAMP), "png", {}),
    "greyscale jpeg": (Image.fromarray(RAMP), "jpeg", {}),
    "alpha": (Image.fromarray(noise(8, 0)).convert("RGBA"), "png", {}),
    "greyscale with alpha": (Image.fromarray(RAMP).convert("LA"), "png", {}),
    "palette": (Image.fromarray(noise(8, 0)).convert("P"), "png", {}),
    "CMYK": (Image.fromarray(noise(8, 0)).convert("CMYK"), "jpeg", {}),
    "16-bit": (Image.fromarray(RAMP.astype(np.uint16) * 257), "png", {}),
    "rotated": (Image.fromarray(noise(8, 0)), "jpeg", {"exif": Image.Exif()}),
}
UNUSUAL["rotated"][2]["exif"][0x0112] = 6


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_images_are_refused_or_converted(name: str) -> None:
    image, codec, options = UNUSUAL[name]
    data = encode(image, codec, **options)
    with pytest.raises(ImageError, match=rf"(?i){name.split()[0]}.*expected 8-bit RGB.*convert=true"):
        decode(data)
    converted = decode(data, convert=True)
    assert converted.shape == (8, 8, 3) and converted.dtype == np.uint8


def test_conversion_keeps_what_is_seen() -> None:
    grey = decode(encode(*UNUSUAL["greyscale"][:2]), convert=True)
    deep = decode(encode(*UNUSUAL["16-bit"][:2]), convert=True)
    np.testing.assert_array_equal(grey, np.repeat(RAMP[..., None], 3, axis=2))
    np.testing.assert_array_equal(deep, grey)
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (decode(encode(clear, "png"), convert=True) == 255).all()
    turned = Image.open(io.BytesIO(encode(*UNUSUAL["rotated"][:2], **UNUSUAL["rotated"][2])))
    expected = np.rot90(np.asarray(turned), -1)
    np.testing.assert_array_equal(
        decode(encode(turned, "jpeg", **UNUSUAL["rotated"][2]), convert=True).shape, expected.shape
    )
    bright = Image.new("RGB", (8, 16))
    bright.paste((255, 255, 255), (0, 0, 8, 8))
    upright = decode(encode(bright, "jpeg", **UNUSUAL["rotated"][2]), convert=True)
    assert upright.shape == (8, 16, 3) and upright[:, 8:].mean() > 200 > 50 > upright[:, :8].mean()


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_header_without_pixels(codec: str) -> None:
    header = read_header(encode(Image.fromarray(noise(13, 0, 7)), codec))
    assert (header.codec, header.width, header.height) == (codec, 13, 7)
    assert unusual(header) is None


def test_header_behind_a_long_exif_block() -> None:
    exif = Image.Exif()
    exif[0x9286] = b"x" * 60000
    assert read_header(encode(Image.fromarray(noise(8, 0)), "jpeg", exif=exif)).width == 8


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp", "bmp", "tiff"])
@pytest.mark.filterwarnings("ignore")
def test_truncated_files_never_crash(codec: str, rng: np.random.Generator) -> None:
    data = encode(Image.fromarray(noise(24, 0)), codec)
    for cut in {0, 1, 7, 8, 20, 33, *rng.integers(0, len(data) * 9 // 10, 60).tolist()}:
        with pytest.raises(ValueError):
            decode(data[:cut])


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp", "bmp", "tiff"])
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_never_crash(codec: str, rng: np.random.Generator) -> None:
    data = np.frombuffer(encode(Image.fromarray(noise(24, 0)), codec), dtype=np.uint8)
    for _ in range(200):
        broken = data.copy()
        places = rng.integers(0, len(data), rng.integers(1, 5))
        broken[places] = rng.integers(0, 256, len(places))
        try:
            image = decode(broken.tobytes(), convert=True)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert image.dtype == np.uint8 and image.shape[2] == 3


def test_impossible_size_is_refused_before_memory_is_taken() -> None:
    data = bytearray(encode(Image.fromarray(noise(8, 0)), "png"))
    data[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    with pytest.raises(ImageError, match="impossible size"):
        decode(bytes(data))


def test_a_workers_traceback_becomes_one_line() -> None:
    text = "Caught ImageError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  ...\n"
    assert str(ImageError(f"{text}facegen.data.headers.ImageError: a.png: truncated\n")) == "a.png: truncated"
