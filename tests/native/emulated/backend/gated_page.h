// Host memory that whoever reads it first waits at, until the test lets it go on.
#pragma once

#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

namespace lk::test {

// One at a time in the process.
class GatedPage {
  public:
    static constexpr size_t kBytes = 4096;

    GatedPage() {
        page_ = static_cast<char*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        reached_ = open_ = false;
    }
    GatedPage(const GatedPage&) = delete;
    GatedPage& operator=(const GatedPage&) = delete;
    ~GatedPage() {
        if (closed_) sigaction(SIGSEGV, &before_, nullptr);
        munmap(page_, kBytes);
    }

    char* data() const { return page_; }
    // From now on readers wait.
    void close() {
        struct sigaction action {};
        action.sa_sigaction = wait;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, &before_);
        closed_ = true;
        mprotect(page_, kBytes, PROT_NONE);
    }
    void wait_for_reader() const {
        while (!reached_) std::this_thread::yield();
    }
    void open() { open_ = true; }

  private:
    static void wait(int, siginfo_t* info, void*) {
        if (size_t(static_cast<char*>(info->si_addr) - page_) >= kBytes) {
            sigaction(SIGSEGV, &before_, nullptr);  // somebody else's: it faults again
            return;
        }
        reached_ = true;
        while (!open_) {
        }
        mprotect(page_, kBytes, PROT_READ);
    }

    static inline char* page_ = nullptr;
    static inline std::atomic<bool> reached_{false};
    static inline std::atomic<bool> open_{false};
    static inline struct sigaction before_ {};
    bool closed_ = false;
};

}  // namespace lk::test
