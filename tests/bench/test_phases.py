"""Where the time of a step goes: each kernel and each operation counted once, in its phase and of its kind."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import record_function

from suite.bench.phases import KINDS, OTHER, kind_of, shares_by, table_of, times_of
from suite.bench.trace import STEP, Trace, trace_steps

CPU, CUDA = torch.autograd.DeviceType.CPU, torch.autograd.DeviceType.CUDA
_NATIVE = "void at::native::"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (
            _NATIVE + "multi_tensor_apply_kernel<OptimizerTensorListMetadata<4>, FusedAdamMathFunctor<>>",
            "optimizer",
        ),
        (_NATIVE + "(anonymous namespace)::reflection_pad2d_backward_out_kernel<float>(float*)", "padding"),
        (_NATIVE + "batch_norm_backward_reduce_kernel<float, float, float, int>(GenericPackedTensor)", "norms"),
        ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float, float, int, 512, true, 1, true>(cudnnTensorStruct)", "norms"),
        (_NATIVE + "unrolled_elementwise_kernel<direct_copy_kernel_cuda(TensorIteratorBase&)>(int)", "copies"),
        (_NATIVE + "(anonymous namespace)::CatArrayBatchedCopy_contig<OpaqueType<4u>, unsigned int>()", "copies"),
        ("void cudnn::ops::nchwToNhwcKernel<__nv_bfloat16, __nv_bfloat16, float, false, true>()", "copies"),
        ("Memcpy DtoD (Device -> Device)", "copies"),
        ("sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nchw_tilesize128x128x16", "convolutions"),
        ("void cutlass::Kernel2<cutlass_80_tensorop_s1688dgrad_optimized_tf32_128x128_16x4>(Params)", "convolutions"),
        ("nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNT", "convolutions"),
        (_NATIVE + "reduce_kernel<512, 1, ReduceOp<float, MeanOps<float, float, float, float>>>(R)", "reductions"),
        (_NATIVE + "multi_tensor_apply_kernel<TensorListMetadata<1>, LpNormFunctor<float, (NormType)1>>", "reductions"),
        (
            _NATIVE + "vectorized_elementwise_kernel<4, CUDAFunctor_add<float>, array<char*, 3ul>>(int)",
            "pointwise",
        ),
        ("triton_poi_fused_add_relu_12", "pointwise"),
        ("some_kernel_that_nobody_knows", OTHER),
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::native_batch_norm_backward", "norms"),
        ("aten::_to_copy", "copies"),
        ("aten::linalg_vector_norm", "reductions"),
        ("aten::leaky_relu_backward", "pointwise"),
        ("aten::empty_strided", OTHER),
        ("suite/gradient norm", OTHER),
    ],
)
def test_kinds_are_known_by_names(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind in {*KINDS, OTHER}


def event(name: str, parent: Any = None, kernels: tuple = (), device: Any = CPU) -> Any:
    found = [SimpleNamespace(name=of, duration=time) for of, time in kernels]
    return SimpleNamespace(name=name, cpu_parent=parent, kernels=found, device_type=device)


def test_each_kernel_of_a_gpu_counts_once_where_it_was_launched() -> None:
    step = event(STEP, kernels=[(STEP, 900.0)])  # ranges are drawn on the GPU, too
    forward = event("suite/G", step, [("suite/G", 400.0)])
    optimizer = event("suite/optimizer", step)
    events = [
        step,
        forward,
        event("aten::cudnn_convolution", event("aten::conv2d", forward), [("sm80_xmma_fprop", 300.0)]),
        event("aten::mean", step, [("reduce_kernel", 50.0)]),
        # Another thread's, in no range.
        event("aten::convolution_backward", event("autograd::engine::evaluate_function: C"), [("dgrad", 400.0)]),
        optimizer,
        event("aten::linalg_vector_norm", event("suite/gradient norm", optimizer), [("reduce_kernel", 30.0)]),
        event("aten::_fused_adam_", optimizer, [("FusedAdamMathFunctor", 20.0)]),
        event("sm80_xmma_fprop", device=CUDA),
    ]
    times = times_of(Trace(["suite/G"], events, on_gpu=True, steps=2))
    assert times == pytest.approx(
        {
            ("forward G", "convolutions"): 0.15,
            ("losses", "reductions"): 0.025,
            ("backward", "convolutions"): 0.2,
            ("gradient norm", "reductions"): 0.015,
            ("optimizer", "optimizer"): 0.01,
        }
    )
    assert shares_by(times, 1) == pytest.approx({"convolutions": 0.875, "reductions": 0.1, "optimizer": 0.025})
    assert table_of(times).splitlines()[-1].split() == ["all", "0.350", "0.040", "0.010", "0.400"]


def test_all_of_a_cpus_time_is_somewhere() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held: dict[str, nn.Module] = {}
            self.net = nn.Linear(300, 300)

    model = One()

    def step(batch: Tensor) -> None:
        loss = model.net(batch).square().mean()
        with record_function("suite/backward"):
            loss.backward()

    off = torch.autocast("cpu", torch.bfloat16, enabled=False)
    trace = trace_steps(model, step, torch.randn(300, 300), off)  # type: ignore[arg-type]
    times = times_of(trace)
    (whole,) = (found.cpu_time_total for found in trace.events if found.name == STEP)
    assert sum(times.values()) == pytest.approx(whole / 1e3, rel=1e-3)
    assert set(shares_by(times, 0)) == {"forward net", "backward", "losses"}
    assert times["forward net", "convolutions"] > 0
    assert times["backward", "convolutions"] > 0
