// Joins the ranks of an MPI communicator into a pool. Needs MPI and the C++ interface; the library
// itself does not know MPI. In CMake: unirack::mpi.
//
// Both calls are collective over `mpi`, and so are their failures: when rank 0 gets no unique id,
// every rank returns rank 0's error. MPI carries 1 KiB once; afterwards it may be finalised.
#ifndef UNIRACK_MPI_HPP_
#define UNIRACK_MPI_HPP_

#include <mpi.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "unirack/unirack.hpp"

namespace unirack::mpi {

// The unique id of a new pool, made by rank 0 of `mpi`.
inline api::Result<unirackUniqueId> unique_id(MPI_Comm mpi) {
  struct {
    unirackUniqueId id;
    int code;
    char text[512];
  } message = {};
  int rank = 0;
  if (MPI_Comm_rank(mpi, &rank) != MPI_SUCCESS) {
    return api::Error{unirackInvalidArgument, {}, "the MPI communicator is not valid"};
  }
  if (rank == 0) {
    message.code = unirackGetUniqueId(&message.id);
    if (message.code != unirackSuccess) {
      const std::string text = unirackGetLastError(nullptr);
      std::memcpy(message.text, text.data(), std::min(text.size(), sizeof message.text - 1));
    }
  }
  if (MPI_Bcast(&message, sizeof message, MPI_BYTE, 0, mpi) != MPI_SUCCESS) {
    return api::Error{unirackSystemError, {}, "MPI_Bcast of the unique id failed"};
  }
  if (message.code != unirackSuccess) {
    return api::Error{static_cast<unirackResult_t>(message.code), {0}, message.text};
  }
  return message.id;
}

// A pool with the ranks of `mpi`.
inline api::Result<api::Communicator> communicator(MPI_Comm mpi, const api::Config& config = {}) {
  auto id = unique_id(mpi);
  if (!id) return id.error();
  int rank = 0;
  int rank_count = 0;
  if (MPI_Comm_rank(mpi, &rank) != MPI_SUCCESS || MPI_Comm_size(mpi, &rank_count) != MPI_SUCCESS) {
    return api::Error{unirackInvalidArgument, {}, "the MPI communicator is not valid"};
  }
  return api::Communicator::join(*id, rank, rank_count, config);
}

}  // namespace unirack::mpi

#endif  // UNIRACK_MPI_HPP_
