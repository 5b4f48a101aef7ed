// SPDX-License-Identifier: Apache-2.0
// Proves by simulation, without a clock, that the adaptive budget finds out what its machine and
// its peer are like: where wake-ups cost 3, 25, 60 and 150 us, and whatever the waits are, it costs
// at most 1.15 of the best fixed spin in hindsight, and it notices within 100 waits when they
// change.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr double kAdaptive = -1;
constexpr double kLook = 0.5;  // all times in microseconds

struct Machine {
  double wake_up;    // latency; the CPU time of both sides is as much
  double busy = 0;   // spins that find another thread wanting the core
  double slice = 0;  // for so long, on average
  double cold = 0;   // how much longer work takes after a sleep
};

// A thread that waits, by its own budget or always spinning for the same time.
class Waiter {
 public:
  Waiter(const Machine& machine, double fixed, int seed)
      : machine_(machine), fixed_(fixed), random_(seed) {}

  double cost = 0;

  // Something comes after `wait`. Returns when the thread goes on.
  double Wait(double wait) {
    const double spin =
        fixed_ == kAdaptive ? static_cast<double>(budget_.nanoseconds()) / 1e3 : fixed_;
    const bool interrupted = spin > 0 && wait > kLook && Chance() < machine_.busy;
    const double away = interrupted ? -machine_.slice * std::log(1 - Chance()) : 0;
    const double back = interrupted ? away + kLook : 0;
    const bool found = wait <= std::max(spin, back);
    double end = std::max(wait, back);
    double spun = end - away;
    if (found) {
      cost += kWeight * (end - wait);
    } else {
      spun = std::max(spin - away, std::min(spin, kLook));
      end += machine_.wake_up;
      cost += (kWeight + 1) * (machine_.wake_up + machine_.cold);
    }
    // The other thread waits for the core until the next look.
    cost += spun + (interrupted ? kWeight * kLook : 0);
    if (fixed_ == kAdaptive) {
      budget_.Waited({.total_ns = Ns(end),
                      .spun_ns = Ns(spun),
                      .away_ns = Ns(away),
                      .unseen_ns = Ns(found && wait <= back ? away : 0),
                      .slept = !found,
                      .woken_ns = found ? -1 : Ns(end - machine_.wake_up),
                      .work_ns = Ns(kWork + (found ? 0 : machine_.cold))});
    }
    return found ? end : end + machine_.cold;
  }

 private:
  static constexpr double kWeight = 2;  // the default
  static constexpr double kWork = 20;   // after a spin
  static int64_t Ns(double us) { return static_cast<int64_t>(us * 1e3); }
  double Chance() { return std::uniform_real_distribution<>(0, 1)(random_); }

  const Machine machine_;
  const double fixed_;
  SpinBudget budget_{WaitTerms{.max_spin = absl::Milliseconds(1)}};
  std::mt19937 random_;
};

struct Simulation {
  Simulation(const Machine& machine, double fixed)
      : waiters{Waiter(machine, fixed, 1), Waiter(machine, fixed, 2)} {}
  double Cost() const { return waiters[0].cost + waiters[1].cost; }

  Waiter waiters[2];
  std::mt19937 random{3};
};

struct Trace {
  std::string name;
  std::function<void(Simulation&, int waits)> run;
};

double Exponential(Simulation& s, double mean) {
  return std::exponential_distribution<>(1 / mean)(s.random);
}
double About(Simulation& s, double mean) {
  return mean * std::uniform_real_distribution<>(0.8, 1.2)(s.random);
}

// Caller and service: each waits while the other wakes up and works.
Trace Closed(double work) {
  return {"closed loop, " + std::to_string(work), [=](Simulation& s, int waits) {
            double late = 0;
            for (int i = 0; i < waits; i += 2) {
              const double next_call = late + About(s, 8);
              const double answer = s.waiters[1].Wait(next_call) - next_call + About(s, work);
              late = s.waiters[0].Wait(answer) - answer;
            }
          }};
}

// Requests come by chance, some before the last is served.
Trace Open(double per_second) {
  return {"open loop, " + std::to_string(per_second), [=](Simulation& s, int waits) {
            double now = 0, arrival = 0;
            while (waits > 0) {
              arrival += Exponential(s, 1e6 / per_second);
              if (arrival > now) now += s.waiters[0].Wait(arrival - now), --waits;
              now += 5;
            }
          }};
}

// `length` waits of one kind, then as many of another.
Trace Alternating(double first, double second, int length) {
  return {"alternating " + std::to_string(first), [=](Simulation& s, int waits) {
            for (int i = 0; i < waits; ++i) {
              s.waiters[0].Wait(About(s, i / length % 2 == 0 ? first : second));
            }
          }};
}

Trace Bursts(int length, double gap, double pause) {
  return {"bursts of " + std::to_string(length), [=](Simulation& s, int waits) {
            for (int i = 0; i < waits; ++i) {
              s.waiters[0].Wait(Exponential(s, i % length == 0 ? pause : gap));
            }
          }};
}

double Cost(const Machine& machine, const Trace& trace, double fixed) {
  Simulation simulation(machine, fixed);
  trace.run(simulation, 200);
  const double before = simulation.Cost();
  trace.run(simulation, 3000);
  return simulation.Cost() - before;
}

double BestFixed(const std::function<double(double)>& cost) {
  double best = cost(0);
  for (double spin = 1; spin < 1000; spin *= 1.7) best = std::min(best, cost(spin));
  return best;
}

std::vector<Trace> Traces() {
  std::vector<Trace> traces = {
      Alternating(10, 10'000, 1), Alternating(5, 50, 1), Alternating(100, 2000, 1),
      Alternating(10, 3000, 100), Bursts(20, 5, 5000),   Bursts(50, 20, 50'000),
      Bursts(10, 60, 2000),       Bursts(3, 15, 300),
  };
  for (const double work : {2, 8, 15, 40, 100, 400, 2000}) traces.push_back(Closed(work));
  for (const double rate : {1e2, 1e3, 3e3, 1e4, 3e4, 1e5}) traces.push_back(Open(rate));
  return traces;
}

constexpr double kWakeUps[] = {3, 25, 60, 150};

TEST(WaitSimulationTest, CostsLittleMoreThanTheBestFixedSpin) {
  for (const double wake_up : kWakeUps) {
    for (const Trace& trace : Traces()) {
      const Machine machine{wake_up};
      const double best = BestFixed([&](double spin) { return Cost(machine, trace, spin); });
      EXPECT_LE(Cost(machine, trace, kAdaptive), 1.15 * best)
          << trace.name << " us, wake-up " << wake_up;
    }
  }
}

// More is lost here, 1.22 at worst: a thread that never spins cannot know how slow its core is.
TEST(WaitSimulationTest, AlsoWhereACoreThatSleptIsSlow) {
  for (const double wake_up : kWakeUps) {
    for (const Trace& trace : Traces()) {
      const Machine machine{.wake_up = wake_up, .cold = wake_up};
      const double best = BestFixed([&](double spin) { return Cost(machine, trace, spin); });
      EXPECT_LE(Cost(machine, trace, kAdaptive), 1.25 * best)
          << trace.name << " us, wake-up " << wake_up;
    }
  }
}

// More is lost here, 1.27 at worst: how late a spin was is a guess, and interruptions are rare.
TEST(WaitSimulationTest, AlsoWithMoreThreadsThanCores) {
  for (const double wake_up : kWakeUps) {
    for (const Trace& trace : Traces()) {
      for (const Machine& machine :
           {Machine{wake_up, 0.5, 50}, Machine{wake_up, 0.05, 1000}, Machine{wake_up, 0.9, 3000}}) {
        const double best = BestFixed([&](double spin) { return Cost(machine, trace, spin); });
        EXPECT_LE(Cost(machine, trace, kAdaptive), 1.3 * best)
            << trace.name << " us, wake-up " << wake_up << ", slices of " << machine.slice;
      }
    }
  }
}

TEST(WaitSimulationTest, NoticesAChangeWithin100Waits) {
  const std::vector<Trace> regimes = {Closed(2), Closed(40), Closed(2000),       Open(1e2),
                                      Open(1e4), Open(1e5),  Bursts(20, 5, 5000)};
  for (const double wake_up : kWakeUps) {
    for (const Trace& before : regimes) {
      for (const Trace& after : regimes) {
        const auto cost = [&](double fixed) {
          Simulation simulation({wake_up}, fixed);
          before.run(simulation, 1000);
          after.run(simulation, 100);
          const double old = simulation.Cost();
          after.run(simulation, 400);
          return simulation.Cost() - old;
        };
        EXPECT_LE(cost(kAdaptive), 1.15 * BestFixed(cost))
            << before.name << " us, then " << after.name << " us, wake-up " << wake_up;
      }
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
