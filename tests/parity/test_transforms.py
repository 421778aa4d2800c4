"""torchvision.transforms and transforms.v2: random draws, images, reprs and errors are torchvision's."""

import io
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
    "affine_shear": lambda t: t.RandomAffine(0, shear=10, center=(2, 3)),
    "perspective": lambda t: t.RandomPerspective(p=1.0),
    "perspective_fill": lambda t: t.RandomPerspective(0.3, 0.6, t.InterpolationMode.NEAREST, fill=50),
    "brightness": lambda t: t.ColorJitter(brightness=0.5),
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
    "elastic": lambda t: t.ElasticTransform(alpha=30.0, sigma=2.0),
    "resize": lambda t: t.Resize(11),
    "resize_up": lambda t: t.Resize((40, 31)),
    "resize_max": lambda t: t.Resize(16, max_size=18),
    "resize_nearest": lambda t: t.Resize(9, interpolation=t.InterpolationMode.NEAREST),
    "resize_bicubic": lambda t: t.Resize(9, interpolation=t.InterpolationMode.BICUBIC),
    "resized_crop": lambda t: t.RandomResizedCrop(12),
    "resized_crop_rare": lambda t: t.RandomResizedCrop((6, 5), scale=(0.9, 1.0), ratio=(3.0, 4.0)),
    "apply": lambda t: t.RandomApply([t.RandomCrop(9), t.RandomHorizontalFlip()], p=0.6),
    "order": lambda t: t.RandomOrder([t.Pad(1), t.RandomCrop(9), t.RandomVerticalFlip()]),
    "choice": lambda t: t.RandomChoice([t.Pad(1), t.RandomCrop(9)], p=[1, 3]),
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
    "options", [{}, {"value": "random"}, {"value": (1, 2, 3.5)}, {"ratio": (1, 1.5), "inplace": True}]
)
def test_random_erasing_draws_as_torchvisions(options):
    planes = np.random.default_rng(1).random((3, 17, 23), np.float32)
    check(lambda t: t.RandomErasing(**options), microgad.tensor(planes), torch.tensor(planes), 1e-6)


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


# transforms.v2

KEPT_IN_V2 = [name for name in TRANSFORMS if not name.startswith("grayscale_three")]
ADDED_IN_V2 = {
    "zoom_out": lambda t: t.RandomZoomOut(fill=3, p=0.7),
    "shortest": lambda t: t.RandomShortestSize([9, 10, 12], max_size=15),
    "scale_jitter": lambda t: t.ScaleJitter((20, 20), (0.5, 1.5)),
    "random_resize": lambda t: t.RandomResize(9, 15),
    "distort": lambda t: t.Compose([t.RGB(), t.RandomPhotometricDistort()]),
    "distort_more": lambda t: t.Compose([t.RGB(), t.RandomPhotometricDistort(contrast=(0.1, 3), hue=(0, 0.5), p=0.9)]),
    "rgb": lambda t: t.RGB(),
    "identity": lambda t: t.Identity(),
    "longer_edge": lambda t: t.Resize(None, max_size=12),
    "as_names": lambda t: t.Resize(12, interpolation="nearest"),
}


def v2_module(lib):
    return ours.v2 if lib is ours else theirs.v2


@pytest.fixture
def requires_v2():
    pytest.importorskip("torchvision.transforms.v2")


@pytest.mark.parametrize("name", [*KEPT_IN_V2, *ADDED_IN_V2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_v2_of_pillow_images(requires_v2, name, mode):
    image = Image.fromarray(PIXELS if mode == "RGB" else SMOOTH)
    program = {**TRANSFORMS, **ADDED_IN_V2}[name]
    check(lambda lib: program(v2_module(lib)), image, image, int(name in APPROXIMATE_ON_PILLOW))


@pytest.mark.parametrize("name", [name for name in [*KEPT_IN_V2, *ADDED_IN_V2] if not name.startswith(UINT8_ONLY)])
def test_v2_of_float_tensors(requires_v2, name):
    planes = np.random.default_rng(1).random((3, 17, 23), np.float32)
    program = {**TRANSFORMS, **ADDED_IN_V2}[name]
    check(lambda lib: program(v2_module(lib)), microgad.tensor(planes), torch.tensor(planes), 1e-5)


@pytest.mark.parametrize("name", [*EXACT_ON_BYTES_OR_NEARLY, *ADDED_IN_V2])
def test_v2_of_uint8_tensors(requires_v2, name):
    """v2 resizes bytes in integers, and rounds a blurred image before it is blended with the sharp one."""
    planes = np.random.default_rng(1).integers(0, 256, (3, 17, 23), np.uint8)
    program, atol = {**TRANSFORMS, **ADDED_IN_V2}[name], int(name in APPROXIMATE_ON_BYTES)
    check(lambda lib: program(v2_module(lib)), microgad.tensor(planes), torch.tensor(planes), atol)


def test_transforms_can_be_pickled():
    for lib in (ours, ours.v2, ours.functional, ours.v2.functional):
        for name, x in vars(lib).items():
            if isinstance(x, type) or (isinstance(x, FunctionType) and not name.startswith("__")):
                assert pickle.loads(pickle.dumps(x)) is x
    assert repr(pickle.loads(pickle.dumps(ours.v2.RandomCrop(3)))) == repr(ours.v2.RandomCrop(3))


@pytest.mark.parametrize("name", [*KEPT_IN_V2, *ADDED_IN_V2])
def test_reprs_of_v2_are_torchvisions(requires_v2, name):
    program = {**TRANSFORMS, **ADDED_IN_V2}[name]
    assert repr(program(ours.v2)) == repr(program(theirs.v2))


SAMPLES = {
    "pair": lambda image, tensor: (image, 3),
    "dict": lambda image, tensor: {"image": image, "label": 3, "more": [image, "a"]},
    "tensors": lambda image, tensor: (tensor, tensor.float()),
    "both": lambda image, tensor: [tensor, image],
    "images": lambda image, tensor: [image, {"b": image}, 3],
    "labels": lambda image, tensor: (image, tensor, tensor),
}
PIPELINES = {
    "one_kind": lambda lib, t: [t.RandomCrop(9), t.RandomHorizontalFlip(), t.RandomInvert()],
    "to_images": lambda lib, t: [t.RandomCrop(9), t.ToImage(), t.RandomRotation(9), t.ColorJitter(0.5, 0.4),
                                 t.ToDtype(lib.float32, scale=True), t.Normalize([0.5] * 3, [0.2] * 3), t.Pad(1),
                                 t.RandomGrayscale(0.5), t.GaussianBlur(3), t.RandomErasing(0.9), t.Resize(6)],
    "added": lambda lib, t: [t.ToImage(), t.RandomPhotometricDistort(), t.RandomZoomOut(), t.RandomChannelPermutation(),
                             t.ScaleJitter((9, 9)), t.RandomShortestSize(7), t.Lambda(lambda x: x + 1, lib.Tensor)],
}  # fmt: skip


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("name", SAMPLES)
def test_v2_samples_of_any_structure(requires_v2, name, pipeline):
    """What ToImage made is known as an image in later transforms: of plain Tensors only the first is transformed."""
    image = Image.fromarray(PIXELS)

    def plain(x):
        if isinstance(x, dict):
            return {key: plain(value) for key, value in x.items()}
        if isinstance(x, (list, tuple)):
            return type(x)(plain(item) for item in x)
        return x if isinstance(x, (int, str)) else (str(to_arrays(x).dtype), to_arrays(x).round(2).tolist())

    for n in SEEDS:
        results = []
        for lib, t in ((microgad, ours.v2), (torch, theirs.v2)):
            seed(lib, n)
            sample = SAMPLES[name](image, lib.tensor(PIXELS.transpose(2, 0, 1).copy()))
            made = t.Compose(PIPELINES[pipeline](lib, t))
            results.append((plain(made(*sample) if isinstance(sample, tuple) else made(sample)), lib.rand(1).item()))
        assert results[0] == results[1]


def overriding_hooks(lib, t):
    """Call transforms that override the hooks of a transform, and return what they were given and made."""
    seen = []

    class Flip(t.RandomHorizontalFlip):
        def transform(self, inpt, params):
            return "flipped", params

    class Crop(t.RandomCrop):
        def make_params(self, flat_inputs):
            seen.append(len(flat_inputs))
            return super().make_params(flat_inputs) | {"top": 1}

    class Jitter(t.ColorJitter):
        def make_params(self, flat_inputs):
            return {**super().make_params(flat_inputs), "brightness_factor": None}

    class Upper(t.Transform):
        _transformed_types = (str, lambda x: x == 2)

        def check_inputs(self, flat_inputs):
            seen.append(flat_inputs)

        def make_params(self, flat_inputs):
            return {"all": flat_inputs}

        def transform(self, inpt, params):
            return params["all"]

    image = Image.fromarray(PIXELS)
    seen += Flip(1.0)(image), Flip(0.0)("no image"), Upper()({"a": ["x", 1], "b": "y", "c": 2})
    images = [*Crop(5)([image, 3, image]), Jitter(0.5, 0.5, 0.5, 0.2)(image)]
    return seen, [x if isinstance(x, int) else np.asarray(x).tolist() for x in images], lib.rand(1).item()


def test_hooks_of_v2_are_called_as_by_torchvision(requires_v2):
    found = []
    for lib, t in ((microgad, ours.v2), (torch, theirs.v2)):
        seed(lib, 3)
        found.append(overriding_hooks(lib, t))
    assert found[0] == found[1]


def test_images_of_v2_print_and_convert_as_torchvisions(requires_v2):
    found = []
    for lib, t in ((microgad, ours.v2), (torch, theirs.v2)):
        x = t.ToImage()(lib.arange(60).reshape(1, 3, 20))
        made = [
            x + 1,
            x.clone(),
            x.to(lib.float32),
            x.float(),
            x.cpu(),
            x.detach(),
            x[0],
            lib.stack([x, x]),
            pickle.loads(pickle.dumps(x)),
        ]
        made += [t.ToPureTensor()(x), *t.FiveCrop(2)(x), t.functional.get_size(x), t.RandomErasing(1.0)(x)]
        made += [t.MixUp(num_classes=2)(lib.stack([x, x]).float(), lib.tensor([0, 1]))[0], t.AutoAugment()(x.byte())]
        sample, is_pure = [x, x.float(), 3], t.functional.is_pure_tensor
        asked = t.query_chw(sample), t.query_size(sample), t.has_any(sample, str, is_pure), t.has_all(sample, str, int)
        found.append((repr(x), [type(y).__name__ for y in made], asked))
    assert found[0] == found[1]
    file = io.BytesIO()
    microgad.save(ours.v2.ToImage()(microgad.ones(1, 2, 2)), file)
    file.seek(0)
    assert type(torch.load(file)) is torch.Tensor, "PyTorch can read it without torchvision"


V2_CALLS = {
    "to_image": lambda lib, t: t.Compose([t.ToImage(), t.ToDtype(lib.float32, scale=True)])(Image.fromarray(PIXELS)),
    "to_dtype": lambda lib, t: t.ToDtype({lib.Tensor: lib.float64, "others": None})(lib.tensor(PIXELS)),
    "array": lambda lib, t: t.ToImage()(SMOOTH),
    "to_pil": lambda lib, t: lib.tensor(np.array(t.ToPILImage()(lib.tensor(PIXELS[:, :, 0])))),
    "normalize": lambda lib, t: t.Normalize([0.5], [0.2])(lib.ones(1, 2, 2)),
    "noise": lambda lib, t: t.GaussianNoise()(lib.full((1, 2, 2), 0.5)),
    "noise_bytes": lambda lib, t: t.GaussianNoise(0.1)(lib.full((1, 9, 9), 100, dtype=lib.uint8)),
    "channels": lambda lib, t: t.RandomChannelPermutation()(lib.tensor(PIXELS.transpose(2, 0, 1).copy())),
    "erasing": lambda lib, t: t.RandomErasing(p=1.0, value="random")(lib.zeros(3, 9, 9)),
    "labels_mixed_up": lambda lib, t: t.MixUp(alpha=0.4, num_classes=5)({"labels": lib.tensor([0, 1, 4])})["labels"],
    "mix_up": lambda lib, t: t.MixUp(alpha=0.4, num_classes=5)(lib.rand(4, 3, 6, 6), lib.tensor([0, 1, 4, 2])),
    "cut_mix": lambda lib, t: t.CutMix(num_classes=5)(lib.rand(4, 3, 6, 6), lib.tensor([0, 1, 4, 2])),
    "no_images": lambda lib, t: t.RandomOrder([t.RandomHorizontalFlip(), t.ColorJitter(0.5)])(np.zeros((4, 4, 3))),
    "plain_tensors": lambda lib, t: t.Lambda(lambda x: x + 1, lib.Tensor)((lib.zeros(1), lib.zeros(1))),
    "normalize_grey": lambda lib, t: t.Normalize([0.5, 0.4, 0.3], [0.1, 0.2, 0.3])(lib.ones(2, 1, 2, 2)),
    "unchanged_palette": lambda lib, t: t.RandomErasing(p=0)(Image.fromarray(PIXELS).convert("P")),
    "one_sigma": lambda lib, t: lib.tensor(t.ElasticTransform(sigma=[2]).sigma),
    "region": lambda lib, t: lib.tensor(t.RandomCrop.get_params(lib.zeros(3, 9, 9), (4, 5))),
    "erased_region": lambda lib, t: lib.tensor(t.RandomErasing.get_params(lib.zeros(3, 9, 9), (0.1, 0.5), (1, 2))[:4]),
    "lambda": lambda lib, t: t.Lambda(lambda x: x + 1, int)([1, lib.ones(1)])[0],
    "augmented_floats": lambda lib, t: t.RandAugment(4)(lib.rand(3, 9, 9)),
    "augmented_channels": lambda lib, t: t.Compose([t.RandomEqualize(), t.RandomInvert(), t.RandomPosterize(2),
                                                    t.RandomSolarize(99)])(lib.randint(256, (4, 9, 9)).to(lib.uint8)),
    "posterized_int16": lambda lib, t: t.functional.posterize(lib.randint(32768, (1, 9, 9)).to(lib.int16), 4),
    "autocontrast": lambda lib, t: t.functional.autocontrast(lib.randint(90, 120, (3, 19, 19)).to(lib.uint8)),
    "gamma": lambda lib, t: t.functional.adjust_gamma(2 * lib.rand(2, 3, 3), 2.0),
    "grey_in_three": lambda lib, t: t.Grayscale(3)(lib.rand(1, 3, 3)),
    "one_of_grey": lambda lib, t: t.RGB()(lib.zeros(1, 3, 3)).index_fill_(0, lib.tensor([1]), 2.0),
    "to_grey": lambda lib, t: t.functional.to_grayscale(lib.rand(3, 3, 3)),
    "pad_coloured": lambda lib, t: t.Pad((1, 0, 2, 1), fill=[1, 2, 3])(lib.rand(3, 3, 3)),
    "unfilled": lambda lib, t: t.RandomRotation(40, "bilinear", fill=None)(lib.rand(3, 9, 9)),
    "erasing_pillow": lambda lib, t: lib.tensor(np.array(t.RandomErasing(p=1.0, value=7)(Image.fromarray(PIXELS)))),
    "videos": lambda lib, t: t.Compose([t.Resize(7), t.GaussianBlur(3), t.Pad(1)])(lib.rand(2, 2, 3, 9, 9)),
    "lanczos": lambda lib, t: t.Resize(7, t.InterpolationMode.LANCZOS)(lib.rand(3, 9, 9)),
    "elastic_bicubic": lambda lib, t: t.functional.elastic(lib.rand(1, 9, 9), lib.rand(1, 9, 9, 2), "bicubic"),
}  # fmt: skip


@pytest.mark.parametrize("name", V2_CALLS)
def test_calls_of_v2_equal_torchvisions(requires_v2, name):
    for n in SEEDS:
        results = []
        for lib, t in ((microgad, ours.v2), (torch, theirs.v2)):
            seed(lib, n)
            found = V2_CALLS[name](lib, t)
            found = found if isinstance(found, tuple) else (found,)
            results.append([np.asarray(x) for x in found] + [lib.rand(1).numpy()])
        for a, b in zip(*results, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


OTHER_V2_REPRS = {
    "erasing": lambda t: t.RandomErasing(value="random"),
    "normalize": lambda t: t.Normalize((0.5,), (0.2,)),
    "types": lambda t: (t.ToImage(), t.ToDtype((microgad if t is ours.v2 else torch).float32, True)),
    "more": lambda t: (t.ToPILImage("RGB"), t.Lambda(len), t.PILToTensor(), t.GaussianNoise()),
    "apply": lambda t: t.RandomApply([t.Pad(2)]),
    "convert": lambda t: t.ConvertImageDtype(),
    "unfilled": lambda t: t.RandomPerspective(fill=None),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_V2_REPRS)
def test_other_v2_reprs(requires_v2, name):
    assert repr(OTHER_V2_REPRS[name](ours.v2)) == repr(OTHER_V2_REPRS[name](theirs.v2))


V2_ERRORS = [
    lambda lib, t: t.RandomAffine(0, fill="fill"),
    lambda lib, t: t.RandomPerspective(fill="fill"),
    lambda lib, t: t.RandomCrop(3, padding=1, fill="fill"),
    lambda lib, t: t.ElasticTransform(fill="fill"),
    lambda lib, t: t.RandomZoomOut(fill="fill"),
    lambda lib, t: t.RandomZoomOut(p=2),
    lambda lib, t: t.RandomGrayscale(2),
    lambda lib, t: t.RandomInvert(-0.1),
    lambda lib, t: t.Compose([]),
    lambda lib, t: t.Compose(3),
    lambda lib, t: t.RandomApply([abs], p=2),
    lambda lib, t: t.RandomChoice([abs], p=[1, 2]),
    lambda lib, t: t.RandomOrder([]),
    lambda lib, t: t.Resize(None),
    lambda lib, t: t.Resize((1, 2, 3)),
    lambda lib, t: t.Pad((1, 2, 3)),
    lambda lib, t: t.Pad(1, padding_mode="x"),
    lambda lib, t: t.RandomCrop(30)(lib.zeros(3, 9, 9)),
    lambda lib, t: t.ToDtype("x"),
    lambda lib, t: t.RandAugment(-1),
    lambda lib, t: t.AugMix(11),
    lambda lib, t: t.RandomZoomOut(side_range=(0.5, 1)),
    lambda lib, t: t.MixUp()(lib.zeros(2, 3, 4, 4), lib.tensor([0, 1])),
    lambda lib, t: t.CutMix(num_classes=2)(lib.zeros(2, 3, 4, 4), lib.tensor([0])),
    lambda lib, t: t.CutMix(num_classes=2)(lib.tensor([0, 1])),
    lambda lib, t: t.CutMix(num_classes=2)({"labels": lib.tensor([0, 1])}),
    lambda lib, t: t.CutMix(num_classes=2)(),
    lambda lib, t: t.GaussianNoise()(lib.zeros(1, 2, 2, dtype=lib.int16)),
    lambda lib, t: t.LinearTransformation(lib.eye(4), lib.zeros(4))(Image.new("L", (2, 2))),
    lambda lib, t: t.Normalize([0.5], [0.5])((lib.ones(1, 2, 2), Image.new("L", (2, 2)))),
    lambda lib, t: t.MixUp(num_classes=2)(Image.new("L", (2, 2)), lib.tensor([0, 1])),
    lambda lib, t: t.ToImage()(lib.ones(2)),
    lambda lib, t: t.ToDtype({lib.Tensor: lib.float32})(t.ToImage()(lib.ones(2, 2))),
    *(
        lambda lib, t, make=make, sample=sample: make(t)(sample)
        for make in (
            lambda t: t.RandomCrop(2),
            lambda t: t.RandomResizedCrop(2),
            lambda t: t.RandomAffine(9),
            lambda t: t.RandomPerspective(p=1),
            lambda t: t.RandomErasing(p=1),
            lambda t: t.RandomZoomOut(p=1),
            lambda t: t.RandomPhotometricDistort(),
            lambda t: t.AutoAugment(),
            lambda t: t.AugMix(),
        )
        for sample in (np.zeros((4, 4, 3)), None, [Image.new("RGB", (4, 4)), Image.new("RGB", (4, 3))])
    ),
]


@pytest.mark.parametrize("program", V2_ERRORS)
def test_v2_errors_have_torchvisions_class(requires_v2, program):
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever torchvision raises
        program(torch, theirs.v2)
    with pytest.raises(expected.type):
        program(microgad, ours.v2)


def test_v2_to_tensor_warns(requires_v2):
    for t in (theirs.v2, ours.v2):
        with pytest.warns(UserWarning, match=r"`ToTensor\(\)` is deprecated .* use `v2.Compose"):
            t.ToTensor()
