// SPDX-License-Identifier: Apache-2.0
//
// The life of a connection's memory in a region, step by step as in region_layout.h, for the model
// checker SPIN: it is free again only when its client can write no more, although the client and
// the server may die, and stand still for any time, between any two steps; and it is free again
// when both have ended and another process of each host lives. //test/coherence:models_test runs it.
// That an entry is read whole is ENTRY in shared_view.pml.
//
// NO_ACKNOWLEDGEMENT has the server give memory away when the client is silent, NO_LOCK has the
// client's host clear up after a silent process that may only stand still, NO_CLEAR_UP leaves that
// out: each must lead to a violated assertion or a memory that stays in use.

mtype = { FREE, OPEN, CLOSED, RESERVED, OFFERED };

mtype request = FREE;
mtype answer = FREE;
bool client_maps = false;  // and may write
bool client_lives = true;  // its lock is held
bool server_lives = true;
bool server_maps = false;

// As what happens without a notice.
#define Dies(lives, maps) d_step { lives = false; maps = false } goto dead

proctype Client() {
  request = OPEN;  // 2
  if
  :: answer == OFFERED -> client_maps = true  // 5
  :: true -> goto free                        // gives up
  :: Dies(client_lives, client_maps)
  fi;
  if
  :: answer != OFFERED  // sees the end
  :: true               // ends it
  :: Dies(client_lives, client_maps)
  fi;
  request = CLOSED;  // 6
  if
  :: true
  :: Dies(client_lives, client_maps)
  fi;
  client_maps = false;
free:
  request = FREE;  // 7
dead:
  client_lives = false
}

proctype Server() {
end:
  request == OPEN;
  answer = RESERVED;  // 3
  if
  :: true
  :: Dies(server_lives, server_maps)
  fi;
  server_maps = true;
  answer = OFFERED;  // 4
  if
  :: request != OPEN  // sees the end
  :: true             // ends it, or takes the client for dead
  :: Dies(server_lives, server_maps)
  fi;
  answer = CLOSED;  // 6
  server_maps = false;
dead:
  server_lives = false
}

#ifdef NO_LOCK
#define IsDead true
#else
#define IsDead !client_lives
#endif

// Other processes of the two hosts.
proctype ClientsHost() {
end:
  do
  :: atomic { IsDead && request != FREE -> request = FREE }
  od
}

proctype ServersHost() {
end:
  do
  :: atomic { !server_lives && answer == RESERVED -> answer = FREE }
  :: atomic { !server_lives && answer == OFFERED -> answer = CLOSED }
  // Of its own processes a host knows it.
#ifdef NO_ACKNOWLEDGEMENT
  :: atomic { answer == CLOSED && !server_maps ->
#else
  :: atomic { answer == CLOSED && !server_maps && request == FREE ->
#endif
      assert(!client_maps);
      answer = FREE  // 8
    }
  od
}

proctype Watch() {
end:
  !client_lives && !server_lives;
  answer == FREE
}

init {
  atomic {
    run Client();
    run Server();
#ifndef NO_CLEAR_UP
    run ClientsHost();
#endif
    run ServersHost();
    run Watch()
  }
}
