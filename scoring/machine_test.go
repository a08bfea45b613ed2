package scoring

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sundew"
)

// askDigest makes TestDigestOfScores print what it has, for the test that runs it in a build for another machine.
const askDigest = "SUNDEW_TEST_SCORES_DIGEST"

// TestSameScoresOnEveryMachine scores the same log in builds of which two fuse products and sums: for a newer amd64, which
// this machine may be, and for arm64, where an emulator is installed.
func TestSameScoresOnEveryMachine(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("compiles for another machine than amd64")
	}
	want := digestOfScores()
	for _, machine := range []struct {
		name, setting, emulator string
	}{
		{"amd64 with fused operations", "GOAMD64=v3", ""},
		{"arm64", "GOARCH=arm64", "qemu-aarch64-static"},
	} {
		t.Run(machine.name, func(t *testing.T) {
			binary := buildTest(t, machine.setting)
			command := []string{binary, "-test.run", "^TestDigestOfScores$", "-test.v"}
			if machine.emulator != "" {
				find(t, machine.emulator)
				command = append([]string{machine.emulator}, command...)
			}
			run := exec.CommandContext(t.Context(), command[0], command[1:]...)
			run.Env = append(os.Environ(), askDigest+"=1")
			out, err := run.CombinedOutput()
			if strings.Contains(string(out), "microarchitecture support") {
				t.Skip("this machine has no fused operations")
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), want) {
				t.Errorf("digest of the scores is not %s but\n%s", want, out)
			}
		})
	}
}

// TestDigestOfScores is run by TestSameScoresOnEveryMachine.
func TestDigestOfScores(t *testing.T) {
	if os.Getenv(askDigest) == "" {
		t.Skip("for TestSameScoresOnEveryMachine")
	}
	fmt.Println(digestOfScores())
}

// find skips the test where the program is missing.
func find(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("SUNDEW_NO_SKIP") != "" {
		t.Fatalf("%s is missing: deploy/dev/packages.sh installs it", program)
	}
	t.Skipf("%s is missing: deploy/dev/packages.sh installs it", program)
}

func buildTest(t *testing.T, setting string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "scoring.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), setting, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", setting, err, out)
	}
	return binary
}

// digestOfScores covers every bit of the scores and the state after a log of eight days, on which the population's
// knowledge changes.
func digestOfScores() string {
	c := DefaultConfig()
	c.Entities, c.Workers, c.Seed = 4096, 1, 7
	e, err := New(c)
	if err != nil {
		panic(err)
	}
	events := traffic(20_000)
	for i := range events {
		events[i].Time = start.Add(events[i].Time.Sub(start) * 200)
	}
	digest := fnv.New64a()
	var word [8]byte
	number := func(x float64) {
		binary.LittleEndian.PutUint64(word[:], math.Float64bits(x))
		digest.Write(word[:])
	}
	scores := e.Score(sundew.Batch{Events: events})
	for i := range scores {
		s := &scores[i]
		digest.Write([]byte(s.Entity.Key))
		number(s.Points)
		number(s.Nats)
		for _, reason := range s.Evidence {
			digest.Write([]byte(reason.Sentence))
			number(reason.Nats)
			number(reason.Expected)
		}
	}
	digest.Write(e.AppendState(nil))
	return fmt.Sprintf("%d scores: %016x", len(scores), digest.Sum64())
}
