"""Names in scope that aren't done. None is to stay."""

from __future__ import annotations

NAMES = """
    H __rdiv__ __rmod__ abs acos acosh addbmm addcdiv addcmul addmm addmv addr all amax amin aminmax angle any
    arange argmax argmin argsort argwhere as_strided as_strided_scatter asin asinh atan atan2 atanh atleast_1d
    atleast_2d atleast_3d baddbmm bernoulli bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor block_diag bmm bool broadcast_shapes broadcast_tensors broadcast_to bucketize
    byte cartesian_prod cat cauchy cdist cdouble ceil cfloat char cholesky cholesky_inverse cholesky_solve clamp
    clamp_max clamp_min clone column_stack combinations complex conj_physical constant_pad_nd contiguous copysign
    corrcoef cos cosh count_nonzero cov cross cummax cummin cumprod cumsum cumulative_trapezoid deg2rad diag
    diag_embed diagflat diagonal diagonal_scatter diff digamma dist div dot double dsplit dstack einsum empty
    empty_like empty_permuted empty_strided eq erf erfc erfinv exp2 expm1 exponential eye fft.fft fft.fft2 fft.fftn
    fft.fftshift fft.hfft fft.hfft2 fft.hfftn fft.ifft fft.ifft2 fft.ifftn fft.ifftshift fft.ihfft fft.ihfft2
    fft.ihfftn fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn fill flip fliplr flipud float
    float_power floor floor_divide fmax fmin fmod frac frexp full full_like gather gcd ge geometric geqrf gradient
    gt half heaviside histc histogram histogramdd hsplit hstack hypot i0 igamma igammac index_add index_copy
    index_fill index_reduce index_select inner int isclose isneginf isposinf isreal istft kron kthvalue lcm ldexp le
    lerp lgamma linalg.cholesky linalg.cholesky_ex linalg.cond linalg.cross linalg.det linalg.diagonal linalg.eig
    linalg.eigh linalg.eigvals linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.ldl_factor
    linalg.ldl_factor_ex linalg.ldl_solve linalg.lstsq linalg.lu linalg.lu_factor linalg.lu_factor_ex
    linalg.lu_solve linalg.matrix_norm linalg.matrix_power linalg.matrix_rank linalg.multi_dot linalg.norm
    linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.solve_ex linalg.solve_triangular linalg.svd
    linalg.svdvals linalg.tensorinv linalg.tensorsolve linalg.vander linalg.vecdot linalg.vector_norm linspace log10
    log1p log2 log_normal log_softmax logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not logical_or
    logical_xor logit logspace logsumexp long lt lu lu_solve lu_unpack mH masked.amax masked.amin masked.argmax
    masked.argmin masked.cumprod masked.cumsum masked.log_softmax masked.logaddexp masked.logsumexp masked.mean
    masked.median masked.norm masked.normalize masked.prod masked.softmax masked.softmin masked.std masked.sum
    masked.var masked_fill masked_select matmul matrix_exp max maximum mean median meshgrid min minimum mm mode
    movedim msort mul multinomial mv mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow ne neg
    new_empty new_empty_strided new_full new_ones new_zeros nextafter nn.functional.adaptive_avg_pool1d
    nn.functional.adaptive_avg_pool2d nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool1d
    nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d nn.functional.alpha_dropout
    nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d nn.functional.batch_norm
    nn.functional.bilinear nn.functional.channel_shuffle nn.functional.conv1d nn.functional.conv2d
    nn.functional.conv3d nn.functional.conv_transpose1d nn.functional.conv_transpose2d
    nn.functional.conv_transpose3d nn.functional.cosine_embedding_loss nn.functional.cosine_similarity
    nn.functional.ctc_loss nn.functional.dropout2d nn.functional.dropout3d nn.functional.embedding
    nn.functional.embedding_bag nn.functional.feature_alpha_dropout nn.functional.fractional_max_pool2d
    nn.functional.fractional_max_pool3d nn.functional.gaussian_nll_loss nn.functional.grid_sample
    nn.functional.group_norm nn.functional.hinge_embedding_loss nn.functional.huber_loss nn.functional.instance_norm
    nn.functional.interpolate nn.functional.kl_div nn.functional.l1_loss nn.functional.layer_norm
    nn.functional.linear nn.functional.linear_cross_entropy nn.functional.local_response_norm
    nn.functional.margin_ranking_loss nn.functional.max_pool1d nn.functional.max_pool3d nn.functional.max_unpool1d
    nn.functional.max_unpool2d nn.functional.max_unpool3d nn.functional.multi_head_attention_forward
    nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss nn.functional.multilabel_soft_margin_loss
    nn.functional.normalize nn.functional.pad nn.functional.pairwise_distance nn.functional.pdist
    nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.poisson_nll_loss nn.functional.rms_norm
    nn.functional.scaled_dot_product_attention nn.functional.smooth_l1_loss nn.functional.soft_margin_loss
    nn.functional.triplet_margin_loss nn.functional.triplet_margin_with_distance_loss
    nn.functional.upsample_bilinear nn.functional.upsample_nearest nonzero nonzero_static norm normal ones ones_like
    ormqr outer pca_lowrank pinverse polygamma positive pow prod qr quantile rad2deg rand_like randint_like randn
    randn_like ravel reciprocal remainder renorm repeat repeat_interleave reshape_as resize_ resize_as_ resolve_conj
    resolve_neg roll rot90 round rsqrt rsub scalar_tensor scatter scatter_reduce searchsorted select select_scatter
    sgn short sigmoid sign signal.windows.bartlett signal.windows.blackman signal.windows.cosine
    signal.windows.exponential signal.windows.gaussian signal.windows.general_cosine signal.windows.general_hamming
    signal.windows.hamming signal.windows.hann signal.windows.kaiser signal.windows.nuttall signbit sin sinc sinh
    slice_scatter softmax sort special.airy_ai special.bessel_j0 special.bessel_j1 special.bessel_y0
    special.bessel_y1 special.chebyshev_polynomial_t special.chebyshev_polynomial_u special.chebyshev_polynomial_v
    special.chebyshev_polynomial_w special.entr special.erfcx special.hermite_polynomial_h
    special.hermite_polynomial_he special.i0e special.i1 special.i1e special.laguerre_polynomial_l
    special.legendre_polynomial_p special.log_ndtr special.modified_bessel_i0 special.modified_bessel_i1
    special.modified_bessel_k0 special.modified_bessel_k1 special.ndtr special.ndtri special.polygamma
    special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1 special.shifted_chebyshev_polynomial_t
    special.shifted_chebyshev_polynomial_u special.shifted_chebyshev_polynomial_v
    special.shifted_chebyshev_polynomial_w special.spherical_bessel_j0 special.xlog1py special.zeta split_with_sizes
    square squeeze stack std std_mean stft sub sum_to_size svd svd_lowrank t take tan tensor_split tensordot tile to
    topk trace transpose trapezoid trapz triangular_solve tril tril_indices triu triu_indices true_divide trunc
    unflatten unfold uniform unique unique_consecutive unsafe_chunk unsafe_split unsqueeze var var_mean vdot vsplit
    vstack xlogy zero_ zeros zeros_like
"""
PENDING = tuple(NAMES.split())
