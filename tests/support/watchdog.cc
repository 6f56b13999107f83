#include "tests/support/watchdog.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace unirack::testing {
namespace {

constexpr int kDefaultLimitS = 30;

// What the signal handler reads. Only the main thread of the test process writes it.
struct State {
  timer_t timer{};
  int limit_s = kDefaultLimitS;
  std::array<char, 256> message{};
};
State state;

// $1 is the process that hangs. gdb stops a process while it looks, hence one after the other.
constexpr const char* kDumpScript = R"sh(
victims="$1"
for child in $(cat /proc/$1/task/*/children 2>/dev/null); do
  [ "$child" = "$$" ] || victims="$victims $child"
done
for victim in $victims; do
  echo "watchdog: stacks of process $victim: $(tr '\0' ' ' < /proc/$victim/cmdline)"
  if command -v gdb > /dev/null; then
    timeout 20 gdb -batch -p "$victim" -ex 'thread apply all backtrace' 2> /dev/null |
      grep -E '^(#|Thread)'
  else
    echo "watchdog: install gdb to see them"
  fi
done
for victim in $victims; do
  [ "$victim" = "$1" ] || kill -9 "$victim"
done)sh";

void on_expiry(int) {
  if (write(STDERR_FILENO, state.message.data(), strlen(state.message.data())) < 0) _exit(1);
  std::array<char, 16> process{};
  snprintf(process.data(), process.size(), "%d", static_cast<int>(getpid()));
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t child = fork();
  if (child == 0) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", kDumpScript, "sh", process.data(), nullptr);
    _exit(1);
  }
  if (child > 0) waitpid(child, nullptr, 0);
  signal(SIGABRT, SIG_DFL);
  abort();
}

void arm(int seconds) {
  itimerspec limit{};
  limit.it_value.tv_sec = seconds;
  timer_settime(state.timer, 0, &limit, nullptr);
}

class Watchdog : public ::testing::EmptyTestEventListener {
 public:
  void OnTestStart(const ::testing::TestInfo& info) override {
    snprintf(state.message.data(), state.message.size(),
             "watchdog: %s.%s is still running after its time limit (%d s)\n",
             info.test_suite_name(), info.name(), state.limit_s);
    arm(state.limit_s);
  }
  void OnTestEnd(const ::testing::TestInfo&) override { arm(0); }
};

}  // namespace

::testing::TestEventListener* make_watchdog() {
  if (const char* text = getenv("UNIRACK_TEST_TIMEOUT_S")) {
    state.limit_s = static_cast<int>(strtol(text, nullptr, 10));
  }
  const int signal_number = SIGRTMAX - 1;
  struct sigaction action {};
  action.sa_handler = on_expiry;
  sigaction(signal_number, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal_number;
  if (timer_create(CLOCK_MONOTONIC, &event, &state.timer) != 0) {
    perror("watchdog: timer_create");
    exit(1);
  }
  return new Watchdog;
}

void extend_watchdog(int factor) { arm(state.limit_s * factor); }

}  // namespace unirack::testing
