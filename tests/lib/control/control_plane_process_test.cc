// Ranks as processes that meet by environment, and what the others learn when one is killed or
// stopped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "lib/control/control_plane.h"
#include "lib/net/socket.h"
#include "tests/support/control_pool.h"

namespace unirack {
namespace {

using testing::loopback_config;

constexpr Duration kPatience = milliseconds(15'000);

// What a child tells its parent, in one write.
struct Report {
  enum class Kind : uint8_t { joined, verdict, failed } kind = Kind::failed;
  Code code = Code::ok;
  Rank culprit = kNoRank;
  int64_t at_ns = 0;
};

int64_t nanoseconds_now() { return now().time_since_epoch().count(); }

class Ranks {
 public:
  explicit Ranks(int count) : config_(loopback_config()) {
    auto free_port = Listener::open(*SocketAddress::parse("127.0.0.1:0"));
    config_.rendezvous = free_port->address().to_string();
    config_.secret_file = ::testing::TempDir() + "unirack_control_" + std::to_string(::getpid());
    std::ofstream(config_.secret_file) << "nobody knows this one";
    ::chmod(config_.secret_file.c_str(), 0600);
    free_port = make_error(Code::unavailable, "closed again");
    for (Rank rank = 0; rank < count; ++rank) start(rank, count);
  }
  ~Ranks() {
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
    for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
    ::unlink(config_.secret_file.c_str());
  }

  Report next(Rank rank) {
    const int fd = pipes_[static_cast<size_t>(rank)].get();
    pollfd state{fd, POLLIN, 0};
    Report report;
    if (::poll(&state, 1, static_cast<int>(to_ms(kPatience))) == 1) {
      EXPECT_EQ(::read(fd, &report, sizeof(report)), static_cast<ssize_t>(sizeof(report)));
    }
    return report;
  }
  void signal(Rank rank, int number) { ::kill(pids_[static_cast<size_t>(rank)], number); }

 private:
  void start(Rank rank, int count) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pipes_.emplace_back(ends[0]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) live(rank, count, ends[1]);
      ::_exit(1);
    }
    ::close(ends[1]);
    pids_.push_back(pid);
  }

  void live(Rank rank, int count, int pipe) {
    const auto tell = [&](Report report) {
      report.at_ns = nanoseconds_now();
      if (::write(pipe, &report, sizeof(report)) != sizeof(report)) ::_exit(1);
    };
    const auto id = UniqueId::from_environment(config_, deadline_in(kPatience));
    JoinRequest request;
    request.id = id.value();
    request.rank = rank;
    request.rank_count = count;
    request.config = &config_;
    auto plane = ControlPlane::join(std::move(request));
    if (!plane) return tell({Report::Kind::failed, plane.code(), plane.error().culprit, 0});
    (*plane)->publish({1, 1, 8, 0, (rank + 1) % count, true});
    tell({Report::Kind::joined, Code::ok, kNoRank, 0});
    const Deadline deadline = deadline_in(kPatience);
    const timespec pause{0, 1'000'000};
    while ((*plane)->verdict() == nullptr && !expired(deadline)) ::nanosleep(&pause, nullptr);
    const Verdict* verdict = (*plane)->verdict();
    if (verdict != nullptr) {
      tell({Report::Kind::verdict, verdict->error.code, verdict->error.culprit, 0});
    }
    ::_exit(0);  // without leaving: the verdict must have gone out before
  }

  Config config_;
  std::vector<pid_t> pids_;
  std::vector<UniqueFd> pipes_;
};

void expect_verdicts(int signal, Code code, Duration within) {
  constexpr int kRanks = 4;
  for (const Rank victim : {2, 0}) {
    Ranks ranks(kRanks);
    for (Rank rank = 0; rank < kRanks; ++rank) {
      ASSERT_EQ(ranks.next(rank).kind, Report::Kind::joined) << "rank " << rank;
    }
    const int64_t start_ns = nanoseconds_now();
    ranks.signal(victim, signal);
    for (Rank rank = 0; rank < kRanks; ++rank) {
      if (rank == victim) continue;
      const Report report = ranks.next(rank);
      EXPECT_EQ(report.kind, Report::Kind::verdict) << "rank " << rank;
      EXPECT_EQ(report.code, code) << code_name(report.code);
      EXPECT_EQ(report.culprit, victim);
      EXPECT_LT(report.at_ns - start_ns, nanoseconds(within).count()) << "rank " << rank;
    }
  }
}

TEST(ControlPlaneProcessesTimed, AKilledRankIsNamedByAll) {
  expect_verdicts(SIGKILL, Code::peer_failed, milliseconds(500));
}

TEST(ControlPlaneProcessesTimed, AStoppedRankIsNamedByAll) {
  expect_verdicts(SIGSTOP, Code::timeout, milliseconds(2500));
}

}  // namespace
}  // namespace unirack
