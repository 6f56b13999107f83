#include "lib/base/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "lib/base/unique_fd.h"

namespace unirack {
namespace {

constexpr size_t kSecretBytesMin = 16;
constexpr size_t kSecretBytesMax = 4096;

Error refuse(const std::string& path, std::string_view why, int sys_errno = 0) {
  return make_error(Code::invalid_argument, fmt::format("secret file '{}' {}", path, why), kNoRank,
                    sys_errno);
}

Status check_privacy(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return refuse(path, "cannot be examined", errno);
  if (!S_ISREG(info.st_mode)) return refuse(path, "is not a regular file");
  if (info.st_uid != ::geteuid()) {
    return refuse(path, fmt::format("belongs to user {}, expected {}", info.st_uid, ::geteuid()));
  }
  if ((info.st_mode & 077) != 0) {
    return refuse(path, fmt::format("has mode {:04o}, expected 0600", info.st_mode & 07777));
  }
  return ok_status();
}

}  // namespace

Result<SecretKey> read_secret_file(const std::string& path) {
  // Non-blocking, so that a fifo put in its place cannot hang us before it is refused.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return refuse(path, "cannot be opened", errno);
  UNIRACK_TRY(check_privacy(path, fd.get()));

  std::array<std::byte, kSecretBytesMax + 1> buffer{};
  size_t length = 0;
  while (length < buffer.size()) {
    const ssize_t got = ::read(fd.get(), buffer.data() + length, buffer.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse(path, "cannot be read", errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  if (length > kSecretBytesMax) return refuse(path, "has more than 4096 bytes");
  const bool line_end = length > 0 && buffer[length - 1] == std::byte{'\n'};
  const BytesView secret = BytesView(buffer).first(line_end ? length - 1 : length);
  Result<Digest> digest = secret.size() < kSecretBytesMin
                              ? Result<Digest>(refuse(path, "has fewer than 16 bytes"))
                              : sha256(secret);
  OPENSSL_cleanse(buffer.data(), buffer.size());
  if (!digest) return std::move(digest).error();
  Result<SecretKey> key = hkdf_sha256(SecretKey(*digest), {}, "unirack secret file");
  OPENSSL_cleanse(digest->data(), digest->size());
  return key;
}

}  // namespace unirack
