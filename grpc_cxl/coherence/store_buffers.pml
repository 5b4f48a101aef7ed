// SPDX-License-Identifier: Apache-2.0
//
// Coherent memory and two sides, each with a buffer of its stores, for the models of other rooms in
// SPIN. Stores reach the memory in order, as on x86 (TSO), or, with WEAK, in any order, as on Arm:
// but for those of one word, and a release store comes after all before it. Neither side loads what
// it stores itself, so loads need no buffer; they take effect in order, as acquire loads do.

byte memory[5];

chan stores_0 = [6] of { byte, byte, bool };  // word, value, release
chan stores_1 = [6] of { byte, byte, bool };

inline Store(side, w, v) {
  if
  :: side == 0 -> stores_0!w, v, false
  :: side == 1 -> stores_1!w, v, false
  fi
}
inline StoreRelease(side, w, v) {
  if
  :: side == 0 -> stores_0!w, v, true
  :: side == 1 -> stores_1!w, v, true
  fi
}
inline Fence(side) {
  if
  :: side == 0 -> empty(stores_0)
  :: side == 1 -> empty(stores_1)
  fi
}
inline Load(side, w, v) { v = memory[w] }
// Loads until the word is another.
inline Await(side, w, v) {
  memory[w] != v;
  v = memory[w]
}

// Bytes, before they are published and after they are acquired: here words as all others.
inline Put(side, w, v) { Store(side, w, v) }
inline Get(side, w, v) { v = memory[w] }
#define PublishBytes(side, w) skip
#define AcquireBytes(side, w) skip

#ifdef WEAK
#define Overtakes(w) :: atomic { stores??w, value, false -> memory[w] = value }
#else
#define Overtakes(w)
#endif

proctype Drain(chan stores) {
  byte word, value;
  bool release;
end:
  do
  :: atomic { stores?word, value, release -> memory[word] = value }
  Overtakes(0)
  Overtakes(1)
  Overtakes(2)
  Overtakes(3)
  Overtakes(4)
  od
}

inline RunMemory() {
  run Drain(stores_0);
  run Drain(stores_1)
}
