"""torchvision.transforms: random draws, images, reprs and errors are torchvision's."""

import pickle
import random
import warnings
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import microgad
from microgad import transforms as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torchvision.transforms")
Image = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(0).integers(0, 256, (17, 23, 3), np.uint8)
SMOOTH = np.add.outer(np.arange(17) * 3, np.arange(23) * 5).astype(np.uint8)

# Transforms by name, each made from a library's transforms module. They take images of any kind.
TRANSFORMS = {
    "center_crop": lambda t: t.CenterCrop(9),
    "center_crop_larger": lambda t: t.CenterCrop((20, 30)),
    "pad": lambda t: t.Pad(2, fill=7),
    "pad_two": lambda t: t.Pad((1, 2), padding_mode="edge"),
    "pad_four": lambda t: t.Pad([1, 2, 3, 0], padding_mode="reflect"),
    "pad_symmetric": lambda t: t.Pad((3, 1), padding_mode="symmetric"),
    "pad_symmetric_and_crop": lambda t: t.Pad((3, -1, -2, 2), padding_mode="symmetric"),
    "random_crop": lambda t: t.RandomCrop(8),
    "random_crop_padded": lambda t: t.RandomCrop((17, 23), padding=4),
    "random_crop_reflected": lambda t: t.RandomCrop(16, padding=(1, 4), padding_mode="reflect"),
    "random_crop_larger": lambda t: t.RandomCrop(30, pad_if_needed=True, fill=3),
    "hflip": lambda t: t.RandomHorizontalFlip(),
    "vflip": lambda t: t.RandomVerticalFlip(p=0.7),
    "rotation": lambda t: t.RandomRotation(30),
    "rotation_fill": lambda t: t.RandomRotation((10, 40), fill=100, center=(3, 4)),
    "rotation_expand": lambda t: t.RandomRotation(90, interpolation=t.InterpolationMode.BILINEAR, expand=True),
    "affine": lambda t: t.RandomAffine(15),
    "affine_all": lambda t: t.RandomAffine(15, (0.1, 0.2), (0.8, 1.2), (5, 10, -5, 5), t.InterpolationMode.BILINEAR, 9),
    "affine_shear": lambda t: t.RandomAffine(0, (0.2, 0), shear=10, center=(2, 3)),
    "perspective": lambda t: t.RandomPerspective(p=1.0),
    "perspective_fill": lambda t: t.RandomPerspective(0.36, 0.6, t.InterpolationMode.NEAREST, fill=50),
    "brightness": lambda t: t.ColorJitter(brightness=(1.5, 1.5)),
    "jitter": lambda t: t.ColorJitter(0.4, (0.2, 2.0), 0.6, 0.3),
    "random_grayscale": lambda t: t.RandomGrayscale(0.5),
    "blur": lambda t: t.GaussianBlur(5),
    "blur_two": lambda t: t.GaussianBlur((3, 5), 0.7),
    "invert": lambda t: t.RandomInvert(),
    "posterize": lambda t: t.RandomPosterize(3),
    "solarize": lambda t: t.RandomSolarize(120),
    "sharpness": lambda t: t.RandomAdjustSharpness(2.5),
    "autocontrast": lambda t: t.RandomAutocontrast(),
    "equalize": lambda t: t.RandomEqualize(),
    "elastic": lambda t: t.ElasticTransform(alpha=30.0, sigma=1.9, fill=(7,)),
    "elastic_of_two_sigmas": lambda t: t.ElasticTransform([20.0, 40.0], [1.0, 3.0], t.InterpolationMode.NEAREST),
    "resize": lambda t: t.Resize(11),
    "resize_up": lambda t: t.Resize((40, 31)),
    "resize_max": lambda t: t.Resize(16, max_size=18),
    "resize_nearest": lambda t: t.Resize(9, interpolation=t.InterpolationMode.NEAREST),
    "resize_bicubic": lambda t: t.Resize(9, interpolation=t.InterpolationMode.BICUBIC),
    "resized_crop": lambda t: t.RandomResizedCrop(12),
    "resized_crop_rare": lambda t: t.RandomResizedCrop((6, 5), scale=(0.9, 1.0), ratio=(3.0, 4.0)),
    "resized_crops": lambda t: t.Compose(
        [t.RandomResizedCrop((20, 30), scale=(0.0, 0.01)), t.RandomResizedCrop(9, (0.9, 1.0), ratio=(0.2, 0.33))]
    ),
    "apply": lambda t: t.RandomApply([t.RandomCrop(9), t.RandomHorizontalFlip()], p=0.6),
    "order": lambda t: t.RandomOrder([t.Pad(1), t.RandomCrop(9), t.RandomVerticalFlip()]),
    "choice": lambda t: t.RandomChoice([t.Pad(1), t.RandomCrop(9)], p=[1, 9]),
    "imagenet": lambda t: t.Compose([t.RandomResizedCrop(12), t.RandomHorizontalFlip(), t.ColorJitter(0.1, 0.1, 0.1)]),
    "auto_imagenet": lambda t: t.AutoAugment(),
    "auto_cifar": lambda t: t.AutoAugment(t.AutoAugmentPolicy.CIFAR10, fill=5),
    "auto_svhn": lambda t: t.AutoAugment(t.AutoAugmentPolicy.SVHN),
    "rand": lambda t: t.RandAugment(),
    "rand_strong": lambda t: t.RandAugment(3, 20, interpolation=t.InterpolationMode.BILINEAR),
    "trivial": lambda t: t.TrivialAugmentWide(),
    "mix": lambda t: t.AugMix(),
    "mix_strong": lambda t: t.AugMix(10, 2, 4, 0.5, all_ops=False, interpolation=t.InterpolationMode.NEAREST, fill=9),
    "five": lambda t: t.FiveCrop(7),
    "ten": lambda t: t.TenCrop((7, 8), vertical_flip=True),
    "grayscale": lambda t: t.Grayscale(),
    "grayscale_three": lambda t: t.Grayscale(3),
}
UINT8_ONLY = ("posterize", "equalize", "auto", "rand", "trivial", "mix", "solarize")
# Pillow images run as tensors here, so bytes may be rounded to the other neighbor.
APPROXIMATE_ON_PILLOW = ("elastic", "blur", "blur_two", "mix")
APPROXIMATE_ON_BYTES = ("elastic", "mix", "mix_strong")
# A warped value halfway between two bytes may be rounded either way, which rand_strong amplifies.
EXACT_ON_BYTES_OR_NEARLY = [name for name in TRANSFORMS if name != "rand_strong"]
SEEDS = range(6)


@pytest.fixture(autouse=True)
def use_numpy_bmm(monkeypatch):
    """Let both compute a warp's grid by NumPy's product, because PyTorch's rounds differently on some processors."""
    monkeypatch.setattr(torch.Tensor, "bmm", lambda a, b: torch.from_numpy(a.numpy() @ b.numpy()))


def seed(lib: Any, n: int) -> None:
    lib.manual_seed(n)
    random.seed(n)


def to_arrays(x: Any) -> Any:
    if isinstance(x, (tuple, list)):
        return [to_arrays(item) for item in x]
    return np.array(x) if isinstance(x, Image.Image) else x.numpy()


def check(program: Any, mine: Any, other: Any, atol: float) -> None:
    """Assert that both libraries' transforms give close results and draw as many random numbers."""
    for n in SEEDS:
        results = []
        for lib, module, image in ((microgad, ours, mine), (torch, theirs, other)):
            seed(lib, n)
            found = to_arrays(program(module)(image))
            results.append((found, random.random(), lib.rand(1).item()))
        (a, *drawn), (b, *expected) = results
        assert drawn == expected, n
        for x, y in zip(a, b, strict=True) if isinstance(a, list) else [(a, b)]:
            assert (x.dtype, x.shape) == (y.dtype, y.shape)
            if atol:
                np.testing.assert_allclose(x.astype(float), y.astype(float), rtol=1e-5, atol=atol, err_msg=f"seed {n}")
            else:
                np.testing.assert_array_equal(x, y, err_msg=f"seed {n}")


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_transforms_of_pillow_images_equal_torchvisions(name, mode):
    image = Image.fromarray(PIXELS if mode == "RGB" else SMOOTH)
    check(TRANSFORMS[name], image, image, int(name in APPROXIMATE_ON_PILLOW))


@pytest.mark.parametrize("name", EXACT_ON_BYTES_OR_NEARLY)
def test_transforms_of_uint8_tensors_equal_torchvisions(name):
    planes = np.ascontiguousarray(PIXELS.transpose(2, 0, 1))
    check(TRANSFORMS[name], microgad.tensor(planes), torch.tensor(planes), int(name in APPROXIMATE_ON_BYTES))


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if not name.startswith(UINT8_ONLY)])
def test_transforms_of_float_tensors_equal_torchvisions(name):
    planes = np.random.default_rng(1).random((2, 3, 17, 23), np.float32)
    check(TRANSFORMS[name], microgad.tensor(planes), torch.tensor(planes), 1e-5)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_reprs_of_transforms_are_torchvisions(name):
    assert repr(TRANSFORMS[name](ours)) == repr(TRANSFORMS[name](theirs))


OTHER_REPRS = {
    "erasing": lambda t: t.RandomErasing(),
    "normalize": lambda t: t.Normalize([0.5], [0.1]),
    "to_pil": lambda t: (t.ToPILImage(), t.ToPILImage("RGB"), t.ToTensor(), t.PILToTensor(), t.Lambda(abs)),
    "of_pillow": lambda t: (t.Resize(3, 3), t.RandomRotation(3, 2), t.RandomAffine(3, interpolation=3)),
}


@pytest.mark.parametrize("name", OTHER_REPRS)
def test_reprs_of_other_transforms_are_torchvisions(name):
    assert repr(OTHER_REPRS[name](ours)) == repr(OTHER_REPRS[name](theirs))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"value": "random"},
        {"value": (1, 2, 3.5)},
        {"ratio": (1, 1.5), "inplace": True},
        {"scale": (0.9, 1), "ratio": (0.7, 0.8)},
    ],
)
def test_random_erasing_draws_as_torchvisions(options):
    planes = np.random.default_rng(1).random((3, 17, 23), np.float32)
    check(lambda t: t.RandomErasing(**options), microgad.tensor(planes), torch.tensor(planes), 1e-6)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_each_channel_may_have_its_fill(mode):
    planes = np.random.default_rng(1).random((3, 17, 23), np.float32)
    rotation = lambda t: t.RandomRotation(30, t.InterpolationMode(mode), fill=(0.1, 0.5, 0.9))  # noqa: E731
    check(rotation, microgad.tensor(planes), torch.tensor(planes), 1e-5)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I", "F", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_conversion_of_each_pillow_mode(mode):
    image = Image.fromarray(PIXELS).convert("HSV" if mode == "HSV" else mode)
    for name in ("ToTensor", "PILToTensor"):
        mine, other = (getattr(t, name)()(image) for t in (ours, theirs))
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
        assert str(mine.dtype) == str(other.dtype)
        if mode not in ("1", "P"):
            whole = name == "PILToTensor" and mode not in ("F",)
            back = ours.ToPILImage(mode if whole or mode == "F" else None)(mine)
            assert back.tobytes() == theirs.ToPILImage(mode if whole or mode == "F" else None)(other).tobytes()


@pytest.mark.parametrize("a", ["float32", "float64", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("b", ["float32", "float64", "uint8", "int8", "int16", "int32", "int64"])
def test_convert_image_dtype(a, b):
    for x in (np.array([0, 1, 100, 127]), np.linspace(0, 1, 257)):
        results = []
        for lib, module in ((microgad, ours), (torch, theirs)):
            try:
                results.append(module.ConvertImageDtype(getattr(lib, b))(lib.tensor(x.astype(a))).numpy())
            except RuntimeError as error:
                results.append(np.array(str(error).removeprefix("convert_image_dtype: ")))
        np.testing.assert_array_equal(*results)


def test_linear_transformation_equals_torchvisions():
    matrix, mean = np.random.default_rng(0).random((12, 12), np.float32), np.arange(12, dtype=np.float32)
    x = np.random.default_rng(1).random((2, 3, 2, 2), np.float32)
    mine = ours.LinearTransformation(microgad.tensor(matrix), microgad.tensor(mean))
    other = theirs.LinearTransformation(torch.tensor(matrix), torch.tensor(mean))
    assert repr(mine) == repr(other)
    np.testing.assert_allclose(mine(microgad.tensor(x)).numpy(), other(torch.tensor(x)).numpy(), rtol=1e-5, atol=1e-5)


def T(lib: Any, *shape: int, dtype: str = "float32") -> Any:
    return lib.zeros(*shape, dtype=getattr(lib, dtype))


ERRORS = [
    lambda lib, t: t.Resize(2.5),
    lambda lib, t: t.Resize((1, 2, 3)),
    lambda lib, t: t.Resize(10, max_size=5)(T(lib, 3, 20, 20)),
    lambda lib, t: t.Pad("a"),
    lambda lib, t: t.Pad((1, 2, 3)),
    lambda lib, t: t.Pad(1, padding_mode="x"),
    lambda lib, t: t.RandomCrop(30)(T(lib, 3, 20, 20)),
    lambda lib, t: t.RandomRotation(-1),
    lambda lib, t: t.RandomRotation((1, 2, 3)),
    lambda lib, t: t.RandomRotation(1, fill={}),
    lambda lib, t: t.RandomRotation(5, interpolation=t.InterpolationMode.BICUBIC)(T(lib, 3, 8, 8)),
    lambda lib, t: t.RandomAffine(1, translate=(2, 0)),
    lambda lib, t: t.RandomAffine(1, scale=(0, 1)),
    lambda lib, t: t.RandomAffine(1, shear=(0, 1, 2)),
    lambda lib, t: t.ColorJitter(brightness=-1),
    lambda lib, t: t.ColorJitter(hue=0.7),
    lambda lib, t: t.ColorJitter(contrast="a"),
    lambda lib, t: t.ColorJitter(0.1)(T(lib, 4, 8, 8)),
    lambda lib, t: t.GaussianBlur(2),
    lambda lib, t: t.GaussianBlur(3, -1),
    lambda lib, t: t.ElasticTransform([1, 2, 3]),
    lambda lib, t: t.ElasticTransform(sigma=[5.0]),
    lambda lib, t: t.ElasticTransform(5),
    lambda lib, t: t.RandomErasing(value="x"),
    lambda lib, t: t.RandomErasing(p=2),
    lambda lib, t: t.RandomErasing(scale=3),
    lambda lib, t: t.RandomErasing(p=1, value=(1, 2))(T(lib, 3, 8, 8)),
    lambda lib, t: t.FiveCrop(30)(T(lib, 3, 20, 20)),
    lambda lib, t: t.CenterCrop((1, 2, 3)),
    lambda lib, t: t.Grayscale(2)(T(lib, 3, 8, 8)),
    lambda lib, t: t.Grayscale()(T(lib, 4, 8, 8)),
    lambda lib, t: t.RandomPosterize(9, p=1)(T(lib, 3, 8, 8, dtype="uint8")),
    lambda lib, t: t.RandomPosterize(2, p=1)(T(lib, 3, 8, 8)),
    lambda lib, t: t.RandomEqualize(p=1)(T(lib, 3, 8, 8)),
    lambda lib, t: t.RandomSolarize(256, p=1)(T(lib, 3, 8, 8, dtype="uint8")),
    lambda lib, t: t.RandomOrder(3),
    lambda lib, t: t.RandomChoice([abs], p=3),
    lambda lib, t: t.ToTensor()("a"),
    lambda lib, t: t.ToTensor()(np.zeros((1, 2, 3, 4))),
    lambda lib, t: t.ToTensor()(T(lib, 3, 8, 8)),
    lambda lib, t: t.PILToTensor()(np.zeros((2, 2))),
    lambda lib, t: t.ToPILImage()("a"),
    lambda lib, t: t.ToPILImage()(np.zeros(3)),
    lambda lib, t: t.ToPILImage()(np.zeros((3, 3, 5))),
    lambda lib, t: t.ToPILImage("LA")(T(lib, 3, 8, 8)),
    lambda lib, t: t.ToPILImage("RGB")(T(lib, 1, 8, 8)),
    lambda lib, t: t.ToPILImage()(T(lib, 3, 8, 8, dtype="int32")),
    lambda lib, t: t.Normalize([0.5], [0.0])(T(lib, 1, 2, 2)),
    lambda lib, t: t.Normalize([0.5], [0.5])(T(lib, 1, 2, 2, dtype="uint8")),
    lambda lib, t: t.Normalize([0.5], [0.5])(T(lib, 2, 2)),
    lambda lib, t: t.Normalize([0.5], [0.5])(np.zeros((1, 2, 2))),
    lambda lib, t: t.CenterCrop(3)(np.zeros((5, 5))),
    lambda lib, t: t.RandomHorizontalFlip(p=1)("a"),
    lambda lib, t: t.functional.rotate(T(lib, 1, 2, 2), "a"),
    lambda lib, t: t.functional.affine(T(lib, 1, 2, 2), 0, [1], 1.0, 0.0),
    lambda lib, t: t.functional.affine(T(lib, 1, 2, 2), 0, [1, 1], 0.0, 0.0),
    lambda lib, t: t.functional.affine(T(lib, 1, 2, 2), 0, [1, 1], 1.0, [1, 2, 3]),
    lambda lib, t: t.functional.perspective(T(lib, 1, 2, 2), [[0, 0]], [[0, 0]]),
    lambda lib, t: t.functional.adjust_hue(T(lib, 3, 2, 2), 0.6),
    lambda lib, t: t.functional.adjust_gamma(T(lib, 3, 2, 2), -1),
    lambda lib, t: t.LinearTransformation(T(lib, 2, 3), T(lib, 2)),
    lambda lib, t: t.LinearTransformation(T(lib, 3, 3), T(lib, 2)),
    lambda lib, t: t.LinearTransformation(T(lib, 3, 3), T(lib, 3))(T(lib, 1, 2, 2)),
]


@pytest.mark.parametrize("program", ERRORS)
def test_errors_have_torchvisions_class(program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever torchvision raises
            program(torch, theirs)
        with pytest.raises(expected.type):
            program(microgad, ours)


def test_all_names_exist():
    augmentations = {"AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix", "AutoAugmentPolicy"}
    expected = {*theirs.transforms.__all__, *augmentations}
    assert {name for name in expected if not hasattr(ours, name)} == set()
    functions = {name for name in vars(theirs.functional) if name.islower() and not name.startswith("_")}
    mine = {name for name in functions if hasattr(ours.functional, name)}
    assert {n for n in functions - mine if callable(getattr(theirs.functional, n))} == set()


def test_transforms_can_be_pickled():
    for lib in (ours, ours.v2, ours.functional, ours.v2.functional):
        for name, x in vars(lib).items():
            if isinstance(x, type) or (isinstance(x, FunctionType) and not name.startswith("__")):
                assert pickle.loads(pickle.dumps(x)) is x
    assert repr(pickle.loads(pickle.dumps(ours.v2.RandomCrop(3)))) == repr(ours.v2.RandomCrop(3))
