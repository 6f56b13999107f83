#include "perf/topo/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "perf/common/environment.h"

namespace unirack::topo {

Console Console::standard() {
  Console console;
  console.colour = ::isatty(STDOUT_FILENO) == 1 && perf::environment("NO_COLOR").empty() &&
                   perf::environment("TERM") != "dumb";
  console.progress = ::isatty(STDERR_FILENO) == 1;
  return console;
}

void Console::print(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), out); }

int Console::fail(std::string_view what) const {
  fmt::print(err, "unirack-topo: {}\n", what);
  return kExitFailure;
}

int Console::fail(const Error& error) const {
  if (error.sys_errno == 0) return fail(error.detail);
  return fail(fmt::format("{}: {}", error.detail, std::strerror(error.sys_errno)));
}

std::string painted(const Console& console, std::string_view text, std::string_view code) {
  return console.colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

Status write_text(const Console& console, const std::string& path, std::string_view text) {
  if (path == "-") {
    console.print(text);
    return ok_status();
  }
  std::FILE* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) return make_error(Code::system, "cannot write " + path, kNoRank, errno);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int why = errno;
  if (std::fclose(file) != 0 || !written) {
    return make_error(Code::system, "cannot write " + path, kNoRank, written ? errno : why);
  }
  return ok_status();
}

Progress::Progress(const Console& console, std::string what)
    : console_(console), what_(std::move(what)), thread_([this] { tell(); }) {}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (told_ && console_.progress) fmt::print(console_.err, "\r\x1b[K");
}

void Progress::tell() {
  std::unique_lock lock(mutex_);
  for (int seconds = 2;
       !wake_.wait_for(lock, std::chrono::seconds(seconds == 2 ? 2 : 1), [this] { return done_; });
       ++seconds) {
    // Once in a log, every second on a terminal.
    if (!console_.progress && told_) continue;
    if (console_.progress) {
      fmt::print(console_.err, "\r{} ... {} s", what_, seconds);
    } else {
      fmt::print(console_.err, "{} ...\n", what_);
    }
    std::fflush(console_.err);
    told_ = true;
  }
}

}  // namespace unirack::topo
