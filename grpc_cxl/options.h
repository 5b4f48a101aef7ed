// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_OPTIONS_H_
#define GRPC_CXL_OPTIONS_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena_backing.h"
#include "grpc_cxl/memory_distance.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/wait_policy.h"

namespace grpc_cxl {

// Each end chooses these for itself. The environment (docs/configuration.md) is read when
// credentials are made of them: a variable that changes later has no effect. A plain value.
struct EndpointOptions {
  // The folder in which names are registered and looked up. Default: $GRPC_CXL_DIR, else
  // $XDG_RUNTIME_DIR/grpc_cxl, else <temporary dir>/grpc_cxl-<uid>. Costs nothing.
  //
  // With GRPC_CXL_REGION in the environment names are in that region instead, and its memory is
  // used: this, allowed_uids, allowed_gids, ServerOptions::backing and ServerOptions::coherence do
  // not count.
  std::string rendezvous_directory;

  // A rendezvous directory that is trusted by itself, instead of `rendezvous_directory`: its owner
  // may be anybody, and everybody who can enter it may connect and serve names there, whatever
  // their uid, unless `allowed_uids`, `allowed_gids` or `secret_file` says who may. For containers
  // whose users are mapped differently, which the kernel shows as one number; file modes and mounts
  // then decide who meets. Such peers are strangers (docs/configuration.md, Trust). Default: none;
  // $GRPC_CXL_TRUSTED_DIR where both options are empty.
  std::string trusted_directory;

  // A file with a secret of 16 to 4096 bytes, read when credentials are made of these options. Then
  // peers connect if they prove to know the same secret, and no others, whatever their uid: give
  // it to both ends. It lets in users whom the kernel cannot tell (containers that map them), and
  // says nothing about the directory, which must be trusted as always. Such peers are strangers,
  // because who knows a password need not be trusted with all of our memory; those whom the kernel
  // shows as more stay more. The file must not be readable for everybody, nor writable for its
  // group, and must belong to our own user or root if its owner has a number. Default: none;
  // $GRPC_CXL_SECRET_FILE where it is empty. An error in a region. A connection takes some 50 us
  // longer.
  std::string secret_file;

  // How callers and polling threads of this process wait for this connection, and how long they
  // spin at most before they sleep. Spinning takes a core while it lasts; sleeping costs a wake-up
  // by the kernel, 3 to 150 us of latency and as much CPU time, which kAdaptive measures. Default:
  // kAdaptive, up to 1 ms, at most 1 s. kAdaptive seldom spins that long, and never when sleeping
  // is cheaper; kSpin does before each sleep. GRPC_CXL_SPIN_US in the environment overrides both: 0
  // parks at once, any other number is the limit in microseconds.
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;
  absl::Duration max_spin = absl::Milliseconds(1);

  // For kAdaptive: how much CPU time a microsecond of latency is worth. Default 2; from 0 to 1000.
  // A larger number spins longer. With 0, spinning only saves CPU time.
  double latency_weight = 2;

  // For kAdaptive: CPU time that each waiting thread may spend on spins in vain for every second
  // that it sleeps, beyond what its other spins have saved. Default 10 ms, 1 % of a core; from
  // 100 us to 1 s.
  absl::Duration idle_spin = absl::Milliseconds(10);

  // How much further away than local memory this process makes every connection, to show what
  // memory behind CXL would cost. Default: not at all, which costs nothing. Otherwise threads
  // wait, spinning; docs/region.md says for what. In the environment: GRPC_CXL_PRESET=expander,
  // for one, or GRPC_CXL_MEMORY=load_ns=250,store_ns=250,gbps=25. Each end waits for its own
  // accesses only, so give both the same.
  MemoryDistance distance;

  // Additional uids allowed to connect, beside our own and root. Default: none. Such a peer may
  // write anything into its own connection, but cannot reach other connections.
  // GRPC_CXL_ALLOWED_UIDS=1000,1001 in the environment adds to them.
  std::vector<uid_t> allowed_uids;

  // Groups whose members may connect in the same way, by the kernel's word. Default: none.
  // GRPC_CXL_ALLOWED_GROUPS=2000 in the environment adds to them. A group that our user namespace
  // does not map is never one of them.
  std::vector<gid_t> allowed_gids;

  // The version of the whole application that this process belongs to: a pod template's hash, for
  // example. Processes of different rollouts never meet in shared memory: each rollout finds the
  // names and addresses that its own servers have registered, and several may serve one name at
  // the same time. Network addresses of other rollouts are reached over the network. 1 to 12
  // characters of [A-Za-z0-9._-]; together with a name at most 79. Default: none, which is a
  // rollout like the others; $GRPC_CXL_ROLLOUT where it is empty. Costs nothing.
  std::string rollout;

  // Whether the process has a status page, a file in the rendezvous directory from which cxl_stat
  // tells what is going on (docs/configuration.md, Status page). Default: yes. A process has one if
  // one of its channels or servers wants it; it shows all of their connections. Costs a thread that
  // wakes once a second and copies figures that are counted anyway. GRPC_CXL_STATUS=on|off in the
  // environment overrides it.
  bool status_page = true;

  // Uids that are allowed to connect and trusted with all memory of this process: their messages
  // from 16 KiB on are parsed where they lie, not copied first (docs/configuration.md, "Trust").
  // Default: none. Processes of our own uid or root in our own user and pid namespaces need no
  // entry; other pods do, and a hostile one of these uids can take this process over.
  std::vector<uid_t> trusted_uids;

  friend bool operator==(const EndpointOptions&, const EndpointOptions&) = default;
};

struct ChannelOptions : EndpointOptions {
  // Whether unary calls may bypass HTTP/2 when the server offers it (direct_calls.h says what
  // is different then). Default: yes. A connection that may carry them takes 8 KiB more memory, and
  // two of ServerOptions::call_buffer_bytes for each call at a time.
  bool direct_calls = true;

  // Whether streaming calls may bypass HTTP/2 as well, where `direct_calls` do and the server
  // offers it: up to 16 at a time on a connection. Default: yes; GRPC_CXL_DIRECT_STREAMS=0 in the
  // environment says no.
  bool direct_streams = true;

  // Whether a call to a server of this very process is run by its caller's thread, as a function
  // call would be: no other thread is woken, nothing passes through an arena, and a machine whose
  // cores are busy makes such calls as fast as an idle one. For unary calls of the synchronous API
  // that could be direct; others, and those to other processes, are made as always. What differs:
  // a handler of the callback API runs on the caller's thread, so the caller waits until it has
  // returned, past deadline and cancellation, of which the handler hears as always; and a lock that
  // the caller holds must not be one that the handler takes. Handlers of the other APIs run on the
  // server's threads, and nothing differs. Default: no; GRPC_CXL_INLINE_CALLS=1 in the environment
  // says yes.
  bool inline_calls = false;

  // The priority of this channel's calls that have none of their own (priority.h). Default:
  // kDefault. A channel with another one shares connections only with channels of the same, so that
  // nothing of others waits behind its bytes: give kBulk to a job that moves many. Costs an entry
  // of metadata a call, and the connections.
  Priority priority = Priority::kDefault;

  // The largest arena that this channel maps, in bytes. Default 1 GiB. The server chooses the size;
  // a larger one is refused, calls end UNAVAILABLE and the text names both figures.
  size_t max_arena_bytes = size_t{1} << 30;

  // How many calls of one connection may wait at a server with a capacity
  // (ServerOptions::capacity), beyond those that it runs at a time. They wait in order, more urgent
  // ones first (docs/priorities.md), as long as their deadlines allow. One more is made at another
  // replica of the server, if that has room; else it ends RESOURCE_EXHAUSTED at once, with
  // `grpc-retry-pushback-ms` in its trailing metadata: when to try again, as the server's pace
  // suggests. Bulk calls wait only while less than half of the number do. Default 1024. A long
  // queue serves bursts; a server that is asked too much for long makes all calls wait for as long
  // as it is, so let it be much shorter than capacity * deadline / duration of a call: else those
  // that have waited longest run last, and in vain. A waiting call costs its request, in memory
  // that both share or as the application holds it: a request of the callback API must stay as it
  // is until its call is over, not only until the stub returns.
  size_t max_waiting_calls = 1024;

  friend bool operator==(const ChannelOptions&, const ChannelOptions&) = default;
};

// The server makes the memory, and decides about it.
struct ServerOptions : EndpointOptions {
  // Whether the address may offer direct calls: grpc_cxl::ServerBuilder then does, and
  // EnableDirectCalls() (direct_calls.h). Default: yes.
  bool direct_calls = true;

  // Whether direct calls may be streams as well. Default: yes; GRPC_CXL_DIRECT_STREAMS=0 in the
  // environment says no. Each that a connection has had at a time takes up to 128 KiB, of
  // `max_total_arena_bytes` too, until the connection ends; at rest the memory is given back.
  bool direct_streams = true;

  // Other hosts and ports for which clients reach this server, such as "payments.prod.svc:50051":
  // those of the targets of their channels, spelled as there, in any network namespace that shares
  // the rendezvous directory. For services behind virtual addresses, which say nothing about the
  // server. You vouch that a call to this target may be this server's: nothing can check it.
  // Default: none. GRPC_CXL_ALSO_KNOWN_AS=a:1,b:2 in the environment adds those whose port is that
  // at which the server listens. One server at a time has a name; others serve the network.
  std::vector<std::string> also_known_as;

  // Whether the server takes its names, and the registration of its network addresses, from a
  // server of the same user that serves them, as soon as it serves itself: for a restart without a
  // gap. New connections are then its own; those of the other server stay with it until it ends
  // with grpc_cxl::Shutdown() (direct_calls.h), which loses no call. Default: no, so that a second
  // server started by mistake is an error; GRPC_CXL_TAKE_OVER=1 in the environment says yes. Not in
  // a region. Costs nothing; where the other server is stopped, BuildAndStart() takes up to a
  // second longer.
  bool take_over = false;

  // Whether several servers of this host may serve a `cxl:` name, a TCP address (SO_REUSEPORT, as
  // gRPC sets it) or a name of `also_known_as` at the same time, all of them with this option: its
  // replicas, up to 100. Clients spread their connections over them, and make each direct call at
  // the one that will answer it soonest (docs/direct_calls.md, Replicas). One that comes gets
  // calls, one that ends or dies gets none; a restart needs no `take_over`, which means nothing to
  // replicas: start the next one, then end one. All run as one user. A server without this option
  // cannot have a `cxl:` name that has replicas, nor the other way round; one that shares a TCP
  // address with them is reached over the network only, as are all of them where another user
  // listens there as well. The file of a unix socket leads to one server. Default: no.
  // Not in a region. Each client has a connection to each of up to 16 replicas, and a call costs
  // the choice.
  bool replicas = false;

  // Bytes of the ring in each direction, a power of two from 4 KiB to 1 GiB. Default
  // 512 KiB. Messages of any size pass through a ring of any size; below the size of the
  // usual message writer and reader wait for each other.
  size_t ring_bytes = 512 << 10;

  // Bytes of memory for payload blocks in each direction, a multiple of 4 KiB up to 1 GiB;
  // 0: none. Default 4 MiB. Messages and other slices from 16 KiB on are placed in blocks. A
  // receiver that trusts its peer (docs/configuration.md) reads them where they are, and holds them
  // until the last Cord, ByteBuffer or slice of them is gone; another receiver copies them first.
  // When no block is free they are copied through the ring instead: slower, never an error.
  // Two or three of the largest usual messages are enough. Blocks take memory when they are first
  // used.
  size_t payload_bytes = 4 << 20;

  // Bytes of the whole arena of one connection: control words, both rings and both
  // directions' blocks. Default 0: just what these need, about 2 * (ring_bytes +
  // payload_bytes) and at most some 8 MiB for direct calls, more only with large call_buffer_bytes:
  // 13 MiB by default. With memfds, on kernels
  // from 5.14 on, that is address space: a new connection takes some 50 KiB of memory, and more as
  // it is used; where the ends trust each other it gives that back at rest (docs/configuration.md,
  // Memory). Otherwise (other backings, kFlush, regions) a connection takes this much memory from
  // the moment it is made, used or not, until the last slice of it is dropped; making it takes
  // about 0.3 ms a MiB.
  size_t arena_bytes = 0;

  // Bytes of each request and each response buffer through which a connection's direct calls pass,
  // a multiple of 4 KiB up to 1 MiB. Default 4 KiB. There are 64 of each, and further sets of 64 as
  // more calls are under way at a time: 8 in all, or as many as have 8 MiB of buffers. A set takes
  // 24 KiB when it is first needed, a call two buffers more; where memory is reserved as a whole
  // (arena_bytes), there is one set. A message that does not fit lies in a payload block; when none
  // is free the request takes the stream path, and the response comes in pieces. Taken only where
  // the channel may make direct calls.
  size_t call_buffer_bytes = 4 << 10;

  // Connections at a time, and bytes of all their arenas, for one listening address. Defaults:
  // 1000, and 0: a quarter of the memory that the process can still have, as its control groups'
  // limits, ulimit -v and the machine's free memory say at the time. Bytes count that may come onto
  // the server's account: 1.6 MiB of a new connection of the default size, and its blocks. When
  // half of them are in use, connections grow no more, and new ones get the smallest arena (44 KiB,
  // no blocks, no direct calls); when all are, one more is refused with the reason; the others go
  // on. Each uid of allowed_uids gets at most a quarter of both. Each connection costs a file
  // descriptor besides its arena.
  size_t max_connections = 1000;
  size_t max_total_arena_bytes = 0;

  // How many direct calls the server runs at a time, on all of its connections; from 0, the
  // default: any number, to 1048576. Others wait in their clients' memory until there is room, in
  // the order of their connection, and connections take turns; ChannelOptions::max_waiting_calls
  // says how many. What their clients give up meanwhile is never begun. Of several addresses of one
  // server, the smallest number counts. grpc_cxl::ServerBuilder also gives HTTP/2 as many calls at
  // a time on each connection (GRPC_ARG_MAX_CONCURRENT_STREAMS, if the application has not set it).
  // SetCapacity() (direct_calls.h) changes it for direct calls. Costs each direct
  // call an entry of metadata and some locks.
  size_t capacity = 0;

  // Whether the server finds its capacity by itself, up to `capacity` (0: up to 1000): how many of
  // its calls run at a time before they make each other slower. It begins with 20. For servers
  // whose calls take about as long as each other, and that are busy for seconds. Default: no. Costs
  // a lock for each call; every few seconds of more calls than it takes, half as many are taken for
  // 0.1 s or longer, to see how long they take then.
  bool adaptive_capacity = false;

  // What the memory is made of. Default: memfd. See ArenaBacking for the price of each. Peers can
  // take other memory than memfd away under us, so with it only our own user and root in our own
  // namespaces, and trusted_uids, can connect; with kDirectory allowed_uids and allowed_gids must
  // be empty.
  ArenaBacking backing;

  // Whether the ends' caches see each other's stores. Default: kCoherent, as on one host.
  // kFlush is for memory that hosts share without that: both ends write back and invalidate
  // cache lines, some 0.1 us for each word and more for large messages; and since neither can
  // wake the other, they spin as wait_policy says and then look at the memory up to every
  // millisecond, 2.6 % of a core in an idle process. The client does as the server says.
  // GRPC_CXL_COHERENCE=coherent|flush in the server's environment overrides it.
  Coherence coherence = Coherence::kCoherent;

  friend bool operator==(const ServerOptions&, const ServerOptions&) = default;
};

// OK, or INVALID_ARGUMENT with a sentence that names the field, its value and the limits.
absl::Status Validate(const EndpointOptions& options);
absl::Status Validate(const ChannelOptions& options);
absl::Status Validate(const ServerOptions& options);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_OPTIONS_H_
