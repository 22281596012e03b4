"""A Lightning module over a degradekit dataset; Lightning's own checkpoint holds the place in the stream as well.

    python examples/lightning_module.py --data shards --steps 1000
    python examples/lightning_module.py --data shards --steps 2000     # from 1000 on, in the middle of an epoch

Without ``--data`` a tiny dataset is built first, from photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.nn import functional as F

from degradekit import PairStream
from degradekit.cli import main as degradekit
from degradekit.loader import PairLoader
from degradekit_models import build


class Restoration(lightning.LightningModule):
    """Any network that enlarges four times, by L1."""

    def __init__(self) -> None:
        super().__init__()
        self.net = build("srvgg_general_x4v3", num_feat=16, num_conv=2)

    def training_step(self, batch: dict[str, Any], _: int) -> torch.Tensor:
        """The loss of a batch."""
        lq, gt = (batch[role].float() / 255 for role in ("lq", "gt"))  # uint8 [N,3,32,32] and [N,3,128,128]
        loss = F.l1_loss(self.net(lq), gt)
        self.print(f"step {self.global_step + 1}: L1 {loss.item():.6f}")
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def tiny_dataset(out: Path) -> Path:
    """A dozen Real-ESRGAN pairs; where they stand already, nothing is done."""
    if degradekit(["build", "real_esrgan", "--source", "sample", "--executor", "inline", "--out", str(out)]):
        raise SystemExit("the build failed")
    return out


def main() -> None:
    """Train up to a step, save, and leave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of a dataset")
    parser.add_argument("--out", type=Path, default=Path("runs/lightning_module"), help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=20, help="train up to this step")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and decode")
    args = parser.parse_args()

    lightning.seed_everything(0, verbose=False)
    stream = PairStream(args.data or tiny_dataset(args.out / "shards"), batch_size=4, crop=128, flip=True, rotate=True)
    trainer = lightning.Trainer(
        max_steps=args.steps, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,  # the stream divides itself among the ranks
    )  # fmt: skip
    checkpoint = args.out / "last.ckpt"
    loader = PairLoader(stream, num_workers=args.workers)
    trainer.fit(Restoration(), loader, ckpt_path=checkpoint if checkpoint.exists() else None)
    trainer.save_checkpoint(checkpoint, weights_only=False)


if __name__ == "__main__":
    main()
