"""Images are read as they look, every one of them, or a sentence names the file."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from generalization.datasets.own_images import image_arrays
from generalization.errors import InputError

COLOR = (255, 0, 51)


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes, each with one color image."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        plain().save(tmp_path / name / "1.png")
    return tmp_path


def plain(mode="RGB", color=COLOR, size=(2, 2)):
    return Image.new(mode, size, color)


def refused(folder, sentence):
    with pytest.raises(InputError) as raised:
        image_arrays(folder, "data.train")
    assert str(raised.value) == f"data.train must {sentence}"


def in_palette(file):
    plain().quantize(4).save(file)


def png_of_16_bits(kind):
    """Writer of a PNG file of one color type, which Pillow cannot write."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]

    def chunk(name, content):
        checked = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checked

    def write(file):
        header = struct.pack(">IIBBBBB", 2, 2, 16, kind, 0, 0, 0)
        rows = zlib.compress(2 * (b"\0" + 2 * channels * b"\x12\x34"))
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)

    return write


def tiff_of_16_bits(file):
    pixels = b"\x34\x12" * 12
    tags = [
        *[(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 8 + len(pixels)), (259, 3, 1, 1)],
        *[(262, 3, 1, 2), (273, 3, 1, 8), (277, 3, 1, 3), (278, 3, 1, 2), (279, 3, 1, 24)],
    ]
    entries = b"".join(struct.pack("<HHIHH", *tag, 0) for tag in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(pixels) + 6)
    bits = struct.pack("<HHH", 16, 16, 16)
    file.write_bytes(start + pixels + bits + struct.pack("<H", len(tags)) + entries + bytes(4))


def frames(**how):
    images = [plain(color=(value, 0, 0)) for value in (0, 99, 200)]
    return lambda file: images[0].save(file, save_all=True, append_images=images[1:], **how)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return lambda file: plain().save(file, exif=exif)


def saved(*about, **how):
    return lambda file: plain(*about).save(file, **how)


def array(kind):
    pixels = np.array([[0, 4000], [9000, 60000]], kind)
    return lambda file: Image.fromarray(pixels).save(file)


def cut(file):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("0.png", saved()),
        ("0.PNG", saved()),
        ("0.png", in_palette),
        ("0.gif", saved()),
        ("0.png", saved("RGBA", (*COLOR, 255))),
        ("0.png", turned(1)),
        ("0.ppm", lambda file: file.write_bytes(b"P6 2 2 5\n" + 4 * b"\5\0\1")),
    ],
    ids=["color", "capitals", "palette", "gif", "opaque", "upright", "few_bits"],
)
def test_images_that_are_read_as_they_look(folder, name, write):
    write(folder / "cat" / name)
    inputs, labels = image_arrays(folder, "data.train")
    assert labels.tolist() == ["cat", "cat", "dog"] and inputs.shape == (3, 3, 2, 2)
    assert inputs[0, :, 0, 0] == pytest.approx([1, 0, 0.2])


@pytest.mark.parametrize("name", ["0.JPG", "0.JPEG", "0.jpg", "0.jpeg"])
@pytest.mark.parametrize(
    "write", [saved("RGB", 0, format="JPEG"), frames(format="MPO")], ids=["alone", "preview"]
)
def test_photographs_are_read_without_their_previews(folder, name, write):
    write(folder / "cat" / name)
    inputs, labels = image_arrays(folder, "data.train")
    assert labels.tolist() == ["cat", "cat", "dog"] and inputs[0].max() == 0


@pytest.mark.parametrize(("mode", "color"), [("1", 1), ("L", 255)])
def test_gray_images_have_one_channel(tmp_path, mode, color):
    (tmp_path / "cat").mkdir()
    plain(mode, color).save(tmp_path / "cat/0.png")
    assert image_arrays(tmp_path, "data.train")[0].tolist() == [[[[1, 1], [1, 1]]]]


DEEP = "have images of 8 bits per channel, but {} has pixels of mode %s: a .npz file keeps them."
TURNED = (
    "have images that are stored upright, but {} is to be turned (EXIF orientation %d), which "
    "ImageOps.exif_transpose of Pillow does."
)
TRANSPARENT = "have images without transparency, but {} is transparent in places."
FRAMES = "have images of one frame, but {} has 3."


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("0.png", array(np.uint16), DEEP % "I;16"),
        ("0.tif", array(np.int32), DEEP % "I"),
        ("0.tif", array(np.float32), DEEP % "F"),
        ("0.png", png_of_16_bits(2), DEEP % "RGB;16B"),
        ("0.png", png_of_16_bits(4), DEEP % "LA;16B"),
        ("0.png", png_of_16_bits(6), DEEP % "RGBA;16B"),
        ("0.tif", tiff_of_16_bits, DEEP % "RGB;16L"),
        (
            "0.ppm",
            lambda file: file.write_bytes(b"P6 2 2 65535\n" + 12 * b"\1\2"),
            DEEP % "RGB up to 65535",
        ),
        ("0.png", saved("P", 0, transparency=0), TRANSPARENT),
        ("0.png", saved("RGB", COLOR, transparency=COLOR), TRANSPARENT),
        ("0.png", saved("RGBA", (*COLOR, 254)), TRANSPARENT),
        ("0.png", saved("LA", (9, 0)), TRANSPARENT),
        (
            "0.jpg",
            saved("CMYK", (1, 2, 3, 4)),
            "have images in gray, RGB or a palette, but {} has pixels of mode CMYK.",
        ),
        (
            "0.tif",
            saved("LAB", (1, 2, 3)),
            "have images in gray, RGB or a palette, but {} has pixels of mode LAB.",
        ),
        ("0.jpg", turned(6), TURNED % 6),
        ("0.png", turned(3), TURNED % 3),
        ("0.tif", turned(8), TURNED % 8),
        ("0.gif", frames(), FRAMES),
        ("0.tif", frames(), FRAMES),
        ("0.png", frames(), FRAMES),
        (
            "0.png",
            saved("L", 0),
            "have images of one shape, not (1, 2, 2) of cat/0.png and (3, 2, 2) of cat/1.png.",
        ),
        (
            "0.png",
            saved("RGB", COLOR, (3, 2)),
            "have images of one shape, not (3, 2, 3) of cat/0.png and (3, 2, 2) of cat/1.png.",
        ),
        (
            "0.png",
            lambda file: file.write_bytes(b"no image"),
            "have images that can be read, but {0} cannot be: cannot identify image file '{0}'.",
        ),
        (
            "0.png",
            cut,
            "have images that can be read, but {} cannot be: image file is truncated.",
        ),
        (
            "0.webp",
            cut,
            "have images that can be read, but {} cannot be: could not create decoder object.",
        ),
    ],
)
def test_images_that_would_be_read_as_others(folder, name, write, sentence):
    file = folder / "cat" / name
    write(file)
    refused(folder, sentence.format(file))


@pytest.mark.parametrize(
    "place",
    [
        *(".ipynb_checkpoints/1-checkpoint.png", "__MACOSX/cat/._1.png", ".git/1.png"),
        *("cat/.ipynb_checkpoints/1-checkpoint.png", "cat/._1.png", "cat/.DS_Store"),
        *(".DS_Store", "Thumbs.db", "cat/Thumbs.db", "cat/desktop.ini", "README.md"),
    ],
)
def test_what_programs_leave_behind_is_neither_a_class_nor_an_image(folder, place):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_bytes(b"no image")
    inputs, labels = image_arrays(folder, "data.train")
    assert labels.tolist() == ["cat", "dog"] and len(inputs) == 2


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (
            "0.png",
            "have every image in the folder of its class, not 0.png beside the folders.",
        ),
        (
            "cat/old/0.png",
            "have only images (.png, .jpg, .jpeg, .bmp, .gif, .webp, .ppm, .tif, .tiff) in the "
            "folder of a class, not the folder cat/old.",
        ),
        (
            "cat/old.png/0.png",
            "have only images (.png, .jpg, .jpeg, .bmp, .gif, .webp, .ppm, .tif, .tiff) in the "
            "folder of a class, not the folder cat/old.png.",
        ),
        (
            "dog/2.heic",
            "have only images (.png, .jpg, .jpeg, .bmp, .gif, .webp, .ppm, .tif, .tiff) in the "
            "folder of a class, not the file dog/2.heic.",
        ),
        (
            "cow/.DS_Store",
            "have images in the folder of every class, but cow has none.",
        ),
    ],
)
def test_images_that_would_be_passed_over(folder, place, sentence):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_bytes(b"")
    refused(folder, sentence)


def test_a_folder_without_classes(tmp_path):
    refused(tmp_path, "have one folder of images per class, not none.")
