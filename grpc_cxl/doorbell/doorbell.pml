// SPDX-License-Identifier: Apache-2.0
//
// Sleeping and waking as in doorbell.h, step by step, for the model checker SPIN: no wake-up is
// lost, whatever the order in which stores reach the memory. //test/coherence:models_test runs it.
//
// Each side has a buffer of its stores. They reach the memory in order, as on x86 (TSO), or, with
// WEAK, in any order but that of one word, as on Arm. A full fence waits until the buffer is empty.
// Neither side loads what it stores itself, so loads need no buffer. Memory is coherent: without
// coherence nobody sleeps.
//
// A sleeper that nobody wakes is a deadlock, which SPIN reports. NO_FENCE_2 and NO_FENCE_B leave a
// fence out, and must lead to one.

#define ITEMS 3

#define PUBLISHED 0
#define EPOCH 1

byte published = 0;  // as in memory
byte epoch = 0;
byte socket = 0;  // bytes in it

chan sleeper_stores = [4] of { byte, byte };
chan waker_stores = [4] of { byte, byte };

inline ToMemory(word, value) {
  if
  :: word == PUBLISHED -> published = value
  :: word == EPOCH -> epoch = value
  fi
}

proctype Drain(chan stores) {
  byte word, value;
end:
  do
#ifdef WEAK
  :: atomic { stores??PUBLISHED, value -> published = value }
  :: atomic { stores??EPOCH, value -> epoch = value }
#else
  :: atomic { stores?word, value -> ToMemory(word, value) }
#endif
  od
}

proctype Sleeper() {
  byte seen = 0, my_epoch = 0, look;
  do
  :: seen == ITEMS -> break
  :: else ->
    my_epoch = (my_epoch + 1) | 1;
    sleeper_stores!EPOCH, my_epoch;  // 1
#ifndef NO_FENCE_2
    empty(sleeper_stores);  // 2
#endif
    look = published;  // 3
    if
    :: look != seen -> seen = look
    :: else -> socket > 0; socket = 0  // 4, and Drain()
    fi;
    if  // it may also go to sleep again at once
    :: my_epoch = my_epoch + 1; sleeper_stores!EPOCH, my_epoch
    :: true
    fi
  od
}

proctype Waker() {
  byte item, look, last_woken = 0;
  for (item : 1 .. ITEMS) {
    waker_stores!PUBLISHED, item;  // a
#ifndef NO_FENCE_B
    empty(waker_stores);  // b
#endif
    look = epoch;  // c
    if
    :: look % 2 == 1 && look != last_woken -> last_woken = look; socket++
    :: else
    fi
  }
}

init {
  atomic {
    run Drain(sleeper_stores);
    run Drain(waker_stores);
    run Sleeper();
    run Waker()
  }
}
