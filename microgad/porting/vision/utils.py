"""Drawing of images: grids, files, boxes, masks, keypoints and optical flow. Source: torchvision.utils."""

from __future__ import annotations

import math
import os
from typing import IO, Any

from ...autograd.grad_mode import no_grad
from ...dtypes import bool_, float32, int64, uint8
from ...dtypes.limits import finfo
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import warn
from ...ops import creation, movement
from ...tensor import Tensor
from ...transforms.functional import convert_image_dtype, pil_to_tensor, to_pil_image
from ...transforms.images import pillow


@no_grad()
def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Arrange images (N, C, H, W), or a list of (C, H, W), in rows of nrow to one image (C, H', W').

    Single channels are repeated to three, and a single image stays without padding.
    normalize: scale value_range, or the range of all values (with scale_each: of each image), to [0, 1].
    Raises TypeError for anything else. Source: torchvision.utils.make_grid.

    >>> torch.porting.vision.utils.make_grid(torch.ones(3, 1, 2, 2), nrow=2).shape
    torch.Size([3, 10, 10])
    """
    if not isinstance(tensor, Tensor) and not (isinstance(tensor, list) and all(isinstance(t, Tensor) for t in tensor)):
        raise DtypeError(f"make_grid: tensor is {type(tensor).__name__}, expected a Tensor or a list of Tensors")
    images = movement.stack(tensor, 0) if isinstance(tensor, list) else tensor
    images = images.reshape(1, *(1,) * (3 - images.ndim), *images.shape) if images.ndim < 4 else images
    if images.ndim == 4 and images.shape[1] == 1:
        images = movement.cat([images] * 3, 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise DtypeError(f"make_grid: value_range is {value_range!r}, expected a tuple (min, max)")
        images = images.clone()
        for part in images if scale_each else [images]:
            low, high = value_range or (part.min().item(), part.max().item())
            part.clamp_(low, high).sub_(low).div_(max(high - low, 1e-5))
    if len(images) == 1:
        return images.squeeze(0)
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    height, width = height + padding, width + padding
    grid = images.new_full((channels, height * -(-count // columns) + padding, width * columns + padding), pad_value)
    for i, image in enumerate(images):
        top, left = i // columns * height + padding, i % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = image
    return grid


@no_grad()
def save_image(tensor: Any, fp: str | os.PathLike[str] | IO[bytes], format: str | None = None, **kwargs: Any) -> None:
    """Save make_grid of images with values in [0, 1] to a file of the format of its name, or of `format`.

    Raises as make_grid does, and ImportError without Pillow. Source: torchvision.utils.save_image.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.porting.vision.utils.save_image(torch.rand(4, 3, 8, 8), file, "png")
    >>> file.getvalue()[1:4]
    b'PNG'
    """
    grid = make_grid(tensor, **kwargs)
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0).to(uint8).cpu().numpy()
    pillow().fromarray(pixels).save(fp, format=format)


def _require_image(image: Any, op: str, channels: tuple[int, ...]) -> None:
    """Raise an error if it isn't an image (C, H, W) of uint8 or floating point."""
    if not isinstance(image, Tensor):
        raise DtypeError(f"{op}: image is {type(image).__name__}, expected a Tensor")
    if image.dtype != uint8 and not image.is_floating_point():
        raise ArgumentError(f"{op}: image is {image.dtype}, expected torch.uint8 or floating point")
    if image.ndim != 3 or image.shape[0] not in channels:
        raise ShapeError(f"{op}: image has shape {tuple(image.shape)}, expected (C, H, W) of {channels} channels")


def _parse_colors(colors: Any, count: int) -> list[Any]:
    """Return `count` colors of numbers from 0 to 255: one for all, a list, or by default different ones."""
    if colors is None:
        # As different as possible for any count.
        return [tuple(i * step % 255 for step in (2**25 - 1, 2**15 - 1, 2**21 - 1)) for i in range(count)]
    if not isinstance(colors, (list, tuple, str)) or (isinstance(colors, tuple) and len(colors) != 3):
        raise ArgumentError(f"colors is {colors!r}, expected a name, a tuple of three, or a list of such")
    if isinstance(colors, list) and len(colors) < count:
        raise ArgumentError(f"colors has {len(colors)}, but there are {count} objects")
    listed = colors if isinstance(colors, list) else [colors] * count
    return [pillow("ImageColor").getrgb(c) if isinstance(c, str) else c for c in listed]


@no_grad()
def draw_bounding_boxes(
    image: Tensor, boxes: Tensor, labels: list[str] | None = None, colors: Any = None, fill: bool = False,
    width: int = 1, font: str | None = None, font_size: int | None = None, label_colors: Any = None,
    label_background_colors: Any = None, fill_labels: bool = False,
) -> Tensor:  # fmt: skip
    """Draw boxes (N, 4), given by x and y of two corners, and labels on an image (C, H, W) of 1 or 3 channels.

    Labels have the colors of the boxes or `label_colors`. With `fill_labels` they are black, or of `label_colors`, on
    a background of the boxes' colors or `label_background_colors`. Raises TypeError or ValueError for anything else,
    ImportError without Pillow.
    Source: torchvision.utils.draw_bounding_boxes.

    >>> image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    >>> torch.porting.vision.utils.draw_bounding_boxes(image, torch.tensor([[0, 0, 3, 3]]), colors="red")[0, 1]
    tensor([255,   0,   0, 255], dtype=torch.uint8)
    """
    _require_image(image, "draw_bounding_boxes", (1, 3))
    if ((boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])).any():
        raise ArgumentError("draw_bounding_boxes: boxes need to be in (xmin, ymin, xmax, ymax) format: box_convert")
    count = len(boxes)
    if count == 0:
        warn("boxes doesn't contain any box. No box was drawn")
        return image
    if labels is not None and len(labels) != count:
        raise ArgumentError(f"draw_bounding_boxes: {count} boxes, but {len(labels)} labels")
    outlines = _parse_colors(colors, count)
    texts = _parse_colors(label_colors or "black", count) if label_colors or fill_labels else outlines
    behind = _parse_colors(label_background_colors, count) if label_background_colors else outlines
    if font is None and font_size is not None:
        warn("Argument 'font_size' will be ignored since 'font' is not set.")
    fonts = pillow("ImageFont")
    face = fonts.load_default() if font is None else fonts.truetype(font=font, size=font_size or 10)
    drawn = to_pil_image(convert_image_dtype(image.expand(3, *image.shape[1:]), uint8))
    draw = pillow("ImageDraw").Draw(drawn, "RGBA" if fill else None)
    for i, box in enumerate(boxes.to(int64).tolist()):
        outline = outlines[i]
        draw.rectangle(box, width=width, outline=outline, fill=(*outline, 100) if fill else None)
        if labels is not None and labels[i] is not None:
            corner = box[0] + width + 1, box[1] + width + 1
            if fill_labels:
                left, top, right, bottom = draw.textbbox(corner, labels[i], font=face)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=behind[i])
            draw.text(corner, labels[i], fill=texts[i], font=face)
    return convert_image_dtype(pil_to_tensor(drawn), image.dtype)


@no_grad()
def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None) -> Tensor:
    """Draw bool masks (N, H, W) or (H, W) in colors over an image (3, H, W); overlaps are black.

    Raises TypeError or ValueError for anything else. Source: torchvision.utils.draw_segmentation_masks.

    >>> image, mask = torch.zeros(3, 1, 2), torch.tensor([[True, False]])
    >>> torch.porting.vision.utils.draw_segmentation_masks(image, mask, 1.0, "red")[0]
    tensor([[1., 0.]])
    """
    _require_image(image, "draw_segmentation_masks", (3,))
    masks = masks.unsqueeze(0) if masks.ndim == 2 else masks
    if masks.dtype != bool_ or masks.ndim != 3 or masks.shape[1:] != image.shape[1:]:
        found = f"{masks.dtype} {tuple(masks.shape)}"
        raise ArgumentError(
            f"draw_segmentation_masks: masks is {found}, expected torch.bool (N, *{tuple(image.shape[1:])})"
        )
    if len(masks) == 0:
        warn("masks doesn't contain any mask. No mask was drawn")
        return image
    drawn, most = image.clone(), 255 if image.is_floating_point() else 1
    for mask, color in zip(masks, _parse_colors(colors, len(masks)), strict=False):
        values = creation.tensor([c / most for c in color], dtype=image.dtype, device=image.device)
        drawn[:, mask] = values[:, None]
    drawn[:, masks.sum(0) > 1] = 0
    return (image * (1 - alpha) + drawn * alpha).to(image.dtype)


@no_grad()
def draw_keypoints(
    image: Tensor, keypoints: Tensor, connectivity: list[tuple[int, int]] | None = None, colors: Any = None,
    radius: int = 2, width: int = 3, visibility: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Draw discs at keypoints (instances, K, 2) of x and y, and lines between connected ones, on an image (3, H, W).

    `connectivity` holds pairs of indices from 0 to K - 1; `visibility` (instances, K) selects the keypoints to draw.
    Raises TypeError or ValueError for anything else, ImportError without Pillow.
    Source: torchvision.utils.draw_keypoints.

    >>> image = torch.zeros(3, 1, 4, dtype=torch.uint8)
    >>> torch.porting.vision.utils.draw_keypoints(image, torch.tensor([[[1, 0]]]), colors="red", radius=1)[0]
    tensor([[255, 255, 255,   0]], dtype=torch.uint8)
    """
    _require_image(image, "draw_keypoints", (3,))
    if keypoints.ndim != 3:
        raise ShapeError(
            f"draw_keypoints: keypoints has shape {tuple(keypoints.shape)}, expected (num_instances, K, 2)"
        )
    seen = creation.ones(keypoints.shape[:-1], dtype=bool_) if visibility is None else visibility
    seen = seen.squeeze(-1) if seen.ndim == 3 else seen
    if seen.shape != keypoints.shape[:-1]:
        raise ShapeError(
            f"draw_keypoints: visibility has shape {tuple(seen.shape)}, expected {tuple(keypoints.shape[:-1])}"
        )
    drawn = to_pil_image(convert_image_dtype(image, uint8))
    draw = pillow("ImageDraw").Draw(drawn)
    for points, visible in zip(keypoints.to(int64).tolist(), seen.to(bool_).tolist(), strict=True):
        for (x, y), shown in zip(points, visible, strict=True):
            if shown:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colors, outline=None, width=0)
        for start, end in connectivity or ():
            if visible[start] and visible[end]:
                draw.line((*points[start], *points[end]), width=width)
    return convert_image_dtype(pil_to_tensor(drawn), image.dtype)


def _make_colorwheel() -> list[list[int]]:
    """Return the color wheel, spaced by perception: red, yellow, green, cyan, blue, magenta."""
    colors, now = [], [255, 0, 0]
    for count, channel in ((15, 1), (6, 0), (4, 2), (11, 1), (13, 0), (6, 2)):
        start = now[channel]
        for i in range(count):
            now[channel] = abs(start - 255 * i // count)
            colors.append(list(now))
        now[channel] = 255 - start
    return colors


@no_grad()
def flow_to_image(flow: Tensor) -> Tensor:
    """Draw optical flow (N, 2, H, W) or (2, H, W) of float32 as uint8 images (N, 3, H, W) or (3, H, W).

    The direction gives the hue and the length the saturation, full for the longest. Raises ValueError for anything
    else. Source: torchvision.utils.flow_to_image, with the colors of Baker et al., ICCV 2007.

    >>> torch.porting.vision.utils.flow_to_image(torch.tensor([1.0, 0.0]).reshape(2, 1, 1)).flatten()
    tensor([255,   0,   0], dtype=torch.uint8)
    """
    if flow.dtype != float32 or flow.ndim not in (3, 4) or flow.shape[-3] != 2:
        found = f"{flow.dtype} {tuple(flow.shape)}"
        raise ArgumentError(f"flow_to_image: flow is {found}, expected torch.float32 (N, 2, H, W) or (2, H, W)")
    longest = (flow**2).sum(-3).sqrt().max()
    flow = flow / (longest + finfo(float32).eps)
    wheel = creation.tensor(_make_colorwheel(), dtype=float32, device=flow.device) / 255.0
    at = ((-flow.select(-3, 1)).atan2(-flow.select(-3, 0)) / math.pi + 1) / 2 * (len(wheel) - 1)
    before = at.floor().to(int64)
    part, length = (at - before).unsqueeze(-1), (flow**2).sum(-3).sqrt().unsqueeze(-1)
    hue = (1 - part) * wheel[before] + part * wheel[(before + 1) % len(wheel)]
    return (255 * (1 - length * (1 - hue))).floor().to(uint8).movedim(-1, -3).contiguous()
