import pytest
import torch
from torch.testing import assert_close

from degradekit_models.errors import ModelError
from degradekit_models.ops.roi_align import roi_align

CASES = [
    "gfpgan_default",
    "aligned_scale8th",
    "aligned_scale8th_sr2",
    "half_5x3_sr2",
    "quarter_sr3",
    "aligned_full",
]


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(golden, case):
    g = golden("ops")
    spec = dict(g.meta["cases"][f"roi_align_{case}"])
    size = spec.pop("output_size")
    got = roi_align(
        g.tensor("in_roi_x"),
        g.tensor(f"in_roi_boxes_{case}"),
        size if isinstance(size, int) else tuple(size),
        **spec,
    )
    assert_close(got, g.tensor(f"roi_align_{case}"), rtol=0, atol=2e-5)


def test_a_box_on_pixel_edges_is_a_crop():
    x = torch.rand(2, 3, 12, 10)
    boxes = torch.tensor([[1.0, 2.0, 3.0, 6.0, 9.0]])
    assert_close(roi_align(x, boxes, (6, 4), aligned=True), x[1:, :, 3:9, 2:6])


def test_a_list_of_boxes_per_image_means_the_same_as_rows():
    x = torch.rand(2, 1, 9, 9)
    rows = torch.tensor([[0, 1.0, 1.5, 6.0, 7.0], [1, 0.0, 2.0, 3.5, 8.0], [1, -2.0, -1.0, 4.0, 12.0]])
    per_image = [rows[:1, 1:], rows[1:, 1:]]
    assert torch.equal(roi_align(x, rows, 3), roi_align(x, per_image, 3))


def test_gradient_reaches_the_image_in_float64():
    x = torch.rand(1, 2, 6, 5, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.0, 0.7, 1.2, 4.4, 5.9]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t: roi_align(t, boxes, 3), (x,))


def test_no_boxes_give_an_empty_batch():
    assert roi_align(torch.rand(1, 3, 8, 8), torch.zeros(0, 5), 4).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("boxes", [torch.zeros(2, 4), [torch.zeros(1, 4)] * 3])
def test_boxes_of_another_shape_are_refused(boxes):
    with pytest.raises(ModelError, match="box"):
        roi_align(torch.rand(1, 3, 8, 8), boxes, 4)
