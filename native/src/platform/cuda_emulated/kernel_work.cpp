// Running a kernel: from the runtime to the executor.
#include "core/error.h"
#include "platform/cuda_emulated/architecture.h"
#include "platform/cuda_emulated/executor.h"
#include "platform/cuda_emulated/machine.h"
#include "platform/cuda_emulated/symbols.h"

namespace lk::emulated {
namespace {

Options options_of(Machine& machine) {
    const lk_emulated_options& settings = machine.settings;
    const Multiprocessor multiprocessor = multiprocessor_of(settings.architecture);
    Options options;
    options.seed = machine.next_seed();
    options.preemption = uint32_t(settings.preemption);
    options.rounding = settings.rounding == LK_EMULATED_EXACT ? Rounding::exact : Rounding::truncating;
    options.checked = settings.checks != 0;
    options.count_conflicts = settings.conflicts != 0;
    options.multiprocessors = uint32_t(settings.multiprocessors);
    options.threads_per_multiprocessor = uint32_t(multiprocessor.threads);
    options.blocks_per_multiprocessor = uint32_t(multiprocessor.blocks);
    options.shared_per_multiprocessor = uint32_t(multiprocessor.shared_bytes);
    options.shared_per_block = uint32_t(max_shared_bytes_of_block(settings.architecture));
    return options;
}

// A launch that the device has no room for is refused by exception; here that is the context's error, too.
LaunchReport execute_or_find(const Launch& launch, const Options& options) {
    try {
        return execute(launch, options);
    } catch (const Error& error) {
        throw Finding{cudaErrorLaunchFailure, error.what()};
    }
}

}  // namespace

KernelWork::KernelWork(const cudaLaunchConfig_t& config, bool programmatic, std::shared_ptr<const KernelCall> call)
    : grid_(config.gridDim),
      block_(config.blockDim),
      dynamic_shared_(uint32_t(config.dynamicSmemBytes)),
      programmatic_(programmatic),
      call_(std::move(call)) {}

void KernelWork::run(Machine& machine, Context& context, bool follows_kernel) const {
    Launch launch;
    launch.grid = grid_;
    launch.block = block_;
    launch.dynamic_shared = dynamic_shared_;
    launch.call = call_;
    launch.programmatic = programmatic_ && follows_kernel;  // else it begins when all before it has ended
    launch.owner = context.id;
    launch.device = context.device;
    const LaunchReport report = execute_or_find(launch, options_of(machine));

    ++machine.statistics.launches;
    machine.statistics.bytes_read += int64_t(report.counters.global_bytes_read);
    machine.statistics.bytes_written += int64_t(report.counters.global_bytes_written);
    machine.statistics.bank_conflicts += int64_t(report.counters.bank_conflicts);
    if (report.ok()) return;
    const std::string name = function_name(call_->kernel());
    std::string text = "kernel " + (name.empty() ? "of unknown name" : name);
    for (const std::string& finding : report.findings) text += "\n" + finding;
    throw Finding{cudaErrorLaunchFailure, text};
}

}  // namespace lk::emulated
