// SPDX-License-Identifier: Apache-2.0
//
// A slot of call_layout.h, for the model checker SPIN: requests and responses are complete, and a
// call that the client has taken back, to make it elsewhere, never runs, whatever the order in
// which stores reach the memory, and, with NON_COHERENT, whatever caches do that do not see each
// other. //test/coherence:models_test runs it.
//
// NO_FENCE_2, NO_FENCE_B, NO_RELEASE_POSTED and NO_RELEASE_DONE leave a part out, and must lead to a
// violated assertion; so must the parts that stale_caches.pml can leave out.

#define CALLS 2

#define POSTED 0  // the client's
#define REQUEST 1
#define CANCELLED_GENERATION 2
#define WORD 3  // the server's
#define RESPONSE 4

#define Taken(generation) (3 * generation)
#define Done(generation) (3 * generation + 1)
#define Refused(generation) (3 * generation + 2)

#ifdef NON_COHERENT
#include "../coherence/stale_caches.pml"
#else
#include "../coherence/store_buffers.pml"
#endif

bool ran[CALLS + 1];
bool taken_back[CALLS + 1];

proctype Client() {
  byte generation = 1, word, response;
  do
  :: generation > CALLS -> break
  :: else ->
    Put(0, REQUEST, generation);
    PublishBytes(0, REQUEST);
#ifdef NO_RELEASE_POSTED
    Store(0, POSTED, generation);
#else
    StoreRelease(0, POSTED, generation);
#endif
    do
    :: Load(0, WORD, word);
      if
      :: word == Done(generation) ->
        AcquireBytes(0, RESPONSE);
        Get(0, RESPONSE, response);
        assert(response == generation && !taken_back[generation]);
        generation++;
        break
      :: word == Refused(generation) ->
        d_step { taken_back[generation] = true; assert(!ran[generation]) };
        generation++;
        break
      :: else  // it looks again, later
      fi
    :: true ->  // the client takes it back
      Store(0, CANCELLED_GENERATION, generation);  // 1
#ifndef NO_FENCE_2
      Fence(0);  // 2
#endif
      Load(0, WORD, word);  // 3
      if
      :: word == Taken(generation) || word == Done(generation)  // it may have run
      :: else -> d_step { taken_back[generation] = true; assert(!ran[generation]) }
      fi;
      if
      :: goto over  // the connection ends
      :: true  // it goes on
      fi
    od
  od;
over:
  skip
}

proctype Server() {
  byte generation = 0, cancelled, request;
end:
  do
  :: Await(1, POSTED, generation);
    Store(1, WORD, Taken(generation));  // a
#ifndef NO_FENCE_B
    Fence(1);  // b
#endif
    Load(1, CANCELLED_GENERATION, cancelled);  // c
    if
    :: cancelled == generation -> StoreRelease(1, WORD, Refused(generation))
    :: else ->
      AcquireBytes(1, REQUEST);
      Get(1, REQUEST, request);
      assert(request == generation);
      d_step { ran[generation] = true; assert(!taken_back[generation]) };
      Put(1, RESPONSE, generation);
      PublishBytes(1, RESPONSE);
#ifdef NO_RELEASE_DONE
      Store(1, WORD, Done(generation))
#else
      StoreRelease(1, WORD, Done(generation))
#endif
    fi
  od
}

init {
  atomic {
    RunMemory();
    run Client();
    run Server()
  }
}
