#include "perf/common/fork.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace unirack::perf {
namespace {

constexpr int kSecretLeft = 99;
constexpr int kBadSecret = 98;

// The launcher must have no other threads, so it runs in a process of its own. Its exit code is the
// launcher's, kSecretLeft if the secret outlives it.
pid_t start_launcher(int count, const std::function<int(int index)>& child) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const ForkOutcome outcome = fork_processes(count);
  if (!outcome.exit_code) ::_exit(child(outcome.process_index));
  const char* secret = ::getenv("UNIRACK_SECRET_FILE");
  ::_exit(secret != nullptr && ::access(secret, F_OK) != 0 ? *outcome.exit_code : kSecretLeft);
}

int wait_exit_code(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int launch(int count, const std::function<int(int index)>& child) {
  return wait_exit_code(start_launcher(count, child));
}

TEST(Fork, ChildrenGetARendezvousAndASecretOfTheirOwn) {
  EXPECT_EQ(launch(3,
                   [](int index) {
                     struct stat secret = {};
                     const char* path = ::getenv("UNIRACK_SECRET_FILE");
                     const bool good = path != nullptr && ::stat(path, &secret) == 0 &&
                                       (secret.st_mode & 0777) == 0600 && secret.st_size == 65 &&
                                       ::getenv("UNIRACK_RENDEZVOUS") != nullptr;
                     return good && index >= 0 && index < 3 ? 0 : kBadSecret;
                   }),
            0);
}

TEST(Fork, TheFirstFailureIsTheExitCode) {
  EXPECT_EQ(launch(3, [](int index) { return index == 1 ? 3 : 0; }), 3);
}

TEST(Fork, ASignalIsAFailure) {
  EXPECT_EQ(launch(2,
                   [](int index) {
                     if (index == 1) ::raise(SIGKILL);
                     return 0;
                   }),
            128 + SIGKILL);
}

TEST(Fork, TerminatingTheLauncherTerminatesItsChildren) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t launcher = start_launcher(2, [&](int) {
    char byte = 'x';
    if (::write(ends[1], &byte, 1) != 1) return 1;
    for (;;) ::pause();
  });
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ASSERT_EQ(::kill(launcher, SIGTERM), 0);
  EXPECT_EQ(wait_exit_code(launcher), 128 + SIGTERM);
  while (::read(ends[0], &byte, 1) > 0) {  // until nobody holds the other end
  }
  ::close(ends[0]);
}

}  // namespace
}  // namespace unirack::perf
