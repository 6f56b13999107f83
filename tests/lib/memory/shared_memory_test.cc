#include "lib/memory/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace unirack {
namespace {

TEST(SharedMemory, IsZeroedAndSharedWithWhoeverMapsIt) {
  for (const size_t bytes : {size_t{1}, size_t{4096}, size_t{5'000'000}}) {
    auto mine = SharedMemory::create(bytes);
    ASSERT_TRUE(mine) << mine.error().to_string();
    EXPECT_EQ(mine->size(), bytes);
    EXPECT_EQ(mine->data()[bytes - 1], std::byte{0});
    auto theirs = SharedMemory::map_peer(UniqueFd(::dup(mine->fd())), bytes, Access::read_write);
    ASSERT_TRUE(theirs) << theirs.error().to_string();
    EXPECT_NE(theirs->data(), mine->data());
    mine->data()[bytes - 1] = std::byte{7};
    EXPECT_EQ(theirs->data()[bytes - 1], std::byte{7});
  }
}

TEST(SharedMemory, CannotShrinkOrGrow) {
  auto sealed = SharedMemory::create(8192);
  ASSERT_TRUE(sealed);
  EXPECT_NE(::ftruncate(sealed->fd(), 4096), 0);
  EXPECT_NE(::ftruncate(sealed->fd(), 16384), 0);
  EXPECT_NE(::fcntl(sealed->fd(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(SharedMemory, RefusesWhatAPeerCouldTakeAway) {
  UniqueFd unsealed(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), 4096), 0);
  EXPECT_EQ(
      SharedMemory::map_peer(UniqueFd(::dup(unsealed.get())), 4096, Access::read_write).code(),
      Code::invalid_argument);
  ASSERT_EQ(::fcntl(unsealed.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_TRUE(SharedMemory::map_peer(UniqueFd(::dup(unsealed.get())), 4096, Access::read_write));
  EXPECT_EQ(
      SharedMemory::map_peer(UniqueFd(::dup(unsealed.get())), 4097, Access::read_write).code(),
      Code::invalid_argument);
  UniqueFd file(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(SharedMemory::map_peer(std::move(file), 4096, Access::read_write).code(),
            Code::invalid_argument);
  EXPECT_EQ(SharedMemory::map_peer(UniqueFd(), 4096, Access::read_write).code(),
            Code::invalid_argument);
}

TEST(SharedMemory, SizesThatCannotBeAreErrors) {
  EXPECT_EQ(SharedMemory::create(0).code(), Code::invalid_argument);
  EXPECT_EQ(SharedMemory::create(~size_t{0}).code(), Code::invalid_argument);
  EXPECT_FALSE(SharedMemory::create(size_t{1} << 60));
}

// In a child, since a limit cannot be raised again.
int outcome_under_file_limit() {
  const rlimit limit{1 << 20, 1 << 20};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 100;
  if (!SharedMemory::create(1 << 20)) return 101;
  return static_cast<int>(SharedMemory::create((1 << 20) + 1).code());
}

TEST(SharedMemory, AFileSizeLimitIsAnErrorAndNoSignal) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(outcome_under_file_limit());
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Code::resource_exhausted));
}

TEST(SharedMemory, AnAbandonedMappingIsHarmless) {
  auto mine = SharedMemory::create(8192);
  ASSERT_TRUE(mine);
  auto theirs = SharedMemory::map_peer(UniqueFd(::dup(mine->fd())), 8192, Access::read_write);
  ASSERT_TRUE(theirs);
  std::memset(mine->data(), 1, 8192);
  ASSERT_TRUE(theirs->abandon());
  EXPECT_EQ(theirs->data()[0], std::byte{0});
  std::memset(theirs->data(), 2, 8192);
  EXPECT_EQ(mine->data()[8191], std::byte{1});
}

}  // namespace
}  // namespace unirack
