// Where the tool writes, and how: results on standard output, everything else on standard error,
// colour only on terminals, a word of progress when something takes longer than two seconds. The
// streams belong to the caller.
#pragma once

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "lib/base/result.h"

namespace unirack::topo {

// What `unirack-topo` exits with.
inline constexpr int kExitOk = 0;
inline constexpr int kExitWarnings = 1;  // check: warnings; diff: there are differences
inline constexpr int kExitErrors = 2;    // check: errors
inline constexpr int kExitFailure = 3;   // bad usage, unreadable input, a rank that failed

struct Console {
  std::FILE* in = stdin;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool colour = false;    // on `out`
  bool progress = false;  // on `err`

  // Of this process: colour on a terminal unless NO_COLOR is set.
  static Console standard();

  void print(std::string_view text) const;
  // "unirack-topo: DETAIL"; kExitFailure.
  int fail(const Error& error) const;
  int fail(std::string_view what) const;
};

// `text` in an escape sequence such as "31;1", if the console has colour.
std::string painted(const Console& console, std::string_view text, std::string_view code);

// To a file, or to standard output where the path is "-".
Status write_text(const Console& console, const std::string& path, std::string_view text);

// Says on standard error what is being done and for how long, from two seconds on. Its thread ends
// with it.
class Progress {
 public:
  Progress(const Console& console, std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void tell();

  const Console& console_;
  std::string what_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  bool told_ = false;
  std::thread thread_;
};

}  // namespace unirack::topo
