// What tests of the CUDA platform layer share: an emulated machine of two devices, and the context that the caller had.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"
#include "platform/cuda/device.h"
#include "platform/cuda_emulated/lorakernels_emulated.h"

namespace lk::test {

class PlatformTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text("devices=2,seed=1,driver=12040,architecture=90,memory=1073741824"));
    }
    void TearDown() override {
        EXPECT_EQ(current(), nullptr);
        lk_emulated_reset();
        lk_emulated_configure_text("devices=1,seed=1");
    }

    static CUcontext current() {
        CUcontext context = nullptr;
        cuCtxGetCurrent(&context);
        return context;
    }

    static lk_emulated_statistics statistics() {
        lk_emulated_statistics result{};
        result.struct_size = sizeof result;
        EXPECT_EQ(LK_OK, lk_emulated_statistics_get(&result));
        return result;
    }
};

// The body throws an Error with this status whose message holds `text`.
template <class Body>
void expect_error(lk_status status, const std::string& text, Body body) {
    try {
        body();
        ADD_FAILURE() << "nothing was thrown; expected: " << text;
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), status) << error.what();
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}

// A context of a host's own, made current for a scope.
class HostContext {
  public:
    explicit HostContext(int device) { EXPECT_EQ(CUDA_SUCCESS, cuCtxCreate(&context_, 0, device)); }
    ~HostContext() { EXPECT_EQ(CUDA_SUCCESS, cuCtxDestroy(context_)); }
    HostContext(const HostContext&) = delete;
    HostContext& operator=(const HostContext&) = delete;

    CUcontext handle() const { return context_; }

  private:
    CUcontext context_ = nullptr;
};

}  // namespace lk::test
