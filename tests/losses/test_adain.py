import torch

from suite.losses.adain import adain


def test_the_content_has_the_styles_mean_and_deviation_and_keeps_its_shape() -> None:
    random = torch.Generator().manual_seed(0)
    content = torch.randn(2, 3, 6, 6, generator=random) * 2 + 1
    style = torch.randn(2, 3, 4, 5, generator=random) * 3 - 4
    moved = adain(content, style)
    torch.testing.assert_close(moved.mean(dim=(2, 3)), style.mean(dim=(2, 3)))
    torch.testing.assert_close(moved.std(dim=(2, 3)), style.std(dim=(2, 3)), rtol=1e-4, atol=1e-4)
    both = torch.stack([moved.flatten(2), content.flatten(2)], dim=2).flatten(0, 1)
    assert all(torch.corrcoef(pair)[0, 1] > 0.999 for pair in both)


def test_its_own_style_leaves_it_and_a_flat_map_gives_no_nan() -> None:
    content = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(adain(content, content), content)
    flat = torch.full((1, 1, 3, 3), 2.0, requires_grad=True)
    adain(flat, content[:1, :1]).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_it_is_computed_in_fp32() -> None:
    content = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert torch.equal(adain(content, content), adain(content.float(), content.float()))
    assert adain(content, content).dtype == torch.float32
