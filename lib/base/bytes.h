// The only code that touches integers of the wire. Everything is little-endian.
//
// Reader walks bytes it does not own and never past their end: each take compares with what
// remains, so a hostile length cannot wrap an offset. Writer appends to a buffer that it borrows,
// either fixed (running over is remembered and reported once, by finish) or growing. Neither is
// thread-safe.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

using Bytes = std::span<std::byte>;
using BytesView = std::span<const std::byte>;

inline BytesView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view text_of(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
concept WireInteger = std::integral<T> && !std::same_as<T, bool>;

template <WireInteger T>
T load_little(const std::byte* source) {
  using U = std::make_unsigned_t<T>;
  U value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<U>(value | static_cast<U>(static_cast<U>(source[i]) << (8 * i)));
  }
  return static_cast<T>(value);
}

template <WireInteger T>
void store_little(std::byte* target, T value) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (size_t i = 0; i < sizeof(T); ++i) target[i] = static_cast<std::byte>(bits >> (8 * i));
}

class Reader {
 public:
  explicit Reader(BytesView bytes) : rest_(bytes) {}

  template <WireInteger T>
  Result<T> take() {
    if (sizeof(T) > rest_.size()) return too_short(sizeof(T));
    const T value = load_little<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  // The bytes stay owned by whoever owns the reader's input.
  Result<BytesView> take_bytes(size_t byte_count) {
    if (byte_count > rest_.size()) return too_short(byte_count);
    const BytesView taken = rest_.first(byte_count);
    rest_ = rest_.subspan(byte_count);
    return taken;
  }

  // Copies exactly target.size() bytes.
  Status take_into(Bytes target) {
    const BytesView taken = UNIRACK_TRY(take_bytes(target.size()));
    if (!taken.empty()) std::memcpy(target.data(), taken.data(), taken.size());
    return ok_status();
  }

  BytesView rest() const { return rest_; }
  size_t remaining() const { return rest_.size(); }

  Status expect_end() const {
    if (rest_.empty()) return ok_status();
    return make_error(Code::corrupted, std::to_string(rest_.size()) + " bytes too many");
  }

 private:
  Error too_short(size_t wanted) const {
    return make_error(Code::corrupted, "expected " + std::to_string(wanted) +
                                           " more bytes, found " + std::to_string(rest_.size()));
  }

  BytesView rest_;
};

class Writer {
 public:
  explicit Writer(Bytes fixed) : fixed_(fixed) {}
  explicit Writer(std::vector<std::byte>& growing) : growing_(&growing) {}

  template <WireInteger T>
  void put(T value) {
    std::byte raw[sizeof(T)];
    store_little(raw, value);
    put_bytes(raw);
  }

  void put_bytes(BytesView bytes) {
    if (growing_ != nullptr) {
      growing_->insert(growing_->end(), bytes.begin(), bytes.end());
    } else if (overrun_ || bytes.size() > fixed_.size() - position_) {
      overrun_ = true;
      return;
    } else if (!bytes.empty()) {
      std::memcpy(fixed_.data() + position_, bytes.data(), bytes.size());
    }
    position_ += bytes.size();
  }

  // How many bytes this writer has written.
  size_t position() const { return position_; }

  Status finish() const {
    if (!overrun_) return ok_status();
    return make_error(Code::resource_exhausted,
                      "message does not fit in " + std::to_string(fixed_.size()) + " bytes");
  }

 private:
  Bytes fixed_;
  std::vector<std::byte>* growing_ = nullptr;
  size_t position_ = 0;
  bool overrun_ = false;
};

}  // namespace unirack
