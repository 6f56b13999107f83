#include "perf/common/fork.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "perf/common/environment.h"

namespace unirack::perf {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kUsage = 2;
constexpr auto kReportTime = std::chrono::seconds(10);  // for the others, after the first failure
constexpr auto kStopTime = std::chrono::seconds(2);     // from SIGTERM to SIGKILL

// A loopback port that was free a moment ago.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

// A directory with the job's secret in it, removed by the launcher.
class Rendezvous {
 public:
  bool open() {
    const std::string base = environment("TMPDIR");
    directory_ = (base.empty() ? "/tmp" : base) + "/unirack-perf-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) {
      directory_.clear();
      return false;
    }
    const int port = free_port();
    return write_secret() && port > 0 &&
           ::setenv("UNIRACK_SECRET_FILE", secret_path().c_str(), 1) == 0 &&
           ::setenv("UNIRACK_RENDEZVOUS", fmt::format("127.0.0.1:{}", port).c_str(), 1) == 0;
  }
  void remove() {
    if (directory_.empty()) return;
    ::unlink(secret_path().c_str());
    ::rmdir(directory_.c_str());
    directory_.clear();
  }

 private:
  std::string secret_path() const { return directory_ + "/secret"; }
  bool write_secret() {
    unsigned char random[32];
    if (::getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) return false;
    std::string text;
    for (unsigned char byte : random) text += fmt::format("{:02x}", byte);
    text += '\n';
    const int fd = ::open(secret_path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return written;
  }
  std::string directory_;
};

class Supervisor {
 public:
  void add(pid_t pid) { pids_.push_back(pid); }

  // Returns when every child is gone. `signals` are blocked.
  int wait_all(const sigset_t& signals) {
    for (;;) {
      reap();
      if (running() == 0) return exit_code_;
      if (deadline_ && Clock::now() >= *deadline_) {
        stopping_ = true;
        signal_all(SIGKILL);
        deadline_.reset();
      }
      const timespec tick = {0, 100'000'000};
      const int signal = ::sigtimedwait(&signals, nullptr, &tick);
      if (signal == SIGINT || signal == SIGTERM) interrupt(signal);
    }
  }
  void signal_all(int signal) {
    for (pid_t pid : pids_) {
      if (pid > 0) ::kill(pid, signal);
    }
  }

 private:
  int running() const {
    int count = 0;
    for (pid_t pid : pids_) count += pid > 0 ? 1 : 0;
    return count;
  }
  void interrupt(int signal) {
    exit_code_ = 128 + signal;
    stopping_ = true;
    signal_all(deadline_ ? SIGKILL : SIGTERM);
    deadline_ = Clock::now() + kStopTime;
  }
  void reap() {
    for (size_t i = 0; i < pids_.size(); ++i) {
      int status = 0;
      if (pids_[i] <= 0 || ::waitpid(pids_[i], &status, WNOHANG) != pids_[i]) continue;
      note_end(i, status);
      pids_[i] = 0;
    }
  }
  void note_end(size_t index, int status) {
    const bool killed = WIFSIGNALED(status);
    const int code = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (code == 0) return;
    if (killed && !stopping_) {
      fmt::print(stderr, "process {} (pid {}) was killed by signal {} ({})\n", index, pids_[index],
                 WTERMSIG(status), ::strsignal(WTERMSIG(status)));
    } else if (code > 1 && !killed) {
      fmt::print(stderr, "process {} (pid {}) exited with status {}\n", index, pids_[index], code);
    }
    if (exit_code_ == 0) exit_code_ = code;
    if (!deadline_) deadline_ = Clock::now() + kReportTime;
  }

  std::vector<pid_t> pids_;  // 0: gone
  int exit_code_ = 0;
  bool stopping_ = false;  // what dies now was killed by us
  std::optional<Clock::time_point> deadline_;
};

}  // namespace

ForkOutcome fork_processes(int count) {
  Rendezvous rendezvous;
  if (!rendezvous.open()) {
    fmt::print(stderr, "cannot prepare a rendezvous: {}\n", std::strerror(errno));
    rendezvous.remove();
    return {kUsage, 0};
  }
  sigset_t signals, before;
  sigemptyset(&signals);
  for (int signal : {SIGCHLD, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  std::fflush(nullptr);  // or every child prints it again

  const pid_t launcher = ::getpid();
  Supervisor supervisor;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != launcher) ::_exit(kUsage);  // it died before prctl
      ::setpgid(0, 0);  // Ctrl-C reaches the launcher, which tells its children
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
      return {std::nullopt, i};
    }
    if (pid < 0) {
      fmt::print(stderr, "cannot start process {}: {}\n", i, std::strerror(errno));
      supervisor.signal_all(SIGKILL);
      supervisor.wait_all(signals);
      rendezvous.remove();
      return {kUsage, 0};
    }
    supervisor.add(pid);
  }
  const int exit_code = supervisor.wait_all(signals);
  rendezvous.remove();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return {exit_code, 0};
}

}  // namespace unirack::perf
