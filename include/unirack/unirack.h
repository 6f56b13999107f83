/* Unirack: collectives over one pool of ranks. The C99 interface, and the only stable one.
 *
 * Names, argument order and semantics follow NCCL, so that a port is a search and replace; what
 * NCCL lacks is host memory, deadlines, an error that names its culprit, and explain.
 *
 * Buffers are host memory. A call with a null stream blocks until the operation is done here; the
 * unirackWithWork() / unirackWait() pair makes it asynchronous. Every rank calls the same
 * collectives in the same order. A communicator may be used by one thread at a time, except
 * unirackCommAbort(), unirackCommGetAsyncError() and unirackGetLastError(), which any thread may
 * call at any time. No call blocks past its deadline; a failure names the rank that caused it.
 *
 * Counts are elements. GB is 1e9 bytes.
 */
#ifndef UNIRACK_UNIRACK_H_
#define UNIRACK_UNIRACK_H_

#include <stddef.h>
#include <stdint.h>

#define UNIRACK_MAJOR 0
#define UNIRACK_MINOR 1
#define UNIRACK_PATCH 0
#define UNIRACK_VERSION_CODE (UNIRACK_MAJOR * 10000 + UNIRACK_MINOR * 100 + UNIRACK_PATCH)

#define UNIRACK_UNIQUE_ID_BYTES 128

#ifdef __cplusplus
extern "C" {
#endif

typedef struct unirackComm* unirackComm_t;
typedef struct unirackWork* unirackWork_t;
/* Reserved for device streams. Pass NULL: buffers are host memory. */
typedef void* unirackStream_t;

/* Version, a random 256-bit job key and up to four rendezvous addresses. Whoever holds it may join:
 * hand it to the ranks over a channel you trust. */
typedef struct {
  unsigned char internal[UNIRACK_UNIQUE_ID_BYTES];
} unirackUniqueId;

typedef enum {
  unirackSuccess = 0,
  unirackInvalidArgument = 1, /* an argument is out of range; the text says what was expected */
  unirackInvalidUsage = 2,    /* the call is not legal here, for example after an abort */
  unirackMismatch = 3,        /* ranks called different operations, types, counts or rank counts */
  unirackTimeout = 4,         /* a deadline passed; the culprit is who was waited for in the end */
  unirackPeerFailed = 5,      /* a rank died or its connections broke */
  unirackRevoked = 6,         /* the communicator was aborted */
  unirackUnauthenticated = 7, /* the job key is not the pool's */
  unirackVersionMismatch = 8, /* a peer speaks no common protocol version */
  unirackResourceExhausted = 9, /* memory, descriptors or ports ran out */
  unirackUnavailable = 10,      /* no transport, no address, nothing there */
  unirackCorrupted = 11,        /* bytes failed their check */
  unirackStale = 12,            /* a region or generation that no longer exists */
  unirackSystemError = 13,      /* a system call failed */
  unirackCudaError = 14,
  unirackInternalError = 15, /* a bug in Unirack */
  unirackInProgress = 16     /* not done yet */
} unirackResult_t;

typedef enum {
  unirackInt8 = 0,
  unirackChar = 0,
  unirackUint8 = 1,
  unirackInt32 = 2,
  unirackInt = 2,
  unirackUint32 = 3,
  unirackInt64 = 4,
  unirackUint64 = 5,
  unirackFloat16 = 6,
  unirackHalf = 6,
  unirackFloat32 = 7,
  unirackFloat = 7,
  unirackFloat64 = 8,
  unirackDouble = 8,
  unirackBfloat16 = 9,
  unirackFloat8e4m3 = 10,
  unirackFloat8e5m2 = 11,
  unirackNumTypes = 12
} unirackDataType_t;

/* Values from unirackNumOps on are handles made by unirackRedOpCreatePreMulSum. */
typedef enum {
  unirackSum = 0,
  unirackProd = 1,
  unirackMax = 2, /* IEEE 754-2019 maximum: NaN wins, -0 < +0 */
  unirackMin = 3,
  unirackAvg = 4, /* the sum divided by the rank count; integers truncate */
  unirackNumOps = 5,
  unirackMaxRedOp = 0x7fffffff
} unirackRedOp_t;

/* Fill with UNIRACK_CONFIG_INITIALIZER, then set what you need. A caller built against an older
 * header passes a smaller size; fields beyond it take their defaults. */
typedef struct {
  size_t size;
  int64_t join_timeout_ms;      /* 0: UNIRACK_JOIN_TIMEOUT_MS */
  int64_t operation_timeout_ms; /* 0: UNIRACK_OP_TIMEOUT_MS */
  const char* domain;           /* NULL: UNIRACK_DOMAIN. Ranks of different names share no memory */
  const char* transports;       /* NULL: UNIRACK_TRANSPORTS. "shm,tcp" */
  const char* sum_shape;        /* NULL: UNIRACK_SUM_SHAPE. "3+5": sizes of consecutive groups */
  int reassociate;              /* -1: UNIRACK_REASSOCIATE. 1 allows plans that change float bits */
} unirackConfig_t;

#define UNIRACK_CONFIG_INITIALIZER \
  { sizeof(unirackConfig_t), 0, 0, NULL, NULL, NULL, -1 }

#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

/* ---- Library ------------------------------------------------------------------------------- */

unirackResult_t unirackGetVersion(int* version);
/* "peer failed": a few words that never change. */
const char* unirackGetErrorString(unirackResult_t result);
/* One sentence on the last failure of this communicator (NULL: of this thread), with the culprit.
 * Valid until the thread's next call. */
const char* unirackGetLastError(unirackComm_t comm);
/* The environment variables, their types, defaults and meanings. */
const char* unirackConfigHelp(void);

/* ---- Joining a pool ------------------------------------------------------------------------ */

/* Called by one rank, which hands the id to all others (for example by MPI_Bcast). Opens the
 * rendezvous in this process. With UNIRACK_RENDEZVOUS=host:port and UNIRACK_SECRET_FILE set, every
 * rank may call it and gets the same id; rank 0 then opens the rendezvous when it joins. */
unirackResult_t unirackGetUniqueId(unirackUniqueId* id);
/* Joins as `rank` of `rank_count`. Returns when all are there, or with an error that names the
 * missing, the duplicate, the disagreeing. */
unirackResult_t unirackCommInitRank(unirackComm_t* comm, int rank_count, unirackUniqueId id,
                                    int rank);
unirackResult_t unirackCommInitRankConfig(unirackComm_t* comm, int rank_count, unirackUniqueId id,
                                          int rank, const unirackConfig_t* config);
/* Joins the pool of the environment: UNIRACK_RENDEZVOUS, UNIRACK_SECRET_FILE, UNIRACK_RANK and
 * UNIRACK_RANK_COUNT say where, by which key, and as whom. */
unirackResult_t unirackCommInitEnvironment(unirackComm_t* comm);
/* Ranks as threads: makes all `rank_count` communicators in this process, or none. */
unirackResult_t unirackCommInitAll(unirackComm_t* comms, int rank_count);
/* Ranks of equal color form a new communicator, ordered by key, then by rank. A negative color
 * takes part and gets NULL. The new communicator defines its own sums. */
unirackResult_t unirackCommSplit(unirackComm_t comm, int color, int key, unirackComm_t* new_comm,
                                 const unirackConfig_t* config);
/* Waits for what was started, leaves in order, frees everything. Peers may go on among themselves.
 */
unirackResult_t unirackCommDestroy(unirackComm_t comm);
/* From any thread: every operation, here and at every peer, returns `revoked` naming this rank. The
 * handle stays valid until unirackCommDestroy. */
unirackResult_t unirackCommAbort(unirackComm_t comm);

unirackResult_t unirackCommCount(unirackComm_t comm, int* rank_count);
unirackResult_t unirackCommUserRank(unirackComm_t comm, int* rank);
/* The failure that stands, or unirackSuccess. */
unirackResult_t unirackCommGetAsyncError(unirackComm_t comm, unirackResult_t* result);
/* The ranks that caused the failure that stands: at most `*count` are written, all are counted. */
unirackResult_t unirackCommGetFailedRanks(unirackComm_t comm, int* ranks, int* count);

/* ---- Memory -------------------------------------------------------------------------------- */

/* Symmetric memory: peers of the domain map it and work on it in place. Local call. Either all
 * ranks pass symmetric memory to a collective, or none: which one decides which plans exist. */
unirackResult_t unirackMemAlloc(unirackComm_t comm, void** data, size_t bytes);
unirackResult_t unirackMemFree(unirackComm_t comm, void* data);
/* Optional: other memory is registered when it is first used, and the registration is kept. */
unirackResult_t unirackCommRegister(unirackComm_t comm, void* data, size_t bytes, void** handle);
unirackResult_t unirackCommDeregister(unirackComm_t comm, void* handle);

/* ---- Reduction operators ------------------------------------------------------------------- */

/* Sum of inputs multiplied by `*scalar` (host memory, of the given type; for 8- and 16-bit floats
 * the product is taken and rounded in float32). Unlike NCCL's, the scalar is the same on all ranks,
 * else `mismatch`: whoever folds a contribution also multiplies it. */
unirackResult_t unirackRedOpCreatePreMulSum(unirackRedOp_t* op, const void* scalar,
                                            unirackDataType_t type, unirackComm_t comm);
unirackResult_t unirackRedOpDestroy(unirackRedOp_t op, unirackComm_t comm);

/* ---- Collectives ---------------------------------------------------------------------------
 * In place where the send buffer is the receive buffer, or the rank's block of it (reduce-scatter,
 * all-gather, gather, scatter). Buffers must not overlap otherwise. `recv` counts of reduce-scatter
 * and scatter, and `send` counts of all-gather, gather and all-to-all, are of one block. */

unirackResult_t unirackAllReduce(const void* send, void* recv, size_t count, unirackDataType_t type,
                                 unirackRedOp_t op, unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackReduce(const void* send, void* recv, size_t count, unirackDataType_t type,
                              unirackRedOp_t op, int root, unirackComm_t comm,
                              unirackStream_t stream);
unirackResult_t unirackReduceScatter(const void* send, void* recv, size_t recv_count,
                                     unirackDataType_t type, unirackRedOp_t op, unirackComm_t comm,
                                     unirackStream_t stream);
unirackResult_t unirackAllGather(const void* send, void* recv, size_t send_count,
                                 unirackDataType_t type, unirackComm_t comm,
                                 unirackStream_t stream);
unirackResult_t unirackBroadcast(const void* send, void* recv, size_t count, unirackDataType_t type,
                                 int root, unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackAlltoAll(const void* send, void* recv, size_t count, unirackDataType_t type,
                                unirackComm_t comm, unirackStream_t stream);
/* counts and displacements in elements, one a rank; what rank p sends to q must be what q expects
 * of p, else `mismatch`. Out of place only. */
unirackResult_t unirackAlltoAllv(const void* send, const size_t* send_counts,
                                 const size_t* send_displacements, void* recv,
                                 const size_t* recv_counts, const size_t* recv_displacements,
                                 unirackDataType_t type, unirackComm_t comm,
                                 unirackStream_t stream);
unirackResult_t unirackGather(const void* send, void* recv, size_t count, unirackDataType_t type,
                              int root, unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackScatter(const void* send, void* recv, size_t count, unirackDataType_t type,
                               int root, unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackSend(const void* send, size_t count, unirackDataType_t type, int peer,
                            unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackRecv(void* recv, size_t count, unirackDataType_t type, int peer,
                            unirackComm_t comm, unirackStream_t stream);
unirackResult_t unirackBarrier(unirackComm_t comm, unirackStream_t stream);

/* ---- Groups and asynchronous work ----------------------------------------------------------- */

/* Calls between Start and the outermost End are started together by End, which blocks until all are
 * done (or hands out one work, see below). Sends and receives of a group progress together. Errors
 * are returned by End. */
unirackResult_t unirackGroupStart(void);
unirackResult_t unirackGroupEnd(void);

/* The thread's next collective (or outermost unirackGroupEnd) only starts the operation and stores
 * a handle; the buffers belong to the library until the work is done. `timeout_ms` is its deadline,
 * 0 the default. */
unirackResult_t unirackWithWork(unirackWork_t* work, int64_t timeout_ms);
/* unirackSuccess, the failure, or unirackInProgress. Never blocks; makes progress. */
unirackResult_t unirackTest(unirackWork_t work);
/* Blocks until the work is done or has failed, at the latest at its deadline. Frees the handle and
 * sets it to NULL. */
unirackResult_t unirackWait(unirackWork_t* work);

/* ---- Explain ------------------------------------------------------------------------------- */

/* The plan that the last operation of this communicator ran: algorithm, transport, tiles, steps;
 * every candidate with its price and why it lost; and where the costs that priced them are from.
 * Valid until the thread's next call. */
const char* unirackExplain(unirackComm_t comm);
/* Who is in the pool, which transport joins whom and what the machines consist of, as text for
 * people. */
const char* unirackDescribe(unirackComm_t comm);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* UNIRACK_UNIRACK_H_ */
