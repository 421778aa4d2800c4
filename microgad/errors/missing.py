"""Names of PyTorch that microgad lacks: why, and what is nearest. Loaded when such a name is asked for."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

# Reason -> patterns of names, as they follow `torch.`; * matches anything. The first match counts.
REASONS = {
    "arrays are dense; index_add, gather and matmul do what sparse ones do": """
        *sparse* *col_indices* *row_indices* indices_copy
        values_copy *coalesce* *dense_dim hspmm *.smm *.sspaddmm *.to_mkldnn
    """,
    "arrays are not quantized; float16 takes half of the memory of float32": """
        *quant* *qparams* *per_channel_* *per_tensor_* *q_scale *q_zero_point *qscheme *.qat *int_repr
        fbgemm_* *moving_avg_obs* nn.intrinsic ao ao.* QInt* QUInt*
    """,
    "arrays have one size along a dimension: see nn.utils.rnn.pad_sequence": "*nested* *jagged *padded_tensor",
    "NumPy can't hold it; float16 and int8 are the nearest": """
        *bfloat16* *BFloat16* *chalf *float8_* *float4_* uint[1-7] int[1-7] bit bits*
    """,
    "it is a kernel inside PyTorch; the functions of torch and of nn.functional that call it are here": """
        cudnn_* miopen_* mkldnn_* batch_norm_* native_norm *scaled_mm *grouped_mm *jiterator
        nn.functional.ScalingType nn.functional.SwizzleType
    """,
    "PyTorch has removed it; torch.linalg has eig, eigh, lstsq, matrix_rank and solve": """
        eig lstsq matrix_rank solve symeig Tensor.eig Tensor.lstsq Tensor.solve Tensor.symeig
    """,
    "PyTorch keeps it for programs of long ago": """
        Tensor.reinforce Tensor.volatile Tensor.resize Tensor.resize_as Tensor.storage_type nn.Container
        nn.modules.Container *DataPipe *DataChunk *datapipe* utils.data.*validation* utils.data.non_deterministic
        nn.utils.rnn.PackedSequence_ nn.utils.rnn.bind *NestedIOFunction *.BackwardCFunction
        *.FunctionMeta
        nn.parameter.UninitializedTensorMixin *Storage Storage* autocast_*crement_nesting Tensor.index *slice_inverse
        nn.functional.Broadcasting* nn.functional.DType nn.functional.GRID_SAMPLE*
        nn.functional.assert_* nn.functional.boolean_dispatch *_notes serialization.StorageType
    """,
    "the gradient of a leaf has the leaf's strides": "*.enforce_grad_layout_policy",
    "programs run as they are; microgad.trace(model, *inputs) gives the graph of a call": """
        fx* export* _dynamo.explain _dynamo.export
    """,
    "register_forward_hook on a module gives what it computes": "*feature_extraction*",
    "programs run as they are, without PyTorch's compiler and C++ interior; graph shows what was recorded": """
        package* library* monitor* compiler.* jit.* _dynamo* _inductor* AVG SUM AggregationType AliasDb
        AnyType Argument ArgumentSpec AwaitType Benchmark* Block BoolType BufferDict CallStack Capsule ClassType Code
        CompilationUnit CompleteArgumentSpec ComplexType Concrete* DeepCopyMemoTable Deserialization*
        DictType Disable* DispatchKey* EnumType ErrorReport ExcludeDispatch* ExecutionPlan FatalError FileCheck
        FloatType FunctionSchema Future* Gradient Graph GraphExecutorState IODescriptor InferredType IntType
        InterfaceType JITException ListType LiteScriptModule LockingLogger LoggerBase ModuleDict Node NoneType
        NoopLogger NumberType OperatorInfo OptionalType PRIVATE_OPS ParameterDict PyObjectType PyTorchFile* RRefType
        Script* SerializationStorageContext StaticModule StreamObjType StringType Sym* Tag TensorType
        ThroughputBenchmark TracingState TupleType Type USE_* UnionType Use Value classes cpp fork import_ir_module*
        init_num_threads merge_type_from_type_comment parse_* profiler_* sym_constrain_range* sym_fresh_size
        unify_type_list wait compiled_with_cxx11_abi get_file_path testing.FileCheck utils.backcompat
        utils.cmake_prefix_path utils.collect_env utils.cpp_* utils.get_cpp_backtrace
        utils.file_baton utils.model_zoo utils.generate_methods* utils.rename_privateuse1_backend utils.*hroughput*
        utils.serialization
        TYPE_CHECKING torch windows types.*
        nn.utils.prune.torch nn.functional.torch utils.torch ops.* return_types.*_out
        return_types.pytree* return_types.all_return_types optim.swap_in*
        utils.checkpoint.GraphExecGroup utils.checkpoint.SAC* utils.checkpoint.Selective*
        utils.checkpoint.create_selective* utils.checkpoint.CheckpointPolicy
        utils.checkpoint.DefaultDeviceType cpu.Event
        utils.dlpack.DLDeviceType utils.hooks.* fft.Tensor autograd.graph.region_*
        nn.attention.* profiler.* nn.functional.TYPE_CHECKING cpu.get_capabilities
    """,
    "one process computes on one device; nn.DataParallel calls its module, DataLoader has workers": """
        distributed* *DistributedDataParallel* *parallel_apply nn.parallel.* futures* *multiprocessing* *nccl*
        autograd.graph.set_override* autograd.graph.set_warn*
    """,
    'arrays are on the CPU, NumPy\'s, or on a GPU, CuPy\'s: torch.device("cpu") and torch.device("cuda")': """
        *xpu *xpu.* *.ipu *mtia* *_ipu* *_xla* *_xpu* *hpu* mps.* backends.* *vulkan* AcceleratorError
    """,
    "what is particular to a GPU is CuPy's own: cupy.cuda has streams, events, graphs and memory pools": """
        cuda.* accelerator.*
    """,
    "MaskedTensor is a prototype in PyTorch; functions that take a Tensor and a mask are here": "masked*",
    "subclasses of Tensor and modes are asked by __torch_function__; operations are subclasses of Function": """
        overrides* *has_torch_function* *handle_torch_function
    """,
    "FlopCounterMode counts by formulas of its own, one for each of microgad's Functions": "utils.flop_counter.*",
    "an optimizer's step is a method of its class": """
        optim._functional* optim.adadelta.adadelta optim.adagrad.adagrad optim.adamax.adamax optim.asgd.asgd
        optim.nadam.nadam optim.radam.radam optim.rmsprop.rmsprop optim.rprop.rprop
    """,
    "inputs are drawn by testing.strategies; utils.benchmark has Timer, Measurement and Compare": """
        utils.benchmark.*
    """,
    "autograd.functional.jacobian gives the matrix of derivatives, gradcheck compares it with differences": """
        autograd.gradcheck.get_*_jacobian*
    """,
    "nothing is downloaded; torch.load a file that is there": "hub.*",
    "files are read without running code from them; load and save have what else can be said": "serialization.*",
}


@functools.cache
def reason(whole: str) -> str:
    """Why microgad lacks a name, and what is nearest; "" for an unknown name."""
    for said, patterns in REASONS.items():
        if any(fnmatchcase(whole, pattern) for pattern in patterns.split()):
            return said
    return ""
