// Errors are values. An Error says what went wrong, which rank caused it and what was expected;
// Result<T> carries either a value or an Error. Nothing in the library throws.
//
// The function that decides which error it is fills in `detail`, one lower-case sentence without a
// final stop; callers hand it on unchanged. `culprit` is the rank that caused the failure, not the
// neighbour that noticed it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace unirack {

using Rank = int32_t;
inline constexpr Rank kNoRank = -1;

// The numbers are those of unirackResult_t; they never change meaning.
enum class Code : uint8_t {
  ok = 0,
  invalid_argument = 1,
  invalid_usage = 2,
  mismatch = 3,
  timeout = 4,
  peer_failed = 5,
  revoked = 6,
  unauthenticated = 7,
  version_mismatch = 8,
  resource_exhausted = 9,
  unavailable = 10,
  corrupted = 11,
  stale = 12,
  system = 13,
  cuda = 14,
  internal = 15,
};

// The code as users read it: "peer_failed".
const char* code_name(Code code);

struct [[nodiscard]] Error {
  Code code = Code::internal;
  Rank culprit = kNoRank;
  int sys_errno = 0;
  std::string detail;

  // "peer_failed: rank 3 closed its control connection (culprit rank 3, errno 104: ...)"
  std::string to_string() const;
};

inline Error make_error(Code code, std::string detail, Rank culprit = kNoRank, int sys_errno = 0) {
  return Error{code, culprit, sys_errno, std::move(detail)};
}

struct Unit {};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  explicit operator bool() const { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }
  Code code() const { return *this ? Code::ok : error().code; }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<Unit>;
inline Status ok_status() { return Unit{}; }

// Evaluates to the value, or returns the error from the enclosing function.
#define UNIRACK_TRY(expression)                                            \
  ({                                                                       \
    auto unirack_try_result = (expression);                                \
    if (!unirack_try_result) return std::move(unirack_try_result).error(); \
    std::move(unirack_try_result).value();                                 \
  })

}  // namespace unirack
