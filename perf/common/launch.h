// How the processes of a run come to be: started by mpirun, forked by --np, or this one alone; and
// how they find each other. Used by the main thread only, before and after the ranks run.
//
// --np forks before any thread exists, hands the children a loopback rendezvous and a secret file
// (0600, in a directory that is removed at the end), and supervises them: the first that fails is
// named, the others get ten seconds to report, then they are killed by their ids. The children die
// with the launcher.
#pragma once

#include <optional>

#include "unirack/unirack.hpp"

namespace unirack::perf {

// The rank in MPI's world when mpirun started this process. Needs no MPI.
std::optional<int> mpirun_rank();

class Session {
 public:
  // With `np` > 0 the parent never leaves this call except with an exit code in `exit_code`.
  static Session start(int np);
  Session(Session&& other) noexcept;
  Session& operator=(Session&&) = delete;
  ~Session();  // finalises MPI

  // Set: there is nothing more to do but exit with it.
  std::optional<int> exit_code() const { return exit_code_; }
  int process_index() const { return process_index_; }
  int process_count() const { return process_count_; }
  // Collective over the processes.
  api::Result<unirackUniqueId> unique_id() const;
  // A rank failed: MPI could only hang on the way out, so it is left as it is.
  void abandon() { uses_mpi_ = false; }

 private:
  Session() = default;

  std::optional<int> exit_code_;
  int process_index_ = 0;
  int process_count_ = 1;
  bool uses_mpi_ = false;
};

}  // namespace unirack::perf
