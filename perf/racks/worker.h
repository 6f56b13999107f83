// One rank of a contestant in the racks lab: it does what the coordinator (racks.py) says over a
// unix socket and answers with its own time, so that contestants which share no launcher run in
// turn and sleep in between. Stands alone: compiled against whichever library a contestant is.
//
//   check COLLECTIVE BYTES           -> wrong N
//   run COLLECTIVE BYTES ITERATIONS  -> took SECONDS   (of one operation)
//   explain                          -> plan TEXT
//   quit
// Whatever fails is answered "failed WHY". Used by the main thread of a rank.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace unirack::perf::racks {

enum class Collective { all_reduce, all_gather, reduce_scatter, all_to_all };

// Float sums. BYTES is as in nccl-tests: of the vector that an all-reduce sums, of all blocks
// together for the others.
struct Operation {
  Collective collective = Collective::all_reduce;
  size_t count = 0;  // elements of the vector, or of one block
  const float* send = nullptr;
  float* recv = nullptr;
};

struct Contestant {
  std::string name;
  int rank = 0;
  int rank_count = 1;
  std::function<std::string(const Operation&)> run;  // empty, or why it failed
  std::function<std::string()> explain = [] { return std::string(); };
};

// What element i of the input of `rank` is: whole, and so small that sums are exact.
inline float element_of(int rank, size_t i) {
  return static_cast<float>((static_cast<size_t>(rank) * 31 + i * 7 + i / 61) % 64);
}

class Worker {
 public:
  Worker(Contestant contestant, const char* socket_path) : contestant_(std::move(contestant)) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      std::perror(socket_path);
      return;
    }
    answer("hello " + contestant_.name + " " + std::to_string(contestant_.rank));
  }
  ~Worker() { ::close(fd_); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Until told to quit, or the coordinator is gone.
  void serve() {
    for (std::string line; read_line(line);) {
      std::istringstream words(line);
      std::string verb;
      words >> verb;
      if (verb == "quit") return;
      if (verb == "explain") {
        answer("plan " + contestant_.explain());
        continue;
      }
      std::string name;
      size_t bytes = 0;
      size_t iterations = 1;
      words >> name >> bytes >> iterations;
      answer(prepare(name, bytes) ? (verb == "check" ? check() : time(iterations))
                                  : "failed unknown command " + line);
    }
  }

 private:
  size_t ranks() const { return static_cast<size_t>(contestant_.rank_count); }

  bool prepare(const std::string& name, size_t bytes) {
    constexpr const char* kNames[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"};
    for (int i = 0; i < 4; ++i) {
      if (name != kNames[i]) continue;
      operation_.collective = static_cast<Collective>(i);
      const size_t elements = bytes / sizeof(float) / ranks() * ranks();
      const bool is_whole = operation_.collective == Collective::all_reduce;
      operation_.count = is_whole ? elements : elements / ranks();
      if (send_.size() < elements) {
        send_.resize(elements);
        recv_.resize(elements);
        for (size_t k = 0; k < elements; ++k) send_[k] = element_of(contestant_.rank, k);
      }
      operation_.send = send_.data();
      operation_.recv = recv_.data();
      return elements > 0;
    }
    return false;
  }
  std::string time(size_t iterations) {
    std::string why;
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < iterations && why.empty(); ++i) why = contestant_.run(operation_);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (!why.empty()) return "failed " + why;
    return "took " + std::to_string(elapsed.count() / static_cast<double>(iterations));
  }

  std::string check() {
    std::fill(recv_.begin(), recv_.end(), -1.0F);
    if (std::string why = contestant_.run(operation_); !why.empty()) return "failed " + why;
    const size_t count = operation_.count;
    const bool is_gathered = operation_.collective == Collective::all_gather ||
                             operation_.collective == Collective::all_to_all;
    size_t wrong = 0;
    for (size_t i = 0; i < (is_gathered ? count * ranks() : count); ++i) {
      if (recv_[i] != expected(i)) ++wrong;
    }
    return "wrong " + std::to_string(wrong);
  }

  float expected(size_t i) const {
    const size_t count = operation_.count;
    const auto from = static_cast<int>(i / count);
    const size_t mine = static_cast<size_t>(contestant_.rank) * count;
    switch (operation_.collective) {
      case Collective::all_gather:
        return element_of(from, i % count);
      case Collective::all_to_all:
        return element_of(from, mine + i % count);
      case Collective::reduce_scatter:
        return sum(mine + i);
      case Collective::all_reduce:
        break;
    }
    return sum(i);
  }
  float sum(size_t i) const {
    float total = 0;
    for (int rank = 0; rank < contestant_.rank_count; ++rank) total += element_of(rank, i);
    return total;
  }

  void answer(std::string text) const {
    for (char& each : text) {
      if (each == '\n') each = ' ';
    }
    text += '\n';
    if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) < 0) std::perror("coordinator");
  }
  bool read_line(std::string& line) {
    line.clear();
    for (char each = 0; ::read(fd_, &each, 1) == 1; line += each) {
      if (each == '\n') return true;
    }
    return false;
  }

  Contestant contestant_;
  int fd_ = -1;
  std::vector<float> send_;
  std::vector<float> recv_;
  Operation operation_;
};

}  // namespace unirack::perf::racks
