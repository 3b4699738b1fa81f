/* Test control of the emulated device: exported by lorakernels_emulated beside the C ABI. Never packed.
 *
 * LORAKERNELS_EMULATED holds the same options as text, read at the library's first use: "seed=7,rounding=truncate".
 */
#ifndef LORAKERNELS_EMULATED_H
#define LORAKERNELS_EMULATED_H

#include "lorakernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lk_emulated_rounding {
    LK_EMULATED_EXACT = 0,   /* each mma sums exactly and rounds once */
    LK_EMULATED_TRUNCATE = 1 /* each mma aligns its addends and drops what lies below, as tensor cores are said to do */
} lk_emulated_rounding;

/* The names in LORAKERNELS_EMULATED are in brackets. */
typedef struct lk_emulated_options {
    uint32_t struct_size;
    lk_emulated_rounding rounding; /* [rounding] exact, truncate */
    uint64_t seed;                 /* [seed] of every order that CUDA leaves open */
    int32_t checks;                /* [checks] 1: races, uninitialised reads and the like are found. 0: faster */
    int32_t conflicts;             /* [conflicts] 1: bank conflicts of plain accesses are counted too. Slow */
    int32_t preemption;            /* [preemption] n: a warp gives way after 1 of n collectives. 0: when it must wait */
    int32_t devices;               /* [devices] 0 ... 16 */
    int32_t multiprocessors;       /* [multiprocessors] of each device */
    int32_t architecture;          /* [architecture] 80, 86, 89 or 90; any other has no kernels in this library */
    int32_t driver_version;        /* [driver] 12040 for CUDA 12.4; 0: no driver is installed */
    int64_t memory_bytes;          /* [memory] of each device */
    int64_t page_bytes;            /* [pages] of mapped memory, a power of two from 4096 on; 0: none can be mapped */
} lk_emulated_options;

/* The options in force. Set struct_size before the call. */
LK_API lk_status lk_emulated_options_get(lk_emulated_options* options_out);
/* For everything from now on.
 * @retval LK_INVALID_ARGUMENT a value out of its range */
LK_API lk_status lk_emulated_configure(const lk_emulated_options* options);
/* The same from text; options that it does not name stay.
 * @retval LK_INVALID_ARGUMENT an unknown name, a malformed value */
LK_API lk_status lk_emulated_configure_text(const char* text);

typedef enum lk_emulated_failure {
    LK_EMULATED_OUT_OF_MEMORY = 0,         /* the next allocation, of device or page-locked memory */
    LK_EMULATED_LOST_DEVICE = 1,           /* the next operation that runs: an error like a bit flipped in memory */
    LK_EMULATED_DRIVER_TOO_OLD = 2,        /* the next look for devices */
    LK_EMULATED_ARCHITECTURE_NOT_BUILT = 3 /* the next kernel launch */
} lk_emulated_failure;

/* Makes the next thing of its kind fail, once. */
LK_API lk_status lk_emulated_fail_next(lk_emulated_failure failure);

/* Removes the contexts that were lost, and injected failures not yet used, as a new process would: what was made in
 * such a context is gone and may only be destroyed. */
LK_API lk_status lk_emulated_reset(void);

/* Since the process began or the last lk_emulated_statistics_clear. */
typedef struct lk_emulated_statistics {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t launches;    /* kernels run, those of graphs included */
    int64_t graphs;      /* graphs launched */
    int64_t copies;      /* copies and memory fills run */
    int64_t allocations; /* calls that allocated device or page-locked memory */
    int64_t live_bytes;  /* device memory that is allocated now, mapped or not */
    int64_t bytes_read;  /* global memory read by kernels */
    int64_t bytes_written;
    int64_t bank_conflicts; /* extra shared-memory cycles: of ldmatrix, of plain accesses if the options say so */
    int64_t findings;       /* launches that broke a rule */
    int64_t reserved_bytes; /* addresses that are reserved now */
} lk_emulated_statistics;

LK_API lk_status lk_emulated_statistics_get(lk_emulated_statistics* statistics_out);
LK_API lk_status lk_emulated_statistics_clear(void);

/* Device memory that is allocated now, a line each, oldest first: "device 0: 4096 bytes (allocation 7)"; then mapped
 * memory, and addresses that are reserved. The text is cut where it does not fit into `size` bytes.
 * @retval LK_INVALID_ARGUMENT text is NULL, size is 0 */
LK_API lk_status lk_emulated_list_memory(char* text, uint64_t size);

/* Bytes that kernels have read from and written to the allocation that holds this address.
 * @retval LK_NOT_FOUND no such device memory */
LK_API lk_status lk_emulated_traffic(const void* memory, int64_t* bytes_read_out, int64_t* bytes_written_out);

#ifdef __cplusplus
}
#endif

#endif
