"""A loop by Hugging Face Accelerate over a degradekit dataset, on any number of devices, resumable to the batch.

    accelerate launch examples/huggingface_accelerate.py --data shards --steps 1000
    accelerate launch examples/huggingface_accelerate.py --data shards --steps 2000     # from 1000 on

Without ``--data`` a tiny dataset is built first, from photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.nn import functional as F

from degradekit import PairStream
from degradekit.cli import main as degradekit
from degradekit.loader import PairLoader
from degradekit_models import build


class Progress:
    """The step, as something that Accelerate saves."""

    step = 0

    def state_dict(self) -> dict[str, int]:
        """What is saved."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there."""
        self.step = state["step"]


def tiny_dataset(out: Path) -> Path:
    """A dozen Real-ESRGAN pairs; where they stand already, nothing is done."""
    if degradekit(["build", "real_esrgan", "--source", "sample", "--executor", "inline", "--out", str(out)]):
        raise SystemExit("the build failed")
    return out


def main() -> None:
    """Train up to a step, save, and leave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of a dataset")
    parser.add_argument("--out", type=Path, default=Path("runs/huggingface_accelerate"), help="folder of the state")
    parser.add_argument("--steps", type=int, default=20, help="train up to this step")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and decode")
    args = parser.parse_args()

    accelerator, progress = Accelerator(), Progress()
    set_seed(0)
    net = build("srvgg_general_x4v3", num_feat=16, num_conv=2)  # any network that enlarges four times
    net, optimizer = accelerator.prepare(net, torch.optim.Adam(net.parameters(), lr=1e-3))
    with accelerator.main_process_first():
        data = args.data or tiny_dataset(args.out / "shards")
    # The stream divides batches among the ranks by itself, so the loader is not prepared: batch_size is that of a rank.
    loader = PairLoader(PairStream(data, batch_size=4, crop=128, flip=True, rotate=True), num_workers=args.workers)
    accelerator.register_for_checkpointing(loader, progress)
    if (args.out / "state").exists():
        accelerator.load_state(str(args.out / "state"))

    while progress.step < args.steps:
        for batch in loader:  # what is left of the epoch, then the next one
            lq, gt = (batch[role].to(accelerator.device).float() / 255 for role in ("lq", "gt"))
            loss = F.l1_loss(net(lq), gt)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            progress.step += 1
            accelerator.print(f"step {progress.step}: L1 {loss.item():.6f}")
            if progress.step == args.steps:
                break
    accelerator.save_state(str(args.out / "state"))


if __name__ == "__main__":
    main()
