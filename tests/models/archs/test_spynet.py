import pytest
import torch
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.spynet import SpyNet, flow_to_next


@torch.no_grad()
def test_equals_the_reference_with_and_without_resizing(golden):
    g = golden("spynet")
    net = g.fill(build("spynet"))
    g.check(
        out_resized=net(g.input("ref_a"), g.input("supp_a")),
        out_exact=net(g.input("ref_b"), g.input("supp_b")),
    )


def test_gradients_agree_with_float64(golden, agrees_in_float64):
    rules = golden("spynet").meta["rules"]
    agrees_in_float64(SpyNet, [(1, 3, 40, 36), (1, 3, 40, 36)], rules=rules, tolerance=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (17, 30), (64, 33)])
def test_any_size_works(size):
    assert SpyNet()(torch.rand(1, 3, *size), torch.rand(1, 3, *size)).shape == (1, 2, *size)


@torch.no_grad()
def test_without_weights_the_flow_is_zero():
    net = SpyNet()
    for p in net.parameters():
        p.zero_()
    assert torch.equal(net(torch.rand(1, 3, 33, 40), torch.rand(1, 3, 33, 40)), torch.zeros(1, 2, 33, 40))


@torch.no_grad()
def test_flow_to_next_goes_frame_by_frame():
    net, clip = SpyNet(), torch.rand(2, 3, 3, 32, 32)
    flows = flow_to_next(net, clip)
    assert_close(flows[1, 0], net(clip[1:, 0], clip[1:, 1])[0], rtol=1e-4, atol=1e-5)
    assert flow_to_next(net, clip[:, :1]).shape == (2, 0, 2, 32, 32)
