import pytest
import torch
from torch import nn

import degradekit_models
from degradekit_models.archs import ARCHS, build
from degradekit_models.errors import ModelError


def entries(net: nn.Module) -> list[list[object]]:
    params = dict(net.named_parameters())
    return [
        [k, list(v.shape), str(v.dtype).removeprefix("torch."), "param" if k in params else "buffer"]
        for k, v in net.state_dict().items()
    ]


# No published numbers are at hand for these: they are tested as what they are made of.
WITHOUT_MANIFEST = {"realbasicvsr"}


@pytest.mark.parametrize("name", sorted(set(ARCHS) - WITHOUT_MANIFEST))
def test_state_dict_and_arguments_equal_the_published_ones(name, manifests):
    manifest = manifests[name]
    assert ARCHS[name].cls.__name__ == {"vgg19": "VGG19Features"}.get(manifest["class"], manifest["class"])
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in ARCHS[name].arguments.items()} == manifest[
        "constructor"
    ]
    with torch.device("meta"):
        assert entries(build(name)) == manifest["keys"]


def test_every_published_network_is_there(manifests):
    published = {n for n in manifests if not n.startswith(("mmagic_", "reduced_"))}
    assert set(ARCHS) == published | WITHOUT_MANIFEST
    assert set(degradekit_models.names()) == set(ARCHS)


def test_reduced_networks_have_the_published_layout(manifests):
    classes = {arch.cls.__name__: arch.cls for arch in ARCHS.values()}
    reduced = {n: m for n, m in manifests.items() if n.startswith("reduced_")}
    assert len(reduced) >= 10
    for name, manifest in reduced.items():
        with torch.device("meta"):
            net = classes[manifest["class"]](**manifest["constructor"])
        assert entries(net) == manifest["keys"], name


def test_unknown_names_and_arguments_are_named():
    with pytest.raises(ModelError, match="rrdbnet_x4_23b"):
        build("rrdbnet_x4")
    with pytest.raises(ModelError, match="'num_block'"):
        degradekit_models.build("rrdbnet_x4_23b", num_blocks=2)


def test_importing_the_package_loads_no_torch(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    code = "import sys, degradekit_models; assert 'torch' not in sys.modules"
    models = str(Path(degradekit_models.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": models}, cwd=tmp_path)
