"""Restore pictures, folders and videos with a network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degradekit_models.cli.options import add_model, at_least, load_model, positive

if TYPE_CHECKING:
    from degradekit_models.restore.jobs import Job
    from degradekit_models.restore.pictures import Picture
    from degradekit_models.restore.upscale import Restorer

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument(
        "input", metavar="INPUT", help="picture, video, or folder of them; for video networks also of frames"
    )
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder, or file for one input")
    add_model(parser)
    parser.add_argument(
        "--outscale", type=positive, metavar="F", help="output side / input side (default: the network's)"
    )
    parser.add_argument(
        "--format",
        choices=("auto", "png", "jpg", "webp", "tif"),
        default="auto",
        help="of pictures (default: as the input)",
    )
    parser.add_argument("--suffix", default="", metavar="TEXT", help="add to every file's name")
    parser.add_argument(
        "--quality", type=at_least(1), default=95, metavar="Q", help="of JPEG and WebP, 1..100 (default 95)"
    )
    parser.add_argument("--skip-existing", action="store_true", help="leave out files whose result is there")
    parser.add_argument(
        "--denoise",
        type=float,
        metavar="S",
        help="realesr-general-x4v3: strength of denoising, 0..1, by mixing with --weak",
    )
    parser.add_argument(
        "--weak",
        metavar="FILE|NAME",
        default="realesr-general-wdn-x4v3",
        help="the network that denoises little (default realesr-general-wdn-x4v3)",
    )
    machine = parser.add_argument_group("how to compute")
    machine.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1 (default: an accelerator if there is one)")
    machine.add_argument("--half", action="store_true", help="compute in float16; for accelerators")
    machine.add_argument(
        "--tile",
        type=at_least(0),
        default=0,
        metavar="N",
        help="side of a tile in input pixels; 0: whole pictures (default)",
    )
    machine.add_argument(
        "--tile-overlap", type=at_least(0), default=32, metavar="N", help="pixels seen around a tile (default 32)"
    )
    machine.add_argument("--batch", type=at_least(1), default=1, metavar="N", help="tiles at a time (default 1)")
    machine.add_argument("--channels-last", action="store_true", help="lay features out with channels innermost")
    machine.add_argument(
        "--compile", action="store_true", help="compile the network first; pays for many pictures of one size"
    )
    video = parser.add_argument_group("videos")
    video.add_argument(
        "--window",
        type=at_least(1),
        default=15,
        metavar="N",
        help="frames at a time of a recurrent network (default 15)",
    )
    video.add_argument(
        "--window-overlap",
        type=at_least(0),
        default=5,
        metavar="N",
        help="frames seen before and after a window (default 5)",
    )
    video.add_argument("--codec", default="libx264", help="encoder of FFmpeg (default libx264)")
    video.add_argument("--crf", type=at_least(0), default=18, metavar="N", help="constant rate factor (default 18)")
    faces = parser.add_argument_group("faces in pictures")
    faces.add_argument("--face-enhance", action="store_true", help="restore faces with a GFPGAN and paste them back")
    faces.add_argument("--face-model", metavar="FILE|NAME", default="GFPGANv1.4", help="GFPGAN (default GFPGANv1.4)")
    faces.add_argument("--face-detector", metavar="FILE", help="YuNet (.onnx) or facexlib's RetinaFace (.pth)")
    faces.add_argument("--landmarks", metavar="FILE", help="JSON with five points for each face instead of a detector")


def run(args: argparse.Namespace) -> int:
    """Restore everything; 1 when a file failed."""
    from tqdm import tqdm

    from degradekit_models.restore.jobs import plan_jobs, run_jobs

    source, out = Path(args.input), Path(args.out)
    restorer = _restorer(args)
    if restorer.traits.kind != "image" and _is_clip(source):
        return _restore_frames(args, restorer, source, out)
    jobs = plan_jobs(source, out, form=args.format, suffix=args.suffix)
    faces = _faces(args, restorer) if args.face_enhance else None
    with tqdm(total=len(jobs), unit="file", disable=None, file=sys.stderr) as bar:
        failures = run_jobs(
            jobs, lambda job: _restore(job, restorer, faces, args), skip_existing=args.skip_existing, advance=bar.update
        )
    for failure in failures:
        print(f"failed: {failure.source}: {failure.reason}", file=sys.stderr)
    print(f"{len(jobs) - len(failures)} of {len(jobs)} files are at {out}")
    return 1 if failures else 0


def _restorer(args: argparse.Namespace) -> Restorer:
    from degradekit_models.restore.tiles import Tiling
    from degradekit_models.restore.upscale import Restorer

    net, path = load_model(args)
    if args.denoise is not None:
        from degradekit_models.download import find_model
        from degradekit_models.interpolate import interpolate

        weak = find_model(args.weak, fetch=args.download)
        net.load_state_dict(interpolate(weak, path, alpha=args.denoise, key=args.key))
    return Restorer(
        net,
        device=args.device,
        half=args.half,
        tiling=Tiling(args.tile, args.tile_overlap, args.batch),
        channels_last=args.channels_last,
        compiled=args.compile,
    )


def _restore(
    job: Job, restorer: Restorer, faces: Callable[[Path, Picture, Picture], Picture] | None, args: Any
) -> None:
    from degradekit_models.restore.jobs import is_video
    from degradekit_models.restore.pictures import read_picture, suffix_for, write_picture

    if is_video(job.source):
        _restore_video(job, restorer, args)
        return
    picture = read_picture(job.source)
    restored = restorer.picture(picture, args.outscale)
    if faces is not None:
        restored = faces(job.source, picture, restored)
    out = job.out if job.settled else job.out.with_suffix(suffix_for(job.out, restored))
    write_picture(out, restored, quality=min(args.quality, 100))


def _restore_video(job: Job, restorer: Restorer, args: Any) -> None:
    from tqdm import tqdm

    from degradekit_models.errors import ModelError
    from degradekit_models.restore.clips import TemporalWindow
    from degradekit_models.restore.video import Encoding, count_frames, restore_video

    if args.face_enhance:
        raise ModelError("--face-enhance is for pictures.")
    total = count_frames(job.source)
    with tqdm(total=total, unit="frame", desc=job.source.name, disable=None, leave=False, file=sys.stderr) as bar:
        restore_video(
            restorer,
            job.source,
            job.out,
            encoding=Encoding(args.codec, args.crf, args.outscale),
            window=TemporalWindow(args.window, args.window_overlap),
            advance=bar.update,
        )


def _is_clip(source: Path) -> bool:
    """Whether a folder holds the frames of one clip: pictures, and no videos."""
    from degradekit_models.restore.jobs import is_video

    return source.is_dir() and not any(is_video(path) for path in source.iterdir())


def _restore_frames(args: argparse.Namespace, restorer: Restorer, source: Path, out: Path) -> int:
    """A folder of pictures as one clip, frame by frame in the order of their names."""
    import torch
    from tqdm import tqdm

    from degradekit_models.restore.clips import TemporalWindow, restore_frames
    from degradekit_models.restore.jobs import plan_jobs
    from degradekit_models.restore.pictures import Picture, read_picture, suffix_for, write_picture
    from degradekit_models.restore.upscale import resize

    jobs = plan_jobs(source, out, form=args.format, suffix=args.suffix)
    out.mkdir(parents=True, exist_ok=True)
    frames = (torch.from_numpy(read_picture(job.source).rgb).movedim(-1, 0) for job in jobs)
    restored = restore_frames(restorer, frames, TemporalWindow(args.window, args.window_overlap))
    for job, frame in zip(tqdm(jobs, unit="frame", disable=None, file=sys.stderr), restored, strict=True):
        rgb = frame.movedim(0, -1).contiguous().numpy()
        if args.outscale is not None:
            factor = args.outscale / restorer.traits.scale
            rgb = resize(rgb, (int(rgb.shape[0] * factor), int(rgb.shape[1] * factor)))
        picture = Picture(rgb, bits=16 if job.out.suffix.lower() in (".tif", ".tiff") else 8)
        path = job.out if job.settled else job.out.with_suffix(suffix_for(job.out, picture))
        write_picture(path, picture, quality=min(args.quality, 100))
    print(f"{len(jobs)} frames are at {out}")
    return 0


def _faces(args: argparse.Namespace, restorer: Restorer) -> Callable[[Path, Picture, Picture], Picture]:
    """A function of a file, its picture and the restored background."""
    from degradekit_models.checkpoints import load_checkpoint
    from degradekit_models.download import find_model
    from degradekit_models.errors import ModelError
    from degradekit_models.restore.detectors import open_detector
    from degradekit_models.restore.faces import enhance_faces, face_network, read_landmarks

    if (args.face_detector is None) == (args.landmarks is None):
        raise ModelError("--face-enhance needs to know where faces are: give either --face-detector or --landmarks.")
    net = face_network(load_checkpoint(find_model(args.face_model, fetch=args.download)), restorer.device)
    known = None if args.landmarks is None else read_landmarks(args.landmarks)
    detect = None if args.face_detector is None else open_detector(args.face_detector)

    def enhance(path: Path, picture: Picture, background: Picture) -> Picture:
        if known is None:
            assert detect is not None
            landmarks = detect(picture.rgb)
        elif path.name in known:
            landmarks = known[path.name]
        else:
            raise ModelError(f"{args.landmarks} has no faces of {path.name}; list it, with [] if it has none.")
        return enhance_faces(picture, background, landmarks, net)

    return enhance
