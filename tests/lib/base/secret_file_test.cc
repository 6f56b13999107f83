#include "lib/base/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace unirack {
namespace {

class SecretFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "unirack_secret_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "secret";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view content, mode_t mode = 0600) {
    std::ofstream(path_, std::ios::binary) << content;
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
  }
  std::string refusal() {
    const Result<SecretKey> key = read_secret_file(path_);
    return key ? "accepted" : key.error().detail;
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(SecretFile, SameSecretSameKey) {
  write("correct horse battery\n");
  const SecretKey first = read_secret_file(path_).value();
  write("correct horse battery");
  EXPECT_TRUE(equal_in_constant_time(first.view(), read_secret_file(path_).value().view()));
  write("correct horse batterz");
  EXPECT_FALSE(equal_in_constant_time(first.view(), read_secret_file(path_).value().view()));
}

TEST_F(SecretFile, OthersMustNotRead) {
  write("correct horse battery", 0640);
  EXPECT_NE(refusal().find("has mode 0640, expected 0600"), std::string::npos) << refusal();
}

TEST_F(SecretFile, SizeIsBounded) {
  write("short");
  EXPECT_NE(refusal().find("fewer than 16 bytes"), std::string::npos);
  write(std::string(4096, 'x'));
  EXPECT_EQ(refusal(), "accepted");
  write(std::string(4097, 'x'));
  EXPECT_NE(refusal().find("more than 4096 bytes"), std::string::npos);
}

TEST_F(SecretFile, OnlyRegularFiles) {
  EXPECT_NE(refusal().find("cannot be opened"), std::string::npos);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(refusal().find("not a regular file"), std::string::npos);
  std::filesystem::remove(path_);
  write("correct horse battery");
  std::filesystem::rename(path_, folder_ / "other");
  std::filesystem::create_symlink(folder_ / "other", path_);
  EXPECT_NE(refusal().find("cannot be opened"), std::string::npos) << "links are not followed";
}

}  // namespace
}  // namespace unirack
