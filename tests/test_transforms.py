"""Transforms: torchvision's values, shapes, reprs and refusals."""

import numpy as np
import pytest

import microgad
from microgad.datasets import MNIST
from microgad.transforms import Compose, Lambda, Normalize, ToTensor

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51  # (H, W)
COLOUR = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)  # (H, W, C)


def test_to_tensor_scales_bytes_to_one():
    image = ToTensor()(GREY)
    assert image.dtype == microgad.float32
    assert tuple(image.shape) == (1, 2, 3)
    np.testing.assert_array_equal(image.numpy(), (GREY / np.float32(255))[None])


def test_to_tensor_puts_channels_first():
    image = ToTensor()(COLOUR)
    assert tuple(image.shape) == (4, 2, 3)
    assert image.is_contiguous()
    np.testing.assert_array_equal(image.numpy()[1], COLOUR[:, :, 1] / np.float32(255))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_to_tensor_keeps_other_dtypes_and_copies(dtype):
    pixels = COLOUR.astype(dtype)
    image = ToTensor()(pixels).numpy()
    assert image.dtype == dtype
    assert not np.shares_memory(image, pixels)
    np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1))


def test_to_tensor_refuses_what_is_no_image():
    with pytest.raises(TypeError, match="ToTensor: pic is list, expected a NumPy array"):
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


def test_normalize_refuses_what_it_cannot_normalize():
    normalize = Normalize((0.5, 0.5), (1.0, 1.0))
    with pytest.raises(TypeError, match="Normalize: image is ndarray, expected a Tensor"):
        normalize(np.zeros((2, 2, 2)))
    with pytest.raises(TypeError, match=r"Normalize: image is torch\.uint8, expected floating point"):
        normalize(microgad.from_numpy(COLOUR))
    with pytest.raises(ValueError, match=r"Normalize: image has shape \(2, 2\), expected \(..., C, H, W\)"):
        normalize(microgad.zeros(2, 2))
    for channels in (1, 3):
        with pytest.raises(ValueError, match=f"mean has 2 numbers, but the image {channels} channels"):
            normalize(microgad.zeros(channels, 2, 2))
    with pytest.raises(ValueError, match="std has 3 numbers, but the image 2 channels"):
        Normalize((0.5,), (1.0, 1.0, 1.0))(microgad.zeros(2, 2, 2))
    with pytest.raises(ValueError, match=r"Normalize: std is \(1.0, 0.0\), expected no zero"):
        Normalize((0.5, 0.5), (1.0, 0.0))


def test_lambda_calls_its_function_or_refuses():
    assert Lambda(lambda image: image + 1)(1) == 2
    with pytest.raises(TypeError, match="Lambda: lambd is int, expected a function"):
        Lambda(3)


def test_compose_goes_from_first_to_last_and_prints_as_in_torchvision():
    assert Compose([lambda image: image + 1, lambda image: image * 10])(1) == 20
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,)), Lambda(abs)])
    assert repr(transform) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n    Lambda()\n)"
    )


def test_mnist_goes_through_transforms():
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
