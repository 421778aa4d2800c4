"""Arguments of a wrong type raise PyTorch's class of error: memory formats, sizes, dtypes and others."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402
from microgad.errors import MicrogadError  # noqa: E402

from .side_by_side import namespace  # noqa: E402

MEMORY_FORMATS = """
    B4.contiguous("a")
    B4.contiguous(T.channels_last)
    B4.contiguous(memory_format="a")
    B4.contiguous(None)
    B4.bool(None)
    B4.float("x")
    B4.half(1)
    B4.double(T.channels_last)
    B4.double(memory_format="x")
    B4.float(memory_format="x")
    B4.int(None)
    B4.long("a")
    B4.cfloat("a")
    B4.cdouble("a")
    B4.byte("a")
    B4.char(1)
    B4.short(1)
    B4.clone(memory_format="x")
    B4.clone(T.channels_last)
    T.clone(B4,memory_format=3)
    B4.to(memory_format="x")
    B4.to("cpu",memory_format="x")
    B4.is_contiguous(memory_format="x")
    B4.is_contiguous("x")
    B4.is_contiguous(T.channels_last)
    B4.is_contiguous(None)
    T.empty_like(B4,memory_format=3)
    T.zeros_like(B4,memory_format=3)
    T.rand_like(B4,memory_format=3)
    T.randn_like(B4,memory_format="x")
    T.ones_like(B4,memory_format="x")
    T.full_like(B4,1,memory_format="x")
    T.empty(2,2,memory_format="x")
    T.nn.Linear(1,1).to(memory_format="x")
    T.nn.Conv2d(1,1,1).to(memory_format="x")
    B4.resize_(2,3,memory_format="x")
    B4.cpu("x")
    B4.cpu(memory_format="x")
    T.randint_like(B4,3,memory_format="x")
"""
SIZES = """
    T.zeros(True)
    T.zeros((True,2))
    T.empty(True)
    T.full((True,),1.)
    T.rand(True)
    v.new_zeros(True)
    v.new_ones((True,))
    T.reshape(v,(True,3))
    v.reshape(True)
    v.view(True,3)
    v.expand(True,3)
    v.repeat(True)
    v.tile(True)
    v.sum_to_size(True)
    v.expand((True,3))
    T.nn.AvgPool1d(True)(B)
    T.nn.AvgPool2d(2,(True,2))(B4)
    T.nn.MaxPool2d(2,(True,2))(B4)
    T.nn.Conv1d(4,5,3,padding=True)(B)
    T.nn.AdaptiveMaxPool3d((True,)*3)(B4)
    T.nn.AdaptiveAvgPool1d(b"a")(B)
    T.nn.AdaptiveAvgPool2d(True)(B4)
    T.tensor_split(v,{1})
    T.tensor_split(v,{1:2})
    T.split(v,{1})
    T.zeros(3).normal_(0,np.array(1.))
    T.zeros(3).normal_(np.array(0.),1.)
    T.randint(0,5,1)
    T.randint(5,1)
    T.normal(2,0.,5)
    T.normal(0.,1.,5)
    T.nn.functional.avg_pool2d(B4,True)
    T.nn.functional.unfold(B4,True)
    T.nn.functional.pad(B4,(True,1))
    T.broadcast_to(v,(True,3))
    T.eye(True)
    T.nn.Conv2d(3,4,1.5)
    T.nn.BatchNorm1d("a")
    T.nn.Linear(1.5,2)
    T.nn.LayerNorm("a")
    T.nn.Embedding(2.5,3)
    v.view(None)
    v.view(1.5)
    v.view(3,"a")
    v.reshape(None)
    v.reshape("a")
    v.expand(2.0)
    v.expand(3,None)
    v.repeat(None)
    v.repeat(2.)
    v.new_zeros("a")
    v.new_empty(1.5)
    v.new_full("a",1)
    v.new_full(1.5,1)
    v.new_zeros(2,dtype=0)
    v.new_tensor([1.],dtype=0)
    v.new_empty_strided((2,),(1,),dtype=0)
    v.new_full((2,),1.,device="")
    T.full(1.5,1.)
    T.full((1.5,),1.)
    T.zeros(1.5)
    T.zeros("a")
    T.zeros(None)
    T.zeros((2,None))
    T.ones(2,1.5)
    T.empty("a")
    T.rand(1.5)
    T.randn(None)
    T.randint(5,(1.5,))
    T.broadcast_shapes((5,1.5))
    T.broadcast_to(v,1.5)
    T.broadcast_to(v,(1.5,))
    T.Size([1.5])
    T.Size("a")
    v.sum_to_size(1.5)
    v.view(T.Size([1]),1.5)
    T.empty_strided((1.5,),(1,))
    T.reshape(v,1.5)
    T.unflatten(v,0,(1.5,))
    v.permute(None)
    T.UntypedStorage("a")
"""
DTYPES = """
    T.tensor([1],dtype=T.ones(1))
    T.as_tensor([1],dtype=T.ones(1))
    T.set_default_dtype(T.ones(1))
    T.set_default_dtype("float32")
    T.finfo(T.ones(1))
    T.iinfo(T.ones(1))
    T.promote_types(T.ones(1),T.float32)
    T.can_cast(T.ones(1),T.float32)
    T.can_cast(T.float32,None)
    T.softmax(v,0,dtype=T.ones(1))
    v.to(dtype=T.ones(1))
    v.to(dtype="float32")
    v.type(1.5)
"""
OTHERS = """
    T.eye(2**31)
    v.put_(i,v,accumulate="x")
    T.result_type("a",v)
    T.result_type(None,v)
    T.exp(v,out=[v])
    T.func.functional_call(T.nn.Linear(3,1),[1],v)
    T.nn.init.calculate_gain(["a"])
    T.nn.init.kaiming_normal_(T.ones(2,2),nonlinearity=[])
    T.tensordot(A,A,dims="a")
    T.div(v,v,rounding_mode=1)
"""


@pytest.mark.parametrize(
    "call", [line.strip() for line in (MEMORY_FORMATS + SIZES + DTYPES + OTHERS).split("\n") if line.strip()]
)
def test_call_raises_torchs_class_of_error(call):
    names = [{**namespace(T), "B4": T.ones(2, 3, 4, 4), "F": T.nn.functional} for T in (torch, microgad)]
    with pytest.raises(Exception, match=r".") as theirs:
        eval(call, names[0])
    with pytest.raises(theirs.type, match=r"."):
        eval(call, names[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("T.nn.Conv2d(3,4,1.5)", "'size' must be tuple of ints, got (4, 3, 1.5, 1.5)"),
        ("v.view(None)", "view(): argument 'size' must be tuple of ints, got (None,)"),
        ("v.expand(2.0)", "expand(): argument 'size' must be tuple of ints, got (2.0,)"),
        ("T.full(1.5,1.)", "full(): argument 'size' must be tuple of ints, got 1.5"),
        ("T.zeros(True)", "zeros(): argument 'size' must be tuple of ints, got (True,)"),
        ("T.randn((2,3),4)", "randn(): argument 'size' must be tuple of ints, got ((2, 3), 4)"),
        ("T.nn.functional.pad(v,1)", "pad(): argument 'pad' (position 2) must be tuple of ints, not int"),
        ("T.layer_norm(v,3)", "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"),
        ("T.cat(v,v)", "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"),
    ],
)
def test_an_argument_of_another_type_is_named(call, message):
    with pytest.raises(MicrogadError) as ours:
        eval(call, namespace(microgad))
    assert message in str(ours.value)


@pytest.mark.parametrize("call", ["T.ones(2,True)", "T.zeros((2,True))", "v.view(3,True)", "T.ones(())"])
def test_sizes_that_pytorch_takes(call):
    assert eval(call, namespace(torch)).shape == eval(call, namespace(microgad)).shape
