// SPDX-License-Identifier: Apache-2.0
//
// A slot of call_layout.h, for the model checker SPIN: requests and responses are complete, and a
// call that the client has taken back, to make it elsewhere, never runs, whatever the order in
// which stores reach the memory. //test/coherence:models_test runs it. Where caches do not see each
// other, messages and taking back are MESSAGE and DEKKER in shared_view.pml.
//
// NO_FENCE_2, NO_FENCE_B, NO_RELEASE_POSTED and NO_RELEASE_DONE leave a part out, and must lead to a
// violated assertion.

#define CALLS 2

#define POSTED 0  // the client's
#define REQUEST 1
#define CANCELLED_GENERATION 2
#define WORD 3  // the server's
#define RESPONSE 4

#define Taken(generation) (3 * generation)
#define Done(generation) (3 * generation + 1)
#define Refused(generation) (3 * generation + 2)

#include "../coherence/store_buffers.pml"

bool ran[CALLS + 1];
bool taken_back[CALLS + 1];

proctype Client() {
  byte generation = 1, word;
  do
  :: generation > CALLS -> break
  :: else ->
    Store(stores_0, REQUEST, generation);
#ifdef NO_RELEASE_POSTED
    Store(stores_0, POSTED, generation);
#else
    StoreRelease(stores_0, POSTED, generation);
#endif
    if
    :: memory[WORD] == Done(generation) ->
      assert(memory[RESPONSE] == generation);
      generation++
    :: memory[WORD] == Refused(generation) ->
      d_step { taken_back[generation] = true; assert(!ran[generation]) };
      generation++
    :: true ->  // the client takes it back
      Store(stores_0, CANCELLED_GENERATION, generation);  // 1
#ifndef NO_FENCE_2
      Fence(stores_0);  // 2
#endif
      word = memory[WORD];  // 3
      if
      :: word == Taken(generation) || word == Done(generation)  // it may have run
      :: else -> d_step { taken_back[generation] = true; assert(!ran[generation]) }
      fi;
      if
      :: true -> break  // the connection ends
      :: memory[WORD] == Done(generation) ->
        assert(memory[RESPONSE] == generation && !taken_back[generation]);
        generation++
      :: memory[WORD] == Refused(generation) ->
        d_step { taken_back[generation] = true; assert(!ran[generation]) };
        generation++
      fi
    fi
  od
}

proctype Server() {
  byte generation = 0;
end:
  do
  :: memory[POSTED] != generation ->
    generation = memory[POSTED];
    Store(stores_1, WORD, Taken(generation));  // a
#ifndef NO_FENCE_B
    Fence(stores_1);  // b
#endif
    if
    :: memory[CANCELLED_GENERATION] == generation ->  // c
      StoreRelease(stores_1, WORD, Refused(generation))
    :: else ->
      assert(memory[REQUEST] == generation);
      d_step { ran[generation] = true; assert(!taken_back[generation]) };
      Store(stores_1, RESPONSE, generation);
#ifdef NO_RELEASE_DONE
      Store(stores_1, WORD, Done(generation))
#else
      StoreRelease(stores_1, WORD, Done(generation))
#endif
    fi
  od
}

init {
  atomic {
    run Drain(stores_0);
    run Drain(stores_1);
    run Client();
    run Server()
  }
}
