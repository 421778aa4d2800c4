"""torchvision.transforms.v2: its protocol, random draws, images, reprs and errors are torchvision's."""

import io
import pickle

import numpy as np
import pytest

import microgad

pytest.importorskip("torch")
pytest.importorskip("torchvision.transforms.v2")
pytest.importorskip("PIL.Image")

from .test_transforms import (
    APPROXIMATE_ON_BYTES,
    APPROXIMATE_ON_PILLOW,
    EXACT_ON_BYTES_OR_NEARLY,
    PIXELS,
    SEEDS,
    SMOOTH,
    TRANSFORMS,
    UINT8_ONLY,
    Image,
    check,
    ours,
    seed,
    theirs,
    to_arrays,
    torch,
    use_numpy_bmm,  # noqa: F401  (a fixture of all tests)
)

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


@pytest.mark.parametrize("name", [*KEPT_IN_V2, *ADDED_IN_V2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_v2_of_pillow_images(name, mode):
    image = Image.fromarray(PIXELS if mode == "RGB" else SMOOTH)
    program = {**TRANSFORMS, **ADDED_IN_V2}[name]
    check(lambda lib: program(v2_module(lib)), image, image, int(name in APPROXIMATE_ON_PILLOW))


@pytest.mark.parametrize("name", [name for name in [*KEPT_IN_V2, *ADDED_IN_V2] if not name.startswith(UINT8_ONLY)])
def test_v2_of_float_tensors(name):
    planes = np.random.default_rng(1).random((3, 17, 23), np.float32)
    program = {**TRANSFORMS, **ADDED_IN_V2}[name]
    check(lambda lib: program(v2_module(lib)), microgad.tensor(planes), torch.tensor(planes), 1e-5)


@pytest.mark.parametrize("name", [*EXACT_ON_BYTES_OR_NEARLY, *ADDED_IN_V2])
def test_v2_of_uint8_tensors(name):
    """v2 resizes bytes in integers, and rounds a blurred image before it is blended with the sharp one."""
    planes = np.random.default_rng(1).integers(0, 256, (3, 17, 23), np.uint8)
    program, atol = {**TRANSFORMS, **ADDED_IN_V2}[name], int(name in APPROXIMATE_ON_BYTES)
    check(lambda lib: program(v2_module(lib)), microgad.tensor(planes), torch.tensor(planes), atol)


@pytest.mark.parametrize("name", [*KEPT_IN_V2, *ADDED_IN_V2])
def test_reprs_of_v2_are_torchvisions(name):
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
def test_v2_samples_of_any_structure(name, pipeline):
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

    class Invert(t.Transform):
        _transformed_types = (object,)

        def transform(self, inpt, params):
            return self._call_kernel(t.functional.invert, inpt)

    image = Image.fromarray(PIXELS)
    seen += Flip(1.0)(image), Flip(0.0)("no image"), Upper()({"a": ["x", 1], "b": "y", "c": 2})
    images = [*Crop(5)([image, 3, image]), *Invert()([image, 3]), Jitter(0.5, 0.5, 0.5, 0.2)(image)]
    return seen, [x if isinstance(x, int) else np.asarray(x).tolist() for x in images], lib.rand(1).item()


def test_hooks_of_v2_are_called_as_by_torchvision():
    found = []
    for lib, t in ((microgad, ours.v2), (torch, theirs.v2)):
        seed(lib, 3)
        found.append(overriding_hooks(lib, t))
    assert found[0] == found[1]


def test_images_of_v2_print_and_convert_as_torchvisions():
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
    "kept_dtype": lambda lib, t: t.ToDtype({lib.Tensor: None, "others": lib.float64})(lib.tensor(PIXELS)),
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
    "turned": lambda lib, t: tuple(
        t.functional.rotate(x, angle, mode, expand, fill=0)
        for x in (lib.rand(1, 2, 3), lib.rand(2, 3, 4, 4), lib.arange(6, dtype=lib.uint8).reshape(1, 3, 2))
        for angle in (0, 90.0, -90, 180, 450) for expand in (True, False) for mode in ("nearest", "bilinear")),
    "turned_layout": lambda lib, t: tuple(
        lib.tensor(t.functional.rotate(lib.rand(2, 3, 4), angle, expand=True).stride()) for angle in (0, 90, 180, 270)),
    "turned_around": lambda lib, t: t.functional.rotate(lib.rand(1, 2, 3), 90, expand=True, center=[0, 1]),
    "rotation_turned": lambda lib, t: t.RandomRotation((90, 90), expand=True)(lib.rand(1, 2, 3)),
    "masks": lambda lib, t: tuple(
        transform(lib.rand(1, 7, 8) > 0.5) for transform in (
            lambda x: t.functional.gaussian_blur(x, [3, 3], [1.0]),
            lambda x: t.functional.rotate(x, 20, t.InterpolationMode.BILINEAR, fill=1),
            lambda x: t.functional.rotate(x, 90, expand=True),
            lambda x: t.functional.affine(x, 9, [1, 0], 0.9, [0], "bilinear"),
            lambda x: t.functional.elastic(x, lib.full((1, 7, 8, 2), 0.1)),
            lambda x: t.RandomPerspective(p=1)(x), lambda x: t.functional.adjust_sharpness(x, 2.0),
            lambda x: t.functional.adjust_sharpness(x, 0.5))),
    "jpeg": lambda lib, t: t.JPEG((10, 90))(lib.tensor(PIXELS.transpose(2, 0, 1).copy())),
    "jpeg_batch": lambda lib, t: t.JPEG(50)(lib.tensor(PIXELS.transpose(2, 0, 1).copy())[:, None]),
    "jpeg_pillow": lambda lib, t: lib.tensor(np.array(t.JPEG([5, 60])(Image.fromarray(PIXELS)))),
    "subsampled": lambda lib, t: t.UniformTemporalSubsample(4)(lib.rand(2, 9, 3, 2, 2)),
    "cropped_by_padding": lambda lib, t: t.functional.pad(lib.rand(1, 4, 4), [0, -1], fill=[1.0, 2.0, 3.0]),
    "sharpened_lines": lambda lib, t: t.functional.adjust_sharpness(lib.rand(1, 2, 9), 2.0),
    "gamma_with_gain": lambda lib, t: t.functional.adjust_gamma(lib.rand(2, 3, 3), 0.5, 3.0),
    "autocontrast_flat": lambda lib, t: t.functional.autocontrast(
        lib.tensor([[[5, 5]], [[1, 9]], [[0, 0]]], dtype=lib.uint8)),
    "channels_of_batch": lambda lib, t: t.functional.permute_channels(lib.rand(2, 3, 2, 2), [2, 0, 1]),
    "scale_jitter": lambda lib, t: t.ScaleJitter((10, 40))(lib.rand(3, 9, 12)),
    "palette": lambda lib, t: lib.tensor(np.array(t.functional.pad(
        Image.fromarray(PIXELS).convert("P"), 2, padding_mode="edge").convert("RGB"))),
    "image_on_memory": lambda lib, t: [(x := lib.zeros(3, 2, 2)), t.functional.to_image(x), x.fill_(1)][1],
    "elastic_bicubic": lambda lib, t: t.functional.elastic(lib.rand(1, 9, 9), lib.rand(1, 9, 9, 2), "bicubic"),
}  # fmt: skip


@pytest.mark.parametrize("name", V2_CALLS)
def test_calls_of_v2_equal_torchvisions(name):
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
    "blur": lambda t: (t.GaussianBlur(3, 1), t.GaussianBlur((3, 5), [2]), t.GaussianBlur(3, (1, 2))),
    "jpeg": lambda t: (t.JPEG(50), t.JPEG((1, 9)), t.UniformTemporalSubsample(3)),
}


@pytest.mark.parametrize("name", OTHER_V2_REPRS)
def test_other_v2_reprs(name):
    assert repr(OTHER_V2_REPRS[name](ours.v2)) == repr(OTHER_V2_REPRS[name](theirs.v2))


V2_ERRORS = [
    lambda lib, t: t.RandomAffine(0, fill="fill"),
    lambda lib, t: t.RandomPerspective(fill="fill"),
    lambda lib, t: t.RandomCrop(3, padding=1, fill="fill"),
    lambda lib, t: t.ElasticTransform(fill="fill"),
    lambda lib, t: t.ElasticTransform([1, 2, 3]),
    lambda lib, t: t.ElasticTransform(sigma="a"),
    lambda lib, t: t.ElasticTransform(None),
    lambda lib, t: t.GaussianBlur(3, [1, 2, 3]),
    lambda lib, t: t.GaussianBlur(3, None),
    lambda lib, t: t.RandomPerspective(1.5),
    lambda lib, t: t.Resize(2.5),
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
    lambda lib, t: t.JPEG(True),
    lambda lib, t: t.functional.uniform_temporal_subsample(Image.new("L", (2, 2)), 2),
    lambda lib, t: t.functional.posterize(lib.zeros(1, 3, 3, dtype=lib.bool), 3),
    lambda lib, t: t.functional.equalize(lib.zeros(1, 3, 3, dtype=lib.bool)),
    lambda lib, t: t.JPEG(5.0),
    lambda lib, t: t.JPEG((1, 2, 3)),
    lambda lib, t: t.JPEG((9, 101)),
    lambda lib, t: t.JPEG(5)(lib.zeros(3, 4, 4)),
    lambda lib, t: t.Pad(1, fill=[1, 2, 3])(lib.zeros(1, 3, 3)),
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
def test_v2_errors_have_torchvisions_class(program):
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever torchvision raises
        program(torch, theirs.v2)
    with pytest.raises(expected.type):
        program(microgad, ours.v2)


@pytest.mark.parametrize(
    "program",
    [
        lambda t, image: t.functional.to_tensor(image),
        lambda t, image: t.functional.get_image_size(image),
        lambda t, image: t.functional.resize(image, [4, 4], antialias=False),
        lambda t, image: t.Resize(image.size[::-1], antialias=False)(image),
        lambda t, image: t.RandomResizedCrop(3, antialias=False)(image),
    ],
)
def test_v2_warns_in_torchvisions_words(program):
    said = []
    for t in (theirs.v2, ours.v2):
        with pytest.warns(UserWarning, match="deprecated|Anti-alias") as caught:
            program(t, Image.fromarray(PIXELS))
        said.append([str(warning.message) for warning in caught])
    assert said[0] == said[1]


def test_v2_to_tensor_warns():
    for t in (theirs.v2, ours.v2):
        with pytest.warns(UserWarning, match=r"`ToTensor\(\)` is deprecated .* use `v2.Compose"):
            t.ToTensor()
