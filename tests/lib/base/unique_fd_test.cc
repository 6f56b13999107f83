#include "lib/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace unirack {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(first);
    raw = first.get();
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT: the moved-from state is what is tested
    EXPECT_EQ(second.get(), raw);
    UniqueFd third;
    third = std::move(second);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFd, ReleaseGivesUpOwnership) {
  UniqueFd owner(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int raw = owner.release();
  owner.reset();
  EXPECT_TRUE(is_open(raw));
  owner.reset(raw);
  owner.reset();
  EXPECT_FALSE(is_open(raw));
}

}  // namespace
}  // namespace unirack
