// Starts the library's own threads: named, and deaf to signals, which belong to the application's
// threads. Callable from any thread.
#pragma once

#include <functional>
#include <thread>

#include "lib/base/result.h"

namespace unirack {

// `name` shows in debuggers and top; at most 15 characters. Code::resource_exhausted if the system
// has no thread to give.
Result<std::thread> start_thread(const char* name, std::function<void()> body);

}  // namespace unirack
