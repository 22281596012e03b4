"""BasicSR's way of training through an exported LMDB pair, for code that descends from it and cannot read shards.

    degradekit export shards --to basicsr --out lmdb
    python examples/basicsr_lmdb.py --data lmdb --steps 1000

BasicSR itself reads the same folders by these lines of an option file::

    datasets:
      train:
        type: PairedImageDataset
        dataroot_gt: lmdb/gt.lmdb
        dataroot_lq: lmdb/lq.lmdb
        io_backend: {type: lmdb}
        gt_size: 128
        use_hflip: true
        use_rot: true

BasicSR 1.4.2 does not import beside current torchvision, so its reader is written out here by its conventions. An LMDB
holds pixels only: the order is the loader's, and a run that stops begins an epoch anew. Without ``--data`` a tiny
dataset is built and exported first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import lmdb
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from degradekit.cli import main as degradekit
from degradekit_models import build

SCALE = 4


class PairedLmdb(Dataset[dict[str, Tensor]]):
    """What ``PairedImageDataset`` makes of ``gt.lmdb`` and ``lq.lmdb``: random crops in RGB, float32 in [0, 1].

    A line of ``meta_info.txt`` is ``00000042.png (400,400,3) 1``; the key is the name up to the dot, the value a PNG.
    """

    def __init__(self, root: Path, *, gt_size: int) -> None:
        self.keys = [line.split(".")[0] for line in (root / "gt.lmdb/meta_info.txt").read_text().splitlines()]
        self._folders, self._gt_size = [root / f"{role}.lmdb" for role in ("gt", "lq")], gt_size
        self._opened: list[lmdb.Environment] = []

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not self._opened:  # by each worker for itself: an environment must not be shared by a fork
            self._opened = [lmdb.open(str(folder), readonly=True, lock=False) for folder in self._folders]
        gt, lq = (_picture(environment, self.keys[index]) for environment in self._opened)
        side = self._gt_size // SCALE
        y, x = (int(torch.randint(length - side + 1, ())) for length in lq.shape[1:])
        gt = gt[:, y * SCALE :, x * SCALE :][:, : self._gt_size, : self._gt_size]
        return {"lq": lq[:, y : y + side, x : x + side], "gt": gt}


def _picture(environment: lmdb.Environment, key: str) -> Tensor:
    with environment.begin() as transaction:
        data = transaction.get(key.encode("ascii"))
    bgr = None if data is None else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{environment.path()} holds no picture {key}; export the dataset again")
    return torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).movedim(-1, 0).float() / 255


def tiny_dataset(out: Path) -> Path:
    """A dozen Real-ESRGAN pairs, exported; where they stand already, nothing is done."""
    shards, pairs = str(out / "shards"), out / "lmdb"
    if not pairs.exists():
        if degradekit(["build", "real_esrgan", "--source", "sample", "--executor", "inline", "--out", shards]):
            raise SystemExit("the build failed")
        if degradekit(["export", shards, "--to", "basicsr", "--out", str(pairs)]):
            raise SystemExit("the export failed")
    return pairs


def main() -> None:
    """Train for some steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of gt.lmdb and lq.lmdb")
    parser.add_argument("--out", type=Path, default=Path("runs/basicsr_lmdb"), help="folder of the weights")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0, help="processes that read and decode")
    args = parser.parse_args()

    torch.manual_seed(0)
    net = build("srvgg_general_x4v3", num_feat=16, num_conv=2)  # any network that enlarges four times
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    pairs = PairedLmdb(args.data or tiny_dataset(args.out), gt_size=128)
    loader = DataLoader(pairs, batch_size=4, shuffle=True, drop_last=True, num_workers=args.workers)
    step = 0
    while step < args.steps:
        for batch in loader:
            loss = F.l1_loss(net(batch["lq"]), batch["gt"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            print(f"step {step}: L1 {loss.item():.6f}")
            if step == args.steps:
                break
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"params": net.state_dict()}, args.out / "generator.pth")  # as BasicSR writes weights


if __name__ == "__main__":
    main()
