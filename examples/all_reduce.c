/* Four ranks, as threads of this process, add up their vectors. In real life every rank is a
 * process and gets the unique id from rank 0: unirackGetUniqueId, unirackCommInitRank. */
#include <pthread.h>
#include <stdio.h>

#include "unirack/unirack.h"

enum { RANKS = 4, COUNT = 1000 };

struct rank {
  unirackComm_t comm;
  int number;
  int failed;
};

static int report(const struct rank* rank, unirackResult_t result) {
  fprintf(stderr, "rank %d: %s: %s\n", rank->number, unirackGetErrorString(result),
          unirackGetLastError(rank->comm));
  return 1;
}

static int add_up(struct rank* rank) {
  float data[COUNT];
  int i;
  for (i = 0; i < COUNT; ++i) data[i] = (float)(rank->number + i);

  unirackResult_t result =
      unirackAllReduce(data, data, COUNT, unirackFloat32, unirackSum, rank->comm, NULL);
  if (result != unirackSuccess) return report(rank, result);

  for (i = 0; i < COUNT; ++i) {
    if (data[i] != (float)(0 + 1 + 2 + 3 + RANKS * i)) return 1;
  }
  if (rank->number == 0) printf("%s\n", unirackExplain(rank->comm));
  return 0;
}

static void* rank_main(void* argument) {
  struct rank* rank = argument;
  rank->failed = add_up(rank);
  return NULL;
}

int main(void) {
  unirackComm_t comms[RANKS];
  struct rank ranks[RANKS];
  pthread_t threads[RANKS];
  int failed = 0;
  int i;

  unirackResult_t result = unirackCommInitAll(comms, RANKS);
  if (result != unirackSuccess) {
    fprintf(stderr, "%s: %s\n", unirackGetErrorString(result), unirackGetLastError(NULL));
    return 1;
  }
  for (i = 0; i < RANKS; ++i) {
    ranks[i].comm = comms[i];
    ranks[i].number = i;
    ranks[i].failed = 1;
    if (pthread_create(&threads[i], NULL, rank_main, &ranks[i]) != 0) return 1;
  }
  for (i = 0; i < RANKS; ++i) {
    pthread_join(threads[i], NULL);
    failed |= ranks[i].failed;
  }
  for (i = 0; i < RANKS; ++i) unirackCommDestroy(comms[i]);
  printf(failed ? "wrong\n" : "the sums are right\n");
  return failed;
}
