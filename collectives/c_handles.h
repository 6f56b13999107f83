// What stands behind the handles of the C interface, and what a thread has under way: its group,
// its wish for a work handle, its last error. Used only by c_api.cc and c_group.cc.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectives/communicator.h"
#include "include/unirack/unirack.h"

struct unirackComm {
  std::unique_ptr<unirack::Communicator> communicator;
  std::mutex error_mutex;
  std::string last_error;
};

struct unirackWork {
  std::vector<std::pair<unirackComm_t, uint64_t>> parts;  // operations not known to be done
  unirack::Status status = unirack::ok_status();
};

namespace unirack {

enum class TextPlace : uint8_t { error, help, explain, describe };

struct ThreadState {
  int group_depth = 0;
  std::vector<std::pair<unirackComm_t, Call>> group;
  std::optional<Error> group_error;
  unirackWork_t* work = nullptr;  // where the next call stores its handle
  milliseconds work_timeout{0};
  std::string last_error;
  std::array<std::string, 4> texts;  // what functions returned as const char*, by TextPlace
};

ThreadState& thread_state();

// Runs `body`, which returns a Status; turns its error, or running out of memory, into a result
// that unirackGetLastError can explain.
unirackResult_t report(unirackComm_t comm, const Status& status);

template <class Body>
unirackResult_t guarded(unirackComm_t comm, Body body) {
  try {
    return report(comm, body());
  } catch (const std::bad_alloc&) {
    return report(comm, make_error(Code::resource_exhausted, "out of memory"));
  } catch (const std::exception& failure) {
    return report(comm, make_error(Code::internal, failure.what()));
  }
}

// Starts or queues one call, as the thread's group and work handle want it.
Status dispatch(unirackComm_t comm, Call call);
// Waits for all parts, stepping every engine in turn.
Status wait_parts(unirackWork& work);

}  // namespace unirack
