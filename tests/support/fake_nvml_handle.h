// Opens the stand-in for NVML, hands out its state, and closes it. Tests own one at a time.
#pragma once

#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "tests/support/fake_nvml.h"

namespace unirack::testing {

class FakeNvmlHandle {
 public:
  explicit FakeNvmlHandle(bool old = false)
      : path_(std::filesystem::canonical("/proc/self/exe").parent_path() /
              (old ? "libfake_nvml_old.so" : "libfake_nvml.so")),
        handle_(dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    state_ =
        static_cast<FakeNvml*>(handle_ == nullptr ? nullptr : dlsym(handle_, "fake_nvml_state"));
    if (state_ != nullptr) *state_ = {};
  }
  FakeNvmlHandle(const FakeNvmlHandle&) = delete;
  FakeNvmlHandle& operator=(const FakeNvmlHandle&) = delete;
  ~FakeNvmlHandle() {
    if (handle_ != nullptr) dlclose(handle_);
  }

  const std::string& path() const { return path_; }
  FakeNvml& operator*() { return *state_; }
  FakeNvml* operator->() { return state_; }

 private:
  std::string path_;
  void* handle_;
  FakeNvml* state_ = nullptr;
};

}  // namespace unirack::testing
