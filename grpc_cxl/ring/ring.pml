// SPDX-License-Identifier: Apache-2.0
//
// The indices of a byte ring as in ring_writer.cc and ring_reader.cc, for the model checker SPIN:
// every byte is read once, in order and complete, and both invariants of ring_layout.h hold,
// whatever the order in which stores reach the memory, and, with NON_COHERENT, whatever caches do
// that do not see each other. //test/coherence:models_test runs it.
//
// NO_RELEASE_HEAD, NO_ACQUIRE_HEAD and NO_RELEASE_TAIL leave a memory order out, and must lead to a
// violated assertion; so must the parts that stale_caches.pml can leave out, where a message lies.

#define CAPACITY 2
#define ITEMS 5

#define HEAD 0
#define TAIL 1
#define BYTES 2  // and 3

#ifdef NON_COHERENT
#include "../coherence/stale_caches.pml"
#else
#include "../coherence/store_buffers.pml"
#endif

inline Publish(head) {
#ifdef NO_RELEASE_HEAD
  Store(0, HEAD, head)
#else
  StoreRelease(0, HEAD, head)
#endif
}

proctype Writer() {
  byte head = 0, published = 0, tail = 0;
  do
  :: head == ITEMS || head - tail == CAPACITY ->
    do
    :: published < head -> PublishBytes(0, BYTES + published % CAPACITY); published++
    :: else -> break
    od;
    Publish(head);
    if
    :: head == ITEMS -> break
    :: else -> Await(0, TAIL, tail); assert(tail <= head)
    fi
  :: head < ITEMS && head - tail < CAPACITY ->
    Put(0, BYTES + head % CAPACITY, head + 1);
    head++;
    if
    :: true ->
      do
      :: published < head -> PublishBytes(0, BYTES + published % CAPACITY); published++
      :: else -> break
      od;
      Publish(head)
    :: true  // with the next
    fi
  od
}

proctype Reader() {
  byte head = 0, known = 0, tail = 0, item;
  do
  :: tail == ITEMS -> break
  :: tail < ITEMS && head == tail ->
#ifdef NO_ACQUIRE_HEAD
    Get(1, BYTES + tail % CAPACITY, item);
#endif
    Await(1, HEAD, head);
    assert(tail <= head && head - tail <= CAPACITY);
    do
    :: known < head -> AcquireBytes(1, BYTES + known % CAPACITY); known++
    :: else -> break
    od
  :: tail < ITEMS && head > tail ->
#ifdef NO_RELEASE_TAIL
    Store(1, TAIL, tail + 1);
#endif
#ifndef NO_ACQUIRE_HEAD
    Get(1, BYTES + tail % CAPACITY, item);
#endif
    assert(item == tail + 1);
    tail++;
#ifndef NO_RELEASE_TAIL
    StoreRelease(1, TAIL, tail)
#endif
  od
}

init {
  atomic {
    RunMemory();
    run Writer();
    run Reader()
  }
}
