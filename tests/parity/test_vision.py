"""torchvision's utils, io, ops and datasets: the same values, images, random draws and errors."""

import io
import operator

import numpy as np
import pytest

import microgad
import microgad.datasets
from microgad.porting import vision as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torchvision")
Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
BATCH = RNG.standard_normal((5, 3, 6, 7)).astype(np.float32)
BYTES = RNG.integers(0, 256, (3, 20, 24), np.uint8)
CORNERS = RNG.random((30, 4), np.float32) * 10
BOXES = np.concatenate([np.minimum(CORNERS[:, :2], CORNERS[:, 2:]), np.maximum(CORNERS[:, :2], CORNERS[:, 2:])], 1)
SCORES = RNG.random(30).astype(np.float32)
CLASSES = RNG.integers(0, 3, 30)
ROIS = np.concatenate([RNG.integers(0, 5, (8, 1)), BOXES[:8]], 1).astype(np.float32)
SEEN = np.array([[1, 1, 0, 1, 1, 1], [1, 0, 1, 1, 1, 1]])[:, :, None]
OFFSET = RNG.standard_normal((5, 12, 5, 5)).astype(np.float32)
KERNEL = RNG.standard_normal((4, 3, 2, 3)).astype(np.float32)
X = BATCH[:, :, :1, :1].reshape(5, 3)


def check_both(program, rtol=1e-6):
    """Run a program in both libraries: Tensors must be close, other results equal. Return ours."""
    results = []
    for lib, vision in ((microgad, ours), (torch, theirs)):
        lib.manual_seed(3)
        found = program(lib, vision)
        results.append(found.detach().numpy() if isinstance(found, lib.Tensor) else found)
    if isinstance(results[0], np.ndarray):
        assert (results[0].dtype, results[0].shape) == (results[1].dtype, results[1].shape)
        np.testing.assert_allclose(*results, rtol=rtol, atol=rtol)
    else:
        assert results[0] == results[1]
    return results[0]


def png_bytes(lib, vision, *args, **options):
    file = io.BytesIO()
    vision.utils.save_image(*args, file, format="png", **options)
    return file.getvalue()


def frozen(lib, layer):
    """With the state of a BatchNorm2d, whose count of batches is left out."""
    norm = lib.nn.BatchNorm2d(3)
    for i, value in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
        lib.nn.init.constant_(value, i + 0.5)
    layer.load_state_dict(norm.state_dict())
    return layer


PROGRAMS = {
    "grid": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH)),
    "grid_of_one_video": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH)[None, :, :1], normalize=True),
    "grid_rows": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH), nrow=2, padding=3, pad_value=0.5),
    "grid_normalize": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH), normalize=True),
    "grid_range": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH), normalize=True, value_range=(-1, 1)),
    "grid_each": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH), normalize=True, scale_each=True),
    "grid_list": lambda lib, v: v.utils.make_grid([lib.tensor(x[:1]) for x in BATCH], nrow=3),
    "grid_one": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH[0, 0])),
    "grid_grey": lambda lib, v: v.utils.make_grid(lib.tensor(BATCH[:1, :1])),
    "save": lambda lib, v: png_bytes(lib, v, lib.tensor(BATCH), nrow=2, normalize=True),
    "save_one": lambda lib, v: png_bytes(lib, v, lib.tensor(BATCH[0])),
    "boxes_drawn": lambda lib, v: v.utils.draw_bounding_boxes(lib.tensor(BYTES), lib.tensor(BOXES[:4])),
    "labels_filled": lambda lib, v: v.utils.draw_bounding_boxes(
        lib.tensor(BYTES), lib.tensor(BOXES[:2]), ["a", "b"], "red", fill_labels=True
    ),
    "labels_on_colours": lambda lib, v: v.utils.draw_bounding_boxes(
        lib.tensor(BYTES),
        lib.tensor(BOXES[:2]),
        ["a", "b"],
        width=2,
        label_colors="blue",
        fill_labels=True,
        label_background_colors=["red", (1, 2, 3)],
    ),
    "boxes_filled": lambda lib, v: v.utils.draw_bounding_boxes(
        lib.tensor(BYTES[:1]), lib.tensor(BOXES[:2]), ["a", "b"], colors=["red", (1, 2, 3)], fill=True, width=2
    ),
    "masks_drawn": lambda lib, v: v.utils.draw_segmentation_masks(
        lib.tensor(BYTES), lib.tensor(BYTES > 128), 0.6, colors=["red", "blue", "#00FF00"]
    ),
    "masks_floats": lambda lib, v: v.utils.draw_segmentation_masks(lib.tensor(BATCH[0]), lib.tensor(BATCH[0] > 0)),
    "keypoints_drawn": lambda lib, v: v.utils.draw_keypoints(
        lib.tensor(BYTES), lib.tensor(BOXES[:6]).reshape(2, 6, 2), [(0, 1), (1, 4)], "red", visibility=lib.tensor(SEEN)
    ),
    "keypoints_floats": lambda lib, v: v.utils.draw_keypoints(
        lib.tensor(np.abs(BATCH[0]).clip(0, 1)), lib.tensor(BOXES[:2]).reshape(1, 4, 2), radius=1
    ),
    "flow": lambda lib, v: v.utils.flow_to_image(lib.tensor(BATCH[:, :2])),
    "flow_one": lambda lib, v: v.utils.flow_to_image(lib.tensor(BATCH[0, 1:])),
    "png": lambda lib, v: v.io.decode_image(v.io.encode_png(lib.tensor(BYTES))),
    "gray": lambda lib, v: v.io.decode_png(v.io.encode_png(lib.tensor(BYTES[:1])), v.io.ImageReadMode.RGB),
    "area": lambda lib, v: v.ops.box_area(lib.tensor(BOXES)),
    "iou": lambda lib, v: v.ops.box_iou(lib.tensor(BOXES), lib.tensor(BOXES[:7])),
    "iou_whole": lambda lib, v: v.ops.box_iou(lib.tensor(BOXES.astype(int)), lib.tensor(BOXES[:7].astype(int) + 1)),
    "iou_sizes": lambda lib, v: v.ops.box_iou(lib.tensor(CORNERS), lib.tensor(CORNERS[:7]), "cxcywh"),
    "iou_areas": lambda lib, v: lib.stack(v.ops.boxes._box_inter_union(lib.tensor(BOXES), lib.tensor(BOXES[:7]))),
    "iou_of_one_box": lambda lib, v: v.ops.box_iou(lib.tensor(BOXES[0]), lib.tensor(BOXES[:7])),
    "area_of_bytes": lambda lib, v: v.ops.box_area(lib.tensor(BOXES.astype(np.uint8))),
    "giou": lambda lib, v: v.ops.generalized_box_iou(lib.tensor(BOXES), lib.tensor(BOXES[:7])),
    "clip": lambda lib, v: v.ops.clip_boxes_to_image(lib.tensor(BOXES), (5, 7)),
    "small": lambda lib, v: v.ops.remove_small_boxes(lib.tensor(BOXES), 2.5),
    "nms": lambda lib, v: v.ops.nms(lib.tensor(BOXES), lib.tensor(SCORES), 0.3),
    "nms_ties": lambda lib, v: v.ops.nms(lib.tensor(BOXES.round()), lib.tensor(SCORES.round(1)), 0.2),
    "nms_nan": lambda lib, v: v.ops.nms(lib.tensor(BOXES), lib.tensor(np.where(SCORES > 0.5, np.nan, SCORES)), 0.3),
    "batched_nms": lambda lib, v: v.ops.batched_nms(lib.tensor(BOXES), lib.tensor(SCORES), lib.tensor(CLASSES), 0.2),
    "nms_empty": lambda lib, v: v.ops.nms(lib.zeros(0, 4), lib.zeros(0), 0.2),
    "masks": lambda lib, v: v.ops.masks_to_boxes(lib.tensor((BATCH[:, 0] > 1).astype(int))),
    "align": lambda lib, v: v.ops.roi_align(lib.tensor(BATCH), lib.tensor(ROIS), 3),
    "align_more": lambda lib, v: v.ops.roi_align(lib.tensor(BATCH), lib.tensor(ROIS), (2, 4), 0.5, 2, True),
    "align_list": lambda lib, v: v.ops.roi_align(
        lib.tensor(BATCH[:2]), [lib.tensor(BOXES[:3]), lib.tensor(BOXES[3:4])], 2, 0.7
    ),
    "align_layer": lambda lib, v: repr(v.ops.RoIAlign(2, 1.0, 2)),
    "pool": lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH), lib.tensor(ROIS), 3),
    "pool_more": lambda lib, v: v.ops.RoIPool((2, 5), 0.5)(lib.tensor(BATCH), lib.tensor(ROIS)),
    "pool_outside": lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH[:1]), [lib.tensor(BOXES[:9] * 4 - 5)], (3, 2)),
    "pool_list": lambda lib, v: v.ops.roi_pool(
        lib.tensor(BATCH[:2]), [lib.tensor(BOXES[:3]), lib.tensor(BOXES[3:4])], 2, 0.7
    ),
    "pool_layout": lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH), lib.tensor(ROIS), 3).view(len(ROIS), -1),
    "pool_none": lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH), lib.zeros(0, 5), 2),
    "pool_layer": lambda lib, v: repr(v.ops.RoIPool(2, 1.0)),
    "deformed": lambda lib, v: v.ops.deform_conv2d(lib.tensor(BATCH), lib.tensor(OFFSET), lib.tensor(KERNEL)),
    "deformed_none": lambda lib, v: v.ops.deform_conv2d(
        lib.tensor(BATCH[:0]), lib.tensor(OFFSET[:0]), lib.tensor(KERNEL), mask=lib.tensor(OFFSET[:0, :6])
    ),
    "deformed_outside": lambda lib, v: v.ops.deform_conv2d(
        lib.tensor(BATCH), lib.tensor(OFFSET * 4).round(), lib.tensor(KERNEL), lib.ones(4)
    ),
    "deformed_layer": lambda lib, v: v.ops.DeformConv2d(6, 4, (3, 1), (1, 2), (2, 1), (2, 1), 2)(
        lib.tensor(BATCH).repeat(1, 2, 1, 1), lib.rand(5, 18, 6, 5), lib.rand(5, 9, 6, 5)
    ),
    "deformed_repr": lambda lib, v: repr(v.ops.DeformConv2d(6, 4, 3, dilation=2, groups=2, bias=False)),
    "blocks": lambda lib, v: v.ops.drop_block2d(lib.tensor(BATCH), 0.3, 3),
    "blocks_written": lambda lib, v: v.ops.DropBlock2d(0.3, 5, inplace=True)(lib.tensor(BATCH)),
    "blocks_cubes": lambda lib, v: v.ops.DropBlock3d(0.2, 3)(lib.tensor(BATCH)[None]),
    "blocks_kept": lambda lib, v: v.ops.DropBlock3d(0.2, 3).eval()(lib.tensor(BATCH)[None]),
    "blocks_repr": lambda lib, v: repr(v.ops.DropBlock3d(0.2, 3)),
    "focal": lambda lib, v: v.ops.sigmoid_focal_loss(lib.tensor(X), lib.tensor((X > 0).astype(np.float32))),
    "focal_mean": lambda lib, v: v.ops.sigmoid_focal_loss(
        lib.tensor(X), lib.tensor((X > 0).astype(np.float32)), -1, 1.5, "mean"
    ),
    "giou_loss": lambda lib, v: v.ops.generalized_box_iou_loss(lib.tensor(BOXES[:9]), lib.tensor(BOXES[9:18]), "sum"),
    "diou": lambda lib, v: v.ops.distance_box_iou(lib.tensor(BOXES[:9]), lib.tensor(BOXES[5:18])),
    "ciou": lambda lib, v: v.ops.complete_box_iou(lib.tensor(BOXES[:9]).half(), lib.tensor(BOXES[5:18]).half(), 0.1),
    "ciou_of_integers": lambda lib, v: v.ops.complete_box_iou(
        lib.tensor([[0, 0, 100, 90], [5, 5, 99, 30]], dtype=lib.uint8), lib.tensor([[7, 9, 88, 77]], dtype=lib.uint8)
    ),
    "giou_loss_of_one": lambda lib, v: v.ops.generalized_box_iou_loss(lib.tensor(BOXES[0]), lib.tensor(BOXES[1])),
    "giou_loss_half": lambda lib, v: v.ops.generalized_box_iou_loss(
        lib.tensor(BOXES[:9]).half(), lib.tensor(BOXES[9:18]).half()
    ),
    "giou_loss_of_none": lambda lib, v: v.ops.generalized_box_iou_loss(lib.zeros(0, 4), lib.zeros(0, 4), "mean"),
    "diou_loss": lambda lib, v: v.ops.distance_box_iou_loss(lib.tensor(BOXES[:9]), lib.tensor(BOXES[9:18]), "mean"),
    "ciou_loss": lambda lib, v: v.ops.complete_box_iou_loss(lib.tensor(BOXES[:9]), lib.tensor(BOXES[9:18])),
    "ciou_loss_half": lambda lib, v: v.ops.complete_box_iou_loss(
        lib.tensor(BOXES[0]).half(), lib.tensor(BOXES[1]).half(), "sum", 0.1
    ),
    "depth_row": lambda lib, v: v.ops.stochastic_depth(lib.tensor(BATCH), 0.4, "row"),
    "depth_batch": lambda lib, v: v.ops.StochasticDepth(0.4, "batch")(lib.tensor(BATCH)),
    "depth_all": lambda lib, v: v.ops.stochastic_depth(lib.tensor(BATCH), 1.0, "row"),
    "mlp": lambda lib, v: v.ops.MLP(3, [8, 4], norm_layer=lib.nn.LayerNorm, dropout=0.2)(lib.tensor(X)),
    "mlp_repr": lambda lib, v: repr(v.ops.MLP(3, [8, 4], inplace=True, dropout=0.2)),
    "conv": lambda lib, v: v.ops.Conv2dNormActivation(3, 4, (4, 1), dilation=2)(lib.tensor(BATCH)),
    "conv_repr": lambda lib, v: repr(v.ops.Conv3dNormActivation(3, 4, norm_layer=None, inplace=None)),
    "squeeze": lambda lib, v: v.ops.SqueezeExcitation(3, 2)(lib.tensor(BATCH)),
    "squeeze_repr": lambda lib, v: repr(v.ops.SqueezeExcitation(3, 2)),
    "permute": lambda lib, v: v.ops.Permute([0, 2, 3, 1])(lib.tensor(BATCH)),
    "frozen": lambda lib, v: frozen(lib, v.ops.FrozenBatchNorm2d(3, eps=0.5))(lib.tensor(BATCH)),
    "frozen_of_misc": lambda lib, v: repr(v.ops.misc.FrozenBatchNorm2d(3)),
    "fake": lambda lib, v: v.datasets.FakeData(3, (3, 5, 6), 7)[2][0].tobytes(),
    "fake_target": lambda lib, v: v.datasets.FakeData(3, (3, 5, 6), 7, random_offset=4)[2][1],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_result_is_torchvisions(name):
    # Convolutions may add in a different order.
    check_both(PROGRAMS[name], 2e-5 if name in ("conv", "squeeze", "mlp", "focal", "frozen", "align_more") else 2e-6)


@pytest.mark.parametrize("pool", [False, True])
def test_feature_pyramid_network(pool):
    def pyramid(lib, v):
        extra = v.ops.feature_pyramid_network.LastLevelMaxPool() if pool else None
        network = v.ops.FeaturePyramidNetwork([3, 5], 4, extra)
        large, small = lib.tensor(BATCH, requires_grad=True), lib.ones(5, 5, 3, 4)
        found = network({"large": large, "small": small})
        sum(x.sigmoid().sum() for x in found.values()).backward()
        names.append((list(found), list(network.state_dict())))
        return lib.cat([x.reshape(-1) for x in (*found.values(), large.grad)])

    names = []
    check_both(pyramid, 2e-5)
    assert names[0] == names[1]


PICTURE = BYTES.transpose(1, 2, 0)
PALETTE = Image.fromarray(BYTES[0]).convert("P")
PALETTE.putpalette([*range(255, -1, -1)] * 3)
# Image files: their bytes, and the modes to which torchvision converts them without a fault of its own.
FILES = {
    "palette": (PALETTE, {"format": "png"}, "UNCHANGED GRAY RGB"),
    "transparent": (PALETTE, {"format": "png", "transparency": 3}, "UNCHANGED GRAY GRAY_ALPHA RGB RGB_ALPHA"),
    "16_bits": (Image.fromarray(BYTES[0].astype(np.uint16) * 200), {"format": "png"},
                "UNCHANGED GRAY GRAY_ALPHA RGB RGB_ALPHA"),
    "color": (Image.fromarray(PICTURE), {"format": "png"}, "UNCHANGED GRAY GRAY_ALPHA RGB RGB_ALPHA"),
    "alpha": (Image.fromarray(np.concatenate([PICTURE, PICTURE[..., :1]], 2)), {"format": "png"}, "GRAY GRAY_ALPHA"),
    "bits": (Image.fromarray(PICTURE[..., 0] > 99), {"format": "png"}, "UNCHANGED GRAY RGB"),
    "jpeg": (Image.fromarray(PICTURE), {"format": "jpeg"}, "UNCHANGED GRAY RGB"),
    "cmyk": (Image.fromarray(PICTURE).convert("CMYK"), {"format": "jpeg"}, "UNCHANGED RGB"),
    "gif": (PALETTE, {"format": "gif"}, "UNCHANGED GRAY"),
    "animation": (PALETTE, {"format": "gif", "save_all": True, "append_images": [PALETTE.rotate(180)]}, "UNCHANGED"),
}  # fmt: skip


def encoded(name):
    """Return the bytes of a file of FILES."""
    image, options, _ = FILES[name]
    file = io.BytesIO()
    image.save(file, **options)
    return np.frombuffer(file.getvalue(), np.uint8).copy()


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name in FILES for mode in FILES[name][2].split()])
def test_decoded_images_are_torchvisions(name, mode):
    data, kind = encoded(name), FILES[name][1]["format"]
    decode = {"gif": lambda v: v.io.decode_gif, "jpeg": lambda v: v.io.decode_jpeg}.get(kind)
    check_both(lambda lib, v: v.io.decode_image(lib.tensor(data), v.io.ImageReadMode[mode]))
    if decode:
        arguments = () if kind == "gif" else (mode, "cpu")
        check_both(lambda lib, v: decode(v)(lib.tensor(data), *arguments))


def test_lists_of_jpegs():
    def program(lib, vision):
        images = [lib.tensor(BYTES), lib.tensor(BYTES[:1])]
        return lib.stack(vision.io.decode_jpeg(vision.io.encode_jpeg(images, quality=90), "RGB"))

    check_both(program)


@pytest.mark.parametrize("a", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("b", ["xyxy", "xywh", "cxcywh"])
def test_box_convert_equals_torchvisions(a, b):
    check_both(lambda lib, v: v.ops.box_convert(lib.tensor(BOXES), a, b))


@pytest.mark.parametrize("a", ["xywhr", "cxcywhr", "xyxyxyxy"])
@pytest.mark.parametrize("b", ["xywhr", "cxcywhr", "xyxyxyxy"])
def test_rotated_boxes_are_converted_as_by_torchvision(a, b):
    turned = np.concatenate([BOXES, 40 * BOXES[:, ::-1]], 1)[:, : 8 if a == "xyxyxyxy" else 5]

    def program(lib, v):
        found = [v.ops.box_convert(lib.tensor(x), a, b) for x in (turned, (9 * turned).astype(np.int64))]
        assert found[1].dtype == lib.int64
        return lib.cat(found)

    check_both(program, 1e-4)


@pytest.mark.parametrize("ratio", [-1, 2])
def test_gradient_of_roi_align(ratio):
    def program(lib, vision):
        x = lib.tensor(BATCH, requires_grad=True)
        (vision.ops.roi_align(x, lib.tensor(ROIS), 3, 0.5, ratio) ** 2).sum().backward()
        return x.grad

    check_both(program, 2e-5)


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "c"], ["b"]])
def test_multi_scale_roi_align(names):
    # sides around canonical_scale, one exactly; between the levels of "a" and "c" lies that of "b"
    boxes = [[[0.0, 0, 9, 9], [3, 4, 19, 20], [1, 1, 40, 60]], [[0, 0, 16, 16], [8, 8, 24, 24.5], [0, 0, 64, 64]]]

    def program(lib, vision):
        maps = {name: lib.rand(2, 3, 16 >> i, 12 >> i, requires_grad=True) for i, name in enumerate("abc")}
        align = vision.ops.MultiScaleRoIAlign(names, (2, 3), 2, canonical_scale=16, canonical_level=3)
        found = align(maps, [lib.tensor(b) for b in boxes], [(50, 40), (64, 48)])
        (found**2).sum().backward()
        grads = [maps[name].grad.flatten() for name in names]
        return lib.cat([found.flatten(), *grads, lib.tensor([*align.scales, len(repr(align))])])

    check_both(program, 2e-5)


def test_multi_scale_roi_align_of_no_images():
    def program(lib, vision):
        with pytest.raises(ValueError, match="images list should not be empty"):
            vision.ops.MultiScaleRoIAlign(["a"], 2, 2)({"a": lib.ones(1, 1, 2, 2)}, [lib.ones(1, 4)], [])
        return lib.ones(1)

    check_both(program)


def test_gradient_of_roi_pool():
    def program(lib, vision):
        # rounded, so that there are ties: the first maximum gets the gradient
        x = lib.tensor(BATCH.round(), requires_grad=True)
        (vision.ops.roi_pool(x, lib.tensor(ROIS), 3, 0.5) ** 2).sum().backward()
        return x.grad

    check_both(program)


@pytest.mark.parametrize("op", ["roi_align", "roi_pool"])
@pytest.mark.parametrize("boxes", [lambda lib: lib.zeros(0, 5), lambda lib: [lib.zeros(0, 4)] * 5])
def test_gradient_of_no_regions_is_zero(op, boxes):
    def program(lib, vision):
        x = lib.tensor(BATCH, requires_grad=True)
        found = getattr(vision.ops, op)(x, boxes(lib), (2, 3))
        found.sum().backward()
        return lib.cat([x.grad.flatten(), lib.tensor(found.shape)])

    check_both(program)


# Pairs of boxes that overlap, lie apart, touch at a side, at a corner, have no area, or are turned inside out.
PAIRS = np.array(
    [
        [[0, 0, 4, 4], [2, 1, 6, 3]], [[0, 0, 1, 1], [2, 3, 5, 4]], [[0, 0, 4, 4], [4, 0, 8, 4]],
        [[0, 0, 4, 4], [4, 4, 8, 9]], [[18, 5, 18, 15], [14, 10, 19, 18]], [[5, 5, 1, 1], [0, 0, 4, 3]],
        [[3, 1, 1, 2], [6, 2, 4, 1]],
    ],
    np.float32,
)  # fmt: skip


@pytest.mark.parametrize("name", ["generalized_box_iou", "distance_box_iou", "complete_box_iou"])
def test_gradients_of_boxes_that_touch(name):
    def program(lib, vision):
        boxes = lib.tensor(PAIRS, requires_grad=True)
        loss = getattr(vision.ops, f"{name}_loss")(boxes[:, 0], boxes[:, 1])
        (loss.sum() + getattr(vision.ops, name)(boxes[:4, 0], boxes[:4, 1]).sum()).backward()
        return lib.cat([loss.detach(), boxes.grad.flatten()])

    check_both(program, 1e-6)


def test_gradient_of_deform_conv2d():
    def program(lib, vision):
        arrays = BATCH, OFFSET, KERNEL, KERNEL[:, 0, 0, 0], OFFSET[:, :6]
        *inputs, mask = (lib.tensor(x, requires_grad=True) for x in arrays)
        (vision.ops.deform_conv2d(*inputs, mask=mask) ** 2).sum().backward()
        return lib.cat([x.grad.flatten() for x in (*inputs, mask)])

    check_both(program, 2e-4)


ERRORS = [
    lambda lib, v: v.ops.roi_align(lib.tensor(BATCH), lib.zeros(2, 4), 2),
    lambda lib, v: v.ops.roi_align(lib.tensor(BATCH), [lib.zeros(2, 5)], 2),
    lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH), 3, 2),
    lambda lib, v: v.ops.roi_align(lib.tensor(BATCH), lib.tensor(ROIS, dtype=lib.float64), 2),
    lambda lib, v: v.ops.roi_pool(lib.tensor(BATCH), lib.tensor(ROIS.astype(int)), 2),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES), lib.tensor(SCORES[:-1]), 0.5),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES), lib.tensor(SCORES[:, None]), 0.5),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES[:, :3]), lib.tensor(SCORES), 0.5),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES[0]), lib.tensor(SCORES), 0.5),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES.astype(int)), lib.tensor(SCORES), 0.5),
    lambda lib, v: v.ops.nms(lib.tensor(BOXES, dtype=lib.float64), lib.tensor(SCORES, dtype=lib.float32), 0.5),
    lambda lib, v: v.ops.deform_conv2d(lib.tensor(BATCH), lib.tensor(OFFSET[:, :4]), lib.tensor(KERNEL)),
    lambda lib, v: v.ops.deform_conv2d(lib.tensor(BATCH), lib.tensor(OFFSET[..., :4]), lib.tensor(KERNEL)),
    lambda lib, v: v.ops.deform_conv2d(
        lib.tensor(BATCH), lib.tensor(OFFSET), lib.tensor(KERNEL), mask=lib.tensor(OFFSET[:, :5])
    ),
    lambda lib, v: v.ops.deform_conv2d(lib.tensor(BATCH[:, :, :1]), lib.tensor(OFFSET[:, :, :0]), lib.tensor(KERNEL)),
    lambda lib, v: v.ops.DeformConv2d(3, 4, 3, groups=2),
    lambda lib, v: v.ops.FeaturePyramidNetwork([3, 0], 4),
    lambda lib, v: v.ops.drop_block2d(lib.tensor(X), 0.1, 3),
    lambda lib, v: v.ops.drop_block3d(lib.tensor(BATCH)[None], 1.1, 3),
    lambda lib, v: v.io.decode_jpeg([]),
    lambda lib, v: v.io.encode_jpeg([]),
    lambda lib, v: v.utils.make_grid(3),
    lambda lib, v: v.utils.make_grid([3]),
    lambda lib, v: v.utils.make_grid(lib.tensor(BATCH), normalize=True, value_range=[0, 1]),
    lambda lib, v: v.utils.draw_bounding_boxes(BYTES, lib.tensor(BOXES)),
    lambda lib, v: v.utils.draw_bounding_boxes(lib.tensor(BATCH), lib.tensor(BOXES)),
    lambda lib, v: v.utils.draw_bounding_boxes(lib.tensor(BYTES), lib.tensor(BOXES[:, ::-1].copy())),
    lambda lib, v: v.utils.draw_bounding_boxes(lib.tensor(BYTES), lib.tensor(BOXES), ["a"]),
    lambda lib, v: v.utils.draw_bounding_boxes(lib.tensor(BYTES), lib.tensor(BOXES), colors=["red"]),
    lambda lib, v: v.utils.draw_segmentation_masks(lib.tensor(BYTES), lib.tensor(BYTES)),
    lambda lib, v: v.utils.draw_keypoints(lib.tensor(BYTES), lib.tensor(BOXES)),
    lambda lib, v: v.utils.draw_keypoints(
        lib.tensor(BYTES), lib.tensor(BOXES[None]), visibility=lib.tensor(SEEN, dtype=lib.bool)
    ),
    lambda lib, v: v.utils.flow_to_image(lib.tensor(BATCH)),
    lambda lib, v: v.utils.flow_to_image(lib.tensor(BATCH[0, :2], dtype=lib.float64)),
    lambda lib, v: v.io.read_image("nowhere.png"),
    lambda lib, v: v.io.decode_image(lib.tensor([1, 2, 3], dtype=lib.uint8)),
    *(lambda lib, v, n=n: v.io.decode_image(lib.tensor(encoded("animation")[:n])) for n in (-1400, -300)),
    lambda lib, v: v.io.encode_png(lib.tensor(BATCH)),
    lambda lib, v: v.io.encode_png(lib.tensor(BYTES), 10),
    lambda lib, v: v.io.encode_png(lib.tensor(BYTES), -1),
    lambda lib, v: v.ops.box_convert(lib.tensor(BOXES), "x", "xyxy"),
    lambda lib, v: v.ops.box_convert(lib.tensor(BOXES), "xyxy", "xywhr"),
    lambda lib, v: v.ops.box_area(lib.tensor(BOXES), "x"),
    lambda lib, v: v.ops.stochastic_depth(lib.tensor(X), 2, "row"),
    lambda lib, v: v.ops.stochastic_depth(lib.tensor(X), 0.5, "column"),
    lambda lib, v: v.ops.sigmoid_focal_loss(lib.tensor(X), lib.tensor(X), 2),
    lambda lib, v: v.ops.sigmoid_focal_loss(lib.tensor(X), lib.tensor(X), reduction="x"),
    lambda lib, v: v.datasets.FakeData(3)[3],
    lambda lib, v: v.datasets.EMNIST("nowhere", "x"),
    lambda lib, v: v.datasets.QMNIST("nowhere", "x"),
    lambda lib, v: v.datasets.CIFAR10("nowhere"),
    lambda lib, v: v.datasets.FashionMNIST("nowhere"),
    lambda lib, v: v.datasets.ImageFolder("nowhere"),
    lambda lib, v: v.datasets.VisionDataset("nowhere", abs, abs),
]


@pytest.mark.parametrize("program", ERRORS)
def test_errors_have_torchvisions_class(program):
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever torchvision raises
        program(torch, theirs)
    with pytest.raises(OSError if isinstance(expected.value, OSError) else expected.type):
        program(microgad, ours)


def test_datasets_read_torchvisions_files(tmp_path):
    """FashionMNIST and ImageFolder read the same folders."""
    import gzip

    from microgad.datasets import encode_idx

    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        for name, values in (("images-idx3", BYTES), ("labels-idx1", np.array([1, 9, 4], np.uint8))):
            for path, content in ((f"{split}-{name}-ubyte", encode_idx(values)),):
                (raw / path).write_bytes(content)
                (raw / f"{path}.gz").write_bytes(gzip.compress(content))
    for kind in "ab":
        (tmp_path / "folder" / kind).mkdir(parents=True)
        Image.fromarray(BYTES.transpose(1, 2, 0)).save(tmp_path / "folder" / kind / "1.png")

    def program(lib, vision):
        made = vision.transforms.Compose([vision.transforms.RandomCrop(16), vision.transforms.ToTensor()])
        sets = [
            vision.datasets.FashionMNIST(tmp_path, train=False, transform=made),
            vision.datasets.ImageFolder(str(tmp_path / "folder"), made, operator.neg),
        ]
        properties = [(repr(x), len(x), x.classes, x.class_to_idx, list(map(int, x.targets))) for x in sets]
        items = [(image.numpy().tolist(), target) for x in sets for image, target in (x[0], x[1])]
        return properties, sets[1].samples, items

    check_both(program)


def test_cifar_files_and_checksums_are_torchvisions():
    for name in ("CIFAR10", "CIFAR100"):
        mine, other = (getattr(v.datasets, name) for v in (ours, theirs))
        for what in ("base_folder", "url", "filename", "tgz_md5", "train_list", "test_list", "meta"):
            assert getattr(mine, what) == getattr(other, what), what


def test_mnist_variants_have_torchvisions_classes_and_files():
    for name in ("FashionMNIST", "KMNIST", "MNIST", "QMNIST"):
        mine, other = (getattr(v.datasets, name) for v in (ours, theirs))
        assert mine.classes == other.classes
        if name == "QMNIST":
            files = {k: [(url.rpartition("/")[2], md5) for url, md5 in pairs] for k, pairs in other.resources.items()}
            assert mine.files == files
        else:
            assert mine.resources == other.resources
    assert microgad.datasets.EMNIST.classes_split_dict == theirs.datasets.EMNIST.classes_split_dict
    assert microgad.datasets.EMNIST.splits == theirs.datasets.EMNIST.splits
