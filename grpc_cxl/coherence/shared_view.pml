// SPDX-License-Identifier: Apache-2.0
//
// The calls of SharedView in memory that is not coherent, for the model checker SPIN: the four
// patterns that all rooms are made of are sound, whatever the caches do.
// //test/coherence:models_test runs it.
//
// Two hosts, each with a cache that holds a line or not, clean or written to. Nobody needs to ask
// for a line to be fetched, evicted or, if it was written to, written back: Hardware() does so at
// any moment. A write-back that was asked for (CLWB) and a dropping (CLFLUSHOPT) take place at any
// time until the next fence, which waits for both. A host's own loads and stores take effect in
// order in its cache: its cores are coherent.
//
//   MESSAGE  payload, then flag; flag, then payload       Publish() Store(); Load() Acquire()
//   DEKKER   my word, fence, your word, on both sides     Store() FullFence() Load()
//   REUSE    one host writes and never publishes, gives   Flush() Store(); Load() Publish()
//            the memory back, and the other zeroes it
//   ENTRY    one host frees an entry and makes it anew,    Store() Publish() Store(); Load()
//            the other reads it between two looks at its   Acquire() Load()
//            id
//
//   LINE     one host ends its stream behind its last     Store() Store(); Refresh() Peek() Peek()
//            bytes, the other looks at both words of
//            the line, which may be fetched anew between
//
// A MESSAGE is sound with NO_DROP as well, where the flag is only peeked at: an old one delays it.
//
// NO_PUBLISH, NO_FENCE, NO_ACQUIRE, NO_WRITE_BACK, NO_DROP and NO_FLUSH leave a part out, and must
// lead to a violated assertion; so must HEAD_FIRST, another order of the two words.

#define LINES 2
#define Line(h, l) ((h) * LINES + (l))

#define ABSENT 0
#define CLEAN 1
#define DIRTY 2

byte memory[LINES];
byte state[2 * LINES];
byte cached[2 * LINES];
bool writing_back[2 * LINES];  // asked for, and under way
bool dropping[2 * LINES];

inline FetchIfAbsent(i, l) {
  if
  :: state[i] == ABSENT -> cached[i] = memory[l]; state[i] = CLEAN
  :: else
  fi
}
inline WriteBackIfDirty(i, l) {
  if
  :: state[i] == DIRTY -> memory[l] = cached[i]; state[i] = CLEAN
  :: else
  fi
}

proctype Hardware(byte h; byte l) {
  byte i = Line(h, l);
end:
  do
  :: d_step { state[i] == ABSENT -> cached[i] = memory[l]; state[i] = CLEAN }
  :: d_step { state[i] == CLEAN -> state[i] = ABSENT }
  :: d_step { state[i] == DIRTY -> memory[l] = cached[i]; state[i] = CLEAN }
  :: d_step { writing_back[i] -> WriteBackIfDirty(i, l); writing_back[i] = false }
  :: d_step { dropping[i] -> WriteBackIfDirty(i, l); state[i] = ABSENT; dropping[i] = false }
  od
}

// Instructions.
inline StoreWord(h, l, value) {
  d_step { cached[Line(h, l)] = value; state[Line(h, l)] = DIRTY }
}
inline LoadWord(h, l, value) {
  d_step { FetchIfAbsent(Line(h, l), l); value = cached[Line(h, l)] }
}
inline Fence(h) {
  atomic {
    !writing_back[Line(h, 0)] && !writing_back[Line(h, 1)] && !dropping[Line(h, 0)] &&
    !dropping[Line(h, 1)]
  }
}

// Calls of SharedView.
inline Publish(h, l) {
#ifndef NO_PUBLISH
  writing_back[Line(h, l)] = true;
#ifndef NO_FENCE
  Fence(h)
#endif
#else
  skip
#endif
}
inline Store(h, l, value) {
  StoreWord(h, l, value);
#ifndef NO_WRITE_BACK
  writing_back[Line(h, l)] = true;
#endif
  Fence(h)
}
inline Drop(h, l) {
  dropping[Line(h, l)] = true;
  Fence(h)
}
inline Load(h, l, value) {
#ifndef NO_DROP
  Drop(h, l);
#endif
  LoadWord(h, l, value)
}
inline Acquire(h, l) {
#ifndef NO_ACQUIRE
  Drop(h, l)
#else
  skip
#endif
}
inline Flush(h, l) {
#ifndef NO_FLUSH
  Drop(h, l)
#else
  skip
#endif
}

#define FLAG 0
#define BYTES 1

#ifdef MESSAGE
proctype A() {
  StoreWord(0, BYTES, 1);
  Publish(0, BYTES);
  Store(0, FLAG, 1)
}
proctype B() {
  byte flag, bytes;
  LoadWord(1, BYTES, bytes);  // an old line may be there
  Load(1, FLAG, flag);
  if
  :: flag == 1 ->
    Acquire(1, BYTES);
    LoadWord(1, BYTES, bytes);
    assert(bytes == 1)
  :: else  // it looks again, later
  fi
}
#endif

#ifdef LINE
#define HEAD 1    // bits of what is in the line
#define CLOSED 2
proctype A() {
  Store(0, FLAG, HEAD);
  Store(0, FLAG, HEAD | CLOSED)
}
proctype B() {
  byte closed, head;
  Drop(1, FLAG);
#ifdef HEAD_FIRST
  LoadWord(1, FLAG, head);
  LoadWord(1, FLAG, closed);
#else
  LoadWord(1, FLAG, closed);
  LoadWord(1, FLAG, head);
#endif
  assert((closed & CLOSED) == 0 || (head & HEAD) != 0)
}
#endif

#ifdef ENTRY
proctype A() {
  StoreWord(0, BYTES, 1);
  Publish(0, BYTES);
  Store(0, FLAG, 1);  // its id
#ifndef NO_ZERO
  Store(0, FLAG, 0);
#endif
  StoreWord(0, BYTES, 2);
  Publish(0, BYTES);
  Store(0, FLAG, 2)
}
proctype B() {
  byte id, again, bytes;
  Load(1, FLAG, id);
  Acquire(1, BYTES);
  LoadWord(1, BYTES, bytes);
  Load(1, FLAG, again);
  assert(id == 0 || id != again || bytes == id)
}
#endif

#ifdef DEKKER
byte missed = 0;
proctype Side(byte me; byte you) {
  byte theirs;
  Store(me, me, 1);
  Fence(me);
  Load(me, you, theirs);
  if
  :: theirs == 0 -> missed++; assert(missed < 2)
  :: else
  fi
}
#endif

#ifdef REUSE
proctype A() {
  StoreWord(0, BYTES, 9);
  Flush(0, BYTES);
  Store(0, FLAG, 1)
}
proctype B() {
  byte free;
  Load(1, FLAG, free);
  if
  :: free == 1 ->
    StoreWord(1, BYTES, 0);
    Publish(1, BYTES);
    assert(memory[BYTES] == 0)  // also any time later
  :: else
  fi
}
#endif

init {
  atomic {
    run Hardware(0, 0);
    run Hardware(0, 1);
    run Hardware(1, 0);
    run Hardware(1, 1);
#ifdef DEKKER
    run Side(0, 1);
    run Side(1, 0)
#else
    run A();
    run B()
#endif
  }
}
