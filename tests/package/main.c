/* Joins a pool of one through the installed library and sums with itself. */
#include <stdio.h>
#include <unirack/unirack.h>

static int check(unirackResult_t result, const char* what) {
  if (result == unirackSuccess) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, unirackGetErrorString(result), unirackGetLastError(NULL));
  return 1;
}

int main(void) {
  int version = 0;
  if (check(unirackGetVersion(&version), "version")) return 1;
  if (version != UNIRACK_VERSION_CODE) {
    fprintf(stderr, "header %d, library %d\n", UNIRACK_VERSION_CODE, version);
    return 1;
  }
  unirackComm_t comm = NULL;
  if (check(unirackCommInitAll(&comm, 1), "join")) return 1;
  const float send[3] = {1, 2, 3};
  float recv[3] = {0, 0, 0};
  if (check(unirackAllReduce(send, recv, 3, unirackFloat, unirackSum, comm, NULL), "sum")) return 1;
  if (recv[0] != send[0] || recv[1] != send[1] || recv[2] != send[2]) {
    fprintf(stderr, "the sum of one rank is not its input\n");
    return 1;
  }
  if (check(unirackCommDestroy(comm), "leave")) return 1;
  printf("unirack %d works as a package\n", version);
  return 0;
}
