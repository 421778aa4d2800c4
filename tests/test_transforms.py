"""Transforms: values, shapes, reprs and errors of torchvision, and properties of the functions on random images."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad import transforms
from microgad.datasets import MNIST
from microgad.transforms import Compose, Lambda, Normalize, ToTensor

GRAY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51  # (H, W)
COLOR = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)  # (H, W, C)


def test_to_tensor_scales_bytes_to_one():
    image = ToTensor()(GRAY)
    assert image.dtype == microgad.float32
    assert tuple(image.shape) == (1, 2, 3)
    np.testing.assert_array_equal(image.numpy(), (GRAY / np.float32(255))[None])


def test_to_tensor_puts_channels_first():
    image = ToTensor()(COLOR)
    assert tuple(image.shape) == (4, 2, 3)
    assert image.is_contiguous()
    np.testing.assert_array_equal(image.numpy()[1], COLOR[:, :, 1] / np.float32(255))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_to_tensor_keeps_other_dtypes_and_copies(dtype):
    pixels = COLOR.astype(dtype)
    image = ToTensor()(pixels).numpy()
    assert image.dtype == dtype
    assert not np.shares_memory(image, pixels)
    np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1))


def test_to_tensor_raises_for_what_is_no_image():
    with pytest.raises(TypeError, match="ToTensor: pic is list, expected a PIL image or a NumPy array"):
        ToTensor()([[1, 2]])
    with pytest.raises(ValueError, match=r"ToTensor: pic has 4 dimensions \(1, 1, 1, 1\)"):
        ToTensor()(np.zeros((1, 1, 1, 1)))


@pytest.mark.parametrize("shape", [(3, 2, 2), (5, 3, 2, 2)])
def test_normalize_works_channel_by_channel(shape):
    pixels = np.random.default_rng(0).random(shape, np.float32)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    image = microgad.from_numpy(pixels.copy())
    result = Normalize(mean, std)(image)
    assert result.dtype == microgad.float32
    columns = (np.array(values, np.float32).reshape(3, 1, 1) for values in (mean, std))
    np.testing.assert_array_equal(result.numpy(), (pixels - next(columns)) / next(columns))
    np.testing.assert_array_equal(image.numpy(), pixels)


def test_normalize_in_place_writes_into_its_image():
    image = microgad.ones(1, 2, 2)
    assert Normalize((0.5,), (0.25,), inplace=True)(image) is image
    assert image.tolist() == [[[2.0, 2.0], [2.0, 2.0]]]


def test_normalize_raises_for_wrong_images_means_and_stds():
    normalize = Normalize((0.5, 0.5), (1.0, 1.0))
    with pytest.raises(TypeError, match="Normalize: image is ndarray, expected a Tensor"):
        normalize(np.zeros((2, 2, 2)))
    with pytest.raises(TypeError, match=r"Normalize: image is torch\.uint8, expected floating point"):
        normalize(microgad.from_numpy(COLOR))
    with pytest.raises(ValueError, match=r"Normalize: image has shape \(2, 2\), expected \(..., C, H, W\)"):
        normalize(microgad.zeros(2, 2))
    for channels in (1, 3):
        with pytest.raises(ValueError, match=f"mean has 2 numbers, but the image {channels} channels"):
            normalize(microgad.zeros(channels, 2, 2))
    with pytest.raises(ValueError, match="std has 3 numbers, but the image 2 channels"):
        Normalize((0.5,), (1.0, 1.0, 1.0))(microgad.zeros(2, 2, 2))
    with pytest.raises(ValueError, match=r"Normalize: std is \(1.0, 0.0\), expected no zero"):
        Normalize((0.5, 0.5), (1.0, 0.0))


def test_lambda_calls_its_function():
    assert Lambda(lambda image: image + 1)(1) == 2
    with pytest.raises(TypeError, match="Lambda: lambd is int, expected a function"):
        Lambda(3)


def test_compose_applies_transforms_in_order_and_prints_as_in_torchvision():
    assert Compose([lambda image: image + 1, lambda image: image * 10])(1) == 20
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,)), Lambda(abs)])
    assert repr(transform) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n    Lambda()\n)"
    )


def test_mnist_applies_its_transform():
    subset = MNIST.subset(train=False, transform=Compose([ToTensor(), Normalize((0.5,), (0.5,))]))
    image, target = subset[0]
    assert tuple(image.shape) == (1, 28, 28)
    assert target == 7
    assert image.numpy().min() == -1
    assert image.numpy().max() == 1
    assert repr(subset).endswith(
        "    StandardTransform\nTransform: Compose(\n               ToTensor()\n"
        "               Normalize(mean=(0.5,), std=(0.5,))\n           )"
    )


F = transforms.functional


@st.composite
def images(draw, channels=(1, 3)):
    """(C, H, W) of bytes or floats."""
    shape = draw(st.sampled_from(channels)), draw(st.integers(3, 9)), draw(st.integers(3, 9))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    return microgad.tensor(pixels if draw(st.booleans()) else pixels / np.float32(255))


@given(images())
def test_flips_and_invert_are_their_own_inverses(image):
    for function in (F.hflip, F.vflip, F.invert):
        np.testing.assert_allclose(function(function(image)).numpy(), image.numpy(), atol=1e-6)


@given(images())
def test_identity_arguments_change_nothing(image):
    same = [
        F.rotate(image, 0),
        F.affine(image, 0, [0, 0], 1.0, 0.0),
        F.adjust_brightness(image, 1),
        F.adjust_contrast(image, 1),
        F.adjust_saturation(image, 1),
        F.adjust_sharpness(image, 1),
        F.adjust_gamma(image, 1),
        F.resize(image, list(image.shape[-2:])),
        F.pad(F.pad(image, (1, 2, 0, 1), padding_mode="reflect"), (-1, -2, 0, -1)),
        F.crop(image, 0, 0, *image.shape[-2:]),
    ]
    for found in same:
        assert found.dtype == image.dtype
        np.testing.assert_allclose(found.numpy().astype(float), image.numpy().astype(float), atol=1e-5)


@given(images(), st.integers(1, 3))
def test_quarter_turns_are_those_of_numpy(image, turns):
    if image.shape[-1] != image.shape[-2]:
        image = image[..., :3, :3]
    np.testing.assert_array_equal(F.rotate(image, 90 * turns).numpy(), np.rot90(image.numpy(), turns, (1, 2)))


@given(images(), st.tuples(*[st.integers(0, 2)] * 4), st.sampled_from(["constant", "edge", "reflect", "symmetric"]))
def test_padding_is_numpys(image, sides, mode):
    left, top, right, bottom = sides
    wanted = np.pad(image.numpy(), ((0, 0), (top, bottom), (left, right)), mode=mode)
    np.testing.assert_array_equal(F.pad(image, sides, padding_mode=mode).numpy(), wanted)


@given(images(), st.integers(1, 12), st.integers(1, 12))
def test_crops_and_resized_images_have_the_given_size(image, height, width):
    for found in (F.center_crop(image, (height, width)), F.resize(image, (height, width))):
        assert tuple(found.shape) == (image.shape[0], height, width)
    part = transforms.RandomCrop((height, width), pad_if_needed=True)(image)
    assert tuple(part.shape) == (image.shape[0], height, width)


def test_a_crop_larger_than_the_image_shows_it_at_any_place_of_the_padding():
    """The image is padded on both sides, by as much as it lacks."""
    image, found = microgad.ones(1, 1, 2), set()
    for _ in range(40):
        part = transforms.RandomCrop((2, 4), pad_if_needed=True)(image)[0]
        assert part.sum() == 2
        row, column = part.nonzero()[0].tolist()
        assert part[row, column + 1] == 1
        found.add((row, column))
    assert found == {(row, column) for row in range(2) for column in range(3)}


def test_if_no_region_fits_the_largest_central_one_is_cropped():
    regions = {(1, 9): (0, 3, 1, 2), (9, 1): (3, 0, 2, 1), (4, 4): (0, 0, 4, 4), (2, 9): (0, 2, 2, 4)}
    for shape, wanted in regions.items():
        image = microgad.zeros(1, *shape)
        assert transforms.RandomResizedCrop.get_params(image, (20.0, 30.0), (0.5, 2.0)) == wanted


@given(images((3,)), st.sampled_from(["RGB", "HSV"]))
def test_conversion_to_pillow_and_back_keeps_pixels(image, mode):
    pytest.importorskip("PIL")
    pixels = F.convert_image_dtype(image, microgad.uint8)
    np.testing.assert_array_equal(F.pil_to_tensor(F.to_pil_image(pixels, mode)).numpy(), pixels.numpy())


NAMES = ["RandomCrop", "RandomResizedCrop", "RandomRotation", "RandomAffine", "ColorJitter", "GaussianBlur",
         "RandomPerspective", "RandomErasing", "ElasticTransform", "RandomHorizontalFlip"]  # fmt: skip
ARGUMENTS = {"RandomCrop": (3,), "RandomResizedCrop": (4,), "RandomRotation": (30,), "RandomAffine": (30,),
             "ColorJitter": (0.5, 0.5, 0.5, 0.5), "GaussianBlur": (3,), "ElasticTransform": (9.0, 0.1)}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_determines_the_image_and_gradients_propagate(name):
    transform = getattr(transforms, name)(*ARGUMENTS.get(name, ()))
    found = []
    for _ in range(2):
        microgad.manual_seed(5)
        image = microgad.rand(3, 6, 7, generator=microgad.Generator().manual_seed(1)).requires_grad_()
        result = transform(image)
        result.sum().backward()
        found.append((result.detach().numpy(), image.grad.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(found[0][1]).all()


@pytest.mark.parametrize("module", [transforms, transforms.v2])
def test_augmix_draws_weights_for_each_image(module):
    """Each image of the batch is mixed with weights of its own, so that no two results are the same."""
    batch = microgad.zeros(3, 1, 2, 2, dtype=microgad.uint8)
    batch[..., 1] = 200
    microgad.manual_seed(1)
    mixed = module.AugMix(all_ops=False, chain_depth=1)(batch)
    assert (mixed.dtype, mixed.shape, mixed.device) == (batch.dtype, batch.shape, batch.device)
    assert len({tuple(image.flatten().tolist()) for image in mixed}) == 3


def test_color_jitter_v2_takes_none_for_no_change():
    jitter = transforms.v2.ColorJitter(None, contrast=0.5, saturation=None)
    assert repr(jitter) == "ColorJitter(contrast=(0.5, 1.5))"
    assert (jitter.brightness, jitter.saturation, jitter.hue) == (None, None, None)
    with pytest.raises(TypeError, match="brightness should be a single number"):
        transforms.ColorJitter(None)


def test_transforms_v2_traverse_samples_as_pytrees():
    """A subclass of dict that isn't registered as one is a leaf."""

    class Own(dict):
        pass

    crop, image = transforms.v2.CenterCrop(2), microgad.ones(3, 4, 4)
    cropped = crop(defaultdict(list, image=image))
    assert (type(cropped), cropped["image"].shape) == (defaultdict, (3, 2, 2))
    assert crop(Own(image=image))["image"] is image


def test_random_order_uses_python_s_generator():
    order = transforms.RandomOrder([lambda x: [*x, 1], lambda x: [*x, 2], lambda x: [*x, 3]])
    random.seed(1)
    first = [order([]) for _ in range(9)]
    random.seed(1)
    assert [order([]) for _ in range(9)] == first
    assert {tuple(x) for x in first} > {(1, 2, 3)}


def test_resizing_a_boolean_mask_does_not_round():
    """As in torchvision: a pixel is true if any part of it is."""
    mask = microgad.tensor([[[True, False]]])
    assert F.resize(mask, [1, 4]).tolist() == [[[True, True, True, False]]]


def test_fill_may_be_a_numpy_scalar():
    turned = transforms.RandomRotation((45, 45), fill=np.int64(7))(microgad.zeros(1, 4, 4))
    assert turned[0, 0, 0] == 7


def test_without_pillow_an_error_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"images need the package pillow: pip install 'microgad\[images\]'"):
        transforms.ToPILImage()(microgad.zeros(1, 2, 2))
    assert transforms.RandomHorizontalFlip(1.0)(microgad.tensor([[[1, 2]]])).tolist() == [[[2, 1]]]


def test_crops_beyond_the_image_and_images_in_two_batch_dimensions() -> None:
    F = transforms.functional
    x = microgad.arange(48.0).reshape(2, 2, 1, 3, 4)
    for top, left in ((-5, -7), (-5, 1), (4, -7), (9, 9)):
        assert microgad.equal(F.crop(x[0], top, left, 2, 3), microgad.zeros(2, 1, 2, 3))
    assert microgad.equal(F.crop(x, -1, 3, 2, 2)[..., 1, :], F.pad(x, 1)[..., 1, 4:])
    assert F.resize(x, (1, 2)).shape == (2, 2, 1, 1, 2)
    assert microgad.equal(F.resize(x, (1, 2))[1, 0], F.resize(x[1, 0], (1, 2)))
