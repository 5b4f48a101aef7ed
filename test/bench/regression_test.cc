// SPDX-License-Identifier: Apache-2.0
// Proves how the regression check comes to its verdict and its exit code, that it builds another
// revision beside a checkout with changes and leaves nothing behind, Ctrl-C or not, and that it
// says what is wrong. The benchmark, and Bazel, are scripts. slow_doorbell_test has real ones.

#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {
namespace {

using internal::Program;
using testing::ContainsRegex;
using testing::HasSubstr;
using Flags = std::vector<std::string>;

// A benchmark whose figures are the value of a shell expression; $noise is 0 to 6, in an order that
// each program always keeps.
std::string Bench(const std::string& p50, const std::string& first = "") {
  return "#!/bin/sh\n" + first +
         "\nfor flag; do case $flag in --json=*) json=${flag#--json=} ;; esac; done\n"
         "runs=${json%/*}/runs-${0##*/}\n"
         "echo >>$runs\n"
         "case $0 in */b) step=3 ;; *) step=5 ;; esac\n"
         "noise=$(($(wc -l <$runs) * step % 7))\n"
         "echo '{\"new_field\": 1, \"rows\": [{\"p50_us\": '$((" +
         p50 + "))', \"cpu_us_per_call\": 100}]}' >$json\n";
}

class RegressionTest : public testing::Test {
 protected:
  std::string Script(const std::string& name, const std::string& text) const {
    const std::string file = directory_.path() + "/" + name;
    std::ofstream(file) << text;
    chmod(file.c_str(), 0700);
    return file;
  }

  Flags Compare(const std::string& a, const std::string& b, Flags flags = {}) const {
    flags.push_back("--binary_a=" + Script("a", a));
    flags.push_back("--binary_b=" + Script("b", b));
    return flags;
  }

  void Expect(int exit_code, const std::string& text, const Flags& flags) const {
    Program check("bench/regression", flags, {{"BUILD_WORKSPACE_DIRECTORY", repository()}});
    EXPECT_EQ(check.Wait(), exit_code) << check.output();
    EXPECT_THAT(check.output(), ContainsRegex(text));
    check.ExpectNothingLeft();
  }

  std::string repository() const { return directory_.path() + "/repository"; }

  std::string Shell(const std::string& command) const {
    const std::string out = directory_.path() + "/out";
    EXPECT_EQ(std::system(("cd " + directory_.path() + " && { " + command + "; } >" + out).c_str()),
              0)
        << command;
    return internal::Contents(out);
  }

  // A repository of one commit, whose Bazel "builds" its bench.sh.
  void MakeRepository() const {
    Shell("git init -q repository");
    Script("repository/bazelw",
           "#!/bin/sh\n"
           "[ \"$1\" != info ] || { echo chatter >&2; echo /nowhere/base; exit; }\n"
           "echo \"bazel $*\" >&2; [ ! -e hangs ] || exec sleep 1000\n"
           "cp bench.sh \"${4#--script_path=}\"\n");
    Commit("100 + noise");
  }

  void Commit(const std::string& p50) const {
    Script("repository/bench.sh", Bench(p50));
    Shell("cd repository && git add -A && git -c user.name=T -c user.email=t@t commit -qm 'p50 " +
          p50 + "'");
  }

  // What the check must not change.
  std::string StateOfRepository() const {
    return Shell(
        "cd repository && git worktree list && git branch && git status --porcelain && git diff");
  }

  const internal::TemporaryDirectory directory_;
};

TEST_F(RegressionTest, JudgesByTheNoiseThatIsThere) {
  const std::string json = directory_.path() + "/r.json", html = directory_.path() + "/r.html";
  const std::string hundred = Bench("100 + noise");
  Expect(0, "direct 64 B +p50 +10[0-9].*ok\n(.*\n)*No regression of more than 10 %, with 99 %",
         Compare(hundred, Bench("104 + noise")));
  Expect(1, "SLOWER\n(.*\n)*REGRESSION of more than 10 %, with 99 % confidence: stream 64 KiB[.]",
         Compare(hundred, Bench("120 + noise"),
                 {"--cases=stream", "--json=" + json, "--html=" + html}));
  EXPECT_THAT(internal::Contents(json), HasSubstr("\"verdict\": \"regression\""));
  EXPECT_THAT(internal::Contents(html),
              ContainsRegex("REGRESSION of more(.*\n)*.*<circle(.*\n)*</body></html>"));
  Expect(3, "undecided\n(.*\n)*Too noisy to tell: stream 64 KiB[.] Run it when",
         Compare(Bench("100 + 100 * noise"), Bench("100 + 100 * noise"), {"--cases=stream"}));
}

TEST_F(RegressionTest, SkipsWhatTheOlderBuildCannotRun) {
  const std::string no_streams =
      Bench("100 + noise", "case \"$*\" in *stream*) echo no streams; exit 1 ;; esac");
  Expect(0, "stream 64 KiB: skipped, A cannot run it: .*/a ended with 1: no streams",
         Compare(no_streams, Bench("100"), {"--cases=stream,pingpong"}));
  Expect(2, "Nothing could be compared: the older build runs none of the cases",
         Compare(no_streams, Bench("100"), {"--cases=stream"}));
  Expect(2, "/b ended with 1: no streams", Compare(Bench("100"), no_streams, {"--cases=stream"}));
}

TEST_F(RegressionTest, BuildsARevisionBesideAChangedCheckout) {
  if (std::system("git --version >/dev/null") != 0) GTEST_SKIP() << "there is no git";
  MakeRepository();
  const Flags flags = {"--binary_b=" + Script("b", Bench("200 + noise")), "--cases=stream"};
  Expect(0, "^Nothing to compare with: this clone has no origin/main and no parent", flags);

  Commit("200 + noise");
  Script("repository/bench.sh", "a change that is not committed");
  Script("repository/new", "an untracked file");
  const std::string before = StateOfRepository();
  Expect(1,
         "building //bench:rpc_bench of HEAD~1: [0-9a-f]{12} p50 100 [+] noise\n"
         "bazel --batch --output_base=/nowhere/base_other run --script_path=[^ ]* -c opt "
         "//bench:rpc_bench\nbuilt in [0-9]+ s\n(.*\n)*REGRESSION",
         flags);
  // On main, but with changes: with what they changed.
  Shell("cd repository && git update-ref refs/remotes/origin/main HEAD");
  Expect(0, "of merge base with origin/main: [0-9a-f]{12} p50 200", flags);
  EXPECT_EQ(StateOfRepository(), before);
}

TEST_F(RegressionTest, RemovesTheWorkTreeAtCtrlCAndAfterErrors) {
  if (std::system("git --version >/dev/null") != 0) GTEST_SKIP() << "there is no git";
  MakeRepository();
  Script("repository/hangs", "");
  Commit("1");
  const std::string before = StateOfRepository();
  Program check("bench/regression", {"--binary_b=bench/rpc_bench", "--against=HEAD"},
                {{"BUILD_WORKSPACE_DIRECTORY", repository()}});
  ASSERT_TRUE(check.child().ReadUntil("bazel --batch")) << check.output();
  EXPECT_NE(StateOfRepository(), before);
  kill(check.child().pid(), SIGINT);
  EXPECT_EQ(check.Wait(), 130) << check.output();
  check.ExpectNothingLeft();
  EXPECT_EQ(StateOfRepository(), before);

  Shell("cd repository && git rm -q --cached hangs bench.sh");
  Shell("cd repository && git -c user.name=T -c user.email=t@t commit -qm broken");
  const std::string broken = StateOfRepository();
  Expect(2, "regression: Cannot build //bench:rpc_bench of HEAD: see Bazel's messages above",
         {"--against=HEAD"});
  EXPECT_EQ(StateOfRepository(), broken);
  Expect(2, "regression: There is no revision 'carrier-pigeon' in", {"--against=carrier-pigeon"});
}

TEST_F(RegressionTest, EndsTheBenchmarkAtCtrlC) {
  Program check("bench/regression", Compare("#!/bin/sh\necho >&2; exec sleep 1000\n", Bench("1")));
  ASSERT_EQ(check.child().Processes("sleep", 1).size(), 1u) << "it does not measure";
  kill(check.child().pid(), SIGINT);
  EXPECT_EQ(check.Wait(), 130);
  EXPECT_THAT(check.output(), HasSubstr("regression: Interrupted."));
  check.ExpectNothingLeft();
}

TEST_F(RegressionTest, RefusesFlagsThatMeanNothing) {
  Expect(2, "There is no case 'pigeon'; there are: direct 64 B;", {"--cases=pigeon"});
  Expect(2, "--seconds and --minutes must be above 0", {"--minutes=0"});
  Expect(2, "There is no /nowhere. Start this program by", {"--binary_b=/nowhere"});
}

}  // namespace
}  // namespace grpc_cxl::bench
