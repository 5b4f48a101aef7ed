// SPDX-License-Identifier: Apache-2.0
//
// The indices of a byte ring as in ring_writer.cc and ring_reader.cc, for the model checker SPIN:
// every byte is read once, in order and complete, and both invariants of ring_layout.h hold,
// whatever the order in which stores reach the memory. //test/coherence:models_test runs it. Where
// caches do not see each other, a message is as in shared_view.pml.
//
// NO_RELEASE_HEAD, NO_ACQUIRE_HEAD and NO_RELEASE_TAIL leave a memory order out, and must lead to a
// violated assertion.

#define CAPACITY 2
#define ITEMS 5

#define HEAD 0
#define TAIL 1
#define BYTES 2  // and 3

#include "../coherence/store_buffers.pml"

inline Publish(head) {
#ifdef NO_RELEASE_HEAD
  Store(stores_0, HEAD, head)
#else
  StoreRelease(stores_0, HEAD, head)
#endif
}

proctype Writer() {
  byte head = 0, tail = 0;
  do
  :: head == ITEMS -> Publish(head); break
  :: head < ITEMS && head - tail == CAPACITY ->
    Publish(head);
    memory[TAIL] != tail;
    tail = memory[TAIL];
    assert(tail <= head)
  :: head < ITEMS && head - tail < CAPACITY ->
    Store(stores_0, BYTES + head % CAPACITY, head + 1);
    head++;
    if
    :: Publish(head)
    :: true  // with the next
    fi
  od
}

proctype Reader() {
  byte head = 0, tail = 0, item;
  do
  :: tail == ITEMS -> break
  :: tail < ITEMS && head == tail ->
#ifdef NO_ACQUIRE_HEAD
    item = memory[BYTES + tail % CAPACITY];
#endif
    memory[HEAD] != head;
    head = memory[HEAD];
    assert(tail <= head && head - tail <= CAPACITY)
  :: tail < ITEMS && head > tail ->
#ifdef NO_RELEASE_TAIL
    Store(stores_1, TAIL, tail + 1);
#endif
#ifndef NO_ACQUIRE_HEAD
    item = memory[BYTES + tail % CAPACITY];
#endif
    assert(item == tail + 1);
    tail++;
#ifndef NO_RELEASE_TAIL
    StoreRelease(stores_1, TAIL, tail)
#endif
  od
}

init {
  atomic {
    run Drain(stores_0);
    run Drain(stores_1);
    run Writer();
    run Reader()
  }
}
