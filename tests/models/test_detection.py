import pytest
import torch

from degradekit_models.archs import ARCHS, build
from degradekit_models.archs.gfpgan import GFPGANv1
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.detection import detect
from degradekit_models.errors import CheckpointError

TWINS = {"gfpgan_bilinear_c1": GFPGANv1}  # equal keys and shapes


@pytest.mark.parametrize("name", ARCHS)
def test_every_published_network_is_recognised_with_its_arguments(name):
    with torch.device("meta"):
        found = detect(build(name).state_dict())
    assert found.cls is TWINS.get(name, ARCHS[name].cls)
    arguments = ARCHS[name].arguments
    assert {k: arguments[k] for k in found.arguments} == found.arguments
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in found.build().state_dict().items()}
        assert shapes == {k: v.shape for k, v in build(name).state_dict().items()}
    assert found.name == ("gfpganv1_original" if name in TWINS else name)


def test_reduced_networks_are_recognised(manifests):
    classes = {arch.cls.__name__: arch.cls for arch in ARCHS.values()}
    for name, manifest in manifests.items():
        if name.startswith("reduced_") and manifest["class"] != "GFPGANBilinear":
            with torch.device("meta"):
                found = detect({k: torch.empty(s) for k, s, *_ in manifest["keys"]})
                assert found.cls is classes[manifest["class"]], name
                rebuilt = found.build().state_dict()
            assert [[k, list(v.shape)] for k, v in rebuilt.items()] == [e[:2] for e in manifest["keys"]], name


def test_gray_networks_are_recognised():
    with torch.device("meta"):
        for scale in (4, 2, 1):
            net = build("rrdbnet_x4_23b", num_in_ch=1, num_out_ch=1, scale=scale, num_block=1)
            found = detect(net.state_dict())
            assert (found.arguments["num_in_ch"], found.arguments["scale"], found.name) == (1, scale, None)


def test_what_cannot_be_known_is_refused():
    with pytest.raises(CheckpointError, match=r"no known network among 1 tensors \(encoder.weight \(2,\)"):
        detect({"encoder.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="conv_last"):
        detect({"conv_first.weight": torch.zeros(4, 3, 3, 3), "body.0.rdb1.conv1.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="without PReLU"):
        detect(SRVGGNetCompact(num_feat=4, num_conv=1, act_type="relu").state_dict())
    with torch.device("meta"):
        odd = build("rrdbnet_x4_23b", num_in_ch=5, num_block=1).state_dict()
        odd["conv_first.weight"] = torch.empty(64, 6, 3, 3)
    with pytest.raises(CheckpointError, match="6 input and 3 output channels"):
        detect(odd)
