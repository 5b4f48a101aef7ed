# SPDX-License-Identifier: Apache-2.0
"""What happens to machines and processes in the soak.

Each event is a function of the soak and a source of random numbers. It says what it does, does it,
and leaves everything running; calls need not succeed yet.
"""

import signal


def _any_machine(soak, random):
    return random.choice(soak.guests)


def _any_program(soak, random):
    host = _any_machine(soak, random).number
    return host, random.choice(soak.programs(host))


def _for_long(soak, random):
    """How long machines and processes stand still, in seconds: longer than 15 leases."""
    return soak.lease * random.uniform(16, 20)


def _while_memory_is_reused(soak, random, host, seconds):
    """Others end connections and make new ones meanwhile."""
    others = [guest.number for guest in soak.guests if guest.number != host]
    for _ in range(3):
        soak.watch(seconds / 4)
        other = random.choice(others)
        soak.kill(other, "traffic", "KILL")
        soak.start(other, "traffic")
    soak.watch(seconds / 4)


def power_loss(soak, random):
    guest = _any_machine(soak, random)
    soak.say(f"power loss: machine {guest.number}")
    soak.power_lost(guest.number)
    soak.watch(soak.lease * random.uniform(0, 3))
    soak.boot([guest])


def pause(soak, random):
    """The machine's clocks stand still with it."""
    guest, seconds = _any_machine(soak, random), _for_long(soak, random)
    soak.say(f"pause: machine {guest.number} and its clocks, for {seconds:.1f} s")
    guest.monitor("stop")
    _while_memory_is_reused(soak, random, guest.number, seconds)
    guest.monitor("cont")


def freeze(soak, random):
    """The machine's clocks go on without it."""
    guest, seconds = _any_machine(soak, random), _for_long(soak, random)
    soak.say(f"freeze: machine {guest.number}, for {seconds:.1f} s")
    guest.signal(signal.SIGSTOP)
    _while_memory_is_reused(soak, random, guest.number, seconds)
    guest.signal(signal.SIGCONT)


def sleep(soak, random):
    """The machine suspends itself to memory, until its alarm goes off."""
    guest, seconds = _any_machine(soak, random), round(_for_long(soak, random) + 1)
    soak.say(f"sleep: machine {guest.number}, for {seconds} s")
    alarm = "/sys/class/rtc/rtc0/wakealarm"
    soak.run(guest, f"echo 0 >{alarm}; echo +{seconds} >{alarm}; "
                    "(sleep 0.2; echo mem >/sys/power/state) &")
    _while_memory_is_reused(soak, random, guest.number, seconds)
    soak.run(guest, "true")  # it is awake


def clock(soak, random):
    guest = _any_machine(soak, random)
    jump = random.choice([-1, 1]) * round(10 ** random.uniform(0.5, 5))
    soak.say(f"clock: machine {guest.number}, by {jump:+} s")
    soak.run(guest, f"date -s @$(($(date +%s) + {jump}))")


def kill(soak, random):
    host, program = _any_program(soak, random)
    soak.say(f"kill: {program} of machine {host}")
    soak.kill(host, program, "KILL")
    soak.watch(soak.lease * random.uniform(0, 2))
    soak.start(host, program)


def restart(soak, random):
    host, program = _any_program(soak, random)
    soak.say(f"restart: {program} of machine {host}")
    soak.kill(host, program, "TERM")
    soak.start(host, program)


def stop(soak, random):
    (host, program), seconds = _any_program(soak, random), _for_long(soak, random)
    soak.say(f"stop: {program} of machine {host}, for {seconds:.1f} s")
    soak.kill(host, program, "STOP")
    _while_memory_is_reused(soak, random, host, seconds)
    soak.kill(host, program, "CONT")


ALL = {event.__name__: event
       for event in (power_loss, pause, freeze, sleep, clock, kill, restart, stop)}
