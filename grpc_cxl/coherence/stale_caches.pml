// SPDX-License-Identifier: Apache-2.0
//
// Memory whose caches do not see each other, and two sides, each with a cache, for the models of
// other rooms in SPIN. The calls are those of store_buffers.pml.
//
// A word stands for a line, which one side writes. What that has stored, `own`, gets to the memory
// when it is written back, and at any moment before or without that. What the other side sees,
// `seen`, is as old as its cache will have it: it is fetched anew when it is dropped, and at any
// moment before or without that. shared_view.pml has the instructions and what they wait for; here
// a write-back, and a dropping, are over when the call is.
//
// NO_PUBLISH, NO_ACQUIRE, NO_WRITE_BACK and NO_DROP leave out what SharedView does.

byte memory[5];
byte own[5];
byte seen[5];

inline Put(side, w, v) { own[w] = v }
inline PublishBytes(side, w) {
#ifdef NO_PUBLISH
  skip
#else
  memory[w] = own[w]
#endif
}
inline Store(side, w, v) {
  own[w] = v;
#ifdef NO_WRITE_BACK
  skip
#else
  memory[w] = own[w]
#endif
}
inline StoreRelease(side, w, v) { Store(side, w, v) }
inline Fence(side) { skip }

inline AcquireBytes(side, w) {
#ifdef NO_ACQUIRE
  skip
#else
  seen[w] = memory[w]
#endif
}
inline Get(side, w, v) { v = seen[w] }
inline Load(side, w, v) {
#ifdef NO_DROP
  skip;
#else
  seen[w] = memory[w];
#endif
  v = seen[w]
}
// Loads until the word is another; Hardware() fetches it meanwhile.
inline Await(side, w, v) {
  seen[w] != v;
  v = seen[w]
}

proctype Hardware(byte word) {
end:
  do
  :: d_step { memory[word] != own[word] -> memory[word] = own[word] }
  :: d_step { seen[word] != memory[word] -> seen[word] = memory[word] }
  od
}

inline RunMemory() {
  run Hardware(0);
  run Hardware(1);
  run Hardware(2);
  run Hardware(3);
  run Hardware(4)
}
