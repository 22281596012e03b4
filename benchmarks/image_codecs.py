"""How fast and how small is each codec, on GTs as they are and on noisy LQs? Prints JSON.

``python benchmarks/image_codecs.py --photos FOLDER``: a 256 px crop of every picture is the GT; a quarter of its
size with noise of sigma 10/255 and JPEG 80 is the LQ. Codecs take turns within a round; the figures are the best
round's mean, in CPU time of this one thread, so what other processes take of the core does not count.
"""

from __future__ import annotations

import argparse
import json
import time

import cv2
import numpy as np

from degradekit.codecs import CODECS, decode, encode
from degradekit.source import list_images, read_image
from degradekit.types import Array

GT = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", default="sample", help="a folder of pictures, or 'sample'")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    gts = photographs(arguments.photos)
    lqs = [degraded(gt, seed) for seed, gt in enumerate(gts)]
    wide = [gt.astype(np.uint16) * 257 + noise for gt, noise in zip(gts, sensor_noise(gts), strict=True)]
    sets = {"gt_256_photo": gts, "lq_64_noisy": lqs, "gt_256_16bit": wide}
    print(json.dumps({"pictures": len(gts), **measure(sets, arguments.rounds)}, indent=1))


def photographs(folder: str) -> list[Array]:
    """Centre crops as clips ``[1, 256, 256, 3]``."""
    out = []
    for ref in list_images(folder).images:
        image = read_image(ref.uri)
        y, x = (image.shape[0] - GT) // 2, (image.shape[1] - GT) // 2
        if min(y, x) >= 0 and image.dtype == np.uint8:
            out.append(np.ascontiguousarray(image[None, y : y + GT, x : x + GT]))
    return out


def degraded(gt: Array, seed: int) -> Array:
    """A small LQ with sensor noise and JPEG artefacts."""
    small = cv2.resize(gt[0].astype(np.float32), (GT // 4, GT // 4), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + np.random.default_rng(seed).normal(0, 10, small.shape), 0, 255).round().astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.ascontiguousarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[None, ..., ::-1])


def sensor_noise(gts: list[Array]) -> list[Array]:
    """Low bits as a 12-bit sensor leaves them in a 16-bit file."""
    return [np.random.default_rng(i).integers(-8, 8, gt.shape).astype(np.uint16) * 16 for i, gt in enumerate(gts)]


def measure(sets: dict[str, list[Array]], rounds: int) -> dict[str, dict[str, dict[str, float | str]]]:
    """Milliseconds per image and bytes over raw bytes, by set and codec."""
    best: dict[tuple[str, str], list[float]] = {}
    used: dict[tuple[str, str], str] = {}
    for _ in range(rounds):
        for name, clips in sets.items():
            for codec in CODECS:
                start = time.process_time()
                stored = [encode(clip, codec) for clip in clips]
                middle = time.process_time()
                for image in stored:
                    decode(image)
                end = time.process_time()
                ratio = sum(len(image.data) for image in stored) / sum(clip.nbytes for clip in clips)
                row = [1e3 * (middle - start) / len(clips), 1e3 * (end - middle) / len(clips), ratio]
                before = best.setdefault((name, codec), row)
                best[name, codec] = [min(a, b) for a, b in zip(before, row, strict=True)]
                used[name, codec] = stored[0].codec
    out: dict[str, dict[str, dict[str, float | str]]] = {name: {} for name in sets}
    for (name, codec), (encoding, decoding, ratio) in best.items():
        figures = {"encode_ms": round(encoding, 3), "decode_ms": round(decoding, 3), "ratio": round(ratio, 3)}
        out[name][codec] = {"stored_as": used[name, codec], **figures}
    return out


if __name__ == "__main__":
    main()
