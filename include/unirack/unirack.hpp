// The C++20 face of Unirack: RAII and types over the C interface in unirack.h, header-only.
//
// Every call returns a Result; nothing throws. A Communicator, a Work, an Operator and a Symmetric
// buffer have one owner each and can be moved. Operators, buffers and works must end before their
// communicator. Threads: as unirack.h says, one at a time a communicator, except abort().
//
// Buffers are any contiguous range of an element type: std::vector<float>, std::span<const int>.
// The sizes of the ranges are the counts; a size that does not fit the collective is an error.
//
// The namespace is unirack::api (the library's own code lives in unirack):
//     namespace ur = unirack::api;
#ifndef UNIRACK_UNIRACK_HPP_
#define UNIRACK_UNIRACK_HPP_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "unirack/unirack.h"

namespace unirack::api {

// ---- Errors ------------------------------------------------------------------------------------

struct Error {
  unirackResult_t code = unirackInternalError;
  std::vector<int> culprits;  // the ranks that caused it; empty when nobody in particular did
  std::string text;           // one sentence: what happened and what was expected
};

struct Unit {};

// A value or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<Unit>;

// The outcome of a C call. `comm` may be null.
inline Status to_status(unirackResult_t code, unirackComm_t comm) {
  if (code == unirackSuccess) return Unit{};
  Error error{code, {}, unirackGetLastError(comm)};
  int count = 0;
  if (comm != nullptr && unirackCommGetFailedRanks(comm, nullptr, &count) == unirackSuccess) {
    int room = count;
    error.culprits.resize(static_cast<size_t>(room));
    if (room > 0) unirackCommGetFailedRanks(comm, error.culprits.data(), &count);
    if (count < room) error.culprits.resize(static_cast<size_t>(count));
  }
  return error;
}

// ---- Element types -----------------------------------------------------------------------------

// Storage of the types that C++20 has no arithmetic for.
struct Float16 {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};
struct Float8E4M3 {
  uint8_t bits;
};
struct Float8E5M2 {
  uint8_t bits;
};

template <class T>
struct DataTypeOf;
template <unirackDataType_t kType>
struct DataTypeConstant {
  static constexpr unirackDataType_t value = kType;
};
template <>
struct DataTypeOf<int8_t> : DataTypeConstant<unirackInt8> {};
template <>
struct DataTypeOf<uint8_t> : DataTypeConstant<unirackUint8> {};
template <>
struct DataTypeOf<int32_t> : DataTypeConstant<unirackInt32> {};
template <>
struct DataTypeOf<uint32_t> : DataTypeConstant<unirackUint32> {};
template <>
struct DataTypeOf<int64_t> : DataTypeConstant<unirackInt64> {};
template <>
struct DataTypeOf<uint64_t> : DataTypeConstant<unirackUint64> {};
template <>
struct DataTypeOf<Float16> : DataTypeConstant<unirackFloat16> {};
template <>
struct DataTypeOf<float> : DataTypeConstant<unirackFloat32> {};
template <>
struct DataTypeOf<double> : DataTypeConstant<unirackFloat64> {};
template <>
struct DataTypeOf<Bfloat16> : DataTypeConstant<unirackBfloat16> {};
template <>
struct DataTypeOf<Float8E4M3> : DataTypeConstant<unirackFloat8e4m3> {};
template <>
struct DataTypeOf<Float8E5M2> : DataTypeConstant<unirackFloat8e5m2> {};

template <class T>
concept Element = requires {
  DataTypeOf<T>::value;
};

template <class R>
concept ElementRange = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    Element<std::ranges::range_value_t<R>>;
template <class R>
concept WritableRange =
    ElementRange<R> && !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>;
template <class A, class B>
concept SameElements = std::is_same_v<std::ranges::range_value_t<A>, std::ranges::range_value_t<B>>;

template <class R>
inline constexpr unirackDataType_t kDataType = DataTypeOf<std::ranges::range_value_t<R>>::value;

// ---- Owners ------------------------------------------------------------------------------------

namespace detail {
// A C handle that is released once, by Release(handle, comm).
template <class Handle, auto Release>
class Owned {
 public:
  Owned(Handle handle, unirackComm_t comm) : handle_(handle), comm_(comm) {}
  Owned(Owned&& other) noexcept : handle_(other.handle_), comm_(std::exchange(other.comm_, {})) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(comm_, other.comm_);
    return *this;
  }
  ~Owned() {
    if (comm_ != nullptr) Release(handle_, comm_);
  }
  Handle handle() const { return handle_; }
  unirackComm_t comm() const { return comm_; }
  unirackComm_t release() { return std::exchange(comm_, nullptr); }

 private:
  Handle handle_;
  unirackComm_t comm_;
};

inline void release_comm(unirackComm_t comm, unirackComm_t) { unirackCommDestroy(comm); }
inline void release_operator(unirackRedOp_t op, unirackComm_t comm) {
  unirackRedOpDestroy(op, comm);
}
inline void release_memory(void* data, unirackComm_t comm) { unirackMemFree(comm, data); }
inline void release_work(unirackWork_t work, unirackComm_t) { unirackWait(&work); }

inline Error invalid(const char* text) { return Error{unirackInvalidArgument, {}, text}; }
}  // namespace detail

// An operation in progress. The destructor waits for it.
class Work {
 public:
  Work(unirackWork_t work, unirackComm_t comm) : owned_(work, comm) {}

  // Whether it is done; never blocks.
  Result<bool> test() {
    const unirackResult_t code = unirackTest(owned_.handle());
    if (code == unirackInProgress) return false;
    if (Status status = to_status(code, owned_.comm()); !status) return status.error();
    return true;
  }
  // Blocks until it is done or has failed. Call it once.
  Status wait() {
    unirackWork_t work = owned_.handle();
    const unirackComm_t comm = owned_.release();
    return to_status(unirackWait(&work), comm);
  }

 private:
  detail::Owned<unirackWork_t, detail::release_work> owned_;
};

// A reduction operator of one communicator: the sum of inputs multiplied by a scalar.
class Operator {
 public:
  Operator(unirackRedOp_t op, unirackComm_t comm) : owned_(op, comm) {}
  operator unirackRedOp_t() const { return owned_.handle(); }  // NOLINT: implicit

 private:
  detail::Owned<unirackRedOp_t, detail::release_operator> owned_;
};

// Memory that peers of the domain map and work on in place.
template <Element T>
class SymmetricBuffer {
 public:
  SymmetricBuffer(void* data, size_t count, unirackComm_t comm)
      : owned_(data, comm), count_(count) {}
  T* data() const { return static_cast<T*>(owned_.handle()); }
  size_t size() const { return count_; }
  T* begin() const { return data(); }
  T* end() const { return data() + count_; }
  T& operator[](size_t i) const { return data()[i]; }

 private:
  detail::Owned<void*, detail::release_memory> owned_;
  size_t count_;
};

// Calls between construction and end() are started together by end(). A group that goes out of
// scope without end() is ended, and its outcome is lost.
class Group {
 public:
  Group() : code_(unirackGroupStart()), open_(code_ == unirackSuccess) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() {
    if (open_) unirackGroupEnd();
  }
  Status end() {
    if (open_) code_ = unirackGroupEnd();
    open_ = false;
    return to_status(code_, nullptr);
  }

 private:
  unirackResult_t code_;
  bool open_;
};

// ---- Joining -----------------------------------------------------------------------------------

// Unset members take the value of their environment variable.
struct Config {
  std::chrono::milliseconds join_timeout{0};
  std::chrono::milliseconds operation_timeout{0};
  std::string domain;
  std::string transports;
  std::string sum_shape;
  std::optional<bool> reassociate;

  // Borrows the strings.
  unirackConfig_t view() const {
    unirackConfig_t config = UNIRACK_CONFIG_INITIALIZER;
    config.join_timeout_ms = join_timeout.count();
    config.operation_timeout_ms = operation_timeout.count();
    config.domain = domain.empty() ? nullptr : domain.c_str();
    config.transports = transports.empty() ? nullptr : transports.c_str();
    config.sum_shape = sum_shape.empty() ? nullptr : sum_shape.c_str();
    config.reassociate = reassociate ? static_cast<int>(*reassociate) : -1;
    return config;
  }
};

// Called by one rank, which hands the id to the others; see unirackGetUniqueId.
inline Result<unirackUniqueId> unique_id() {
  unirackUniqueId id = {};
  if (Status status = to_status(unirackGetUniqueId(&id), nullptr); !status) return status.error();
  return id;
}

class Communicator {
 public:
  static Result<Communicator> join(const unirackUniqueId& id, int rank, int rank_count,
                                   const Config& config = {}) {
    unirackComm_t comm = nullptr;
    const unirackConfig_t view = config.view();
    Status status =
        to_status(unirackCommInitRankConfig(&comm, rank_count, id, rank, &view), nullptr);
    if (!status) return status.error();
    return Communicator(comm);
  }
  // All ranks in this process, one a thread.
  static Result<std::vector<Communicator>> join_threads(int rank_count) {
    if (rank_count < 1) return detail::invalid("the rank count must be at least 1");
    std::vector<unirackComm_t> comms(static_cast<size_t>(rank_count));
    Status status = to_status(unirackCommInitAll(comms.data(), rank_count), nullptr);
    if (!status) return status.error();
    std::vector<Communicator> result;
    result.reserve(comms.size());
    for (unirackComm_t comm : comms) result.push_back(Communicator(comm));
    return result;
  }
  // Takes ownership of a handle of the C interface.
  explicit Communicator(unirackComm_t comm) : owned_(comm, comm) {}

  unirackComm_t handle() const { return owned_.handle(); }
  int rank() const {
    int value = -1;
    unirackCommUserRank(handle(), &value);
    return value;
  }
  int size() const {
    int value = 0;
    unirackCommCount(handle(), &value);
    return value;
  }
  // Leaves in order. The destructor does the same, but cannot tell.
  Status close() { return to_status(unirackCommDestroy(owned_.release()), nullptr); }
  // From any thread.
  Status abort() { return check(unirackCommAbort(handle())); }
  // Ranks of equal color form a new communicator; a negative color gets none.
  Result<std::optional<Communicator>> split(int color, int key, const Config& config = {}) {
    unirackComm_t comm = nullptr;
    const unirackConfig_t view = config.view();
    Status status = check(unirackCommSplit(handle(), color, key, &comm, &view));
    if (!status) return status.error();
    if (comm == nullptr) return std::optional<Communicator>();
    return std::optional<Communicator>(Communicator(comm));
  }
  std::string explain() const { return unirackExplain(handle()); }
  std::string describe() const { return unirackDescribe(handle()); }

  template <Element T>
  Result<SymmetricBuffer<T>> allocate(size_t count) {
    void* data = nullptr;
    if (count > SIZE_MAX / sizeof(T)) return detail::invalid("the buffer is larger than memory");
    Status status = check(unirackMemAlloc(handle(), &data, count * sizeof(T)));
    if (!status) return status.error();
    return SymmetricBuffer<T>(data, count, handle());
  }
  template <Element T>
  Result<Operator> premultiplied_sum(T scalar) {
    unirackRedOp_t op = unirackSum;
    Status status =
        check(unirackRedOpCreatePreMulSum(&op, &scalar, DataTypeOf<T>::value, handle()));
    if (!status) return status.error();
    return Operator(op, handle());
  }

  // Starts what `call` calls (one collective or one Group::end) and returns at once. The buffers
  // belong to the library until the work is done. A timeout of 0 is the default.
  template <class Call>
  Result<Work> start(Call&& call, std::chrono::milliseconds timeout = {}) {
    unirackWork_t work = nullptr;
    Status status = check(unirackWithWork(&work, timeout.count()));
    if (!status) return status.error();
    status = std::forward<Call>(call)();
    if (!status) return status.error();
    return Work(work, handle());
  }

  // ---- Collectives. One range: in place. Sizes are in elements.

  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status all_reduce(const S& send, R&& recv,
                                                unirackRedOp_t op = unirackSum) {
    if (count(send) != count(recv)) return detail::invalid("all_reduce: the sizes differ");
    return check(unirackAllReduce(std::ranges::data(send), std::ranges::data(recv), count(send),
                                  kDataType<S>, op, handle(), nullptr));
  }
  template <WritableRange R>
  Status all_reduce(R&& data, unirackRedOp_t op = unirackSum) {
    return all_reduce(std::as_const(data), data, op);
  }
  // `recv` is written at the root only, and may be empty elsewhere.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status reduce(const S& send, R&& recv, int root,
                                            unirackRedOp_t op = unirackSum) {
    if (rank() == root && count(send) != count(recv)) {
      return detail::invalid("reduce: the sizes differ");
    }
    return check(unirackReduce(std::ranges::data(send), std::ranges::data(recv), count(send),
                               kDataType<S>, op, root, handle(), nullptr));
  }
  // `send` has one block of the size of `recv` for each rank.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status reduce_scatter(const S& send, R&& recv,
                                                    unirackRedOp_t op = unirackSum) {
    if (!is_blocks(count(send), count(recv))) return bad_blocks("reduce_scatter");
    return check(unirackReduceScatter(std::ranges::data(send), std::ranges::data(recv), count(recv),
                                      kDataType<S>, op, handle(), nullptr));
  }
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status all_gather(const S& send, R&& recv) {
    if (!is_blocks(count(recv), count(send))) return bad_blocks("all_gather");
    return check(unirackAllGather(std::ranges::data(send), std::ranges::data(recv), count(send),
                                  kDataType<S>, handle(), nullptr));
  }
  template <WritableRange R>
  Status broadcast(R&& data, int root) {
    return check(unirackBroadcast(std::ranges::data(data), std::ranges::data(data), count(data),
                                  kDataType<R>, root, handle(), nullptr));
  }
  // Block q of `send` goes to rank q, block p of `recv` comes from rank p.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status all_to_all(const S& send, R&& recv) {
    const size_t block = count(send) / static_cast<size_t>(size());
    if (count(send) != count(recv) || !is_blocks(count(send), block)) {
      return bad_blocks("all_to_all");
    }
    return check(unirackAlltoAll(std::ranges::data(send), std::ranges::data(recv), block,
                                 kDataType<S>, handle(), nullptr));
  }
  // One contiguous run a peer, in rank order, back to back.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status all_to_all_v(const S& send,
                                                  std::span<const size_t> send_counts, R&& recv,
                                                  std::span<const size_t> recv_counts) {
    const auto ranks = static_cast<size_t>(size());
    std::vector<size_t> send_at, recv_at;
    if (send_counts.size() != ranks || recv_counts.size() != ranks ||
        displacements(send_counts, send_at) > count(send) ||
        displacements(recv_counts, recv_at) > count(recv)) {
      return detail::invalid("all_to_all_v: one count a rank, and their sum within the buffer");
    }
    return check(unirackAlltoAllv(std::ranges::data(send), send_counts.data(), send_at.data(),
                                  std::ranges::data(recv), recv_counts.data(), recv_at.data(),
                                  kDataType<S>, handle(), nullptr));
  }
  // `recv` is written at the root only, and may be empty elsewhere.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status gather(const S& send, R&& recv, int root) {
    if (rank() == root && !is_blocks(count(recv), count(send))) return bad_blocks("gather");
    return check(unirackGather(std::ranges::data(send), std::ranges::data(recv), count(send),
                               kDataType<S>, root, handle(), nullptr));
  }
  // `send` is read at the root only, and may be empty elsewhere.
  template <ElementRange S, WritableRange R>
  requires SameElements<S, R> Status scatter(const S& send, R&& recv, int root) {
    if (rank() == root && !is_blocks(count(send), count(recv))) return bad_blocks("scatter");
    return check(unirackScatter(std::ranges::data(send), std::ranges::data(recv), count(recv),
                                kDataType<S>, root, handle(), nullptr));
  }
  template <ElementRange S>
  Status send(const S& data, int peer) {
    return check(
        unirackSend(std::ranges::data(data), count(data), kDataType<S>, peer, handle(), nullptr));
  }
  template <WritableRange R>
  Status recv(R&& data, int peer) {
    return check(
        unirackRecv(std::ranges::data(data), count(data), kDataType<R>, peer, handle(), nullptr));
  }
  Status barrier() { return check(unirackBarrier(handle(), nullptr)); }

 private:
  Status check(unirackResult_t code) const { return to_status(code, handle()); }
  template <class R>
  static size_t count(const R& range) {
    return static_cast<size_t>(std::ranges::size(range));
  }
  bool is_blocks(size_t whole, size_t block) const {
    const auto ranks = static_cast<size_t>(size());
    return whole % ranks == 0 && whole / ranks == block;
  }
  static Error bad_blocks(const std::string& name) {
    return Error{unirackInvalidArgument, {}, name + ": one side must be one block a rank"};
  }
  static size_t displacements(std::span<const size_t> counts, std::vector<size_t>& at) {
    size_t sum = 0;
    for (size_t value : counts) {
      at.push_back(sum);
      if (value > SIZE_MAX - sum) return SIZE_MAX;
      sum += value;
    }
    return sum;
  }

  detail::Owned<unirackComm_t, detail::release_comm> owned_;
};

}  // namespace unirack::api

#endif  // UNIRACK_UNIRACK_HPP_
