"""Source images and videos: list them, read their headers, decode them strictly to sRGB, cut HR crops from them.

Example:
    >>> image = list_images("sample").images[0]
    >>> header = read_header(image.uri)
    >>> request = Extract(mode="sliding", size=256, step=256)
    >>> windows = plan_windows((header.h, header.w), request, 4, uniform=lambda name: 0.5)
    >>> pixels = read_image(image.uri)
    >>> [f"{item.key}: {cut(pixels, item.window).shape}" for item in source_items(image.key, image.uri, windows)][:2]
    ['astronaut.png#y0x0: (256, 256, 3)', 'astronaut.png#y0x256: (256, 256, 3)']
"""

from degradekit.source.align import align_face, move_points
from degradekit.source.clip import Clip, Frames, SkippedClip, scene_cuts
from degradekit.source.cut import cut, cut_all, flatness, is_flat, rescale, window_points
from degradekit.source.extract import MAX_PIXELS, Extract, plan_windows, scaled_size, source_items, split_key
from degradekit.source.faces import SkippedFace, list_faces, take_face
from degradekit.source.files import open_source
from degradekit.source.header import ImageHeader, read_header
from degradekit.source.image import decode, decoders, orient, read_image
from degradekit.source.landmarks import Face, Faces, Points, mirrored
from degradekit.source.listing import ImageRef, Listing, list_images
from degradekit.source.sample_photos import SAMPLE_PHOTOS
from degradekit.source.sequences import clip_size, list_clips, read_clip

__all__ = [
    "MAX_PIXELS",
    "SAMPLE_PHOTOS",
    "Clip",
    "Extract",
    "Face",
    "Faces",
    "Frames",
    "ImageHeader",
    "ImageRef",
    "Listing",
    "Points",
    "SkippedClip",
    "SkippedFace",
    "align_face",
    "clip_size",
    "cut",
    "cut_all",
    "decode",
    "decoders",
    "flatness",
    "is_flat",
    "list_clips",
    "list_faces",
    "list_images",
    "mirrored",
    "move_points",
    "open_source",
    "orient",
    "plan_windows",
    "read_clip",
    "read_header",
    "read_image",
    "rescale",
    "scaled_size",
    "scene_cuts",
    "source_items",
    "split_key",
    "take_face",
    "window_points",
]
