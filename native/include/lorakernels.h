/* LoraKernels: 4-bit base weights and many LoRA adapters in one batch.
 *
 * The whole C ABI, C11. In order: status, devices, contexts, memory, weights, matmul, LoRA, linear.
 *
 * Conventions
 *  - Every function returns lk_status unless it cannot fail. On any status but LK_OK nothing was changed and
 *    lk_last_error() tells, for the calling thread, which argument had which value and what was allowed.
 *    Exceptions: an error found while an operation runs leaves its destination's contents unspecified.
 *  - A weight matrix W is [out_features N, in_features K], row-major in its checkpoint; y = x * W^T.
 *  - x, y, bias, A and B are lk_matrix views: row-major, any row stride >= columns, strides in elements.
 *    A matrix with 0 rows or 0 columns is valid and its data may be NULL.
 *  - A destination is the last parameter. It must not overlap any input (LK_OVERLAP); interleaved column slices of one
 *    buffer do not overlap.
 *  - Structs that start with struct_size: set it to sizeof the struct. Newer libraries accept older, smaller structs.
 *  - Operations are enqueued on the context's stream and return; on the CPU they are complete when they return. What
 *    reads or writes host memory (lk_copy, pack, unpack, quantize, adding adapters) is complete on every device, and
 *    its result may be used from other contexts at once.
 *  - Anything may be destroyed while operations that use it are still enqueued: its memory goes when they are done.
 *    Destroying NULL does nothing.
 *  - Numbers: fp32 accumulation; order base, adapters in the order given, bias; one rounding at the end (nearest even).
 *    The same call gives the same bits, at any thread count. On the CPU a row's bits do not depend on its batch.
 *    Subnormals are kept.
 */
#ifndef LORAKERNELS_H
#define LORAKERNELS_H

#include <stdint.h>

#if defined(LK_BINDGEN)
#define LK_API
#elif defined(_WIN32) && defined(LK_BUILDING)
#define LK_API __declspec(dllexport)
#elif defined(_WIN32)
#define LK_API __declspec(dllimport)
#else
#define LK_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a call that used to work would behave differently. Checked by lk_context_create. */
#define LK_ABI_VERSION 1

/* ---- Status ----------------------------------------------------------------------------------------------------- */

typedef enum lk_status {
    LK_OK = 0,
    LK_INVALID_ARGUMENT = 1,       /* NULL, out of range, misaligned, or malformed content */
    LK_SHAPE_MISMATCH = 2,         /* arguments that do not fit each other */
    LK_OVERLAP = 3,                /* a destination shares memory with an input */
    LK_UNSUPPORTED = 4,            /* well formed, but this build or device has no implementation */
    LK_OUT_OF_MEMORY = 5,          /* an allocation failed; nothing was changed */
    LK_CAPACITY_EXCEEDED = 6,      /* more than a batch or a borrowed workspace was created for */
    LK_NOT_FOUND = 7,              /* an adapter that was never added or is removed */
    LK_BUSY = 8,                   /* the context is inside another thread's call, or recording */
    LK_ABI_MISMATCH = 9,           /* caller and library were built from different headers */
    LK_DEVICE_UNAVAILABLE = 10,    /* no such device here; the message says why */
    LK_INTERNAL = 11,              /* a defect of this library; please report the message */
    LK_DEVICE_LOST = 12,           /* the device failed; every further call on it fails until the process ends */
    LK_DRIVER_TOO_OLD = 13,        /* the CUDA driver is older than this library needs; the message names both */
    LK_ARCHITECTURE_NOT_BUILT = 14 /* there is no code for this GPU in this build; the message says for which */
} lk_status;

/* The status' name, "LK_OK" and so on; "unknown" for any other value. Never NULL. */
LK_API const char* lk_status_name(lk_status status);

/* The message of this thread's last failed call, UTF-8; "" if none failed. Valid until this thread's next call. */
LK_API const char* lk_last_error(void);

/* LK_ABI_VERSION of the library that was loaded. */
LK_API uint32_t lk_abi_version(void);

/* "0.1.0". */
LK_API const char* lk_version(void);

/* What the library was built with, for people: compiler, CUDA and why not. */
LK_API const char* lk_build_info(void);

/* Handles created and not yet destroyed, of every kind, in this process. For leak tests. */
LK_API int64_t lk_live_handles(void);

/* ---- Devices ---------------------------------------------------------------------------------------------------- */

typedef enum lk_device_kind {
    LK_DEVICE_CPU = 0,
    LK_DEVICE_CUDA = 1,
    LK_DEVICE_EMULATED = 2 /* the CUDA kernels on the CPU, strictly checked: for tests, in a library of its own */
} lk_device_kind;

/* Instruction set paths of the CPU backend. */
typedef enum lk_cpu_isa {
    LK_CPU_AUTO = 0,       /* what LORAKERNELS_CPU names if it is set, else the fastest this processor runs */
    LK_CPU_REFERENCE = 1,  /* "reference": scalar, one thread, obvious: the native oracle */
    LK_CPU_PORTABLE = 2,   /* "portable": blocked and threaded, for any processor the library was compiled for */
    LK_CPU_AVX2 = 3,       /* "avx2": the same in 256 bits, AVX2, FMA and F16C */
    LK_CPU_AVX512 = 4,     /* "avx512": in 512 bits, AVX-512 F, BW, VL and DQ */
    LK_CPU_AVX512_VNNI = 5 /* "avx512vnni": with integer dot products */
} lk_cpu_isa;

/* How x * W^T is computed. */
typedef enum lk_compute {
    LK_COMPUTE_PRECISE = 0, /* fp32 sums of the products of x and the dequantized weights, whatever types x and y have:
                               errors of 1e-5 (y in fp32), 1e-3 (fp16) or 8e-3 (bf16) of the result's norm at most */
    LK_COMPUTE_INT8 = 1     /* CPU only. x is rounded to 8 bits, with a scale for each row and group of weights (at most
                               128 k), and so are the 16 values of NF4 and FP4: errors up to 1e-2 of the result's norm.
                               Adapters are computed as ever, and all is precise on paths that are no faster with int8
                               (those without integer dot products). */
} lk_compute;

typedef struct lk_device_info {
    uint32_t struct_size;
    lk_device_kind kind;
    int32_t index;
    int32_t compute_units; /* CPU: logical processors this process may use. Else multiprocessors */
    int64_t memory_bytes;  /* total memory of the device */
    char name[128];        /* UTF-8, NUL-terminated */
    char isa[32];          /* CPU: the path that LK_CPU_AUTO takes ("avx2"). Else the architecture: "sm_90" */
} lk_device_info;

/* How many devices of a kind there are. 0 with LK_OK is an answer; lk_device_describe(kind, 0) then says why.
 * @retval LK_INVALID_ARGUMENT unknown kind, NULL */
LK_API lk_status lk_device_count(lk_device_kind kind, int32_t* count_out);

/* @retval LK_DEVICE_UNAVAILABLE index >= count; the message says what is missing (driver, device, or build option) */
LK_API lk_status lk_device_describe(lk_device_kind kind, int32_t index, lk_device_info* info_out);

/* Threads that CPU operations of all contexts share, calling threads included. 0: one per processor this process may
 * use. Takes effect with the next operation. At most `count` threads compute at any time, however many contexts call.
 * @retval LK_INVALID_ARGUMENT count < 0 or > 1024 */
LK_API lk_status lk_cpu_set_thread_count(int32_t count);
LK_API int32_t lk_cpu_thread_count(void);

/* ---- Contexts --------------------------------------------------------------------------------------------------- */

/* One stream of one device, its workspace and its allocator. Used by one thread at a time: a second thread gets
 * LK_BUSY. Contexts are independent of each other; weights, tables and batches may be used from several at once. */
typedef struct lk_context lk_context;

/* Memory of weights, buffers, tables, batches and workspaces (device memory on a GPU). `allocate` returns NULL when it
 * cannot; `alignment` is a power of two <= 4096. Both may be called from any thread and outlive the context, until
 * everything made with it is destroyed. Zeroed: the library's own. */
typedef struct lk_allocator {
    void* user;
    void* (*allocate)(void* user, int64_t bytes, int64_t alignment);
    void (*release)(void* user, void* memory, int64_t bytes);
} lk_allocator;

typedef struct lk_context_options {
    uint32_t struct_size;
    uint32_t abi_version; /* LK_ABI_VERSION */
    lk_device_kind device_kind;
    int32_t device_index;
    lk_cpu_isa cpu_isa;       /* CPU only; LK_CPU_AUTO elsewhere */
    uint32_t batch_invariant; /* 1: no bit of a row of a result depends on the other rows, at some cost in speed; 0: on
                                 a GPU, sums may be ordered as is fastest for the number of rows. The CPU is always
                                 invariant. Either way the same call gives the same bits. */
    lk_compute compute;
    uint32_t reserved; /* 0 */
    void* stream;      /* CUDA: a borrowed CUstream, or NULL for one of its own. CPU: NULL. With a borrowed one the
                          context works in that stream's CUDA context; without, in the calling thread's current one
                          if that is of this device, else in the device's primary one. The caller's current CUDA
                          context is the same after every call. */
    lk_allocator allocator;
} lk_context_options;

/* @retval LK_ABI_MISMATCH abi_version or struct_size is not this library's
 * @retval LK_DEVICE_UNAVAILABLE no such device
 * @retval LK_DRIVER_TOO_OLD, LK_ARCHITECTURE_NOT_BUILT, LK_DEVICE_LOST as their names say
 * @retval LK_UNSUPPORTED cpu_isa that this processor cannot run, LK_COMPUTE_INT8 elsewhere than on the CPU
 * @retval LK_INVALID_ARGUMENT half an allocator, a stream for the CPU, LORAKERNELS_CPU names no path */
LK_API lk_status lk_context_create(const lk_context_options* options, lk_context** context_out);

/* Waits for the stream, then frees the context. What was made with it stays valid.
 * @retval LK_BUSY another thread is inside a call */
LK_API lk_status lk_context_destroy(lk_context* context);

/* The context's device; `isa` is the path that this context takes. */
LK_API lk_status lk_context_describe(const lk_context* context, lk_device_info* info_out);

/* Waits until everything enqueued so far is done.
 * @retval LK_DEVICE_LOST an operation enqueued before failed on the device */
LK_API lk_status lk_context_synchronize(lk_context* context);

/* The stream that operations are enqueued on, borrowed or the context's own: a CUstream; NULL on the CPU. */
LK_API lk_status lk_context_stream(const lk_context* context, void** stream_out);

/* What was enqueued between lk_capture_begin and lk_capture_end, to be launched as one. A CUDA graph. */
typedef struct lk_graph lk_graph;

/* From now on the context's operations are recorded, not run. While recording, nothing may allocate: give the context
 * a workspace first, and set batches, copy from or to host memory, pack and add adapters before or after: they are
 * refused with LK_BUSY, and the recording goes on.
 * @retval LK_UNSUPPORTED the CPU records nothing
 * @retval LK_BUSY the stream is recording already */
LK_API lk_status lk_capture_begin(lk_context* context);

/* Ends the recording. A graph uses the memory that its operations were given, by address: weights, tables, batches,
 * matrices and workspace must live as long as it is launched, and their contents may change between launches. A batch
 * may be set anew: rows that it does not have any more get no adapters.
 * @retval LK_INVALID_ARGUMENT the stream is not recording, or a call that cannot be recorded has ended it */
LK_API lk_status lk_capture_end(lk_context* context, lk_graph** graph_out);

/* Enqueues the recorded operations. */
LK_API lk_status lk_graph_launch(lk_context* context, const lk_graph* graph);
/* Waits for launches under way. */
LK_API lk_status lk_graph_destroy(lk_graph* graph);

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

typedef enum lk_dtype { LK_DTYPE_F32 = 0, LK_DTYPE_F16 = 1, LK_DTYPE_BF16 = 2 } lk_dtype;

/* A view of a row-major matrix: element (r, c) is at data + (r * row_stride + c) * size of dtype. */
typedef struct lk_matrix {
    void* data; /* aligned to its dtype; only read where the matrix is an input */
    int64_t rows;
    int64_t columns;
    int64_t row_stride; /* elements, >= columns */
    lk_dtype dtype;
    uint32_t reserved; /* 0 */
} lk_matrix;

/* Device memory. */
typedef struct lk_buffer lk_buffer;

/* Uninitialised memory, aligned to 4096 bytes (256 on a GPU). 0 bytes is allowed. Unlike operations this may be called
 * from several threads at once, as may lk_lora_table_create and lk_lora_batch_create. */
LK_API lk_status lk_buffer_create(lk_context* context, int64_t bytes, lk_buffer** buffer_out);
LK_API lk_status lk_buffer_destroy(lk_buffer* buffer);
/* Where it lies, in the device's address space. */
LK_API lk_status lk_buffer_data(const lk_buffer* buffer, void** data_out);

typedef enum lk_copy_kind {
    LK_COPY_HOST_TO_DEVICE = 0,
    LK_COPY_DEVICE_TO_HOST = 1,
    LK_COPY_DEVICE_TO_DEVICE = 2
} lk_copy_kind;

/* Copies a matrix of any strides to one of the same shape and dtype. Host memory may be freed or reused when the call
 * returns: to or from the host it is complete then.
 * @retval LK_SHAPE_MISMATCH rows, columns or dtype differ */
LK_API lk_status lk_copy(lk_context* context, const lk_matrix* source, lk_copy_kind kind, const lk_matrix* destination);

/* Device memory that operations of this context use for intermediates. By default the context grows its own, which may
 * allocate inside an operation. A borrowed workspace (aligned to 256 bytes) makes operations free of allocation, as
 * graph capture needs; it must stay valid until replaced. NULL and 0: the context's own again.
 * @retval LK_INVALID_ARGUMENT misaligned, negative size, NULL with a size */
LK_API lk_status lk_context_set_workspace(lk_context* context, void* data, int64_t bytes);

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/* Checkpoint formats. The bits of each are described in native/src/formats/. */
typedef enum lk_format {
    LK_FORMAT_BNB_NF4 = 1,     /* bitsandbytes NF4, absmax plain or nested (double quantization) */
    LK_FORMAT_GGUF_Q4_0 = 2,   /* GGUF Q4_0: blocks of 32, f16 scale */
    LK_FORMAT_BNB_FP4 = 3,     /* bitsandbytes FP4, as NF4 */
    LK_FORMAT_GGUF_Q4_1 = 4,   /* GGUF Q4_1: blocks of 32, f16 scale and minimum */
    LK_FORMAT_GGUF_IQ4_NL = 5, /* GGUF IQ4_NL: blocks of 32, f16 scale, a table of integers */
    LK_FORMAT_GGUF_Q4_K = 6,   /* GGUF Q4_K: blocks of 256 with 8 groups, 6-bit scales and minimums */
    LK_FORMAT_INT4_PACKED = 7, /* compressed-tensors pack-quantized: integers, with or without zero points, act-order */
    LK_FORMAT_MXFP4 = 8,       /* OCP MXFP4: E2M1, a power of two per 32 */
    LK_FORMAT_NVFP4 = 9,       /* NVFP4: E2M1, an E4M3 scale per 16, one fp32 scale */
    LK_FORMAT_GPTQ = 10,       /* GPTQ: integers, zero points stored less 1, act-order */
    LK_FORMAT_GPTQ_V2 = 11,    /* GPTQ v2: the same with zero points as they are */
    LK_FORMAT_AWQ = 12,        /* AWQ, GEMM version: integers with zero points */
    LK_FORMAT_HQQ = 13,        /* HQQ, axis 1: integers with zeros that are numbers */
    LK_FORMAT_ONNX_NBITS = 14, /* ONNX MatMulNBits of 4 bits: integers, with or without zero points of either kind */
    LK_FORMAT_GGUF_MXFP4 = 15, /* GGUF MXFP4: blocks of 32, a power of two */
    LK_FORMAT_GGUF_NVFP4 = 16, /* GGUF NVFP4: blocks of 64, four E4M3 scales, one fp32 scale */
    /* Of other widths, for what mixed checkpoints have beside the above. Devices keep their bytes as they are. */
    LK_FORMAT_F32 = 17,        /* numbers */
    LK_FORMAT_F16 = 18,        /* IEEE half precision */
    LK_FORMAT_BF16 = 19,       /* bfloat16 */
    LK_FORMAT_GGUF_Q5_0 = 20,  /* GGUF Q5_0: blocks of 32, 5 bits, f16 scale */
    LK_FORMAT_GGUF_Q5_1 = 21,  /* GGUF Q5_1: blocks of 32, 5 bits, f16 scale and minimum */
    LK_FORMAT_GGUF_Q8_0 = 22,  /* GGUF Q8_0: blocks of 32, 8 bits, f16 scale */
    LK_FORMAT_GGUF_Q2_K = 23,  /* GGUF Q2_K: blocks of 256, 2 bits, 16 groups with 4-bit scales and minimums */
    LK_FORMAT_GGUF_Q3_K = 24,  /* GGUF Q3_K: blocks of 256, 3 bits, 16 groups with 6-bit scales */
    LK_FORMAT_GGUF_Q5_K = 25,  /* GGUF Q5_K: blocks of 256, 5 bits, 8 groups with 6-bit scales and minimums */
    LK_FORMAT_GGUF_Q6_K = 26,  /* GGUF Q6_K: blocks of 256, 6 bits, 16 groups with 8-bit scales */
    LK_FORMAT_GGUF_IQ4_XS = 27 /* GGUF IQ4_XS: blocks of 256, IQ4_NL's table, 8 groups with 6-bit scales */
} lk_format;

typedef struct lk_bytes {
    void* data;   /* host memory, of any alignment; only read by lk_weight_pack */
    int64_t size; /* bytes */
} lk_bytes;

/* clang-format off: it takes tables for running text */
/* A weight's tensors, in their checkpoint's own layout. What a format does not name below is empty or 0. G =
 * ceil(in_features / group_size). Two codes of a byte: "low first" has the even k in the low nibble. Words: i32, eight
 * codes, "lowest first" from the lowest bits on.
 *
 * LK_FORMAT_BNB_NF4, LK_FORMAT_BNB_FP4: W[i] = table[q(i)] * absmax[i / group_size], flat i = n * in_features + k.
 *   codes         u8 [ceil(N*K / 2)], even i in the high nibble
 *   scales        plain: f32 [ceil(N*K / group_size)] = absmax. Nested: u8,
 *                 absmax[b] = outer_table[scales[b]] * outer_scales[b / outer_group_size] + outer_offset
 *   table         f32 [16], or empty for the format's own map
 *   outer_table   f32 [256], empty when plain
 *   outer_scales  f32 [ceil(scales / outer_group_size)], empty when plain
 *   group_size    a power of two, 32 ... 4096; groups run across rows where K is not a multiple of it
 *
 * LK_FORMAT_GGUF_*: only codes, the blocks of the file. T is the table of IQ4_NL.
 *   Q4_0, Q4_1, IQ4_NL: W = d * (q - 8), d * q + m, d * T[q]; group_size 32; in_features is a multiple of 32
 *                 f16 d, Q4_1: f16 m, 16 bytes of nibbles (low = element j, high = element j + 16)
 *   Q4_K: W = (d * scale) * q - (dmin * minimum); group_size 32; in_features is a multiple of 256
 *                 f16 d, f16 dmin, 12 bytes of 6-bit scales and minimums, 128 bytes of nibbles
 *   MXFP4: W = E2M1(q) * 2^(scale - 127); group_size 32; in_features is a multiple of 32; scale 255 is refused
 *                 u8 scale, 16 bytes of nibbles as Q4_0
 *   NVFP4: W = E2M1(q) * (E4M3(scale) * tensor_scale); group_size 16; in_features is a multiple of 64; negative scales
 *                 and NaN are refused; 4 scales, 32 bytes of nibbles (of 8 bytes low = element j, high = element j + 8)
 *   Q5_0, Q5_1, Q8_0: W = d * (q - 16), d * q + m, d * q; group_size 32; in_features is a multiple of 32
 *   Q2_K, Q3_K, Q5_K, Q6_K, IQ4_XS: W = (d * scale) * q, in Q2_K and Q5_K minus dmin * minimum; group_size 16, in Q5_K
 *                 and IQ4_XS 32; in_features is a multiple of 256
 *
 * LK_FORMAT_F32, LK_FORMAT_F16, LK_FORMAT_BF16: only codes, [N, K] numbers, little endian; group_size 1.
 *
 * LK_FORMAT_INT4_PACKED: W[n, k] = (q - z) * scale[n, g]; g = k / group_size, or group_index[k]; z is 8 without
 *   zero_points.
 *   codes         words [N, ceil(K / 8)], along k, lowest first
 *   scales        [N, G] of scale_dtype
 *   zero_points   words [ceil(N / 8), G], along n, lowest first; or empty
 *   group_index   i32 [K], for act-order: every group has group_size members, the last one what is left; or empty
 *   group_size    a multiple of 32, or K: one scale a row
 *
 * LK_FORMAT_GPTQ, LK_FORMAT_GPTQ_V2: W[n, k] = (q - z) * scale[g, n]; z is what is stored, in the first version plus 1;
 *   N and K are multiples of 8.
 *   codes         words [K / 8, N], along k, lowest first: qweight
 *   scales        [G, N] of scale_dtype
 *   zero_points   words [G, N / 8], along n, lowest first: qzeros
 *   group_index, group_size  as for LK_FORMAT_INT4_PACKED
 *
 * LK_FORMAT_AWQ: W[n, k] = (q - z) * scale[g, n]; N is a multiple of 8. A word holds columns 0 2 4 6 1 3 5 7 from its
 *   lowest bits on.
 *   codes         words [K, N / 8], along n: qweight
 *   scales        [G, N] of scale_dtype
 *   zero_points   words [G, N / 8], along n: qzeros
 *   group_size    a multiple of 32, or K
 *
 * LK_FORMAT_HQQ: W = (q - zero) * scale in fp32, groups of consecutive k. The weight is taken as [N * G, group_size].
 *   codes         u8 [N * G / 2, group_size]: its upper half in the high nibbles, its lower half in the low ones
 *   scales        [N * G] of scale_dtype
 *   zero_points   [N * G] of scale_dtype
 *   group_size    a multiple of 8, or K; in_features is a multiple of it, and N * G is even
 *
 * LK_FORMAT_ONNX_NBITS: W[n, k] = (q - z) * scale[n, g]; z is 8 without zero_points.
 *   codes         u8 [N, G, group_size / 2], low first; what is behind the last k of a row is kept and has no meaning
 *   scales        [N, G] of scale_dtype
 *   zero_points   u8 [N, ceil(G / 2)], low first; or [N, G] of scale_dtype; or empty
 *   group_index   as for LK_FORMAT_INT4_PACKED
 *   group_size    a power of two from 16 on
 *
 * LK_FORMAT_MXFP4: W = E2M1(q) * 2^(scale - 127).
 *   codes         u8 [N, K / 2], low first
 *   scales        u8 [N, K / 32]; 255, a NaN, is refused
 *   group_size    32; in_features is a multiple of it
 *
 * LK_FORMAT_NVFP4: W = E2M1(q) * s, s = E4M3(scale) * tensor_scale, or / tensor_scale where tensor_scale_divides.
 *   codes         u8 [N, K / 2], low first
 *   scales        u8 [N, K / 16]; negative ones and NaN are refused
 *   group_size    16; in_features is a multiple of it */
/* clang-format on */
typedef struct lk_weight_tensors {
    uint32_t struct_size;
    lk_format format;
    int64_t out_features;
    int64_t in_features;
    int64_t group_size;
    int64_t outer_group_size; /* 0 when plain; bitsandbytes writes 256 */
    lk_bytes codes;
    lk_bytes scales;
    lk_bytes zero_points;
    lk_bytes group_index;
    lk_bytes table;
    lk_bytes outer_table;
    lk_bytes outer_scales;
    float outer_offset;
    float tensor_scale;            /* finite, > 0 */
    uint32_t tensor_scale_divides; /* 0 or 1 */
    lk_dtype scale_dtype;          /* where the format names it; elsewhere 0 */
} lk_weight_tensors;

/* A weight on a device, in the layout that its kernels stream. Immutable, shareable between contexts and threads. */
typedef struct lk_weight lk_weight;

/* Packs a checkpoint's tensors (host memory) for the context's device; they are not needed afterwards.
 * @retval LK_INVALID_ARGUMENT a size that does not fit the shape, a group size that the format does not have, contents
 *         that it does not allow; their place is named
 * @retval LK_UNSUPPORTED unknown format */
LK_API lk_status lk_weight_pack(lk_context* context, const lk_weight_tensors* tensors, lk_weight** weight_out);
LK_API lk_status lk_weight_destroy(lk_weight* weight);

/* Fills in everything but the data pointers, which become NULL: the sizes to allocate for lk_weight_unpack.
 * Set struct_size before the call. */
LK_API lk_status lk_weight_describe(const lk_weight* weight, lk_weight_tensors* tensors_out);
/* Device memory that the weight occupies. */
LK_API lk_status lk_weight_packed_bytes(const lk_weight* weight, int64_t* bytes_out);

/* Writes the checkpoint's bytes back, bit for bit, into host memory of the sizes that lk_weight_describe gives.
 * @retval LK_SHAPE_MISMATCH a buffer of another size */
LK_API lk_status lk_weight_unpack(lk_context* context, const lk_weight* weight, const lk_weight_tensors* tensors_out);

/* y[N, K] = the weights, by the producer's sequence of fp32 operations, then rounded to y's dtype. */
LK_API lk_status lk_dequantize(lk_context* context, const lk_weight* weight, const lk_matrix* y);

/* How to quantize; what is not named for a format is 0.
 * LK_FORMAT_BNB_NF4, LK_FORMAT_BNB_FP4, by bitsandbytes' rule: absmax per group, then the level nearest to
 *   w * (1 / absmax). Nested: absmax less its mean, in turn by absmax and the dynamic 8-bit map.
 * LK_FORMAT_INT4_PACKED, by compressed-tensors' rule, in fp32, lowest and highest being those of a group and 0:
 *   symmetric   scale = max(|lowest|, |highest|) / 7.5, code = round(clamp(w / scale, -8, 7)) + 8
 *   zero points scale = (highest - lowest) / 15, zero = round(clamp(-8 - lowest / scale, -8, 7)),
 *               code = round(clamp(w / scale + zero, -8, 7)) + 8, zero point = zero + 8
 *   A scale is rounded to its type first, and one that is 0 becomes the type's epsilon. round: to nearest even. */
typedef struct lk_quantize_options {
    uint32_t struct_size;
    lk_format format;         /* one of those above */
    int64_t group_size;       /* as the format allows; 64 is bitsandbytes' default, 128 compressed-tensors' */
    int64_t outer_group_size; /* bitsandbytes: 0, plain absmax; or 256, nested */
    lk_dtype scale_dtype;     /* int4: the type of the scales */
    uint32_t has_zero_points; /* int4: 1 for a zero point a group, 0 for symmetric codes */
} lk_quantize_options;

/* Quantizes w[N, K] (device memory, any dtype).
 * @retval LK_UNSUPPORTED a format that can only be read
 * @retval LK_INVALID_ARGUMENT a non-finite element: its row and column are named; a scale beyond its type */
LK_API lk_status lk_quantize(lk_context* context, const lk_matrix* w, const lk_quantize_options* options,
                             lk_weight** weight_out);

/* ---- Matmul ----------------------------------------------------------------------------------------------------- */

/* y[M, N] = x[M, K] * W^T + bias. x and y have the same dtype; bias is [1, N] of any dtype, or NULL.
 * @retval LK_SHAPE_MISMATCH x.columns != K, y.columns != N, x.rows != y.rows, dtypes differ
 * @retval LK_OVERLAP y shares memory with x or bias
 * @retval LK_CAPACITY_EXCEEDED the borrowed workspace is too small; the message says how much is needed */
LK_API lk_status lk_matmul(lk_context* context, const lk_matrix* x, const lk_weight* weight, const lk_matrix* bias,
                           const lk_matrix* y);

/* ---- LoRA ------------------------------------------------------------------------------------------------------- */

/* A slice of a module's output columns, [offset, offset + size). */
typedef struct lk_output_slice {
    int64_t offset;
    int64_t size;
} lk_output_slice;

/* A linear layer that adapters may change. A fused layer (QKV, gate/up) has a slice for each of its parts; a plain one
 * has one slice, or none: all of its columns. */
typedef struct lk_lora_module {
    uint32_t struct_size;
    int32_t slice_count; /* 0: one slice of all columns */
    int64_t in_features;
    int64_t out_features;
    const lk_output_slice* slices; /* ascending, not overlapping */
} lk_lora_module;

/* The adapters on a device: factors per (adapter, module, slice). Any adapter may lack any of them, and ranks may
 * differ everywhere. Thread-safe. */
typedef struct lk_lora_table lk_lora_table;

/* An op names a module by its index in `modules`. The context's allocator, if it has one, gives the memory of every
 * adapter. Without, the system does: whole pages of 4 KiB on the CPU; on a GPU pages of its own size (2 MiB), which any
 * later adapter can use, after whatever came and went. */
LK_API lk_status lk_lora_table_create(lk_context* context, const lk_lora_module* modules, int32_t module_count,
                                      lk_lora_table** table_out);
/* Batches made for the table keep what they use. */
LK_API lk_status lk_lora_table_destroy(lk_lora_table* table);

/* One low-rank update of an adapter. An entry of weight w makes of y[:, slice]
 *   column_scale * (y + w * scale * ((x * A^T) * B^T + bias)),
 * entries in their order, and a linear's own bias after all of them. With DoRA, y = g * (x * W^T + scale * (x * A^T) *
 * B^T), column_scale is g = m / ||W + scale * B * A||, a norm for each row of W; PEFT's lora_bias is the bias. */
typedef struct lk_lora_factors {
    uint32_t struct_size;
    int32_t module;
    int32_t slice;          /* index in the module's slices; 0 for a plain module */
    float scale;            /* alpha / rank, or alpha / sqrt(rank) for rsLoRA; finite */
    lk_matrix a;            /* [rank, in_features], host memory, any dtype; rank 1 ... 512 */
    lk_matrix b;            /* [slice size, rank], host memory, any dtype */
    lk_matrix bias;         /* [1, slice size], host memory, any dtype; zeroed: none */
    lk_matrix column_scale; /* the same; an adapter that has one takes the weight 1 only */
} lk_lora_factors;

#define LK_LORA_MAX_RANK 512

/* Copies an adapter's factors to the device, all or nothing, and gives it an id > 0 that this process never uses again.
 * No (module, slice) may occur twice. 0 factors is an adapter that changes nothing.
 * @retval LK_SHAPE_MISMATCH factors that do not fit their module; the message names the first
 * @retval LK_INVALID_ARGUMENT no such module or slice, a rank out of range, one (module, slice) twice */
LK_API lk_status lk_lora_table_add(lk_context* context, lk_lora_table* table, const lk_lora_factors* factors,
                                   int32_t factor_count, int64_t* adapter_out);

/* New batches can no longer name the adapter. Batches that hold it keep it until they are set anew or destroyed. Waits
 * for nothing that is enqueued: its memory serves others when that is done. (With an allocator of the host's, and on a
 * GPU without virtual memory, freeing may wait.)
 * @retval LK_NOT_FOUND never added, or removed before */
LK_API lk_status lk_lora_table_remove(lk_lora_table* table, int64_t adapter);

/* What an adapter takes of the table's memory: whole pages, and what is left of it in pages shared with others. */
LK_API lk_status lk_lora_adapter_bytes(const lk_lora_table* table, int64_t adapter, int64_t* bytes_out);

/* What an adapter of these factors would take if it were added: by their modules, slices, shapes and dtypes alone, so
 * that the matrices' data may be NULL. The errors are those of lk_lora_table_add. */
LK_API lk_status lk_lora_table_measure(const lk_lora_table* table, const lk_lora_factors* factors, int32_t factor_count,
                                       int64_t* bytes_out);

/* The sum of what its adapters take, removed ones that a batch still holds included. */
LK_API lk_status lk_lora_table_bytes(const lk_lora_table* table, int64_t* bytes_out);

/* Memory of the table's device that is set aside for adapters, those of its other tables included: what they take, what
 * shared pages have left, and what removed ones have left for later ones. The most that adapters have taken at one time
 * sets it; it becomes less by lk_lora_table_trim, and 0 with the device's last table. */
LK_API lk_status lk_lora_table_reserved_bytes(const lk_lora_table* table, int64_t* bytes_out);

/* Gives back to the system what removed adapters have left. Waits for nothing that is enqueued: what it may still read
 * stays. */
LK_API lk_status lk_lora_table_trim(lk_lora_table* table);

/* Which adapters change which rows: made once per step, used by every module. Shareable; setting new contents does not
 * disturb operations that already run. */
typedef struct lk_lora_batch lk_lora_batch;

/* What a batch can hold, so that its memory, and a captured graph's addresses, never change. */
typedef struct lk_lora_batch_options {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    int64_t max_rows;
    int64_t max_entries;    /* (row, adapter) pairs */
    int64_t max_segments;   /* distinct adapters */
    int64_t max_rank_tiles; /* sum over entries of ceil(rank / 8), summed over slices, in the adapter's widest module */
} lk_lora_batch_options;

/* A new batch has 0 rows. */
LK_API lk_status lk_lora_batch_create(lk_context* context, lk_lora_table* table, const lk_lora_batch_options* options,
                                      lk_lora_batch** batch_out);
LK_API lk_status lk_lora_batch_destroy(lk_lora_batch* batch);

#define LK_ADAPTER_NONE 0

/* Host memory, read during the call. Row r has the entries row_offsets[r] ... row_offsets[r + 1] - 1; an entry adds
 * weights[e] times adapter adapters[e]. LK_ADAPTER_NONE adds nothing. An adapter may stand on a row more than once. */
typedef struct lk_lora_assignment {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    int64_t rows;
    const int64_t* row_offsets; /* [rows + 1], ascending from 0; NULL: one entry a row */
    const int64_t* adapters;    /* [entries] */
    const float* weights;       /* [entries], finite; NULL: all 1 */
} lk_lora_assignment;

/* @retval LK_NOT_FOUND an id that the table does not have; the message names row and id
 * @retval LK_UNSUPPORTED a weight other than 1 for an adapter with a column_scale: its norms are those of weight 1
 * @retval LK_CAPACITY_EXCEEDED more than the batch was created for; it keeps its old contents */
LK_API lk_status lk_lora_batch_set(lk_context* context, lk_lora_batch* batch, const lk_lora_assignment* assignment);

/* Columns of lk_lora_shrink's result: the largest sum of ranks over a module's slices among the batch's adapters. */
LK_API lk_status lk_lora_shrink_columns(const lk_lora_batch* batch, int32_t module, int64_t* columns_out);

/* s[e, :] = x[row of e] * A^T for each entry e of the batch, in the order of the assignment; the slices' ranks one
 * after the other. s is f32 [entries, >= lk_lora_shrink_columns]; what an entry does not fill becomes 0.
 * @retval LK_SHAPE_MISMATCH x.rows != the batch's rows, x.columns != in_features, s too small or not f32 */
LK_API lk_status lk_lora_shrink(lk_context* context, const lk_matrix* x, const lk_lora_batch* batch, int32_t module,
                                const lk_matrix* s);

/* y[row of e, slice] += weight(e) * scale * s[e, slice's ranks] * B^T, entries in their order, one rounding of y; with
 * bias and column_scale as in lk_lora_factors: y is what comes before a linear's own bias. */
LK_API lk_status lk_lora_expand(lk_context* context, const lk_matrix* s, const lk_lora_batch* batch, int32_t module,
                                const lk_matrix* y);

/* Shrink and expand in one call: y += the adapters' updates of x, as in lk_lora_expand. x and y have the same dtype. */
LK_API lk_status lk_lora_apply(lk_context* context, const lk_matrix* x, const lk_lora_batch* batch, int32_t module,
                               const lk_matrix* y);

/* ---- Linear ----------------------------------------------------------------------------------------------------- */

/* y = x * W^T + the adapters' updates + bias, rounded once. `bias` may be NULL, and `batch` too (then `module` is not
 * looked at). The errors are those of lk_matmul and lk_lora_apply. */
LK_API lk_status lk_linear(lk_context* context, const lk_matrix* x, const lk_weight* weight, const lk_lora_batch* batch,
                           int32_t module, const lk_matrix* bias, const lk_matrix* y);

typedef struct lk_workspace_query {
    uint32_t struct_size;
    uint32_t reserved;   /* 0 */
    int64_t rows;        /* the most rows that x will have */
    int64_t in_features; /* the largest of the modules to be computed */
    int64_t out_features;
    const lk_lora_batch* batch; /* whose capacities to count in, or NULL */
} lk_workspace_query;

/* A workspace that suffices for every operation of the given size, whatever the thread count. */
LK_API lk_status lk_workspace_bytes(lk_context* context, const lk_workspace_query* query, int64_t* bytes_out);

#ifdef __cplusplus
}
#endif

#endif /* LORAKERNELS_H */
