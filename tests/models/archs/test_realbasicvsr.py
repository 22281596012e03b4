import pytest
import torch

from degradekit_models.archs.realbasicvsr import RealBasicVSR
from degradekit_models.checkpoints import load_checkpoint, read_checkpoint


@pytest.fixture
def net():
    torch.manual_seed(0)
    return RealBasicVSR(8, 2, num_cleaning_blocks=3).eval()


@torch.no_grad()
def test_it_is_cleaning_and_basicvsr(net):
    clip = torch.rand(1, 3, 3, 32, 32)
    frames = clip[0]
    cleaned = frames + net.image_cleaning(frames)
    torch.testing.assert_close(net.clean(clip)[0], cleaned)
    torch.testing.assert_close(net(clip), net.basicvsr(cleaned[None]))


@torch.no_grad()
def test_frames_are_cleaned_again_while_much_changes(net):
    clip = torch.rand(1, 2, 3, 16, 16)
    net.image_cleaning[1].weight.zero_()
    change = 8 / 255
    net.image_cleaning[1].bias.fill_(change)
    for threshold, times in ((255, 1), (9, 1), (5, 3), (0, 3)):
        net.dynamic_refine_thres = threshold
        torch.testing.assert_close(net.clean(clip), clip + times * change)


@torch.no_grad()
def test_gradients_reach_every_weight():
    net = RealBasicVSR(8, 1, num_cleaning_blocks=1)
    with torch.enable_grad():
        net(torch.rand(1, 3, 3, 32, 32)).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_files_of_mmagic_load(tmp_path, net):
    import re

    def theirs(key):
        key = re.sub(r"upconv(\d)\.", r"upsample\1.upsample_conv.", key)
        key = re.sub(r"(backward|forward)_trunk\.", r"\1_resblocks.", key)
        return re.sub(
            r"(basic_module\.\d)\.basic_module\.(\d)\.", lambda m: f"{m[1]}.basic_module.{int(m[2]) // 2}.conv.", key
        )

    state = {f"generator_ema.{theirs(k)}": v for k, v in net.state_dict().items()}
    torch.save({"state_dict": state | {"step_counter": torch.zeros(1)}}, tmp_path / "net.pth")
    assert read_checkpoint(tmp_path / "net.pth").layout == "mmagic"
    again = load_checkpoint(tmp_path / "net.pth")
    assert isinstance(again, RealBasicVSR)
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in again.state_dict().items())
