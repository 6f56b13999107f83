#include "tests/support/two_processes.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace unirack::testing {

void Wire::send(BytesView message) const {
  EXPECT_EQ(::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(message.size()));
}

std::vector<std::byte> Wire::receive() const {
  std::vector<std::byte> message(4096);
  const ssize_t received = ::recv(fd_.get(), message.data(), message.size(), 0);
  EXPECT_GE(received, 0) << "the other process said nothing";
  message.resize(received > 0 ? static_cast<size_t>(received) : 0);
  return message;
}

TwoProcesses::TwoProcesses(const std::function<void(const Wire& wire)>& child) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  const timeval patience{20, 0};
  for (const int end : ends) {
    ::setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    child(Wire(UniqueFd(ends[1])));
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  ::close(ends[1]);
  wire_ = Wire(UniqueFd(ends[0]));
}

TwoProcesses::~TwoProcesses() {
  if (child_ > 0) kill_child();
}

void TwoProcesses::kill_child() {
  ::kill(child_, SIGKILL);
  int status = 0;
  ::waitpid(child_, &status, 0);
  child_ = -1;
}

bool TwoProcesses::join() {
  int status = 0;
  const bool is_joined = ::waitpid(child_, &status, 0) == child_;
  child_ = -1;
  return is_joined && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace unirack::testing
