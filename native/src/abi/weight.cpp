// Weights: packing, unpacking, dequantization, quantization.
#include <memory>
#include <vector>

#include "abi/checks.h"
#include "core/context.h"

using namespace lk;
using namespace lk::abi;

namespace {

const Format& format_of(const lk_format& id, const char* name) {
    const Format* format = find_format(raw(id));
    if (format == nullptr) {
        fail(LK_UNSUPPORTED, "%s: is %d; this library has %s", name, raw(id), format_names().c_str());
    }
    return *format;
}

void check_shape(const lk_weight_tensors& tensors) {
    check_extent(tensors.out_features, "tensors.out_features");
    check_extent(tensors.in_features, "tensors.in_features");
}

void check_buffers(const lk_weight_tensors& tensors) {
    for (const TensorMember& member : kTensorMembers) check_bytes(tensors.*member.bytes, member.name);
}

void forget_pointers(lk_weight_tensors& tensors) {
    for (const TensorMember& member : kTensorMembers) (tensors.*member.bytes).data = nullptr;
}

// The caller has checked the tensors.
std::unique_ptr<lk_weight> pack(lk_context& context, const Format& format, const lk_weight_tensors& tensors) {
    auto weight = std::make_unique<lk_weight>();
    weight->format = &format;
    weight->tensors = tensors;
    forget_pointers(weight->tensors);
    weight->device = context.backend->device();
    context.backend->pack(tensors, *weight);
    return weight;
}

void check_same_size(const lk_bytes& given, const lk_bytes& expected, const char* name) {
    if (given.size != expected.size) {
        fail(LK_SHAPE_MISMATCH, "tensors_out.%s.size: is %lld bytes, lk_weight_describe says %lld", name,
             static_cast<long long>(given.size), static_cast<long long>(expected.size));
    }
}

void check_options(const lk_quantize_options& options, const Format& format) {
    const bool integers = format.id == LK_FORMAT_INT4_PACKED;
    if (!integers && format.id != LK_FORMAT_BNB_NF4 && format.id != LK_FORMAT_BNB_FP4) {
        fail(LK_UNSUPPORTED,
             "options.format: is %s, which can only be read; bitsandbytes NF4 and FP4 and compressed-tensors "
             "pack-quantized can be written",
             format.name);
    }
    if (options.outer_group_size != 0 && (integers || options.outer_group_size != 256)) {
        fail(LK_INVALID_ARGUMENT, "options.outer_group_size: is %lld; allowed are %s",
             static_cast<long long>(options.outer_group_size),
             integers ? "0: integers have plain scales" : "0 (plain absmax) and 256 (nested)");
    }
    if (options.has_zero_points > (integers ? 1 : 0)) {
        fail(LK_INVALID_ARGUMENT, "options.has_zero_points: is %u; allowed are %s", options.has_zero_points,
             integers ? "0 and 1" : "0: bitsandbytes has none");
    }
    if (!integers && raw(options.scale_dtype) != 0) {
        fail(LK_INVALID_ARGUMENT, "options.scale_dtype: is %d; allowed is 0: bitsandbytes has no choice",
             raw(options.scale_dtype));
    }
}

// What the options say of w's tensors; of the buffers only whether there are zero points.
lk_weight_tensors quantized_tensors(const lk_matrix& w, const lk_quantize_options& options) {
    lk_weight_tensors tensors{};
    tensors.struct_size = sizeof tensors;
    tensors.format = options.format;
    tensors.out_features = w.rows;
    tensors.in_features = w.columns;
    tensors.group_size = options.group_size;
    tensors.outer_group_size = options.outer_group_size;
    tensors.scale_dtype = options.scale_dtype;
    tensors.zero_points.size = options.has_zero_points;
    return tensors;
}

}  // namespace

lk_status lk_weight_pack(lk_context* context, const lk_weight_tensors* tensors, lk_weight** weight_out) {
    return guard([&] {
        const ContextLock lock(context);
        require_struct(tensors, "tensors");
        require(weight_out, "weight_out");
        const Format& format = format_of(tensors->format, "tensors.format");
        check_shape(*tensors);
        check_buffers(*tensors);
        check_description(format, *tensors);
        check_contents(format, *tensors);
        *weight_out = pack(*lock, format, *tensors).release();
    });
}

lk_status lk_weight_destroy(lk_weight* weight) {
    return guard([&] { delete weight; });
}

lk_status lk_weight_describe(const lk_weight* weight, lk_weight_tensors* tensors_out) {
    return guard([&] {
        require(weight, "weight");
        require_struct(tensors_out, "tensors_out");
        *tensors_out = weight->tensors;
    });
}

lk_status lk_weight_packed_bytes(const lk_weight* weight, int64_t* bytes_out) {
    return guard([&] {
        require(weight, "weight");
        require(bytes_out, "bytes_out");
        *bytes_out = weight->bytes();
    });
}

lk_status lk_weight_unpack(lk_context* context, const lk_weight* weight, const lk_weight_tensors* tensors_out) {
    return guard([&] {
        const ContextLock lock(context);
        require(weight, "weight");
        check_device(weight->device, *lock->backend, "weight");
        require_struct(tensors_out, "tensors_out");
        check_buffers(*tensors_out);
        lk_weight_tensors out = weight->tensors;
        for (const TensorMember& member : kTensorMembers) {
            check_same_size(tensors_out->*member.bytes, weight->tensors.*member.bytes, member.name);
            out.*member.bytes = tensors_out->*member.bytes;
        }
        lock->backend->unpack(*weight, out);
    });
}

lk_status lk_dequantize(lk_context* context, const lk_weight* weight, const lk_matrix* y) {
    return guard([&] {
        const ContextLock lock(context);
        require(weight, "weight");
        check_device(weight->device, *lock->backend, "weight");
        check_matrix(y, "y");
        check_rows(*y, "y", weight->tensors.out_features, "the weight's out_features are");
        check_columns(*y, "y", weight->tensors.in_features, "the weight's in_features are");
        if (!is_empty(*y)) lock->backend->dequantize(*weight, *y);
    });
}

lk_status lk_quantize(lk_context* context, const lk_matrix* w, const lk_quantize_options* options,
                      lk_weight** weight_out) {
    return guard([&] {
        const ContextLock lock(context);
        check_matrix(w, "w");
        require_struct(options, "options");
        require(weight_out, "weight_out");
        const Format& format = format_of(options->format, "options.format");
        check_options(*options, format);
        lk_weight_tensors tensors = quantized_tensors(*w, *options);
        format.check(tensors);
        const TensorSizes sizes = format.sizes(tensors);
        std::vector<std::vector<char>> storage;
        for (const TensorMember& member : kTensorMembers) {
            storage.emplace_back(size_t(sizes.*member.size));
            tensors.*member.bytes = {storage.back().data(), sizes.*member.size};
        }
        lock->backend->quantize(*w, tensors);
        *weight_out = pack(*lock, format, tensors).release();
    });
}
