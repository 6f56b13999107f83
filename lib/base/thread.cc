#include "lib/base/thread.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>

namespace unirack {

Result<std::thread> start_thread(const char* name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // A new thread inherits the mask of its maker.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  int failure = 0;
  try {
    thread = std::thread(std::move(body));
  } catch (const std::system_error& error) {
    failure = error.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failure != 0) {
    return make_error(Code::resource_exhausted, std::string("cannot start thread ") + name, kNoRank,
                      failure);
  }
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace unirack
