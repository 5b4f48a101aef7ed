// SPDX-License-Identifier: Apache-2.0
//
// Coherent memory and two sides, each with a buffer of its stores, for the models of other rooms in
// SPIN. Stores reach the memory in order, as on x86 (TSO), or, with WEAK, in any order, as on Arm:
// but for those of one word, and a release store comes after all before it. Neither side loads what
// it stores itself, so loads need no buffer; they take effect in order, as acquire loads do.

byte memory[5];

chan stores_0 = [6] of { byte, byte, bool };  // word, value, release
chan stores_1 = [6] of { byte, byte, bool };

inline Store(stores, word, value) { stores!word, value, false }
inline StoreRelease(stores, word, value) { stores!word, value, true }
inline Fence(stores) { empty(stores) }

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
