// The job's secret, read from a file that only its owner can read. The file may hold anything of at
// least 16 bytes (a trailing line end does not count); the key is derived from it, so text and raw
// bytes serve alike. Callable from any thread; blocks only as a local file read does.
#pragma once

#include <string>

#include "lib/base/crypto.h"

namespace unirack {

// Refuses with Code::invalid_argument a file that is not regular, belongs to another user, or whose
// mode lets anyone else in; the text says which.
Result<SecretKey> read_secret_file(const std::string& path);

}  // namespace unirack
