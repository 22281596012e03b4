"""A plain PyTorch loop over a degradekit dataset; stopped anywhere, it goes on with the very next batch.

    python examples/pytorch_loop.py --data shards --steps 1000
    python examples/pytorch_loop.py --data shards --steps 2000     # from 1000 on, as if it had never stopped

Without ``--data`` a tiny dataset is built first, from photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.nn import functional as F

from degradekit import PairStream
from degradekit.cli import main as degradekit
from degradekit.loader import PairLoader
from degradekit_models import build


def tiny_dataset(out: Path) -> Path:
    """A dozen Real-ESRGAN pairs; where they stand already, nothing is done."""
    if degradekit(["build", "real_esrgan", "--source", "sample", "--executor", "inline", "--out", str(out)]):
        raise SystemExit("the build failed")
    return out


def main() -> None:
    """Train up to a step, save, and leave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of a dataset")
    parser.add_argument("--out", type=Path, default=Path("runs/pytorch_loop"), help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=20, help="train up to this step")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and decode")
    args = parser.parse_args()

    torch.manual_seed(0)
    net = build("srvgg_general_x4v3", num_feat=16, num_conv=2)  # any network that enlarges four times
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    stream = PairStream(args.data or tiny_dataset(args.out / "shards"), batch_size=4, crop=128, flip=True, rotate=True)
    loader = PairLoader(stream, num_workers=args.workers)
    step, checkpoint = 0, args.out / "last.ckpt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        loader.load_state_dict(state["loader"])  # any number of workers, ranks, and any batch size may go on
        step = state["step"]

    while step < args.steps:
        for batch in loader:  # what is left of the epoch, then the next one
            lq, gt = (batch[role].float() / 255 for role in ("lq", "gt"))  # uint8 [N,3,32,32] and [N,3,128,128]
            loss = F.l1_loss(net(lq), gt)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            print(f"step {step}: L1 {loss.item():.6f}")
            if step == args.steps:
                break

    args.out.mkdir(parents=True, exist_ok=True)
    parts = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "loader": loader.state_dict(), "step": step}
    torch.save(parts, checkpoint)


if __name__ == "__main__":
    main()
