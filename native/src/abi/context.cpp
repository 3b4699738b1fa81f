// Contexts, buffers, copies, workspaces.
#include "core/context.h"

#include "abi/checks.h"
#include "devices/devices.h"

using namespace lk;
using namespace lk::abi;

namespace {

void check_allocator(const lk_allocator& given) {
    if ((given.allocate == nullptr) != (given.release == nullptr)) {
        fail(LK_INVALID_ARGUMENT, "options.allocator.%s: is NULL; set both functions or neither",
             given.allocate == nullptr ? "allocate" : "release");
    }
}

}  // namespace

lk_status lk_context_create(const lk_context_options* options, lk_context** context_out) {
    return guard([&] {
        require(options, "options");
        require(context_out, "context_out");
        require_size(options->struct_size, sizeof *options, "options");
        if (options->abi_version != LK_ABI_VERSION) {
            fail(LK_ABI_MISMATCH, "options.abi_version: is %u, this library (%s) has %u; caller and library differ",
                 options->abi_version, lk_version(), LK_ABI_VERSION);
        }
        if (options->batch_invariant > 1) {
            fail(LK_INVALID_ARGUMENT, "options.batch_invariant: is %u; allowed are 0 and 1", options->batch_invariant);
        }
        check_device_kind(options->device_kind, "options.device_kind");
        if (raw(options->cpu_isa) < LK_CPU_AUTO || raw(options->cpu_isa) > LK_CPU_AVX512_VNNI) {
            fail(LK_INVALID_ARGUMENT, "options.cpu_isa: is %d; allowed are %d (auto) ... %d (avx512vnni)",
                 raw(options->cpu_isa), LK_CPU_AUTO, LK_CPU_AVX512_VNNI);
        }
        if (raw(options->compute) != LK_COMPUTE_PRECISE && raw(options->compute) != LK_COMPUTE_INT8) {
            fail(LK_INVALID_ARGUMENT, "options.compute: is %d; allowed are precise (%d) and int8 (%d)",
                 raw(options->compute), LK_COMPUTE_PRECISE, LK_COMPUTE_INT8);
        }
        if (options->compute == LK_COMPUTE_INT8 && options->device_kind != LK_DEVICE_CPU) {
            fail(LK_UNSUPPORTED, "options.compute: is int8, which the CPU alone has");
        }
        check_reserved(options->reserved, "options.reserved");
        check_allocator(options->allocator);
        *context_out = new lk_context(open_device(*options));
    });
}

lk_status lk_context_destroy(lk_context* context) {
    return guard([&] {
        if (context == nullptr) return;
        std::unique_ptr<lk_context> owner;
        const ContextLock lock(context);
        owner.reset(context);  // freed even if the device fails
        lock->backend->drop_capture();
        lock->backend->synchronize();
    });
}

lk_status lk_context_describe(const lk_context* context, lk_device_info* info_out) {
    return guard([&] {
        require(context, "context");
        require_struct(info_out, "info_out");
        lk_device_info info{};
        info.struct_size = sizeof info;
        context->backend->describe(info);
        *info_out = info;
    });
}

lk_status lk_context_synchronize(lk_context* context) {
    return guard([&] {
        const ContextLock lock(context);
        lock->backend->synchronize();
    });
}

lk_status lk_context_stream(const lk_context* context, void** stream_out) {
    return guard([&] {
        require(context, "context");
        require(stream_out, "stream_out");
        *stream_out = context->backend->stream();
    });
}

lk_status lk_capture_begin(lk_context* context) {
    return guard([&] {
        const ContextLock lock(context);
        lock->backend->begin_capture();
        lock->workspace.set_fixed(true);
    });
}

lk_status lk_capture_end(lk_context* context, lk_graph** graph_out) {
    return guard([&] {
        const ContextLock lock(context);
        require(graph_out, "graph_out");
        lock->workspace.set_fixed(false);
        *graph_out = new lk_graph(lock->backend->end_capture(), lock->workspace.own(), lock->backend->device());
    });
}

lk_status lk_graph_launch(lk_context* context, const lk_graph* graph) {
    return guard([&] {
        const ContextLock lock(context);
        require(graph, "graph");
        check_device(graph->device, *lock->backend, "graph");
        lock->backend->launch(*graph->recording);
    });
}

lk_status lk_graph_destroy(lk_graph* graph) {
    return guard([&] { delete graph; });
}

lk_status lk_buffer_create(lk_context* context, int64_t bytes, lk_buffer** buffer_out) {
    return guard([&] {
        require(context, "context");
        require(buffer_out, "buffer_out");
        if (bytes < 0)
            fail(LK_INVALID_ARGUMENT, "bytes: is %lld; it cannot be negative", static_cast<long long>(bytes));
        *buffer_out = new lk_buffer(Block(context->allocator, bytes, 4096, "a buffer"));
    });
}

lk_status lk_buffer_destroy(lk_buffer* buffer) {
    return guard([&] { delete buffer; });
}

lk_status lk_buffer_data(const lk_buffer* buffer, void** data_out) {
    return guard([&] {
        require(buffer, "buffer");
        require(data_out, "data_out");
        *data_out = buffer->memory.data();
    });
}

lk_status lk_copy(lk_context* context, const lk_matrix* source, lk_copy_kind kind, const lk_matrix* destination) {
    return guard([&] {
        const ContextLock lock(context);
        check_matrix(source, "source");
        check_matrix(destination, "destination");
        if (raw(kind) < LK_COPY_HOST_TO_DEVICE || raw(kind) > LK_COPY_DEVICE_TO_DEVICE) {
            fail(LK_INVALID_ARGUMENT, "kind: is %d; allowed are host to device (0), back (1), on the device (2)",
                 raw(kind));
        }
        check_rows(*destination, "destination", source->rows, "source has");
        check_columns(*destination, "destination", source->columns, "source has");
        if (source->dtype != destination->dtype) {
            fail(LK_SHAPE_MISMATCH, "destination.dtype: is %s, source has %s; lk_copy does not convert",
                 name_of(destination->dtype), name_of(source->dtype));
        }
        check_no_overlap(*destination, "destination", *source, "source");
        lock->backend->copy(*source, kind, *destination);
    });
}

lk_status lk_context_set_workspace(lk_context* context, void* data, int64_t bytes) {
    return guard([&] {
        const ContextLock lock(context);
        if (bytes < 0 || (data == nullptr) != (bytes == 0)) {
            fail(LK_INVALID_ARGUMENT, "bytes: is %lld with data %p; give both, or NULL and 0 for the context's own",
                 static_cast<long long>(bytes), data);
        }
        if (reinterpret_cast<uintptr_t>(data) % Workspace::kAlignment != 0) {
            fail(LK_INVALID_ARGUMENT, "data: is %p; a workspace is aligned to %lld bytes", data,
                 static_cast<long long>(Workspace::kAlignment));
        }
        lock->workspace.borrow(data, bytes);
    });
}

lk_status lk_workspace_bytes(lk_context* context, const lk_workspace_query* query, int64_t* bytes_out) {
    return guard([&] {
        const ContextLock lock(context);
        require_struct(query, "query");
        require(bytes_out, "bytes_out");
        check_reserved(query->reserved, "query.reserved");
        check_extent(query->rows, "query.rows");
        check_extent(query->in_features, "query.in_features");
        check_extent(query->out_features, "query.out_features");
        const bool has_batch = query->batch != nullptr;
        *bytes_out = lock->backend->workspace_bytes(query->rows, query->in_features, query->out_features,
                                                    has_batch ? query->batch->capacities.max_entries : 0,
                                                    has_batch ? query->batch->capacities.max_rank_tiles : 0);
    });
}
