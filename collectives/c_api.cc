// The C interface: checks handles and enumerators, translates, and lets no exception out.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "collectives/c_handles.h"

namespace {

using unirack::Call;
using unirack::Code;
using unirack::Collective;
using unirack::Config;
using unirack::DataType;
using unirack::Error;
using unirack::guarded;
using unirack::make_error;
using unirack::ok_status;
using unirack::ReduceOp;
using unirack::Status;
using unirack::thread_state;

Error null_handle() { return make_error(Code::invalid_argument, "the communicator is null"); }

// Fields beyond the caller's `size` are not read.
unirackConfig_t read_config(const unirackConfig_t* given) {
  unirackConfig_t config = UNIRACK_CONFIG_INITIALIZER;
  if (given != nullptr) {
    std::memcpy(&config, given, std::min(given->size, sizeof(config)));
    config.size = sizeof(config);
  }
  return config;
}

Status apply(const unirackConfig_t& given, Config& config) {
  if (given.join_timeout_ms > 0) config.join_timeout = unirack::milliseconds(given.join_timeout_ms);
  if (given.operation_timeout_ms > 0) {
    config.op_timeout = unirack::milliseconds(given.operation_timeout_ms);
  }
  if (given.domain != nullptr) config.domain = given.domain;
  if (given.reassociate >= 0) config.reassociate = given.reassociate != 0;
  // Lists are parsed as their variables are.
  const auto lookup = [&](const char* name) -> const char* {
    if (std::strcmp(name, "UNIRACK_TRANSPORTS") == 0) return given.transports;
    if (std::strcmp(name, "UNIRACK_SUM_SHAPE") == 0) return given.sum_shape;
    return nullptr;
  };
  const Config lists = UNIRACK_TRY(Config::from_environment(lookup));
  if (given.transports != nullptr) config.transports = lists.transports;
  if (given.sum_shape != nullptr) config.sum_shape = lists.sum_shape;
  return ok_status();
}

unirack::Result<Config> make_config(const unirackConfig_t* given) {
  Config config = UNIRACK_TRY(Config::from_environment());
  static std::once_flag warned;  // once a process is enough
  std::call_once(warned, [&] {
    for (const std::string& line : unirack::unknown_variables()) {
      unirack::Logger(config.log).warn(unirack::Subsystem::boot, "{}", line);
    }
  });
  UNIRACK_TRY(apply(read_config(given), config));
  return config;
}

Status join(unirackComm_t* comm, const unirack::UniqueId& id, int rank, int rank_count,
            const Config& config) {
  auto handle = std::make_unique<unirackComm>();
  handle->communicator = UNIRACK_TRY(unirack::Communicator::create(id, rank, rank_count, config));
  *comm = handle.release();
  return ok_status();
}

unirack::Result<DataType> to_type(unirackDataType_t type) {
  const auto index = static_cast<int>(type);
  if (index >= 0 && index < unirack::kDataTypeCount) return static_cast<DataType>(index);
  return make_error(Code::invalid_argument, "data type " + std::to_string(index) +
                                                ": expected 0 to " +
                                                std::to_string(unirack::kDataTypeCount - 1));
}

Status set_operator(unirackComm_t comm, unirackRedOp_t op, Call& call) {
  const auto index = static_cast<int>(op);
  if (index >= 0 && index < unirackNumOps) {
    call.request.op = static_cast<ReduceOp>(index);
    return ok_status();
  }
  const auto scalar = comm->communicator->scalar(index - unirackNumOps, call.request.type);
  if (!scalar) {
    return make_error(Code::invalid_argument, "reduction operator " + std::to_string(index) +
                                                  " is not one of this communicator for this type");
  }
  call.request.op = ReduceOp::premul_sum;
  call.scalar_bits = *scalar;
  return ok_status();
}

struct Arguments {
  Collective collective;
  const void* send = nullptr;
  void* receive = nullptr;
  size_t count = 0;
  unirackDataType_t type = unirackUint8;
  int root = 0;
};

unirack::Result<Call> make_call(const Arguments& arguments) {
  Call call;
  call.request.collective = arguments.collective;
  call.request.type = UNIRACK_TRY(to_type(arguments.type));
  call.request.count = arguments.count;
  call.request.root = arguments.root;
  call.send = static_cast<const std::byte*>(arguments.send);
  call.receive = static_cast<std::byte*>(arguments.receive);
  return call;
}

// The errors of a call inside a group come out of unirackGroupEnd too.
template <class Body>
unirackResult_t enter(unirackComm_t comm, unirackStream_t stream, Body body) {
  return guarded(comm, [&]() -> Status {
    const auto checked = [&]() -> Status {
      if (comm == nullptr) return null_handle();
      if (stream != nullptr) {
        return make_error(Code::invalid_argument,
                          "expected a null stream: buffers are host memory");
      }
      return body();
    };
    Status status = checked();
    unirack::ThreadState& state = thread_state();
    if (!status && state.group_depth > 0 && !state.group_error) state.group_error = status.error();
    if (!status && state.group_depth == 0) state.work = nullptr;
    return status;
  });
}

unirackResult_t move(unirackComm_t comm, unirackStream_t stream, const Arguments& arguments) {
  return enter(comm, stream,
               [&]() -> Status { return dispatch(comm, UNIRACK_TRY(make_call(arguments))); });
}

unirackResult_t reduce(unirackComm_t comm, unirackStream_t stream, const Arguments& arguments,
                       unirackRedOp_t op) {
  return enter(comm, stream, [&]() -> Status {
    Call call = UNIRACK_TRY(make_call(arguments));
    UNIRACK_TRY(set_operator(comm, op, call));
    return dispatch(comm, std::move(call));
  });
}

unirackResult_t pass(unirackComm_t comm, unirackStream_t stream, const Arguments& arguments,
                     int peer, bool is_send) {
  return enter(comm, stream, [&]() -> Status {
    Call call = UNIRACK_TRY(make_call(arguments));
    call.is_send = is_send;
    call.peer = peer;
    return dispatch(comm, std::move(call));
  });
}

// Every function that returns text has a place of its own, so that several may be printed at once.
const char* keep_text(unirack::TextPlace place, std::string text) {
  std::string& kept = thread_state().texts[static_cast<size_t>(place)];
  kept = std::move(text);
  return kept.c_str();
}

}  // namespace

unirackResult_t unirackGetVersion(int* version) {
  if (version == nullptr) return unirackInvalidArgument;
  *version = UNIRACK_VERSION_CODE;
  return unirackSuccess;
}

const char* unirackGetErrorString(unirackResult_t result) {
  if (result == unirackInProgress) return "in progress";
  return unirack::code_name(static_cast<Code>(result));
}

const char* unirackGetLastError(unirackComm_t comm) {
  if (comm == nullptr) return thread_state().last_error.c_str();
  const std::lock_guard lock(comm->error_mutex);
  return keep_text(unirack::TextPlace::error, comm->last_error);
}

const char* unirackConfigHelp(void) {
  return keep_text(unirack::TextPlace::help, unirack::config_help());
}

unirackResult_t unirackGetUniqueId(unirackUniqueId* id) {
  return guarded(nullptr, [&]() -> Status {
    if (id == nullptr) return make_error(Code::invalid_argument, "the id is null");
    const Config config = UNIRACK_TRY(make_config(nullptr));
    const auto made = UNIRACK_TRY(unirack::open_pool(config)).serialise();
    static_assert(sizeof(made) == sizeof(id->internal));
    std::memcpy(id->internal, made.data(), made.size());
    return ok_status();
  });
}

unirackResult_t unirackCommInitRank(unirackComm_t* comm, int rank_count, unirackUniqueId id,
                                    int rank) {
  return unirackCommInitRankConfig(comm, rank_count, id, rank, nullptr);
}

unirackResult_t unirackCommInitRankConfig(unirackComm_t* comm, int rank_count, unirackUniqueId id,
                                          int rank, const unirackConfig_t* config) {
  return guarded(nullptr, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    *comm = nullptr;
    const Config effective = UNIRACK_TRY(make_config(config));
    const auto bytes = std::as_bytes(std::span(id.internal));
    const auto parsed = UNIRACK_TRY(unirack::UniqueId::parse(bytes));
    return join(comm, parsed, rank, rank_count, effective);
  });
}

unirackResult_t unirackCommInitEnvironment(unirackComm_t* comm) {
  return guarded(nullptr, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    *comm = nullptr;
    const Config config = UNIRACK_TRY(make_config(nullptr));
    if (config.rendezvous.empty() || config.rank < 0 || config.rank_count < 1) {
      return make_error(Code::invalid_usage,
                        "expected UNIRACK_RENDEZVOUS, UNIRACK_SECRET_FILE, UNIRACK_RANK and "
                        "UNIRACK_RANK_COUNT in the environment");
    }
    const auto id = UNIRACK_TRY(unirack::open_pool(config));
    return join(comm, id, config.rank, config.rank_count, config);
  });
}

unirackResult_t unirackCommInitAll(unirackComm_t* comms, int rank_count) {
  return guarded(nullptr, [&]() -> Status {
    if (comms == nullptr || rank_count < 1) {
      return make_error(Code::invalid_argument, "expected an array of at least one communicator");
    }
    std::fill_n(comms, rank_count, nullptr);
    const Config config = UNIRACK_TRY(make_config(nullptr));
    const unirack::UniqueId id = UNIRACK_TRY(unirack::open_pool(config));
    const Error no_thread = make_error(Code::resource_exhausted, "no memory to join");
    std::vector<Status> statuses(static_cast<size_t>(rank_count), no_thread);
    {
      std::vector<std::jthread> threads;
      for (int rank = 0; rank < rank_count; ++rank) {
        threads.emplace_back([&, rank] {
          guarded(nullptr, [&] {
            Status& status = statuses[static_cast<size_t>(rank)];
            return status = join(&comms[rank], id, rank, rank_count, config);
          });
        });
      }
    }
    const auto failed = std::find_if(statuses.begin(), statuses.end(),
                                     [](const Status& status) { return !status; });
    if (failed == statuses.end()) return ok_status();
    for (int rank = 0; rank < rank_count; ++rank) {
      const std::unique_ptr<unirackComm> joined(std::exchange(comms[rank], nullptr));
    }
    return failed->error();
  });
}

unirackResult_t unirackCommSplit(unirackComm_t comm, int color, int key, unirackComm_t* new_comm,
                                 const unirackConfig_t* config) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr || new_comm == nullptr) return null_handle();
    *new_comm = nullptr;
    Config effective = comm->communicator->config();
    UNIRACK_TRY(apply(read_config(config), effective));
    auto child = UNIRACK_TRY(comm->communicator->split(color, key, effective));
    if (child == nullptr) return ok_status();
    auto handle = std::make_unique<unirackComm>();
    handle->communicator = std::move(child);
    *new_comm = handle.release();
    return ok_status();
  });
}

unirackResult_t unirackCommDestroy(unirackComm_t comm) {
  if (comm == nullptr) return unirackSuccess;
  delete comm;  // NOLINT: the handle is the owner
  return unirackSuccess;
}

unirackResult_t unirackCommAbort(unirackComm_t comm) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    comm->communicator->abort();
    return ok_status();
  });
}

unirackResult_t unirackCommCount(unirackComm_t comm, int* rank_count) {
  if (comm == nullptr || rank_count == nullptr) return unirackInvalidArgument;
  *rank_count = comm->communicator->rank_count();
  return unirackSuccess;
}

unirackResult_t unirackCommUserRank(unirackComm_t comm, int* rank) {
  if (comm == nullptr || rank == nullptr) return unirackInvalidArgument;
  *rank = comm->communicator->rank();
  return unirackSuccess;
}

unirackResult_t unirackCommGetAsyncError(unirackComm_t comm, unirackResult_t* result) {
  if (comm == nullptr || result == nullptr) return unirackInvalidArgument;
  const auto failure = comm->communicator->failure();
  *result = failure ? static_cast<unirackResult_t>(failure->code) : unirackSuccess;
  return unirackSuccess;
}

unirackResult_t unirackCommGetFailedRanks(unirackComm_t comm, int* ranks, int* count) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr || count == nullptr || (*count > 0 && ranks == nullptr)) {
      return make_error(Code::invalid_argument, "expected a communicator and room for ranks");
    }
    const auto failure = comm->communicator->failure();
    const bool named = failure && failure->culprit != unirack::kNoRank;
    if (named && *count > 0) ranks[0] = failure->culprit;
    *count = named ? 1 : 0;
    return ok_status();
  });
}

unirackResult_t unirackMemAlloc(unirackComm_t comm, void** data, size_t bytes) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr || data == nullptr) return null_handle();
    *data = UNIRACK_TRY(comm->communicator->engine().allocate(bytes));
    return ok_status();
  });
}

unirackResult_t unirackMemFree(unirackComm_t comm, void* data) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    return comm->communicator->engine().release(static_cast<const std::byte*>(data));
  });
}

unirackResult_t unirackCommRegister(unirackComm_t comm, void* data, size_t bytes, void** handle) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr || handle == nullptr) return null_handle();
    if (data == nullptr || bytes == 0) {
      return make_error(Code::invalid_argument, "expected memory of at least one byte");
    }
    const uint32_t id =
        UNIRACK_TRY(comm->communicator->engine().add_memory(static_cast<std::byte*>(data), bytes));
    *handle = reinterpret_cast<void*>(static_cast<uintptr_t>(id));
    return ok_status();
  });
}

unirackResult_t unirackCommDeregister(unirackComm_t comm, void* handle) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    const auto id = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(handle));
    return comm->communicator->engine().remove_memory(id);
  });
}

unirackResult_t unirackRedOpCreatePreMulSum(unirackRedOp_t* op, const void* scalar,
                                            unirackDataType_t type, unirackComm_t comm) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr || op == nullptr || scalar == nullptr) return null_handle();
    const DataType checked = UNIRACK_TRY(to_type(type));
    const uint64_t bits = unirack::scalar_bits(checked, static_cast<const std::byte*>(scalar));
    const int handle = comm->communicator->add_scalar(checked, bits);
    *op = static_cast<unirackRedOp_t>(static_cast<int>(unirackNumOps) + handle);
    return ok_status();
  });
}

unirackResult_t unirackRedOpDestroy(unirackRedOp_t op, unirackComm_t comm) {
  return guarded(comm, [&]() -> Status {
    if (comm == nullptr) return null_handle();
    return comm->communicator->remove_scalar(static_cast<int>(op) - unirackNumOps);
  });
}

unirackResult_t unirackAllReduce(const void* send, void* recv, size_t count, unirackDataType_t type,
                                 unirackRedOp_t op, unirackComm_t comm, unirackStream_t stream) {
  return reduce(comm, stream, {Collective::all_reduce, send, recv, count, type}, op);
}

unirackResult_t unirackReduce(const void* send, void* recv, size_t count, unirackDataType_t type,
                              unirackRedOp_t op, int root, unirackComm_t comm,
                              unirackStream_t stream) {
  return reduce(comm, stream, {Collective::reduce, send, recv, count, type, root}, op);
}

unirackResult_t unirackReduceScatter(const void* send, void* recv, size_t recv_count,
                                     unirackDataType_t type, unirackRedOp_t op, unirackComm_t comm,
                                     unirackStream_t stream) {
  return reduce(comm, stream, {Collective::reduce_scatter, send, recv, recv_count, type}, op);
}

unirackResult_t unirackAllGather(const void* send, void* recv, size_t send_count,
                                 unirackDataType_t type, unirackComm_t comm,
                                 unirackStream_t stream) {
  return move(comm, stream, {Collective::all_gather, send, recv, send_count, type});
}

unirackResult_t unirackBroadcast(const void* send, void* recv, size_t count, unirackDataType_t type,
                                 int root, unirackComm_t comm, unirackStream_t stream) {
  return move(comm, stream, {Collective::broadcast, send, recv, count, type, root});
}

unirackResult_t unirackAlltoAll(const void* send, void* recv, size_t count, unirackDataType_t type,
                                unirackComm_t comm, unirackStream_t stream) {
  return move(comm, stream, {Collective::all_to_all, send, recv, count, type});
}

unirackResult_t unirackGather(const void* send, void* recv, size_t count, unirackDataType_t type,
                              int root, unirackComm_t comm, unirackStream_t stream) {
  return move(comm, stream, {Collective::gather, send, recv, count, type, root});
}

unirackResult_t unirackScatter(const void* send, void* recv, size_t count, unirackDataType_t type,
                               int root, unirackComm_t comm, unirackStream_t stream) {
  return move(comm, stream, {Collective::scatter, send, recv, count, type, root});
}

unirackResult_t unirackSend(const void* send, size_t count, unirackDataType_t type, int peer,
                            unirackComm_t comm, unirackStream_t stream) {
  return pass(comm, stream, {Collective::send_recv, send, nullptr, count, type}, peer, true);
}

unirackResult_t unirackRecv(void* recv, size_t count, unirackDataType_t type, int peer,
                            unirackComm_t comm, unirackStream_t stream) {
  return pass(comm, stream, {Collective::send_recv, nullptr, recv, count, type}, peer, false);
}

unirackResult_t unirackBarrier(unirackComm_t comm, unirackStream_t stream) {
  return move(comm, stream, {Collective::barrier});
}

unirackResult_t unirackAlltoAllv(const void* send, const size_t* send_counts,
                                 const size_t* send_displacements, void* recv,
                                 const size_t* recv_counts, const size_t* recv_displacements,
                                 unirackDataType_t type, unirackComm_t comm,
                                 unirackStream_t stream) {
  return enter(comm, stream, [&]() -> Status {
    Call call = UNIRACK_TRY(make_call({Collective::all_to_all_v, send, recv, 0, type}));
    const auto ranks = static_cast<size_t>(comm->communicator->rank_count());
    UNIRACK_TRY(unirack::set_extents(call, {send_counts, ranks}, {send_displacements, ranks},
                                     {recv_counts, ranks}, {recv_displacements, ranks}));
    return dispatch(comm, std::move(call));
  });
}

const char* unirackExplain(unirackComm_t comm) {
  return comm == nullptr ? ""
                         : keep_text(unirack::TextPlace::explain, comm->communicator->explain());
}

const char* unirackDescribe(unirackComm_t comm) {
  return comm == nullptr ? ""
                         : keep_text(unirack::TextPlace::describe, comm->communicator->describe());
}
